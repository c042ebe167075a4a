//! `/events`: every body that ever came in, what was made of it, and replaying one.

use actix_web::{HttpResponse, web};

use super::parts::query::{Address, asked};
use super::shell::{self, Page};
use super::viewer::{Editor, Viewer};
use crate::web::api::events::{EventQuery, LIST, read_one, take_in_again};
use crate::web::page;
use crate::web::path::{Path, path};
use crate::web::problem::Problem;
use crate::web::state::AppState;

mod alerts;
mod body;
mod detail;
mod list;

/// The addresses.
pub fn paths() -> Vec<Path> {
    vec![
        path("/events").get(show_list).page(),
        path("/events/{id}").get(show_one).page(),
        path("/events/{id}/replay").post(replay).undescribed(),
    ]
}

async fn show_list(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let here = Address::of(&viewer.here);
    let mut query: EventQuery = asked(&here, &viewer.taste.zone)?;
    let wanted = query.take_page()?;
    let slice = state.store.list_events(&query.filter()?, &wanted.into()).await?;
    let next = slice.next.map(|key| page::encode(LIST, &key));
    let main = list::list(&viewer, &here, &slice.items, next.as_deref());
    Ok(shell::answer(&viewer, Page { title: "Events", main }))
}

async fn show_one(
    viewer: Viewer,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let (event, held) = read_one(&state, &id).await?;
    // A body may have megabytes. What is shown of it has not.
    let read = move || {
        let _held = held;
        detail::Shown::read(event)
    };
    let shown = web::block(read).await.map_err(Problem::internal)?;
    let main = detail::detail(&viewer, &shown);
    Ok(shell::answer(&viewer, Page { title: &shown.title(), main }))
}

async fn replay(
    who: Editor,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let (accepted, _) = take_in_again(&state, &who.0.actor.name, &id).await?;
    let next = Address::to(format!("/events/{}", accepted.event_id));
    Ok(shell::see_other(next.with("done", "replayed").href()))
}

/// What a form did, in a sentence.
fn done(here: &Address) -> Option<&'static str> {
    match here.get("done")? {
        "replayed" => Some("Replayed: this is the new event."),
        _ => None,
    }
}
