//! One incident with everything about it.

use std::sync::Arc;

use maud::{Markup, html};
use serde_json::Value;

use super::{links, list, why};
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, Entry, EntryRecord};
use crate::store::log::{Moment, Slice};
use crate::store::log_incidents::{IncidentDetail, MemberRecord, TimelineRecord};
use crate::store::log_notifications::NotificationSummary;
use crate::web::ui::notifications;
use crate::web::ui::parts::badge::{self, Tone};
use crate::web::ui::parts::query::segment;
use crate::web::ui::parts::{code, link, markdown, moment, table};
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
            return list::name(summary).to_owned();
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
                div #incident-members data-live { (members(viewer, incident)) }
                div #incident-messages data-live { (messages(viewer, shown)) }
                @if let Some(record) = &shown.record { (runbook(&record.entry)) }
            }
            div.third.stack {
                (table::card("What the catalog knows", catalog(viewer, shown)))
                div #incident-why data-live {
                    (table::card("Why was this (not) told?", why::channels(viewer, &incident.channels)))
                }
                div #incident-timeline data-live {
                    (table::card("Timeline", timeline(viewer, &incident.timeline)))
                }
                (table::card("Facts", facts(viewer, incident)))
            }
        }
    }
}

fn head(viewer: &Viewer, shown: &Shown) -> Markup {
    let summary = &shown.incident.summary;
    html! {
        div.head {
            div {
                p.crumbs { a href="/incidents" { "Incidents" } }
                h1 { (shown.title()) }
                div.badges {
                    (badge::severity(&summary.severity))
                    (badge::state(&summary.state))
                    @if summary.reopened > 0 { (badge::of(&format!("reopened {} times", summary.reopened), Tone::High)) }
                    span {
                        "began " (moment::ago(viewer, summary.started_at))
                        @match summary.resolved_at {
                            Some(end) => {
                                ", ended " (moment::ago(viewer, end)) " after "
                                (moment::span(Timestamp::from(end).since(summary.started_at.into())))
                                (ending(summary.resolve_reason.as_deref()))
                            }
                            None => { ", last heard " (moment::ago(viewer, summary.last_seen_at)) }
                        }
                    }
                }
            }
            div.actions {
                a.button href=(format!("/incidents?alertname={}", segment(&summary.alertname))) { "All of this rule" }
            }
        }
    }
}

fn ending(reason: Option<&str>) -> &'static str {
    match reason {
        Some("alert") => ", by a resolved alert",
        Some("person") => ", by a person",
        Some("stale") => ", because nothing was heard of it",
        _ => "",
    }
}

fn members(viewer: &Viewer, incident: &IncidentDetail) -> Markup {
    let rows: Vec<Markup> = incident.members.iter().map(|member| member_row(viewer, member)).collect();
    html! {
        section.card {
            header { h2 { "Alerts" } span.quiet { (incident.summary.firing) " of " (incident.summary.member_count) " firing" } }
            @if incident.summary.truncated > 0 {
                div.body { p { "Alertmanager cut " (incident.summary.truncated) " alerts from its last message: there are more than are shown here." } }
            }
            (table::table("members", "Member alerts", false, &["Alert", "Status", "Began", ""], &rows))
        }
    }
}

fn member_row(viewer: &Viewer, member: &MemberRecord) -> Markup {
    let annotations = member.annotations.value();
    let mut said: Vec<&str> = ["summary", "description", "message"]
        .into_iter()
        .filter_map(|name| annotations[name].as_str())
        .collect();
    said.dedup();
    html! {
        tr #(format!("m-{}", member.fingerprint)) {
            td.main {
                @for sentence in &said { div { (sentence) } }
                (code::labels(&member.labels.value()))
                @if has_more(&annotations) {
                    details #(format!("ann-{}", member.fingerprint)) {
                        summary { "Annotations" }
                        (code::labels(&annotations))
                    }
                }
            }
            td.tight data-label="Status" { (badge::state(&member.status)) " " (badge::severity(&member.severity)) }
            td.tight data-label="Began" { (moment::ago(viewer, member.starts_at)) }
            td.tight {
                @if link::is_web(&member.generator_url) { (link::outside(&member.generator_url, "Expression")) " · " }
                a href=(format!("/events/{}", member.event_id)) { "Event" }
            }
        }
    }
}

