//! One incident with everything about it.

use std::sync::Arc;

use maud::{Markup, html};

use super::{knowledge, list, members, timeline, why};
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Entry, EntryRecord};
use crate::domain::incident::{GRAFANA_TEST, IncidentState};
use crate::store::log::Slice;
use crate::store::log_incidents::IncidentDetail;
use crate::store::log_notifications::NotificationSummary;
use crate::web::ui::notifications;
use crate::web::ui::parts::badge::{self, Tone};
use crate::web::ui::parts::query::segment;
use crate::web::ui::parts::{head, link, markdown, moment, table};
use crate::web::ui::viewer::Viewer;

/// What the page shows.
pub struct Shown {
    /// The incident.
    pub incident: IncidentDetail,
    /// Its messages, newest first.
    pub messages: Slice<NotificationSummary>,
    /// What the catalog has of it.
    pub record: Option<Arc<EntryRecord>>,
}

impl Shown {
    /// What the tab says.
    pub fn title(&self) -> String {
        let summary = &self.incident.summary;
        if summary.entry.is_empty() {
            return list::name(summary);
        }
        format!("{} on {}", list::name(summary), summary.entry)
    }
}

/// The page.
pub fn detail(viewer: &Viewer, shown: &Shown) -> Markup {
    let incident = &shown.incident;
    html! {
        div #incident-head data-live { (head(viewer, shown)) }
        div.grid {
            div.wide.stack {
                div #incident-members data-live { (members::members(viewer, incident)) }
                div #incident-messages data-live { (messages(viewer, shown)) }
                @if let Some(record) = &shown.record { (runbook(&record.entry)) }
            }
            div.third.stack {
                (table::card(knowledge::heading(shown.record.as_deref()), knowledge::knowledge(viewer, incident, shown.record.as_deref())))
                div #incident-why data-live {
                    (table::card("Notification decisions", why::channels(viewer, &incident.channels)))
                }
                div #incident-timeline data-live {
                    (table::card("Timeline", timeline::timeline(viewer, &incident.timeline)))
                }
                (table::card("Details", facts(viewer, incident)))
            }
        }
    }
}

fn head(viewer: &Viewer, shown: &Shown) -> Markup {
    let summary = &shown.incident.summary;
    head::head(
        ("/incidents", "Incidents"),
        &shown.title(),
        html! {
            (badge::severity(&summary.severity))
            (badge::state(&summary.state))
            @if summary.reopened > 0 { (badge::of(&format!("reopened {} times", summary.reopened), Tone::High)) }
            span {
                "started " (moment::ago(viewer, summary.started_at))
                @match summary.resolved_at {
                    Some(end) => {
                        ", resolved " (moment::ago(viewer, end)) " after "
                        (moment::span(Timestamp::from(end).since(summary.started_at.into())))
                        (ending(summary.resolve_reason.as_deref(), &summary.source))
                    }
                    None => { ", last seen " (moment::ago(viewer, summary.last_seen_at)) }
                }
            }
        },
        html! {
            div.actions {
                @if viewer.may_write() && summary.state == IncidentState::Open.as_str() { (resolve_form(&summary.id)) }
                a.button href=(format!("/incidents?alertname={}", segment(&summary.alertname))) { "All incidents of this rule" }
            }
        },
    )
}

fn resolve_form(id: &str) -> Markup {
    html! {
        form.actions method="post" action=(format!("/incidents/{id}/resolve")) {
            input type="text" name="comment" maxlength="4096" placeholder="Comment" aria-label="Comment for the timeline";
            button type="submit" data-confirm="Resolve this incident? Channels that were notified get a resolved message." { "Resolve" }
        }
    }
}

fn ending(reason: Option<&str>, source: &str) -> &'static str {
    match reason {
        Some("alert") => ", by a resolved alert",
        Some("person") => ", by a person",
        Some("stale") if source == GRAFANA_TEST => ", automatically: Grafana never resolves its test alert",
        Some("stale") => ", stale: no more alerts received",
        _ => "",
    }
}

fn messages(viewer: &Viewer, shown: &Shown) -> Markup {
    html! {
        section.card {
            header {
                h2 { "Messages" }
                a href=(format!("/notifications?incident={}", shown.incident.summary.id)) { "View in delivery log" }
            }
            @if shown.messages.items.is_empty() { (table::nothing("No messages.")) }
            @else {
                div.body.stack { @for item in &shown.messages.items { (notifications::card(viewer, item)) } }
            }
        }
    }
}

fn runbook(entry: &Entry) -> Markup {
    if entry.runbook.is_empty() {
        return html! {};
    }
    html! { section.card { header { h2 { "Runbook" } } div.body.prose { (markdown::render(&entry.runbook)) } } }
}

fn facts(viewer: &Viewer, incident: &IncidentDetail) -> Markup {
    let summary = &incident.summary;
    table::facts(&[
        ("Dedup key", html! { code { (summary.dedup_key) } }),
        ("Original severity", html! { (summary.severity_raw) }),
        ("Receiver", html! { (summary.receiver) }),
        ("Sender", link::outside(&summary.external_url, &summary.external_url)),
        ("First seen", moment::clock(viewer, summary.opened_at)),
        ("Last seen", moment::clock(viewer, summary.last_seen_at)),
        ("ID", html! { code { (summary.id) } }),
    ])
}
