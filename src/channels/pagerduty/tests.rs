//! What PagerDuty gets, and what becomes of its incidents.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::ManualClock;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::outcome::SendOutcome;
use crate::domain::severity::Severity;
use crate::fakes::pagerduty::{PagerDutyFake, ROUTING_KEY, State};
use crate::render::{Link, Rendered, samples};

const LIMIT: Duration = Duration::from_secs(20);

fn config(mut settings: Value) -> ChannelConfig {
    settings["name"] = json!("ml-oncall");
    settings["kind"] = json!("pagerduty");
    serde_json::from_value(settings).unwrap()
}

fn rendered() -> Rendered {
    let link = |name: &str, label: &str, url: &str| Link {
        name: name.to_owned(),
        label: label.to_owned(),
        url: url.to_owned(),
    };
    Rendered {
        fields: [("summary".to_owned(), "p99 of fraud-detector is 412 ms".to_owned())].into(),
        links: vec![
            link("runbook", "Runbook", "https://runbooks.example/fraud"),
            link("incident", "Incident", "http://localhost:9095/incidents/1"),
        ],
        problem: None,
    }
}

fn message<'a>(snapshot: &'a Snapshot, rendered: &'a Rendered) -> Message<'a> {
    Message {
        notification_id: "n-1",
        dedup_key: &snapshot.incident.dedup_key,
        snapshot,
        rendered,
        reference: None,
        now: samples::NOW,
    }
}

fn event(snapshot: &Snapshot, rendered: &Rendered) -> Value {
    let composed = message::compose(&message(snapshot, rendered), ROUTING_KEY);
    assert!(composed.body.len() <= 512_000);
    serde_json::from_str(&composed.body).unwrap()
}

#[tokio::test]
async fn an_incident_is_opened_brought_up_to_date_and_closed_under_its_dedup_key() {
    let fake = PagerDutyFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
    let channel =
        build(&config(json!({"routing_key": ROUTING_KEY, "url": fake.events_url()})), &Proxies::default())
            .ok()
            .unwrap();
    let rendered = rendered();
    for snapshot in [samples::firing(), samples::rise(), samples::resolved()] {
        let report = channel.send(&message(&snapshot, &rendered), LIMIT).await;
        assert_eq!((report.outcome, report.status), (SendOutcome::Accepted, Some(202)));
    }

    let incident = fake.incident("HighPredictionLatency:fraud-detector").unwrap();
    assert_eq!((incident.state, incident.triggers), (State::Resolved, 2));
    assert_eq!(fake.incidents().len(), 1);
    fake.violations().assert_clean();
}

#[test]
fn the_event_has_this_shape() {
    insta::assert_json_snapshot!(event(&samples::firing(), &rendered()));
}

#[test]
fn every_kind_of_notification_has_its_action() {
    for kind in NotificationKind::ALL {
        let snapshot = Snapshot { kind, ..samples::firing() };

        let expected = match kind {
            NotificationKind::Resolved => "resolve",
            NotificationKind::Acknowledged => "acknowledge",
            _ => "trigger",
        };

        assert_eq!(event(&snapshot, &rendered())["event_action"], expected);
    }
}

#[test]
fn a_kind_that_only_a_newer_release_knows_does_what_is_the_case() {
    for (snapshot, expected) in [(samples::firing(), "trigger"), (samples::resolved(), "resolve")] {
        let snapshot = Snapshot { kind: NotificationKind::Other, ..snapshot };

        assert_eq!(event(&snapshot, &rendered())["event_action"], expected);
    }
}

#[tokio::test]
async fn an_open_incident_is_acknowledged_under_its_dedup_key() {
    let fake = PagerDutyFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
    let channel =
        build(&config(json!({"routing_key": ROUTING_KEY, "url": fake.events_url()})), &Proxies::default())
            .ok()
            .unwrap();
    let rendered = rendered();

    for kind in [NotificationKind::Firing, NotificationKind::Acknowledged] {
        let snapshot = Snapshot { kind, ..samples::firing() };
        let report = channel.send(&message(&snapshot, &rendered), LIMIT).await;
        assert_eq!(report.outcome, SendOutcome::Accepted);
    }

    let incident = fake.incident(&samples::firing().incident.dedup_key).unwrap();
    assert_eq!(incident.state, State::Acknowledged);
    fake.violations().assert_clean();
}

