//! What happened to an incident, newest first.

use maud::{Markup, html};
use serde_json::Value;

use crate::store::log_incidents::TimelineRecord;
use crate::web::ui::parts::badge::Tone;
use crate::web::ui::parts::moment;
use crate::web::ui::viewer::Viewer;

/// The list.
pub fn timeline(viewer: &Viewer, rows: &[TimelineRecord]) -> Markup {
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
