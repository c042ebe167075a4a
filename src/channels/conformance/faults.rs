//! Providers that are slow, gone or mad.

use std::time::Instant;

use super::*;
use crate::fakes::engine::Step;

/// Enough for a loopback exchange on a busy machine, short enough to wait for in a test.
const SHORT: Duration = Duration::from_millis(400);

async fn send(case: &Case, time_limit: Duration) -> SendReport {
    let snapshot = samples::firing();
    let rendered = saying(case.kind, "text");
    let started = Instant::now();
    let report = case.channel.send(&message(&snapshot, &rendered), time_limit).await;
    assert!(started.elapsed() < time_limit + Duration::from_secs(5), "{} took too long", case.name);
    report
}

#[tokio::test]
async fn a_provider_that_is_gone_did_nothing() {
    for case in Case::all(LONG).await {
        case.provider.stop().await;

        let report = send(&case, LONG).await;

        assert_eq!(report.outcome, case.provider.outcome_when_gone(), "{}: {report:?}", case.name);
    }
}

#[tokio::test]
async fn a_provider_that_says_nothing_leaves_it_open_what_it_did() {
    for case in Case::all(SHORT).await {
        if case.provider.violations().is_none() {
            continue;
        }
        case.provider.hang();

        let report = send(&case, SHORT).await;

        assert_eq!(report.outcome, SendOutcome::Ambiguous, "{}: {report:?}", case.name);
    }
}

#[tokio::test]
async fn a_connection_lost_after_the_message_leaves_it_open_what_was_done() {
    for case in Case::all(LONG).await {
        if case.provider.violations().is_none() {
            continue;
        }
        case.provider.drop_after_taking();

        let report = send(&case, LONG).await;

        assert_eq!(report.outcome, SendOutcome::Ambiguous, "{}: {report:?}", case.name);
        assert!(report.error.is_some(), "{}", case.name);
    }
}

#[tokio::test]
async fn half_an_answer_counts_for_what_it_says() {
    for case in Case::over_http(LONG).await {
        case.http().unwrap().script([Step::half_answer()]);

        let report = send(&case, LONG).await;

        assert_eq!(report.outcome, case.provider.outcome_without_body(), "{}: {report:?}", case.name);
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    for case in Case::over_http(LONG).await {
        for step in [Step::endless_body(), Step::gzip_bomb()] {
            case.http().unwrap().script([step]);

            let report = send(&case, LONG).await;

            assert_eq!(report.outcome, case.provider.outcome_without_body(), "{}: {report:?}", case.name);
            assert!(report.response.is_none_or(|text| text.len() <= 2048), "{}", case.name);
        }
    }
}

#[tokio::test]
async fn an_answer_that_drips_is_cut_off_by_the_time_limit() {
    for case in Case::over_http(SHORT).await {
        case.http().unwrap().script([Step::drip(Duration::from_millis(150))]);

        let report = send(&case, SHORT).await;

        assert_ne!(report.outcome, SendOutcome::Rejected, "{}: {report:?}", case.name);
        assert_ne!(report.outcome, SendOutcome::NotProcessed, "{}: {report:?}", case.name);
    }
}

#[tokio::test]
async fn a_connection_reset_before_anything_was_read_may_be_tried_again() {
    for case in Case::over_http(LONG).await {
        case.http().unwrap().script([Step::reset_before_read()]);

        let report = send(&case, LONG).await;

        // Seen from here, the request may have been read.
        let may_retry = [SendOutcome::Ambiguous, SendOutcome::NotProcessed];
        assert!(may_retry.contains(&report.outcome), "{}: {report:?}", case.name);
        assert_eq!(send(&case, LONG).await.outcome, SendOutcome::Accepted, "{}", case.name);
    }
}
