//! `/incidents`: what is wrong, what is known about it, and who was told.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::parts::query::{Address, asked};
use super::shell::{self, Page};
use super::viewer::{Editor, Viewer};
use crate::store::log::PageKey;
use crate::store::log_notifications::NotificationFilter;
use crate::web::api::incident_commands::resolve_as;
use crate::web::api::incidents::{IncidentQuery, LIST};
use crate::web::api::query::checked_id;
use crate::web::page;
use crate::web::path::{Path, path};
use crate::web::problem::Problem;
use crate::web::state::AppState;
use crate::web::text::Form;

mod detail;
mod knowledge;
mod links;
mod list;
mod members;
mod timeline;
mod why;

pub use list::{COLUMNS, row};

/// How many messages of an incident its page shows.
const MESSAGES: u32 = 50;

/// The addresses.
pub fn paths() -> Vec<Path> {
    vec![
        path("/incidents").get(show_list).page(),
        path("/incidents/{id}").get(show_one).page(),
        path("/incidents/{id}/resolve").post(resolve).undescribed(),
    ]
}

async fn show_list(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let here = Address::of(&viewer.here);
    let mut query: IncidentQuery = asked(&here, &viewer.taste.zone)?;
    let wanted = query.take_page()?;
    let slice = state.store.list_incidents(&query.filter()?, &wanted.into()).await?;
    let next = slice.next.map(|key| page::encode(LIST, &key));
    let main = list::list(&viewer, &here, &slice.items, next.as_deref());
    Ok(shell::answer(&viewer, Page { title: "Incidents", main }))
}

async fn show_one(
    viewer: Viewer,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let id = checked_id("incident", &id)?;
    let found = state.store.find_incident(id).await?.ok_or_else(|| Problem::not_found("incident", id))?;
    let of_incident = NotificationFilter { incident: Some(id.to_owned()), ..NotificationFilter::default() };
    let newest = PageKey { limit: MESSAGES, before: None };
    let shown = detail::Shown {
        messages: state.store.list_notifications(&of_incident, &newest).await?,
        record: state.catalog.catalog().get(&found.summary.entry),
        incident: found,
    };
    let title = shown.title();
    let main = detail::detail(&viewer, &shown);
    Ok(shell::answer(&viewer, Page { title: &title, main }))
}

/// What the button for resolving sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resolution {
    comment: String,
}

async fn resolve(
    who: Editor,
    id: web::Path<String>,
    Form(form): Form<Resolution>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    resolve_as(&state, &who.0.actor.name, &id, Some(form.comment)).await?;
    Ok(shell::see_other(Address::to(format!("/incidents/{id}")).href()))
}
