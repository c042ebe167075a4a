//! The alerts of an incident.

use maud::{Markup, html};
use serde_json::Value;

use crate::domain::alert::Extras;
use crate::store::log_incidents::{IncidentDetail, MemberRecord};
use crate::web::ui::parts::{badge, code, extras, link, moment, table};
use crate::web::ui::viewer::Viewer;

/// All of them, in a card.
pub fn members(viewer: &Viewer, incident: &IncidentDetail) -> Markup {
    let rows: Vec<Markup> = incident.members.iter().map(|member| member_row(viewer, member)).collect();
    html! {
        section.card {
            header { h2 { "Alerts" } span.quiet { (incident.summary.firing) " of " (incident.summary.member_count) " firing" } }
            @if incident.summary.truncated > 0 {
                div.body { p { "Alertmanager truncated " (incident.summary.truncated) " alerts in its last notification; not all alerts are shown here." } }
            }
            (table::table("members", "Alerts", false, &["Alert", "Status", "Started", ""], &rows))
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
    // What another version of this program wrote is not shown.
    let added: Extras = serde_json::from_value(member.extras.value()).unwrap_or_default();
    html! {
        tr #(format!("m-{}", member.fingerprint)) {
            td.main {
                @for sentence in &said { div { (sentence) } }
                (code::labels(&member.labels.value()))
                (extras::values(&added))
                @if has_more(&annotations) {
                    details #(format!("ann-{}", member.fingerprint)) {
                        summary { "Annotations" }
                        (code::labels(&annotations))
                    }
                }
            }
            td.tight data-label="Status" { (badge::state(&member.status)) " " (badge::severity(&member.severity)) }
            td.tight data-label="Started" { (moment::ago(viewer, member.starts_at)) }
            td.tight {
                @if link::is_web(&member.generator_url) { (link::outside(&member.generator_url, "Expression")) " · " }
                (extras::links(&added))
                a href=(format!("/events/{}", member.event_id)) { "Event" }
            }
        }
    }
}

fn has_more(annotations: &Value) -> bool {
    annotations.as_object().is_some_and(|map| !map.is_empty())
}
