//! The delivery log as a table, and one message as a card.

use maud::{Markup, html};

use crate::domain::notification::NotificationState;
use crate::domain::severity::Severity;
use crate::store::log_notifications::NotificationSummary;
use crate::web::ui::parts::filter::{self, Filter};
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, link, message, moment, notice, table};
use crate::web::ui::viewer::Viewer;

/// What the page shows.
pub struct Shown {
    /// The messages, newest first.
    pub items: Vec<NotificationSummary>,
    /// Leads to the next page.
    pub next: Option<String>,
    /// The channels there are.
    pub channels: Vec<String>,
}

/// The page.
pub fn list(viewer: &Viewer, here: &Address, shown: &Shown) -> Markup {
    let filters = [
        Filter::Search { label: "message, rule, entry, reason" },
        Filter::choice("state", "State", NotificationState::ALL.map(NotificationState::as_str)),
        Filter::choice("channel", "Channel", &shown.channels),
        Filter::choice("severity", "Severity", Severity::ALL.map(Severity::as_str)),
        Filter::Text { name: "entry", label: "Catalog entry" },
        Filter::Time { name: "since", label: "Since" },
        Filter::Time { name: "until", label: "Until" },
    ];
    let hidden = [("alertname", "Rule"), ("dedup_key", "Dedup key"), ("incident", "Incident")];
    html! {
        div.head {
            h1 { "Delivery log" }
            div.actions {
                a.button href=(export(here, "/notifications.csv")) { "CSV" }
                a.button href=(export(here, "/notifications.ndjson")) { "NDJSON" }
            }
        }
        @if let Some(done) = super::done(here) { (notice::done(done)) }
        (filter::bar(here, &filters, &hidden))
        form.card method="post" action="/notifications/redeliver" {
            input type="hidden" name="next" value=(here.clone().without("done").href());
            (rows(viewer, here, &shown.items))
            @if viewer.may_write() && !shown.items.is_empty() {
                div.pager {
                    button type="submit" data-confirm="Resend the selected messages?" { "Resend selected" }
                }
            }
            (table::pager(here, shown.next.as_deref()))
        }
    }
}

fn export(here: &Address, path: &str) -> String {
    here.clone().without("cursor").without("done").at(path).href()
}

fn rows(viewer: &Viewer, here: &Address, items: &[NotificationSummary]) -> Markup {
    let is_live = here.get("cursor").is_none();
    if items.is_empty() {
        return html! { div #notifications data-live[is_live] { (table::nothing("No matching messages.")) } };
    }
    let tick = |item: &NotificationSummary| viewer.may_write().then(|| item.id.clone());
    let rows: Vec<Markup> = items.iter().map(|item| row(viewer, item, tick(item))).collect();
    table::table("notifications", "Messages, newest first", is_live, &COLUMNS, &rows)
}

/// What the columns of [`row`] are.
pub const COLUMNS: [&str; 7] = ["Message", "State", "Severity", "Channel", "Entry", "Attempts", "Created"];

/// A message as a row; with a box to tick where that has a value.
pub fn row(viewer: &Viewer, item: &NotificationSummary, tick: Option<String>) -> Markup {
    let headline = headline(item);
    html! {
        tr #(format!("n-{}", item.id)) {
            td.main {
                div.tick {
                    @if let Some(id) = &tick {
                        input type="checkbox" name="id" value=(id) aria-label=(format!("Select: {headline}"));
                    }
                    div {
                        a href=(format!("/notifications/{}", item.id)) { (headline) }
                        br; small { (item.kind.replace('_', " ")) @if !item.reason.is_empty() { " · " (item.reason) } }
                    }
                }
            }
            td.tight data-label="State" {
                (badge::state(&item.state))
                @if item.maybe_sent_twice { " " (badge::of("possible duplicate", badge::Tone::Medium)) }
            }
            td.tight data-label="Severity" { (badge::severity(&item.severity)) }
            td data-label="Channel" { (link::channel(&item.channel)) }
            td data-label="Entry" { (link::entry(&item.entry)) }
            td.tight.number data-label="Attempts" { (item.attempt_count) }
            td.tight data-label="Created" { (moment::ago(viewer, item.created_at)) }
        }
    }
}

/// The headline; what stands for it before the first attempt, and where it is for programs, such
/// as an event's type.
fn headline(item: &NotificationSummary) -> String {
    let for_people = item.headline().filter(|title| title.contains(' '));
    for_people.unwrap_or_else(|| {
        let name = if item.alertname.is_empty() { &item.dedup_key } else { &item.alertname };
        let entry = if item.entry.is_empty() { String::new() } else { format!(" on {}", item.entry) };
        format!("{name}{entry}")
    })
}

/// A message as its reader saw it, with where it stands.
pub fn card(viewer: &Viewer, item: &NotificationSummary) -> Markup {
    html! {
        article #(format!("c-{}", item.id)) {
            p {
                strong { (link::channel(&item.channel)) } " "
                (badge::state(&item.state)) " "
                (badge::plain(&item.kind.replace('_', " "))) " "
                a href=(format!("/notifications/{}", item.id)) { (moment::ago(viewer, item.created_at)) }
            }
            @if let Some(preview) = &item.preview {
                (message::message(&item.id, &item.severity, &preview.value()))
            } @else {
                p.quiet { (item.reason) }
            }
        }
    }
}
