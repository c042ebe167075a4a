//! The overview of a service at work.

use std::time::Duration;

use maud::{Markup, html};

use crate::domain::severity::Severity;
use crate::store::log_channels::SourceRecord;
use crate::store::log_incidents::IncidentSummary;
use crate::store::outbox_hand::QueueDepth;
use crate::store::overview::{MOST_COUNTED, MOST_FAILED, MOST_OPEN, OpenGroup};
use crate::web::api::channels::ChannelView;
use crate::web::ui::parts::badge::{self, Tone};
use crate::web::ui::parts::chart::{self, Column};
use crate::web::ui::parts::query::{Address, NONE};
use crate::web::ui::parts::{link, moment, notice, table};
use crate::web::ui::viewer::Viewer;
use crate::web::ui::{channels, incidents};

/// How long failed events are shown.
pub const FAILED_WITHIN: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How many entries are named.
const ENTRIES: usize = 12;

/// What the page shows.
pub struct Shown {
    /// Open incidents by severity and entry.
    pub groups: Vec<OpenGroup>,
    /// The newest open ones.
    pub newest: Vec<IncidentSummary>,
    /// Every channel.
    pub channels: Vec<ChannelView>,
    /// Messages by the hour.
    pub hours: Vec<Column>,
    /// Events that wait for triage.
    pub events: QueueDepth,
    /// Messages that wait for delivery.
    pub notifications: QueueDepth,
    /// Workers that ought to run.
    pub stopped: Vec<String>,
    /// Why triage makes no progress.
    pub stalled: Option<String>,
    /// Events of [`FAILED_WITHIN`] that triage could not use, or not all of.
    pub failed: i64,
    /// Who posts.
    pub sources: Vec<SourceRecord>,
}

/// The page.
pub fn view(viewer: &Viewer, shown: &Shown) -> Markup {
    html! {
        div.head { h1 { "Overview" } }
        div #overview-troubles data-live { (troubles(shown)) }
        div.stack {
            div #overview-figures data-live { (figures(shown)) }
            div.grid {
                div.wide.stack {
                    section.card {
                        header { h2 { "Open incidents, newest first" } a href="/incidents?state=open" { "All open" } }
                        (newest(viewer, &shown.newest))
                    }
                    div #overview-deliveries data-live { (deliveries(viewer, &shown.hours)) }
                }
                div.third.stack {
                    div #overview-entries data-live { (table::card("Firing by entry", entries(&shown.groups))) }
                    div #overview-channels data-live { (channel_health(viewer, &shown.channels)) }
                    div #overview-queues data-live { (table::card("Queues", queues(viewer, shown))) }
                    div #overview-sources data-live { (table::card("Alert sources", sources(viewer, &shown.sources))) }
                }
            }
        }
    }
}

fn troubles(shown: &Shown) -> Markup {
    html! {
        @if !shown.stopped.is_empty() {
            (notice::notice(Tone::Critical, "alert", html! { p { "Workers not running: " (shown.stopped.join(", ")) "." } }))
        }
        @if let Some(stalled) = &shown.stalled {
            (notice::notice(Tone::Critical, "alert", html! { p { "Alerts are delayed: " (stalled) "." } }))
        }
        @if shown.failed > 0 {
            @let count = if shown.failed < MOST_FAILED { shown.failed.to_string() } else { format!("{MOST_FAILED} or more") };
            (notice::notice(Tone::Critical, "alert", html! {
                p { "Triage failed for all or part of " a href="/events?state=failed" { (count) @if shown.failed == 1 { " event" } @else { " events" } } " in the last 7 days." }
            }))
        }
    }
}

fn figures(shown: &Shown) -> Markup {
    let of = |severity: Severity| -> i64 {
        let same = shown.groups.iter().filter(|group| group.severity == severity.as_str());
        same.map(|group| group.incidents).sum()
    };
    let all: i64 = shown.groups.iter().map(|group| group.incidents).sum();
    let unmatched: i64 =
        shown.groups.iter().filter(|group| group.entry.is_empty()).map(|group| group.incidents).sum();
    html! {
        div.figures {
            @for severity in Severity::ALL {
                @let count = of(severity);
                @let tone = if count > 0 { Tone::of_severity(severity.as_str()) } else { Tone::Info };
                a.figure.(tone.class()) href=(format!("/incidents?state=open&severity={severity}")) {
                    strong { (count) } span { (severity) " open" }
                }
            }
            a.figure.(if unmatched > 0 { Tone::Medium } else { Tone::Info }.class())
                href=(Address::to("/incidents").with("state", "open").with("entry", NONE).href()) {
                strong { (unmatched) } span { "without a catalog entry" }
            }
        }
        @if all >= MOST_OPEN { p.quiet { "More than " (MOST_OPEN) " incidents are open; only the newest are counted." } }
    }
}

