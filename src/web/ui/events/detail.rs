//! One event: what it held, what was made of it, and its body.

use maud::{Markup, html};
use serde_json::Value;

use super::body::Body;
use super::{alerts, list};
use crate::domain::alert::Alert;
use crate::domain::clock::Timestamp;
use crate::intake::alertmanager;
use crate::store::log_events::{EventDetail, EventSummary};
use crate::web::api::events::{is_whole, replay_warning};
use crate::web::ui::parts::badge::{self, Tone};
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{head, moment, notice, table};
use crate::web::ui::viewer::Viewer;

/// What the page shows.
pub struct Shown {
    summary: EventSummary,
    verdicts: Value,
    /// `None` when the body cannot be read.
    alerts: Option<Vec<Alert>>,
    body: Body,
    is_whole: bool,
}

impl Shown {
    /// Reads the body; that may take a while.
    pub fn read(event: EventDetail) -> Self {
        let received_at = Timestamp::from(event.summary.received_at);
        let delivery = alertmanager::parse_part(&event.body, received_at, 0..alerts::MOST).ok();
        Self {
            alerts: delivery.map(|delivery| alerts::first_of(delivery.alerts)),
            body: Body::read(&event.body),
            is_whole: is_whole(&event),
            verdicts: event.verdicts.value(),
            summary: event.summary,
        }
    }

    /// What the tab says.
    pub fn title(&self) -> String {
        let receiver = &self.summary.receiver;
        if receiver.is_empty() { "Event".to_owned() } else { format!("Event for {receiver}") }
    }
}

/// The page.
pub fn detail(viewer: &Viewer, shown: &Shown) -> Markup {
    let summary = &shown.summary;
    html! {
        @if let Some(done) = super::done(&Address::of(&viewer.here)) { (notice::done(done)) }
        div #event-head data-live { (head(viewer, shown)) (explained(summary)) }
        div.grid {
            div.wide.stack {
                (alerts::refused(summary.rejected, &shown.verdicts))
                (alerts::noted(&shown.verdicts))
                @if let Some(taken) = &shown.alerts { (alerts::taken(viewer, taken, summary.alerts)) }
                (shown.body.card())
                @if !shown.is_whole { p.quiet { "Only the beginning of a rejected body is kept. It cannot be replayed." } }
            }
            div.third.stack {
                div #event-facts data-live { (table::card("Details", facts(viewer, summary))) }
            }
        }
    }
}

fn head(viewer: &Viewer, shown: &Shown) -> Markup {
    let summary = &shown.summary;
    head::head(
        ("/events", "Events"),
        &shown.title(),
        html! {
            (badge::state(&summary.state))
            span { "received " (moment::ago(viewer, summary.received_at)) ", " (list::counts(summary)) }
        },
        html! {
            @if viewer.may_write() && shown.is_whole {
                form.actions method="post" action=(format!("/events/{}/replay", summary.id)) {
                    button type="submit" data-confirm="Replay this body as a new event?" { "Replay" }
                }
            }
        },
    )
}

/// What the state means, where it is not the usual one.
fn explained(summary: &EventSummary) -> Markup {
    let (tone, what) = match summary.state.as_str() {
        "rejected" => (Tone::Critical, "Rejected, nothing was used"),
        "failed" => (Tone::Critical, "Stored, but triage failed for all or part of it"),
        _ => return html! {},
    };
    let body = html! {
        p { (what) @if !summary.reason.is_empty() { ": " (summary.reason) } "." }
        @if replay_warning(summary).is_some() {
            p {
                @if summary.replay_of.is_some() { "This is a replay, and it failed too. " }
                "A replay fails again until the cause is fixed."
            }
        }
    };
    notice::notice(tone, "note", body)
}

fn facts(viewer: &Viewer, summary: &EventSummary) -> Markup {
    let mut rows = vec![
        ("Received", moment::clock(viewer, summary.received_at)),
        ("Receiver", html! { (summary.receiver) }),
        ("Sender", list::sender(summary)),
        ("Group key", html! { code { (summary.group_key) } }),
        ("Alerts", list::counts(summary)),
        ("Twins", html! { (summary.twins) }),
        ("Sent by", html! { (summary.actor) }),
    ];
    if let Some(at) = summary.processed_at {
        rows.push(("Triaged", moment::clock(viewer, at)));
    }
    if let Some(of) = &summary.replay_of {
        rows.push(("Replay of", html! { a href=(format!("/events/{of}")) { "an earlier event" } }));
    }
    if !summary.reason.is_empty() {
        rows.push(("Reason", html! { (summary.reason) }));
    }
    rows.push(("ID", html! { code { (summary.id) } }));
    table::facts(&rows)
}