fn has_more(annotations: &Value) -> bool {
    annotations.as_object().is_some_and(|map| !map.is_empty())
}

fn messages(viewer: &Viewer, shown: &Shown) -> Markup {
    html! {
        section.card {
            header {
                h2 { "Messages" }
                a href=(format!("/notifications?incident={}", shown.incident.summary.id)) { "In the delivery log" }
            }
            @if shown.messages.items.is_empty() { (table::nothing("Nobody was told anything.")) }
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

fn catalog(viewer: &Viewer, shown: &Shown) -> Markup {
    let summary = &shown.incident.summary;
    let Some(record) = &shown.record else {
        return html! {
            @if summary.entry.is_empty() {
                p { "No catalog entry matched." }
                p { a href="/catalog/-/new" { "Describe this model" } " to have its owner, version and runbook here." }
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
        (links(&links::links(&shown.incident, entry, version, minute_of(viewer.now))))
    }
}

fn deployed(viewer: &Viewer, deployment: &Deployment, began: Moment) -> Markup {
    let before = Timestamp::from(began).since(deployment.at);
    html! {
        strong { (deployment.version) } ", " (moment::span(before)) " before this began"
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

fn links(links: &[(String, String)]) -> Markup {
    html! {
        @if !links.is_empty() {
            p.actions { @for (name, url) in links { (link::outside(url, name)) } }
        }
    }
}

fn timeline(viewer: &Viewer, rows: &[TimelineRecord]) -> Markup {
    html! {
        ol.timeline {
            @for row in rows.iter().rev() {
                li.(tone_of(&row.kind).class()) #(format!("t-{}", row.id)) {
                    strong { (row.kind.replace('_', " ")) }
                    @if row.actor != "alertmanager" && row.actor != "modelpager" { " by " (row.actor) }
                    span.when { (moment::clock(viewer, row.at)) " · " (moment::ago(viewer, row.at)) }
                    (happened(&row.detail.value()))
                }
            }
        }
    }
}

fn tone_of(kind: &str) -> Tone {
    match kind {
        "opened" | "reopened" | "severity_raised" => Tone::Critical,
        "failed" | "notification_failed" => Tone::High,
        "resolved" => Tone::Good,
        _ => Tone::Info,
    }
}

fn happened(detail: &Value) -> Markup {
    let is_told = |value: &Value| !(value.is_null() || value.as_str() == Some(""));
    let told: Vec<_> = detail.as_object().into_iter().flatten().filter(|(_, value)| is_told(value)).collect();
    html! {
        span.quiet {
            @for (n, (name, value)) in told.iter().enumerate() {
                @if n > 0 { ", " }
                @match (name.as_str(), value.as_str()) {
                    ("notification_id" | "notification", Some(id)) => { a href=(format!("/notifications/{id}")) { "message" } }
                    ("event_id" | "event", Some(id)) => { a href=(format!("/events/{id}")) { "event" } }
                    (name, Some(text)) => { (name.replace('_', " ")) ": " (text) }
                    (name, None) => { (name.replace('_', " ")) ": " (value.to_string()) }
                }
            }
        }
    }
}

fn facts(viewer: &Viewer, incident: &IncidentDetail) -> Markup {
    let summary = &incident.summary;
    table::facts(&[
        ("Dedup key", html! { code { (summary.dedup_key) } }),
        ("Severity said", html! { (summary.severity_raw) }),
        ("Receiver", html! { (summary.receiver) }),
        ("Alertmanager", link::outside(&summary.external_url, &summary.external_url)),
        ("First heard", moment::clock(viewer, summary.opened_at)),
        ("Last heard", moment::clock(viewer, summary.last_seen_at)),
        ("Id", html! { code { (summary.id) } }),
    ])
}
