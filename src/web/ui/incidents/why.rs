//! The notification decisions of an incident: what each channel was sent, and why.

use maud::{Markup, html};

use crate::store::log_incidents::ChannelWhy;
use crate::web::ui::parts::badge::{self, Tone};
use crate::web::ui::parts::{link, moment, table};
use crate::web::ui::viewer::Viewer;

/// The decisions, a channel each.
pub fn channels(viewer: &Viewer, channels: &[ChannelWhy]) -> Markup {
    if channels.is_empty() {
        return table::nothing("No decisions yet.");
    }
    html! {
        div.stack { @for channel in channels { (one(viewer, channel)) } }
    }
}

fn one(viewer: &Viewer, why: &ChannelWhy) -> Markup {
    let last_sent = why.last_sent.as_ref();
    html! {
        div {
            p {
                strong { (link::channel(&why.channel)) } " "
                @match last_sent {
                    Some(sent) => (badge::of(&format!("notified: {}", sent.status), Tone::Good)),
                    None => (badge::of("not notified", Tone::Info)),
                }
            }
            @if let Some(decision) = &why.decision {
                p {
                    @match (decision.outcome.as_str(), decision.until) {
                        ("send", _) => { "Sent " (moment::ago(viewer, decision.at)) ": " }
                        ("wait", Some(until)) => { "Waiting until " (moment::clock(viewer, until)) ": " }
                        ("wait", None) => { "Waiting: " }
                        _ => { "Nothing to send since " (moment::ago(viewer, decision.at)) ": " }
                    }
                    (decision.reason) "."
                    @if let Some(id) = &decision.notification_id {
                        " " a href=(format!("/notifications/{id}")) { "View message" }
                    }
                }
                (route(&decision.route.value()))
            } @else {
                p.quiet { (why.why) }
            }
            @if let Some(sent) = last_sent {
                p.quiet {
                    "Last sent: " (sent.status) ", severity " (sent.severity) ", "
                    (moment::ago(viewer, sent.at)) " ("
                    a href=(format!("/notifications/{}", sent.notification_id)) { "message" } ")"
                }
            }
            @if let Some(due) = why.next_due_at {
                p.quiet { @if last_sent.is_some() { "Next reminder " } @else { "Next check " } (moment::ago(viewer, due)) }
            }
        }
    }
}

/// A step of the path; the default route has no matchers.
fn matcher(step: &serde_json::Value) -> Markup {
    match step.as_str() {
        Some("{}") => html! { "default" },
        Some(text) => html! { code { (text) } },
        None => html! { code { (step.to_string()) } },
    }
}

/// The path through the routing tree.
fn route(route: &serde_json::Value) -> Markup {
    let Some(steps) = route.as_array().filter(|steps| !steps.is_empty()) else { return html! {} };
    html! {
        p.quiet {
            "Route: "
            @for (n, step) in steps.iter().enumerate() {
                @if n > 0 { " → " }
                (matcher(step))
            }
        }
    }
}
