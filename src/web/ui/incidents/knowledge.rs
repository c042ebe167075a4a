//! The catalog entry of an incident, as of when it began.

use maud::{Markup, html};

use super::links;
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, EntryKind, EntryRecord};
use crate::store::log::Moment;
use crate::store::log_incidents::IncidentDetail;
use crate::web::ui::parts::{code, link, moment, table};
use crate::web::ui::viewer::Viewer;

/// The heading: the entry's kind.
pub const fn heading(record: Option<&EntryRecord>) -> &'static str {
    match record {
        Some(record) => match record.entry.kind {
            EntryKind::Model => "Model",
            EntryKind::Llm => "LLM",
            EntryKind::Prompt => "Prompt",
            EntryKind::Pipeline => "Pipeline",
            EntryKind::FeatureStore => "Feature store",
        },
        None => "Model",
    }
}

/// Facts and links; without an entry, the way to one.
pub fn knowledge(viewer: &Viewer, incident: &IncidentDetail, record: Option<&EntryRecord>) -> Markup {
    let summary = &incident.summary;
    let Some(record) = record else {
        return html! {
            @if summary.entry.is_empty() {
                p { "No catalog entry matched." }
                p { a href="/catalog/-/new" { "Add this model" } " to see its owner, version and runbook here." }
            } @else {
                p { "The entry " code { (summary.entry) } " is no longer in the catalog." }
            }
        };
    };
    let entry = &record.entry;
    let began = Timestamp::from(summary.started_at);
    let live_then = record.history.version_at(began).unwrap_or(&entry.current_version);
    let version = if summary.version.is_empty() { live_then } else { &summary.version };
    let mut rows = vec![("Entry", link::entry(&entry.slug))];
    let mut add = |term: &'static str, text: &str| {
        if !text.is_empty() {
            rows.push((term, html! { (text) }));
        }
    };
    add("Owner", &entry.owner);
    add("Team", &entry.team);
    add("Tier", &entry.tier.map(|tier| tier.to_string()).unwrap_or_default());
    add("Environment", &entry.environment);
    add("Impact", &entry.business_impact);
    add("Version", version);
    if let Some(deployment) = record.history.deployment_at(began) {
        rows.push(("Deployed", deployed(viewer, deployment, summary.started_at)));
    }
    let contacts =
        entry.contacts.iter().map(|c| format!("{} {} {}", c.name, c.kind, c.value).trim().to_owned());
    rows.extend(contacts.map(|contact| ("Contact", html! { (contact) })));
    html! {
        (table::facts(&rows))
        (shown(&links::links(incident, entry, version, minute_of(viewer.now))))
    }
}

fn deployed(viewer: &Viewer, deployment: &Deployment, began: Moment) -> Markup {
    let before = Timestamp::from(began).since(deployment.at);
    html! {
        strong { (deployment.version) } ", " (moment::span(before)) " before this incident"
        @if !deployment.actor.is_empty() { ", by " (deployment.actor) }
        @if link::is_web(&deployment.url) { ", " (link::outside(&deployment.url, "details")) }
        br; (moment::clock(viewer, deployment.at))
        @if !deployment.rollback_command.is_empty() { (code::snippet(&deployment.rollback_command)) }
    }
}

/// Links that differ by the minute at most let a page stay as it is in between.
fn minute_of(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(60_000))
}

fn shown(links: &[(String, String)]) -> Markup {
    html! {
        @if !links.is_empty() {
            p.actions { @for (name, url) in links { (link::outside(url, name)) } }
        }
    }
}
