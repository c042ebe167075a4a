//! Whether a channel delivers, in words.

use maud::{Markup, html};

use crate::web::api::channels::{ChannelState, ChannelView, HealthState};
use crate::web::ui::parts::moment;
use crate::web::ui::viewer::Viewer;

/// Whether its messages wait until it delivers again.
pub fn is_held_back(channel: &ChannelView) -> bool {
    channel.enabled && matches!(channel.health.state, HealthState::Open | HealthState::HalfOpen)
}

/// How it fares, since when, why, and what comes next.
pub fn words(viewer: &Viewer, channel: &ChannelView) -> Markup {
    match (channel.state, channel.health.state) {
        (ChannelState::Disabled, _) => html! { "Disabled in the configuration: nothing is sent." },
        (_, HealthState::Open | HealthState::HalfOpen) => held_back(viewer, channel),
        (ChannelState::Paused, _) => html! {
            "Rate limited by the provider" (until(viewer, channel)) "."
        },
        (_, HealthState::Degraded) => html! {
            (failures(channel.health.failures)) " since the last success; messages are still sent."
        },
        (ChannelState::Untried, _) => html! { "Nothing sent yet." },
        (_, HealthState::Healthy) => html! { "Delivering." },
    }
}

fn held_back(viewer: &Viewer, channel: &ChannelView) -> Markup {
    let health = &channel.health;
    html! {
        "Not delivering"
        @if let Some(since) = health.since { " since " (moment::clock(viewer, since)) }
        @if let Some(reason) = &health.reason { ": " (reason) }
        ". "
        @if health.state == HealthState::HalfOpen { "Probing now" }
        @else if let Some(at) = health.next_probe_at { "Next probe " (moment::ago(viewer, at)) }
        @else { "The next message is sent as a probe" }
        @if health.failed_probes > 0 { "; " (health.failed_probes) " probes in a row failed" }
        "."
    }
}

fn until(viewer: &Viewer, channel: &ChannelView) -> Markup {
    html! { @if let Some(at) = channel.paused_until { " until " (moment::clock(viewer, at)) } }
}

fn failures(count: i64) -> String {
    if count == 1 { "1 failed attempt".to_owned() } else { format!("{count} failed attempts") }
}