#[test]
fn five_severities_become_four() {
    let words = Severity::ALL.map(|severity| {
        let mut snapshot = samples::firing();
        snapshot.incident.severity = severity;
        event(&snapshot, &rendered())["payload"]["severity"].clone()
    });

    assert_eq!(words, ["critical", "error", "warning", "info", "info"]);
}

#[test]
fn a_long_dedup_key_becomes_a_hash_of_all_of_it() {
    let key_of = |dedup_key: &str| {
        let mut snapshot = samples::firing();
        snapshot.incident.dedup_key = dedup_key.to_owned();
        event(&snapshot, &rendered())["dedup_key"].as_str().unwrap().to_owned()
    };

    let (long, longer) = ("k".repeat(256), "k".repeat(257));
    assert_eq!(key_of(&"k".repeat(255)), "k".repeat(255));
    assert_eq!(key_of(&long), key_of(&long));
    assert_ne!(key_of(&long), key_of(&longer));
    assert!(key_of(&long).len() <= 255);
}

#[test]
fn an_event_that_is_too_large_loses_long_texts_and_says_so() {
    let mut snapshot = samples::several();
    for member in &mut snapshot.alerts {
        member.annotations.insert("description".to_owned(), "x".repeat(100_000));
    }

    let event = event(&snapshot, &rendered());

    let details = &event["payload"]["custom_details"];
    assert_eq!(details["note"], "long texts cut: the event would be too large");
    assert_eq!(details["owner"], "Dana Petrova");
    let alerts = details["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 14);
    assert_eq!(alerts[13]["annotations"]["description"], format!("{}…", "x".repeat(1_000)));
    assert_eq!(alerts[13]["labels"]["instance"], "fraud-14:8080");
}

#[test]
fn an_event_that_is_still_too_large_loses_its_alerts_and_says_so() {
    let mut snapshot = samples::several();
    for member in &mut snapshot.alerts {
        member.annotations.extend((0..100).map(|n| (format!("annotation_{n}"), "x".repeat(1_000))));
    }

    let event = event(&snapshot, &rendered());

    let details = &event["payload"]["custom_details"];
    assert_eq!(details["note"], "14 alerts left out: the event would be too large");
    assert_eq!(details["owner"], "Dana Petrova");
    assert_eq!(details["alerts"], Value::Null);
}

#[test]
fn a_wrong_key_and_a_wrong_address_are_told_together() {
    let problems =
        build(&config(json!({"routing_key": "short", "url": "ftp://x"})), &Proxies::default()).err().unwrap();

    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["routing_key", "url"]);
}

#[test]
fn the_preview_shows_the_details_as_pagerduty_does() {
    let channel = build(&config(json!({"routing_key": ROUTING_KEY})), &Proxies::default()).ok().unwrap();
    let (snapshot, rendered) = (samples::firing(), rendered());

    let shown = channel.preview(&message(&snapshot, &rendered)).text;

    let details = &event(&snapshot, &rendered)["payload"]["custom_details"];
    let lines: Vec<&str> = shown.lines().collect();
    for (name, value) in details.as_object().unwrap().iter().filter(|(_, value)| value.is_string()) {
        let line = format!("  {name}: {}", value.as_str().unwrap());
        assert!(lines.contains(&line.as_str()), "{line:?} is not in {shown}");
    }
    let summary = details["alerts"][0]["annotations"]["summary"].as_str().unwrap();
    assert!(lines.contains(&format!("        summary: {summary}").as_str()), "{shown}");
    assert!(!shown.contains(ROUTING_KEY));
}

#[test]
fn the_preview_of_a_huge_event_is_cut() {
    let channel = build(&config(json!({"routing_key": ROUTING_KEY})), &Proxies::default()).ok().unwrap();
    let rendered = rendered();
    let mut snapshot = samples::firing();
    for alert in &mut snapshot.alerts {
        alert.annotations.insert("trace".to_owned(), "é".repeat(100_000));
    }

    let shown = channel.preview(&message(&snapshot, &rendered)).text;

    assert!(shown.len() < 70_000 && shown.ends_with('…'), "{}", shown.len());
}
