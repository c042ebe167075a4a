//! Each limit at n and n+1, the documented example, and the life of an incident.

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::ManualClock;
use crate::fakes::client::{Reply, post, post_json};
use crate::fakes::engine::Step;

async fn start() -> (PagerDutyFake, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let fake = PagerDutyFake::start(Arc::new(clock.clone())).await.unwrap();
    (fake, clock)
}

async fn send(fake: &PagerDutyFake, event: &Value) -> Reply {
    post_json(fake.http().address(), "/v2/enqueue", event).await.unwrap()
}

fn trigger(dedup_key: &str) -> Value {
    json!({
        "routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": dedup_key,
        "payload": {"summary": "fraud-detector: drift", "source": "modelpager", "severity": "critical"},
    })
}

fn follow_up(action: &str, dedup_key: &str) -> Value {
    json!({"routing_key": ROUTING_KEY, "event_action": action, "dedup_key": dedup_key})
}

/// The example of PagerDuty's own documentation, with our key.
fn documented_example() -> Value {
    json!({
        "payload": {
            "summary": "DISK at 99% on machine prod-datapipe03.example.com",
            "timestamp": "2015-07-17T08:42:58.315+0000",
            "severity": "critical",
            "source": "prod-datapipe03.example.com",
            "component": "mysql",
            "group": "prod-datapipe",
            "class": "disk",
            "custom_details": {"free space": "1%", "ping time": "1500ms", "load avg": 0.75}
        },
        "routing_key": ROUTING_KEY,
        "dedup_key": "samplekeyhere",
        "images": [{"src": "https://www.pagerduty.com/logo.png", "href": "https://pagerduty.com", "alt": "PagerDuty"}],
        "links": [{"href": "http://pagerduty.com/", "text": "PagerDuty"}],
        "event_action": "trigger",
        "client": "Sample Monitoring Service",
        "client_url": "https://monitoring.service.com"
    })
}

fn errors_of(event: &Value) -> Vec<String> {
    event::parse(event).err().unwrap_or_default()
}

#[tokio::test]
async fn the_documented_example_is_accepted_in_the_documented_words() {
    let (fake, _) = start().await;

    let reply = send(&fake, &documented_example()).await;

    assert_eq!(reply.status, 202);
    let expected = json!({"status": "success", "message": "Event processed", "dedup_key": "samplekeyhere"});
    assert_eq!(reply.json(), expected);
    fake.violations().assert_clean();
}

#[tokio::test]
async fn a_key_of_the_wrong_length_is_refused_in_the_documented_words() {
    let (fake, _) = start().await;
    let mut event = trigger("a");
    event["routing_key"] = json!("short");

    let reply = send(&fake, &event).await;

    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.json(),
        json!({
            "status": "invalid event", "message": "Event object is invalid",
            "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"],
        })
    );
    assert_eq!(fake.violations().take()[0].rule, "pagerduty.event");
}

#[tokio::test]
async fn an_unknown_key_and_an_oversized_event_are_refused() {
    let (fake, _) = start().await;
    let mut unknown = trigger("a");
    unknown["routing_key"] = json!("f".repeat(32));
    assert_eq!(send(&fake, &unknown).await.json()["errors"], json!(["Invalid routing key"]));

    let mut event = trigger("a");
    event["payload"]["custom_details"] = json!({"pad": ""});
    let pad = MAX_BYTES - event.to_string().len();
    for (extra, status) in [(0, 202), (1, 400)] {
        event["payload"]["custom_details"]["pad"] = json!("p".repeat(pad + extra));
        assert_eq!(send(&fake, &event).await.status, status, "{extra} bytes above");
    }
}

#[test]
fn every_limit_holds_at_n_and_breaks_at_n_plus_one() {
    for (most, path) in [(1024, "/payload/summary"), (255, "/dedup_key")] {
        let mut event = trigger("a");
        *event.pointer_mut(path).unwrap() = json!("ß".repeat(most));
        assert!(errors_of(&event).is_empty(), "{path} at {most}");
        *event.pointer_mut(path).unwrap() = json!("ß".repeat(most + 1));
        assert_eq!(errors_of(&event).len(), 1, "{path} above {most}");
    }
    for (length, broken) in [(31, 1), (32, 0), (33, 1)] {
        let mut event = trigger("a");
        event["routing_key"] = json!("k".repeat(length));
        assert_eq!(errors_of(&event).len(), broken, "routing key of {length}");
    }
}

