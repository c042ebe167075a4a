//! The list of events.

use maud::{Markup, html};

use crate::store::log_events::EventSummary;
use crate::web::ui::parts::filter::{self, Filter};
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, link, moment, table};
use crate::web::ui::viewer::Viewer;

const COLUMNS: [&str; 7] = ["Event", "State", "Receiver", "Sender", "Alerts", "Twins", "Reason"];

/// The page.
pub fn list(viewer: &Viewer, here: &Address, items: &[EventSummary], next: Option<&str>) -> Markup {
    let filters = [
        Filter::choice("state", "State", ["pending", "processed", "rejected", "failed"]),
        Filter::Text { name: "receiver", label: "Receiver" },
        Filter::Time { name: "since", label: "Since" },
        Filter::Time { name: "until", label: "Until" },
    ];
    let rows: Vec<Markup> = items.iter().map(|item| row(viewer, item)).collect();
    let is_live = here.get("cursor").is_none();
    html! {
        div.head { h1 { "Events" } }
        (filter::bar(here, &filters, &[]))
        div.card {
            @if rows.is_empty() {
                div #events data-live[is_live] { (table::nothing("No matching events.")) }
            } @else {
                (table::table("events", "Events, newest first", is_live, &COLUMNS, &rows))
            }
            (table::pager(here, next))
        }
    }
}

fn row(viewer: &Viewer, item: &EventSummary) -> Markup {
    html! {
        tr #(format!("e-{}", item.id)) {
            td.main {
                a href=(format!("/events/{}", item.id)) { "Received " (moment::ago(viewer, item.received_at)) }
                br; small { (moment::clock(viewer, item.received_at)) @if item.replay_of.is_some() { " · replay" } }
            }
            td.tight data-label="State" { (badge::state(&item.state)) }
            td data-label="Receiver" { (item.receiver) }
            td data-label="Sender" { (sender(item)) }
            td.tight data-label="Alerts" { (counts(item)) }
            td.tight.number data-label="Twins" { (item.twins) }
            td data-label="Reason" { (item.reason) }
        }
    }
}

/// The sender's own address.
pub fn sender(item: &EventSummary) -> Markup {
    html! {
        @if item.external_url.is_empty() { span.quiet { "unknown" } }
        @else { (link::outside(&item.external_url, &item.external_url)) }
    }
}

/// How many alerts were accepted, rejected, and truncated by the sender.
pub fn counts(item: &EventSummary) -> Markup {
    html! {
        (item.alerts) " accepted"
        @if item.rejected > 0 { ", " (item.rejected) " rejected" }
        @if item.truncated > 0 { ", " (item.truncated) " truncated by the sender" }
    }
}
