//! Why each channel was told, or not, in words.

use maud::{Markup, html};

use crate::store::log_incidents::ChannelWhy;
use crate::web::ui::parts::badge::{self, Tone};
use crate::web::ui::parts::{link, moment, table};
use crate::web::ui::viewer::Viewer;

/// All channels that were thought of.
pub fn channels(viewer: &Viewer, channels: &[ChannelWhy]) -> Markup {
    if channels.is_empty() {
        return table::nothing("Nothing was decided yet.");
    }
    html! {
        div.stack { @for channel in channels { (one(viewer, channel)) } }
    }
}

fn one(viewer: &Viewer, why: &ChannelWhy) -> Markup {
    let told = why.told.as_ref();
    html! {
        div {
            p {
                strong { (link::channel(&why.channel)) } " "
                @match told {
                    Some(told) => (badge::of(&format!("told: {}", told.status), Tone::Good)),
                    None => (badge::of("not told", Tone::Info)),
                }
            }
            @if let Some(decision) = &why.decision {
                p {
                    @match (decision.outcome.as_str(), decision.until) {
                        ("send", _) => { "Told " (moment::ago(viewer, decision.at)) ", because: " }
                        ("wait", Some(until)) => { "Held back until " (moment::clock(viewer, until)) ": " }
                        ("wait", None) => { "Held back: " }
                        _ => { "Nothing to tell since " (moment::ago(viewer, decision.at)) ": " }
                    }
                    (decision.reason) "."
                    @if let Some(id) = &decision.notification_id {
                        " " a href=(format!("/notifications/{id}")) { "The message" }
                    }
                }
                (route(&decision.route.value()))
            } @else {
                p.quiet { (why.why) }
            }
            @if let Some(told) = told {
                p.quiet {
                    "Last told " (told.status) " at severity " (told.severity) ", "
                    (moment::ago(viewer, told.at)) " ("
                    a href=(format!("/notifications/{}", told.notification_id)) { "message" } ")"
                }
            }
            @if let Some(due) = why.next_due_at {
                p.quiet { "Decided again " (moment::ago(viewer, due)) " though nothing happens." }
            }
        }
    }
}

/// A step of the way; the root has no matchers.
fn matcher(step: &serde_json::Value) -> Markup {
    match step.as_str() {
        Some("{}") => html! { "the root" },
        Some(text) => html! { code { (text) } },
        None => html! { code { (step.to_string()) } },
    }
}

/// The way through the routing tree.
fn route(route: &serde_json::Value) -> Markup {
    let Some(steps) = route.as_array().filter(|steps| !steps.is_empty()) else { return html! {} };
    html! {
        p.quiet {
            "By the route: "
            @for (n, step) in steps.iter().enumerate() {
                @if n > 0 { " → " }
                (matcher(step))
            }
        }
    }
}
