//! The golden vector, an independent implementation, and every way to be refused.

use serde_json::json;

use super::*;
use crate::domain::clock::ManualClock;
use crate::fakes::client::{Reply, post};

const NOW: i64 = 1_649_367_553;

async fn start() -> (WebhookFake, ManualClock) {
    let clock = ManualClock::at(Timestamp::from_millis(NOW * 1000));
    let fake = WebhookFake::start(Arc::new(clock.clone())).await.unwrap();
    (fake, clock)
}

fn body() -> Vec<u8> {
    json!({"type": "incident.firing", "timestamp": "2026-08-20T10:00:00Z", "data": {}})
        .to_string()
        .into_bytes()
}

async fn send(fake: &WebhookFake, id: &str, seconds: i64, body: &[u8]) -> Reply {
    let seconds = seconds.to_string();
    let signature = sign(&decode_secret(SECRET).unwrap(), id, &seconds, body);
    send_signed(fake, id, &seconds, &signature, body).await
}

async fn send_signed(fake: &WebhookFake, id: &str, seconds: &str, signature: &str, body: &[u8]) -> Reply {
    let headers = [
        ("Content-Type", "application/json"),
        ("webhook-id", id),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signature),
    ];
    post(fake.http().address(), PATH, &headers, body).await.unwrap()
}

fn rules(fake: &WebhookFake) -> Vec<&'static str> {
    fake.violations().take().into_iter().map(|violation| violation.rule).collect()
}

#[test]
fn the_golden_vector_of_the_specification_is_reproduced() {
    let key = decode_secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;

    let signature = sign(&key, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", body);

    assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
}

#[test]
fn the_independent_implementation_agrees() {
    let theirs = standardwebhooks::Webhook::new(SECRET).unwrap();
    let ours = sign(&decode_secret(SECRET).unwrap(), "msg_1", &NOW.to_string(), &body());

    assert_eq!(theirs.sign("msg_1", NOW, &body()).unwrap(), ours);
}

#[tokio::test]
async fn a_retry_counts_as_the_same_message() {
    let (fake, clock) = start().await;
    assert_eq!(send(&fake, "msg_1", NOW, &body()).await.status, 204);
    clock.advance(Duration::from_secs(900));
    assert_eq!(send(&fake, "msg_1", NOW + 900, &body()).await.status, 204);

    let messages = fake.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].id.as_str(), messages[0].deliveries), ("msg_1", 2));
    assert_eq!(messages[0].body["type"], "incident.firing");
    fake.violations().assert_clean();
}

#[tokio::test]
async fn one_right_signature_of_a_list_is_enough() {
    let (fake, _) = start().await;
    let right = sign(&decode_secret(SECRET).unwrap(), "m", &NOW.to_string(), &body());

    let reply = send_signed(&fake, "m", &NOW.to_string(), &format!("v1,AAAA v1a,x {right}"), &body()).await;

    assert_eq!(reply.status, 204);
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_nothing_is_kept() {
    let (fake, _) = start().await;
    let other = sign(b"another key of twenty-four b", "m", &NOW.to_string(), &body());

    assert_eq!(send_signed(&fake, "m", &NOW.to_string(), &other, &body()).await.status, 401);

    assert_eq!(rules(&fake), ["webhook.signature"]);
    assert!(fake.messages().is_empty());
}

#[tokio::test]
async fn the_timestamp_may_be_five_minutes_off_and_not_more() {
    let (fake, _) = start().await;
    for (id, seconds, status) in
        [("a", NOW - 300, 204), ("b", NOW + 300, 204), ("c", NOW - 301, 401), ("d", NOW + 301, 401)]
    {
        assert_eq!(send(&fake, id, seconds, &body()).await.status, status, "{id}");
    }
    assert_eq!(rules(&fake), ["webhook.timestamp", "webhook.timestamp"]);
}

#[tokio::test]
async fn an_id_with_a_full_stop_or_with_another_body_is_a_violation() {
    let (fake, _) = start().await;
    assert_eq!(send(&fake, "a.b", NOW, &body()).await.status, 400);
    assert_eq!(rules(&fake), ["webhook.id"]);

    send(&fake, "a", NOW, &body()).await;
    let other = br#"{"type":"incident.resolved","timestamp":"2026-08-20T10:00:00Z","data":{}}"#;
    send(&fake, "a", NOW, other).await;
    assert_eq!(rules(&fake), ["webhook.id_reused"]);
}

#[tokio::test]
async fn bodies_that_are_no_events_are_refused() {
    let (fake, _) = start().await;
    let bodies: [&[u8]; 5] = [
        b"{}",
        b"not json",
        br#"{"type":"","timestamp":"2026-08-20T10:00:00Z","data":{}}"#,
        br#"{"type":"a","timestamp":"today","data":{}}"#,
        br#"{"type":"a","timestamp":"2026-08-20T10:00:00Z","data":1}"#,
    ];
    for body in bodies {
        assert_eq!(send(&fake, "m", NOW, body).await.status, 400);
    }
    assert_eq!(rules(&fake), ["webhook.body"; 5]);
}

#[tokio::test]
async fn a_receiver_without_a_secret_still_wants_id_and_time() {
    let clock = ManualClock::at(Timestamp::from_millis(NOW * 1000));
    let fake = WebhookFake::unsigned(Arc::new(clock)).await.unwrap();
    let json = ("Content-Type", "application/json");

    let bare = post(fake.http().address(), PATH, &[json], &body()).await.unwrap();
    assert_eq!(bare.status, 400);

    let now = NOW.to_string();
    let headers = [json, ("webhook-id", "m"), ("webhook-timestamp", now.as_str())];
    assert_eq!(post(fake.http().address(), PATH, &headers, &body()).await.unwrap().status, 204);
}

#[test]
fn secrets_are_24_to_64_bytes() {
    let secret = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    assert!(decode_secret(&secret(24)).is_some() && decode_secret(&secret(64)).is_some());
    assert!(decode_secret(&secret(23)).is_none() && decode_secret(&secret(65)).is_none());
    assert!(decode_secret("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").is_none());
    assert!(decode_secret(SECRET).is_some());
}
