//! The alerts of an event: those that were taken, and the verdicts on those that were not.

use maud::{Markup, html};
use serde_json::{Value, json};

use crate::domain::alert::Alert;
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, code, link, moment, table};
use crate::web::ui::viewer::Viewer;

/// How many alerts are shown; a body may have thousands.
const MOST: usize = 500;

/// The usable alerts.
pub fn taken(viewer: &Viewer, alerts: &[Alert]) -> Markup {
    let rows: Vec<Markup> =
        alerts.iter().take(MOST).enumerate().map(|(n, alert)| row(viewer, n, alert)).collect();
    html! {
        section.card {
            header { h2 { "Alerts" } span.quiet { (alerts.len()) } }
            @if rows.is_empty() { (table::nothing("None that can be used.")) }
            @else { (table::table("event-alerts", "Alerts in the body", false, &["Alert", "Status", "Began", ""], &rows)) }
            @if alerts.len() > MOST { div.body { p.quiet { "and " (alerts.len() - MOST) " more, which the body holds." } } }
        }
    }
}

fn row(viewer: &Viewer, place: usize, alert: &Alert) -> Markup {
    html! {
        tr #(format!("a-{place}")) {
            td.main {
                (code::labels(&json!(alert.labels)))
                @if !alert.annotations.is_empty() {
                    details #(format!("ann-{place}")) { summary { "Annotations" } (code::labels(&json!(alert.annotations))) }
                }
            }
            td.tight data-label="Status" { (badge::state(alert.status.as_str())) }
            td.tight data-label="Began" { (moment::clock(viewer, alert.starts_at)) }
            td.tight {
                @if link::is_web(&alert.generator_url) { (link::outside(&alert.generator_url, "Expression")) " · " }
                @if !alert.name().is_empty() {
                    a href=(Address::to("/incidents").with("alertname", alert.name()).href()) { "Incidents" }
                }
            }
        }
    }
}

/// Why alerts were unusable.
pub fn refused(count: i64, verdicts: &Value) -> Markup {
    let Some(verdicts) = verdicts.as_array().filter(|verdicts| !verdicts.is_empty()) else { return html! {} };
    let rows: Vec<Markup> = verdicts.iter().map(verdict).collect();
    html! {
        section.card {
            header { h2 { "Unusable alerts" } span.quiet { (count) } }
            (table::table("event-verdicts", "Unusable alerts and why", false, &["Alert", "Reason", "How it begins"], &rows))
        }
    }
}

fn verdict(verdict: &Value) -> Markup {
    let text = |key: &str| verdict[key].as_str().unwrap_or_default();
    html! {
        tr {
            td.tight data-label="Alert" { (verdict["index"].to_string()) }
            td data-label="Reason" { (text("reason")) }
            td.main { (code::text(text("head"))) }
        }
    }
}
