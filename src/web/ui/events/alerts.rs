//! The alerts of an event: those that were taken, and the verdicts on those that were not.

use maud::{Markup, html};
use serde_json::{Value, json};

use crate::domain::alert::Alert;
use crate::domain::labels::Labels;
use crate::intake::alertmanager::Judgement;
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, code, extras, link, moment, table};
use crate::web::ui::viewer::Viewer;

/// How many alerts are shown; a body may have thousands.
pub const MOST: usize = 500;

/// How much of all their texts is shown, in bytes.
const MOST_TEXT: usize = 256 * 1024;

/// The alerts whose texts are not too long to be shown together; of the last one perhaps a part.
pub fn first_of(alerts: Vec<Alert>) -> Vec<Alert> {
    let mut left = MOST_TEXT;
    let mut shown = Vec::new();
    for mut alert in alerts {
        if left == 0 {
            break;
        }
        shorten(&mut alert.labels, &mut left);
        shorten(&mut alert.annotations, &mut left);
        shown.push(alert);
    }
    shown
}
/// Leaves out what does not fit, and says so.
fn shorten(texts: &mut Labels, left: &mut usize) {
    let all = texts.len();
    texts.retain(|name, value| {
        let size = name.len() + value.len();
        let fits = size <= *left;
        *left = left.saturating_sub(size);
        fits
    });
    let others = all - texts.len();
    if others > 0 {
        texts.insert("…".to_owned(), format!("{others} more in the body"));
    }
}

/// The usable alerts among the first [`MOST`] of a body that has `all` in all.
pub fn taken(viewer: &Viewer, alerts: &[Alert], all: i64) -> Markup {
    let rows: Vec<Markup> = alerts.iter().enumerate().map(|(n, alert)| row(viewer, n, alert)).collect();
    html! {
        section.card {
            header { h2 { "Alerts" } span.quiet { (all) } }
            @if rows.is_empty() { (table::nothing("None accepted.")) }
            @else { (table::table("event-alerts", "Alerts in the body", false, &["Alert", "Status", "Started", ""], &rows)) }
            @let more = usize::try_from(all).unwrap_or_default().saturating_sub(rows.len());
            @if more > 0 { div.body { p.quiet { "and " (more) " more in the body." } } }
        }
    }
}

fn row(viewer: &Viewer, place: usize, alert: &Alert) -> Markup {
    html! {
        tr #(format!("a-{place}")) {
            td.main {
                (code::labels(&json!(alert.labels)))
                (extras::values(&alert.extras))
                @if !alert.annotations.is_empty() {
                    details #(format!("ann-{place}")) { summary { "Annotations" } (code::labels(&json!(alert.annotations))) }
                }
            }
            td.tight data-label="Status" { (badge::state(alert.status.as_str())) }
            td.tight data-label="Started" { (moment::clock(viewer, alert.starts_at)) }
            td.tight {
                @if link::is_web(&alert.generator_url) { (link::outside(&alert.generator_url, "Expression")) " · " }
                (extras::links(&alert.extras))
                @if !alert.name().is_empty() {
                    a href=(Address::to("/incidents").with("alertname", alert.name()).href()) { "Incidents" }
                }
            }
        }
    }
}

/// Why alerts were unusable.
pub fn refused(count: i64, verdicts: &Value) -> Markup {
    let rows = rows_of(verdicts, Judgement::Rejected, "Reason");
    if rows.is_empty() {
        return html! {};
    }
    html! {
        section.card {
            header { h2 { "Rejected alerts" } span.quiet { (count) } }
            (table::table("event-verdicts", "Rejected alerts and reasons", false, &["Alert", "Reason", "Start of the alert"], &rows))
        }
    }
}

/// What stands in for something that could not be read in alerts that were taken.
pub fn noted(verdicts: &Value) -> Markup {
    let rows = rows_of(verdicts, Judgement::Noted, "Note");
    if rows.is_empty() {
        return html! {};
    }
    html! {
        section.card {
            header { h2 { "Notes on alerts" } }
            (table::table("event-notes", "Accepted alerts with notes", false, &["Alert", "Note", "Start of the alert"], &rows))
        }
    }
}

fn rows_of(verdicts: &Value, judgement: Judgement, label: &str) -> Vec<Markup> {
    let verdicts = verdicts.as_array().map_or(&[][..], Vec::as_slice);
    let told = verdicts.iter().filter(|verdict| verdict["verdict"] == json!(judgement));
    told.map(|told| verdict(told, label)).collect()
}

fn verdict(verdict: &Value, label: &str) -> Markup {
    let text = |key: &str| verdict[key].as_str().unwrap_or_default();
    html! {
        tr {
            td.tight data-label="Alert" { (verdict["index"].to_string()) }
            td data-label=(label) { (text("reason")) }
            td.main { (code::text(text("head"))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::{AlertStatus, Extras};
    use crate::domain::clock::Timestamp;

    fn alert(labels: usize, length: usize) -> Alert {
        let pair = |n: usize| (format!("l{n:03}"), "x".repeat(length));
        Alert {
            fingerprint: String::new(),
            status: AlertStatus::Firing,
            labels: (0..labels).map(pair).collect(),
            annotations: Labels::new(),
            starts_at: Timestamp::from_millis(0),
            ends_at: None,
            generator_url: String::new(),
            extras: Extras::default(),
        }
    }

    #[test]
    fn alerts_are_shown_as_long_as_their_texts_are_not_too_long() {
        let small = vec![alert(3, 10); 500];
        assert_eq!(first_of(small.clone()), small);
        assert_eq!(first_of(vec![alert(1, 16_384); 500]).len(), 16);

        let large = first_of(vec![alert(100, 16_384), alert(1, 1)]);
        assert_eq!(large.len(), 1);
        let labels = &large[0].labels;
        assert_eq!((labels.len(), labels["…"].as_str()), (16, "85 more in the body"));
    }
}
