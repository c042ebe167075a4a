//! What a receiver gets, checked by somebody else's implementation of the standard.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::ManualClock;
use crate::domain::notification::Snapshot;
use crate::domain::outcome::SendOutcome;
use crate::fakes::webhook::{SECRET, WebhookFake};
use crate::render::{Link, Rendered, samples};

const LIMIT: Duration = Duration::from_secs(20);
const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn config(mut settings: Value) -> ChannelConfig {
    settings["name"] = json!("audit");
    settings["kind"] = json!("webhook");
    serde_json::from_value(settings).unwrap()
}

fn channel(settings: Value) -> Box<dyn Channel> {
    build(&config(settings), &Proxies::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn rendered() -> Rendered {
    Rendered {
        fields: [("text".to_owned(), "p99 of fraud-detector is 412 ms".to_owned())].into(),
        links: vec![Link {
            name: "runbook".to_owned(),
            label: "Runbook".to_owned(),
            url: "https://runbooks.example/fraud".to_owned(),
        }],
        problem: None,
    }
}

fn message<'a>(snapshot: &'a Snapshot, rendered: &'a Rendered) -> Message<'a> {
    Message {
        notification_id: "0198c6f0-6000-7000-8000-000000000001",
        dedup_key: &snapshot.incident.dedup_key,
        snapshot,
        rendered,
        reference: None,
        now: samples::NOW,
    }
}

async fn fake() -> WebhookFake {
    WebhookFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap()
}

#[tokio::test]
async fn a_retry_repeats_id_and_body_and_counts_as_one_message() {
    let fake = fake().await;
    let channel = channel(json!({"url": fake.url(), "secret": SECRET}));
    let (snapshot, rendered) = (samples::firing(), rendered());
    let first = message(&snapshot, &rendered);
    let second = Message { now: first.now.plus(Duration::from_secs(60)), ..first };

    for message in [&first, &second] {
        assert_eq!(channel.send(message, LIMIT).await.outcome, SendOutcome::Accepted);
    }

    assert_eq!(fake.messages().len(), 1);
    assert_eq!(fake.messages()[0].deliveries, 2);
    let stamps: Vec<Option<String>> = fake
        .http()
        .requests()
        .iter()
        .map(|request| request.header("webhook-timestamp").map(ToOwned::to_owned))
        .collect();
    assert_eq!(stamps, [Some("1787222880".to_owned()), Some("1787222940".to_owned())]);
    fake.violations().assert_clean();
}

#[tokio::test]
async fn while_secrets_change_over_both_sign() {
    for (secret, previous) in [(SECRET, OTHER), (OTHER, SECRET)] {
        let fake = fake().await;
        let channel = channel(json!({"url": fake.url(), "secret": secret, "previous_secret": previous}));
        let (snapshot, rendered) = (samples::firing(), rendered());

        let report = channel.send(&message(&snapshot, &rendered), LIMIT).await;

        assert_eq!(report.outcome, SendOutcome::Accepted, "{report:?}");
        let request = fake.http().requests().remove(0);
        let signature = request.header("webhook-signature").unwrap();
        assert_eq!(signature.split(' ').count(), 2);
        let id = request.header("webhook-id").unwrap();
        for key in [secret, previous] {
            let theirs = standardwebhooks::Webhook::new(key).unwrap();
            assert!(signature.contains(&theirs.sign(id, 1_787_222_880, &request.body).unwrap()));
        }
    }
}

#[tokio::test]
async fn configured_headers_are_sent_and_no_secret_means_no_signature() {
    let fake = WebhookFake::unsigned(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
    let channel = channel(json!({"url": fake.url(), "headers": {"Authorization": "Bearer abc"}}));
    let (snapshot, rendered) = (samples::firing(), rendered());

    let report = channel.send(&message(&snapshot, &rendered), LIMIT).await;

    assert_eq!(report.outcome, SendOutcome::Accepted, "{report:?}");
    let request = fake.http().requests().remove(0);
    assert_eq!(request.header("authorization"), Some("Bearer abc"));
    assert_eq!(request.header("webhook-signature"), None);
    fake.violations().assert_clean();
}

#[test]
fn the_body_has_this_shape() {
    let mut snapshot = samples::firing();
    snapshot.alerts_omitted = 2;
    let rendered = rendered();

    let composed = message::compose(&message(&snapshot, &rendered));

    let body: Value = serde_json::from_str(&composed.body).unwrap();
    insta::assert_json_snapshot!(body);
}

#[test]
fn of_a_body_that_is_too_large_the_annotations_are_cut() {
    let mut snapshot = samples::several();
    for member in &mut snapshot.alerts {
        member.annotations.insert("description".to_owned(), "x".repeat(100_000));
    }
    let rendered = rendered();

    let composed = message::compose(&message(&snapshot, &rendered));

    let body: Value = serde_json::from_str(&composed.body).unwrap();
    let incident = &body["data"]["incidents"][0];
    assert!(composed.body.len() <= message::MAX_BODY);
    let alerts = incident["alerts"].as_array().unwrap();
    assert_eq!((alerts.len(), &incident["alerts_omitted"]), (snapshot.alerts.len(), &json!(0)));
    assert_eq!(alerts[0]["annotations"]["description"], json!(format!("{}…", "x".repeat(1_000))));
}

#[test]
fn too_many_alerts_are_left_out_and_counted() {
    let mut snapshot = samples::several();
    let alerts = snapshot.alerts.len();
    for member in &mut snapshot.alerts {
        member.annotations.extend((0..100).map(|n| (format!("annotation_{n}"), "x".repeat(1_000))));
    }
    let rendered = rendered();

    let composed = message::compose(&message(&snapshot, &rendered));

    let body: Value = serde_json::from_str(&composed.body).unwrap();
    let incident = &body["data"]["incidents"][0];
    assert!(composed.body.len() <= message::MAX_BODY);
    assert_eq!(incident["alerts"].as_array().unwrap().len(), 5);
    assert_eq!(incident["alerts_omitted"], json!(alerts - 5));
    assert_eq!(incident["entry"]["slug"], json!("fraud-detector"));
}

#[test]
fn a_body_that_is_too_large_without_any_alert_is_shortened() {
    let mut snapshot = samples::firing();
    if let Some(entry) = &mut snapshot.entry {
        entry.description = "x".repeat(1_000_000);
        entry.tags = (0..100_000).map(|n| (format!("tag{n}"), "x".repeat(100))).collect();
    }
    let rendered = rendered();

    let composed = message::compose(&message(&snapshot, &rendered));

    let body: Value = serde_json::from_str(&composed.body).unwrap();
    assert!(composed.body.len() <= message::MAX_BODY);
    assert_eq!(body["type"], json!("incident.firing"));
    assert_eq!(body["data"]["incidents"][0]["dedup_key"], json!(snapshot.incident.dedup_key));
}

#[test]
fn every_problem_is_told_at_once() {
    let problems = build(
        &config(json!({
            "url": "example.org",
            "secret": "not-one",
            "previous_secret": "whsec_short",
            "headers": {"Host": "x", "X-Bad": "a\nb", "X-Good": "y"},
        })),
        &Proxies::default(),
    )
    .err()
    .unwrap();

    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["url", "secret", "previous_secret", "headers.Host", "headers.X-Bad"]);
}
