//! `/`: what is wrong now, whether it is delivered, and where alerts come from.

use actix_web::{HttpResponse, web};

use super::shell::{self, Page};
use super::viewer::Viewer;
use crate::store::log::PageKey;
use crate::store::log_events::EventFilter;
use crate::store::log_incidents::IncidentFilter;
use crate::web::api::channels;
use crate::web::path::{Path, path};
use crate::web::problem::Problem;
use crate::web::state::AppState;

mod deliveries;
mod first_run;
mod view;

/// How many of the newest open incidents are shown.
const NEWEST: u32 = 10;

/// The address.
pub fn paths() -> Vec<Path> {
    vec![path("/").get(show).page()]
}

async fn show(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let store = &state.store;
    let sources = store.list_sources().await?;
    let has_events = !sources.is_empty() || has_events(&state).await?;
    if !has_events {
        let has_entries = !state.catalog.catalog().is_empty();
        let main = first_run::steps(&viewer, &state.live.load().config, has_entries);
        return Ok(shell::answer(&viewer, Page { title: "Welcome", main }));
    }
    let open = IncidentFilter { state: Some("open".to_owned()), ..IncidentFilter::default() };
    let newest = PageKey { limit: NEWEST, before: None };
    let shown = view::Shown {
        groups: store.open_incident_groups().await?,
        newest: store.list_incidents(&open, &newest).await?.items,
        channels: channels::all(&state).await?,
        hours: deliveries::last_day(store, &state.hour_counts, viewer.now).await?,
        events: store.events_waiting().await?,
        notifications: store.notifications_waiting().await?,
        stopped: state.operations.stopped_workers(),
        stalled: store.watch().stalled(state.clock.now()),
        failed: store.failed_events(viewer.now.minus(view::FAILED_WITHIN)).await?,
        sources,
    };
    let main = view::view(&viewer, &shown);
    Ok(shell::answer(&viewer, Page { title: "Overview", main }))
}

async fn has_events(state: &AppState) -> Result<bool, Problem> {
    let one = PageKey { limit: 1, before: None };
    Ok(!state.store.list_events(&EventFilter::default(), &one).await?.items.is_empty())
}