fn newest(viewer: &Viewer, items: &[IncidentSummary]) -> Markup {
    if items.is_empty() {
        return html! { div #overview-incidents data-live { (table::nothing("No open incidents.")) } };
    }
    let rows: Vec<Markup> = items.iter().map(|item| incidents::row(viewer, item)).collect();
    table::table("overview-incidents", "Open incidents", true, &incidents::COLUMNS, &rows)
}

fn deliveries(viewer: &Viewer, hours: &[Column]) -> Markup {
    let delivered: i64 = hours.iter().filter_map(|hour| hour.good).sum();
    let failed: i64 = hours.iter().map(|hour| hour.bad).sum();
    let uncounted = hours.iter().filter(|hour| hour.good.is_none()).count();
    let said = format!("Messages, last 24 hours: {delivered} delivered, {failed} failed");
    html! {
        section.card {
            header {
                h2 { "Deliveries, last 24 hours" }
                ul.legend {
                    li.tone-good { (delivered) " delivered" }
                    li.tone-critical { a href="/notifications?state=failed" { (failed) " failed" } }
                }
            }
            div.body {
                (chart::columns(viewer, &said, hours))
                @if hours.iter().any(|hour| hour.good.unwrap_or_default() + hour.bad >= MOST_COUNTED) {
                    p.quiet { "At most " (MOST_COUNTED) " messages per hour are counted." }
                }
                @if uncounted > 0 { p.quiet { (uncounted) " hours are still being counted." } }
            }
        }
    }
}

fn entries(groups: &[OpenGroup]) -> Markup {
    let mut by_entry: Vec<(&str, i64, Severity)> = Vec::new();
    for group in groups {
        let severity =
            Severity::ALL.into_iter().find(|s| s.as_str() == group.severity).unwrap_or(Severity::Info);
        match by_entry.iter_mut().find(|(entry, ..)| *entry == group.entry) {
            Some((_, count, worst)) => {
                *count += group.incidents;
                *worst = (*worst).max(severity);
            }
            None => by_entry.push((&group.entry, group.incidents, severity)),
        }
    }
    by_entry.sort_by_key(|(_, count, worst)| std::cmp::Reverse((*worst, *count)));
    html! {
        @if by_entry.is_empty() { p.quiet { "None." } }
        @for (entry, count, worst) in by_entry.iter().take(ENTRIES) {
            p {
                (badge::severity(worst.as_str())) " "
                (link::entry(entry)) ": "
                @let asked = if entry.is_empty() { NONE } else { entry };
                a href=(Address::to("/incidents").with("state", "open").with("entry", asked).href()) { (count) " open" }
            }
        }
        @if by_entry.len() > ENTRIES { p.quiet { "and " (by_entry.len() - ENTRIES) " more" } }
    }
}

fn channel_health(viewer: &Viewer, all: &[ChannelView]) -> Markup {
    html! {
        section.card {
            header { h2 { "Channels" } a href="/channels" { "All" } }
            div.body { @for channel in all { (channels::line(viewer, channel)) } }
        }
    }
}

fn queues(viewer: &Viewer, shown: &Shown) -> Markup {
    let queue = |depth: &QueueDepth| {
        html! {
            (depth.waiting) " waiting"
            @if let Some(oldest) = depth.oldest {
                ", oldest " (moment::span(viewer.now.since(oldest)))
            }
        }
    };
    table::facts(&[("Events", queue(&shown.events)), ("Messages", queue(&shown.notifications))])
}

fn sources(viewer: &Viewer, sources: &[SourceRecord]) -> Markup {
    html! {
        @if sources.is_empty() { p.quiet { "None yet." } }
        @for source in sources.iter().take(ENTRIES) {
            p {
                strong { (source.receiver) } " from "
                @if source.external_url.is_empty() { "unnamed " (source.source) }
                @else { (link::outside(&source.external_url, &source.external_url)) }
                br; small { (source.events) " events, last " (moment::ago(viewer, source.last_seen_at)) }
            }
        }
    }
}