#[test]
fn every_wrong_field_is_named() {
    let cases = [
        ("/payload/summary", json!(" "), "'payload.summary' is missing or blank"),
        ("/payload/source", json!(""), "'payload.source' is missing or blank"),
        (
            "/payload/severity",
            json!("high"),
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
        ),
        (
            "/payload/timestamp",
            json!("yesterday"),
            "'payload.timestamp' is invalid (must be an ISO 8601 time)",
        ),
        ("/payload/component", json!(1), "'payload.component' is invalid (must be a string)"),
        ("/payload/custom_details", json!([]), "'payload.custom_details' is invalid (must be an object)"),
        ("/images/0/src", json!("http://x.example"), "'images.src' is invalid (must start with https://)"),
        ("/links/0/href", json!(""), "'links.href' is missing or blank"),
        ("/client_url", json!("ftp://x"), "'client_url' is invalid (must start with http:// or https://)"),
        (
            "/event_action",
            json!("fire"),
            "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')",
        ),
    ];
    for (path, value, expected) in cases {
        let mut event = documented_example();
        *event.pointer_mut(path).unwrap() = value;
        assert_eq!(errors_of(&event), [expected], "{path}");
    }
    for action in ["acknowledge", "resolve"] {
        assert_eq!(errors_of(&follow_up(action, "")), ["'dedup_key' is missing or blank"]);
    }
    let no_payload = json!({"routing_key": ROUTING_KEY, "event_action": "trigger"});
    assert_eq!(errors_of(&no_payload), ["'payload' is missing or blank"]);
}

#[tokio::test]
async fn an_incident_lives_from_trigger_to_resolve() {
    let (fake, _) = start().await;
    send(&fake, &trigger("a")).await;
    send(&fake, &trigger("a")).await;
    assert_eq!(fake.incident("a").unwrap().triggers, 2);

    send(&fake, &follow_up("acknowledge", "a")).await;
    assert_eq!(fake.incident("a").unwrap().state, State::Acknowledged);

    send(&fake, &follow_up("resolve", "a")).await;
    assert_eq!(fake.incident("a").unwrap().state, State::Resolved);

    let effects: Vec<Effect> = fake.told().iter().map(|told| told.effect).collect();
    assert_eq!(effects, [Effect::Opened, Effect::Updated, Effect::Acknowledged, Effect::Resolved]);
    assert_eq!(fake.incidents().len(), 1);
}

#[tokio::test]
async fn a_trigger_after_the_resolve_pages_again_and_is_told() {
    let (fake, _) = start().await;
    for event in [trigger("a"), follow_up("resolve", "a"), trigger("a")] {
        send(&fake, &event).await;
    }

    assert_eq!(fake.told()[2].effect, Effect::Reopened);
    assert_eq!(fake.incidents().len(), 2);
    assert_eq!(fake.incident("a").unwrap().state, State::Triggered);
}

#[tokio::test]
async fn acknowledging_and_resolving_nothing_is_dropped_with_a_202() {
    let (fake, _) = start().await;
    let other_key = "other0000routing0key000000000002";
    fake.add_routing_key(other_key);
    send(&fake, &trigger("a")).await;
    let mut elsewhere = follow_up("resolve", "a");
    elsewhere["routing_key"] = json!(other_key);

    for event in [follow_up("resolve", "b"), follow_up("acknowledge", "b"), elsewhere] {
        assert_eq!(send(&fake, &event).await.status, 202);
    }

    assert!(fake.told()[1..].iter().all(|told| told.effect == Effect::Dropped));
    assert_eq!(fake.incident("a").unwrap().state, State::Triggered);
}

#[tokio::test]
async fn a_missing_dedup_key_is_made_up_and_returned() {
    let (fake, _) = start().await;
    let mut event = trigger("");
    event.as_object_mut().unwrap().remove("dedup_key");

    let first = send(&fake, &event).await.json()["dedup_key"].clone();
    let second = send(&fake, &event).await.json()["dedup_key"].clone();

    assert_ne!(first, second);
    assert_eq!(fake.incidents().len(), 2);
}

#[tokio::test]
async fn a_key_takes_120_events_a_minute() {
    let (fake, clock) = start().await;
    fake.limit_rate();
    for _ in 0..120 {
        assert_eq!(send(&fake, &trigger("a")).await.status, 202);
    }

    let refused = send(&fake, &trigger("a")).await;
    assert_eq!(refused.status, 429);
    assert!(!refused.head.to_lowercase().contains("retry-after"));

    clock.advance(RATE_WINDOW);
    assert_eq!(send(&fake, &trigger("a")).await.status, 202);
}

#[tokio::test]
async fn a_reset_after_the_event_leaves_the_incident_open() {
    let (fake, _) = start().await;
    fake.http().script([Step::reset_after_request()]);

    let reply = post_json(fake.http().address(), "/v2/enqueue", &trigger("a")).await;

    assert!(reply.is_err());
    assert_eq!(fake.incident("a").unwrap().state, State::Triggered);
}

#[tokio::test]
async fn other_paths_and_broken_json_are_refused() {
    let (fake, _) = start().await;
    assert_eq!(post_json(fake.http().address(), "/v2/other", &trigger("a")).await.unwrap().status, 404);
    assert_eq!(post(fake.http().address(), "/v2/enqueue", &[], b"{").await.unwrap().status, 400);
    assert_eq!(fake.violations().take().len(), 2);
}
