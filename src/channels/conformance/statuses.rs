//! Every HTTP status, and what providers say about coming back.

use super::*;
use crate::fakes::engine::Step;

#[tokio::test]
async fn every_status_has_its_outcome() {
    for case in Case::over_http(LONG).await {
        let snapshot = samples::firing();
        let rendered = saying(case.kind, "text");
        for status in 200..=599 {
            case.http().unwrap().script([Step::status(status)]);

            let report = case.channel.send(&message(&snapshot, &rendered), LONG).await;

            assert_eq!(
                report.outcome,
                case.provider.outcome_of(status),
                "{}, {status}: {report:?}",
                case.name
            );
            assert_eq!(report.status, Some(status), "{}", case.name);
            assert_eq!(report.error.is_none(), report.outcome == SendOutcome::Accepted, "{report:?}");
            assert_eq!(report.slows_channel, status == 429, "{}, {status}", case.name);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    for case in Case::over_http(LONG).await {
        let elsewhere = Case::over_http(LONG).await.remove(0);
        let location = elsewhere.http().unwrap().url();
        let snapshot = samples::firing();
        let rendered = saying(case.kind, "text");
        for status in [301, 302, 303, 307, 308] {
            case.http().unwrap().script([Step::redirect(status, &location)]);

            let report = case.channel.send(&message(&snapshot, &rendered), LONG).await;

            assert_eq!(report.outcome, SendOutcome::Rejected, "{}, {status}", case.name);
        }
        assert!(elsewhere.http().unwrap().requests().is_empty(), "{} followed", case.name);
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
    for case in Case::over_http(LONG).await {
        let snapshot = samples::firing();
        let rendered = saying(case.kind, "text");
        for (status, hint, seconds) in cases {
            case.http().unwrap().script([Step::retry_after(status, hint)]);

            let report = case.channel.send(&message(&snapshot, &rendered), LONG).await;

            assert_eq!(report.outcome, SendOutcome::NotProcessed, "{}, {status} {hint}", case.name);
            assert_eq!(report.retry_after, seconds.map(Duration::from_secs), "{}, {hint}", case.name);
            assert!(report.slows_channel, "{}, {hint}", case.name);
        }
    }
}
