//! The list of incidents.

use maud::{Markup, html};

use crate::domain::severity::Severity;
use crate::render::context::summary_and_value;
use crate::store::log_incidents::IncidentSummary;
use crate::web::ui::parts::filter::{self, Filter};
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, link, moment, table};
use crate::web::ui::viewer::Viewer;

/// How much of a summary stands for a name, in characters.
const LONGEST_NAME: usize = 120;

/// The page.
pub fn list(viewer: &Viewer, here: &Address, items: &[IncidentSummary], next: Option<&str>) -> Markup {
    let filters = [
        Filter::Search { label: "rule, entry, dedup key" },
        Filter::choice("state", "State", ["open", "resolved"]),
        Filter::choice("severity", "Severity", Severity::ALL.map(Severity::as_str)),
        Filter::Text { name: "entry", label: "Catalog entry" },
        Filter::Text { name: "alertname", label: "Rule" },
    ];
    let rows: Vec<Markup> = items.iter().map(|item| row(viewer, item)).collect();
    let is_live = here.get("cursor").is_none();
    html! {
        div.head { h1 { "Incidents" } }
        (filter::bar(here, &filters, &[]))
        div.card {
            @if rows.is_empty() {
                div #incidents data-live[is_live] { (table::nothing("No matching incidents.")) }
            } @else {
                (table::table("incidents", "Incidents, newest first", is_live, &COLUMNS, &rows))
            }
            (table::pager(here, next))
        }
    }
}

/// What the columns of [`row`] are.
pub const COLUMNS: [&str; 6] = ["Incident", "Severity", "State", "Entry", "Started", "Last change"];

/// An incident as a row.
pub fn row(viewer: &Viewer, item: &IncidentSummary) -> Markup {
    html! {
        tr #(format!("i-{}", item.id)) {
            td.main {
                a href=(format!("/incidents/{}", item.id)) { (name(item)) }
                br; small { (item.firing) " of " (item.member_count) " alerts firing · " span.mono { (item.dedup_key) } }
            }
            td.tight data-label="Severity" { (badge::severity(&item.severity)) }
            td.tight data-label="State" { (badge::state(&item.state)) }
            td data-label="Entry" { (link::entry(&item.entry)) }
            td.tight data-label="Started" { (moment::ago(viewer, item.started_at)) }
            td.tight data-label="Last change" { (moment::ago(viewer, item.updated_at)) }
        }
    }
}

/// What people call it: the rule's name; without one what the alert says, as messages do.
pub fn name(item: &IncidentSummary) -> String {
    if !item.alertname.is_empty() {
        return item.alertname.clone();
    }
    let (summary, _) = summary_and_value(&item.lead_annotations());
    match summary.char_indices().nth(LONGEST_NAME) {
        _ if summary.is_empty() => item.dedup_key.clone(),
        Some((end, _)) => format!("{}…", &summary[..end]),
        None => summary,
    }
}
