//! Providers that are slow, gone or mad.

use std::time::Instant;

use super::*;
use crate::fakes::engine::Step;
use crate::fakes::smtp::{Fault, Stage};

/// Enough for a loopback exchange on a busy machine, short enough to wait for in a test.
const SHORT: Duration = Duration::from_millis(400);

async fn send(rig: &Rig, time_limit: Duration) -> SendReport {
    let snapshot = samples::firing();
    let rendered = saying(rig.kind, "text");
    let started = Instant::now();
    let report = rig.channel.send(&message(&snapshot, &rendered), time_limit).await;
    assert!(started.elapsed() < time_limit + Duration::from_secs(5), "{} took too long", rig.name);
    report
}

#[tokio::test]
async fn a_provider_that_is_gone_did_nothing() {
    for rig in Rig::all(LONG).await {
        rig.stop().await;

        let report = send(&rig, LONG).await;

        let expected = if rig.kind.name == "log" { SendOutcome::Accepted } else { SendOutcome::NotProcessed };
        assert_eq!(report.outcome, expected, "{}: {report:?}", rig.name);
    }
}

#[tokio::test]
async fn a_provider_that_says_nothing_leaves_it_open_what_it_did() {
    for rig in Rig::all(SHORT).await {
        match (&rig.provider, rig.http()) {
            (rig::Provider::Mail(fake), _) => fake.script(Stage::Message, Fault::Hang),
            (_, Some(http)) => http.script([Step::hang()]),
            (_, None) => continue,
        }

        let report = send(&rig, SHORT).await;

        assert_eq!(report.outcome, SendOutcome::Ambiguous, "{}: {report:?}", rig.name);
    }
}

#[tokio::test]
async fn a_connection_lost_after_the_message_leaves_it_open_what_was_done() {
    for rig in Rig::all(LONG).await {
        match (&rig.provider, rig.http()) {
            (rig::Provider::Mail(fake), _) => fake.script(Stage::Message, Fault::DropAfterTaking),
            (_, Some(http)) => http.script([Step::reset_after_request()]),
            (_, None) => continue,
        }

        let report = send(&rig, LONG).await;

        assert_eq!(report.outcome, SendOutcome::Ambiguous, "{}: {report:?}", rig.name);
        assert!(report.error.is_some(), "{}", rig.name);
    }
}

/// A success whose body cannot be had is one only where the status says it all.
fn success_without_a_body(rig: &Rig) -> SendOutcome {
    if rig.kind.name == "slack" { SendOutcome::Ambiguous } else { SendOutcome::Accepted }
}

#[tokio::test]
async fn half_an_answer_counts_for_what_it_says() {
    for rig in Rig::over_http(LONG).await {
        rig.http().unwrap().script([Step::half_answer()]);

        let report = send(&rig, LONG).await;

        assert_eq!(report.outcome, success_without_a_body(&rig), "{}: {report:?}", rig.name);
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    for rig in Rig::over_http(LONG).await {
        for step in [Step::endless_body(), Step::gzip_bomb()] {
            rig.http().unwrap().script([step]);

            let report = send(&rig, LONG).await;

            assert_eq!(report.outcome, success_without_a_body(&rig), "{}: {report:?}", rig.name);
            assert!(report.response.is_none_or(|text| text.len() <= 2048), "{}", rig.name);
        }
    }
}

#[tokio::test]
async fn an_answer_that_drips_is_cut_off_by_the_time_limit() {
    for rig in Rig::over_http(SHORT).await {
        rig.http().unwrap().script([Step::drip(Duration::from_millis(150))]);

        let report = send(&rig, SHORT).await;

        assert_ne!(report.outcome, SendOutcome::Rejected, "{}: {report:?}", rig.name);
        assert_ne!(report.outcome, SendOutcome::NotProcessed, "{}: {report:?}", rig.name);
    }
}

#[tokio::test]
async fn a_connection_reset_before_anything_was_read_may_be_tried_again() {
    for rig in Rig::over_http(LONG).await {
        rig.http().unwrap().script([Step::reset_before_read()]);

        let report = send(&rig, LONG).await;

        // Seen from here, the request may have been read.
        let may_retry = [SendOutcome::Ambiguous, SendOutcome::NotProcessed];
        assert!(may_retry.contains(&report.outcome), "{}: {report:?}", rig.name);
        assert_eq!(send(&rig, LONG).await.outcome, SendOutcome::Accepted, "{}", rig.name);
    }
}
