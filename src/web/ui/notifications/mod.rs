//! `/notifications`: the delivery log: what was sent to whom, with what result; sending it again.

use actix_web::{HttpResponse, web};

use super::parts::query::{Address, asked};
use super::shell::{self, Page};
use super::viewer::{Editor, Viewer};
use crate::web::api::format::Format;
use crate::web::api::notifications::{LIST, NotificationQuery, export, send_again};
use crate::web::api::query::checked_id;
use crate::web::page;
use crate::web::path::{Path, path};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;
use crate::web::text::Form;

mod detail;
mod list;
mod mail;

pub use list::{COLUMNS, card, row};

/// The most messages that are sent again at a time.
const MOST: usize = 500;

/// The addresses.
pub fn paths() -> Vec<Path> {
    vec![
        path("/notifications").get(show_list).page(),
        path("/notifications.csv").get(save_csv).compressed().undescribed(),
        path("/notifications.ndjson").get(save_ndjson).compressed().undescribed(),
        // Before the ids: this word is none.
        path("/notifications/redeliver").post(redeliver).undescribed(),
        path("/notifications/{id}").get(show_one).page(),
        path("/notifications/{id}/mail").get(mail::show).compressed().undescribed(),
    ]
}

async fn show_list(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let here = Address::of(&viewer.here);
    let mut query: NotificationQuery = asked(&here, &viewer.taste.zone)?;
    let wanted = query.take_page()?;
    let slice = state.store.list_notifications(&query.filter()?, &wanted.into()).await?;
    let live = state.live.load();
    let shown = list::Shown {
        next: slice.next.map(|key| page::encode(LIST, &key)),
        items: slice.items,
        channels: live.config.channels.iter().map(|channel| channel.name.clone()).collect(),
    };
    let main = list::list(&viewer, &here, &shown);
    Ok(shell::answer(&viewer, Page { title: "Delivery log", main }))
}

async fn save_csv(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    save(&viewer, &state, Format::Csv)
}

async fn save_ndjson(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    save(&viewer, &state, Format::Ndjson)
}

fn save(viewer: &Viewer, state: &AppState, format: Format) -> Result<HttpResponse, Problem> {
    let query: NotificationQuery = asked(&Address::of(&viewer.here).without("cursor"), &viewer.taste.zone)?;
    Ok(export(state.store.clone(), query.filter()?, None, format))
}

async fn show_one(
    viewer: Viewer,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let id = checked_id("notification", &id)?;
    let found =
        state.store.find_notification(id).await?.ok_or_else(|| Problem::not_found("notification", id))?;
    let main = detail::detail(&viewer, &found);
    Ok(shell::answer(&viewer, Page { title: &detail::title(&found), main }))
}

/// Sends again what is ticked: `id`, once for each; then leads to `next`. The others are sent
/// though one cannot be.
async fn redeliver(
    who: Editor,
    Form(form): Form<Vec<(String, String)>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let values = |name: &'static str| form.iter().filter(move |(key, _)| key == name).map(|(_, value)| value);
    let ids: Vec<&String> = values("id").take(MOST + 1).collect();
    if ids.is_empty() {
        return Err(Problem::new(Kind::Validation, "no messages selected"));
    }
    if ids.len() > MOST {
        return Err(Problem::new(Kind::Validation, format!("no more than {MOST} messages at a time")));
    }
    let mut refused = Vec::new();
    for id in &ids {
        match send_again(&state, &who.0.actor.name, id).await {
            Ok(_) => {}
            Err(problem) if problem.kind() == Kind::Conflict && ids.len() > 1 => refused.push(problem),
            Err(problem) => return Err(problem),
        }
    }
    let next = values("next").next().map_or("/notifications", String::as_str);
    let next = Address::of(&super::login::own_path(next));
    let done = if refused.is_empty() { "redelivered" } else { "some-redelivered" };
    Ok(shell::see_other(next.with("done", done).href()))
}

/// What a form did, in a sentence.
fn done(here: &Address) -> Option<&'static str> {
    match here.get("done")? {
        "redelivered" => Some("Resending: the message is queued for its channel."),
        "some-redelivered" => {
            Some("Resending all except messages that are still being delivered or have no channel.")
        }
        _ => None,
    }
}
