//! Every HTTP status, and what providers say about coming back.

use super::*;
use crate::fakes::engine::Step;
use crate::http::classify::{self, RetryHint};

/// The outcome for a kind: that of the status, unless success needs more than a status.
fn expected(rig: &Rig, status: u16) -> SendOutcome {
    let is_success = (200..=299).contains(&status);
    match rig.name {
        // No body at all: the standard forbids it.
        "slack by webhook" if status == 204 => SendOutcome::Ambiguous,
        // The body is not `ok`.
        "slack by webhook" if is_success => SendOutcome::Rejected,
        // The body is not JSON.
        "slack by API" if is_success => SendOutcome::Ambiguous,
        _ => classify::outcome(status, RetryHint::Absent),
    }
}

#[tokio::test]
async fn every_status_has_its_outcome() {
    for rig in Rig::over_http(LONG).await {
        let snapshot = samples::firing();
        let rendered = saying(rig.kind, "text");
        for status in 200..=599 {
            rig.http().unwrap().script([Step::status(status)]);

            let report = rig.channel.send(&message(&snapshot, &rendered), LONG).await;

            assert_eq!(report.outcome, expected(&rig, status), "{}, {status}: {report:?}", rig.name);
            assert_eq!(report.status, Some(status), "{}", rig.name);
            assert_eq!(report.error.is_none(), report.outcome == SendOutcome::Accepted, "{report:?}");
            assert_eq!(report.slows_channel, status == 429, "{}, {status}", rig.name);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    for rig in Rig::over_http(LONG).await {
        let elsewhere = rig::Rig::over_http(LONG).await.remove(0);
        let location = elsewhere.http().unwrap().url();
        let snapshot = samples::firing();
        let rendered = saying(rig.kind, "text");
        for status in [301, 302, 303, 307, 308] {
            rig.http().unwrap().script([Step::redirect(status, &location)]);

            let report = rig.channel.send(&message(&snapshot, &rendered), LONG).await;

            assert_eq!(report.outcome, SendOutcome::Rejected, "{}, {status}", rig.name);
        }
        assert!(elsewhere.http().unwrap().requests().is_empty(), "{} followed", rig.name);
    }
}

#[tokio::test]
async fn throttling_is_not_processed_and_says_when_to_come_back() {
    let in_thirty_seconds = "Thu, 20 Aug 2026 10:48:30 GMT";
    let cases = [
        (429, "7", Some(7)),
        (429, in_thirty_seconds, Some(30)),
        (429, "soon", None),
        (429, "99999999", Some(3600)),
        (503, "20", Some(20)),
    ];
    for rig in Rig::over_http(LONG).await {
        let snapshot = samples::firing();
        let rendered = saying(rig.kind, "text");
        for (status, hint, seconds) in cases {
            rig.http().unwrap().script([Step::retry_after(status, hint)]);

            let report = rig.channel.send(&message(&snapshot, &rendered), LONG).await;

            assert_eq!(report.outcome, SendOutcome::NotProcessed, "{}, {status} {hint}", rig.name);
            assert_eq!(report.retry_after, seconds.map(Duration::from_secs), "{}, {hint}", rig.name);
            assert!(report.slows_channel, "{}, {hint}", rig.name);
        }
    }
}
