//! What must hold of `retention`: nothing may be deleted that something kept still needs.

use std::time::Duration;

use serde_json::Value;

use super::{Report, child, list_at, section, text_at};
use crate::config::{IntakeConfig, Keep, RetentionConfig};
use crate::domain::duration::PromDuration;

/// What is deleted does not come back, and `30m` for thirty months would delete nearly all.
const SHORTEST: Duration = Duration::from_secs(24 * 3_600);

pub(super) fn check(retention: &RetentionConfig, document: &Value, report: &mut Report) {
    // What is compared with a default that nobody wrote says nothing.
    let is_readable = report.is_clean("/retention");
    let all = [
        ("events", retention.events),
        ("notifications", retention.notifications),
        ("incidents", retention.incidents),
        ("audit", retention.audit),
    ];
    for (key, keep) in all {
        if keep.0.is_some_and(|kept| kept < SHORTEST) {
            report.add(
                &child("/retention", key),
                "must be at least 1d: what is deleted does not come back; `forever` deletes nothing",
            );
        }
    }
    if is_readable {
        check_needs(retention, document, report);
    }
}

fn check_needs(retention: &RetentionConfig, document: &Value, report: &mut Report) {
    if !retention.incidents.is_at_least(retention.notifications) {
        report.add(
            "/retention/incidents",
            format!(
                "must not be less than `notifications` ({}): the log could not say what a message was about",
                retention.notifications
            ),
        );
    }
    let cooldown = document.get("route").map_or(Duration::ZERO, longest_cooldown);
    if !retention.incidents.is_at_least(Keep(Some(cooldown))) {
        report.add(
            "/retention/incidents",
            format!(
                "must not be less than the longest `cooldown` ({}): what fires again could not be folded",
                PromDuration(cooldown)
            ),
        );
    }
    let window = section::<IntakeConfig>(document, "intake").unwrap_or_default().dedup_window;
    if !retention.events.is_at_least(Keep(Some(window.0))) {
        report.add(
            "/retention/events",
            format!("must not be less than `intake.dedup_window` ({window}): a twin names the first event"),
        );
    }
}

fn longest_cooldown(route: &Value) -> Duration {
    let own = text_at(route, "cooldown").and_then(|text| text.parse::<PromDuration>().ok());
    let below = list_at(route, "/routes").map(longest_cooldown).max();
    own.unwrap_or_default().0.max(below.unwrap_or_default())
}
