//! Templates and expressions that cost as much as they may, written by holders of small tokens and
//! by the operator: other alerts are taken and sent without delay, and the program keeps its memory.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::attacks::{alert_in_and_out, assert_unimpressed};
use crate::load::single;
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::http::request_with;
use crate::support::service::{Service, eventually};

const TOKEN: &str = "an-admin-token-0123456789";
const READ: &str = "a-read-token-0123456789";
const WRITE: &str = "a-write-token-0123456789";
/// How many previews are asked for at the same time.
const PREVIEWS: usize = 32;
/// How many entries have an expression of their own.
const EXPRESSIONS: usize = 4_000;
/// How many alerts use what is costly.
const ALERTS: usize = 200;

on_both_databases! {
    nested_links_of_the_catalog_hold_up_no_alert,
    a_costly_dedup_key_holds_up_no_alert,
}

async fn start(storage: &Value) -> Service {
    let token =
        |name: &str, token: &str, scopes: &[&str]| json!({"name": name, "token": token, "scopes": scopes});
    let config = json!({
        "storage": storage,
        "channels": [{"name": "console", "kind": "log"}], "route": {"channels": ["console"]},
        "auth": {"tokens": [
            token("all", TOKEN, &["admin", "ingest"]), token("reader", READ, &["read"]),
            token("writer", WRITE, &["write"]),
        ]},
    });
    Service::start_with_token(&config, Some(TOKEN)).await
}

/// `{{len (json (json … value))}}`.
fn nested(depth: usize, value: &str) -> String {
    format!("{{{{len {}{value}{}}}}}", "(json ".repeat(depth), ")".repeat(depth))
}

/// Whether a text says that a template used up its budget: a slow machine is out of time before it is
/// out of room.
fn is_stopped(text: &str) -> bool {
    text.contains("KiB together") || text.contains("takes longer than")
}

/// A body of alerts whose labels grow with every turn of `json`.
fn body(alerts: usize, label: usize) -> Value {
    let alert = |n: usize| json!({"labels": {"alertname": format!("Costly{n}"), "model": "m", "text": "\"".repeat(label)}});
    json!({"receiver": "r", "alerts": (0..alerts).map(alert).collect::<Vec<_>>()})
}

/// As [`alert_in_and_out`], while other messages are under way.
async fn alert_in_and_out_beside(service: &Service) -> Duration {
    let begun = Instant::now();
    service.deliver(&single("Beside", "firing")).await;
    eventually("the alert beside is told", || async {
        let path = "/api/v1/notifications?state=delivered&limit=500";
        let told = service.get(path).await;
        told["items"].as_array().unwrap().iter().any(|one| one["alertname"] == "Beside").then_some(())
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_previews_of_nested_templates_take_no_memory() {
    let service = start(&Value::Null).await;
    service.deliver(&body(ALERTS, 8_000)).await;
    let told = service.wait_for_delivered("console", ALERTS).await.len();

    let url = format!("{}/channels/console/preview", service.url());
    let origin = service.url().to_owned();
    let previews: Vec<_> = (0..PREVIEWS)
        .map(|n| {
            let (url, origin) = (url.clone(), origin.clone());
            let text = nested(20 + n % 8, "alerts").replace(' ', "+");
            let form = format!("field=title&text={}", text.replace('{', "%7B").replace('}', "%7D"));
            tokio::spawn(async move {
                let headers = format!(
                    "Authorization: Bearer {READ}\r\nOrigin: {origin}\r\nContent-Type: application/x-www-form-urlencoded"
                );
                let reply = request_with("POST", &url, &headers, &form).await.unwrap();
                (reply.status, is_stopped(&reply.body))
            })
        })
        .collect();

    let delay = alert_in_and_out(&service, "Beside", told).await;
    let mut answers = Vec::new();
    for preview in previews {
        answers.push(preview.await.unwrap());
    }
    assert!(answers.iter().all(|answer| [(200, true), (503, false)].contains(answer)), "{answers:?}");
    assert!(answers.contains(&(200, true)), "{answers:?}");
    assert_unimpressed(&service, delay);
}

async fn nested_links_of_the_catalog_hold_up_no_alert(fresh: Fresh) {
    let service = start(&json!({"url": fresh.url()})).await;
    // With no labels, as a check tries it, each is modest.
    let links: serde_json::Map<String, Value> = (0..50)
        .map(|n| (format!("link{n}"), json!(format!("https://x.example/{}", nested(12, "labels")))))
        .collect();
    let entry = json!({"slug": "m", "kind": "model", "links": links}).to_string();
    let headers = format!("Authorization: Bearer {WRITE}\r\nContent-Type: application/json");
    let url = format!("{}/api/v1/catalog", service.url());
    let reply = request_with("POST", &url, &headers, &entry).await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.body);

    service.deliver(&body(ALERTS / 2, 8_000)).await;
    let delay = alert_in_and_out_beside(&service).await;

    // Each of them costs its message all it may; the message goes out without the links.
    let costly = || async {
        let path = "/api/v1/notifications?state=delivered&entry=m&limit=1";
        service.get(path).await["items"].as_array().unwrap().first().cloned()
    };
    let told = eventually("a message with costly links", costly).await;
    let one = service.notification(&told["id"]).await.to_string();
    assert!(one.contains("the catalog's link"), "{one:.3000}");
    assert!(is_stopped(&one), "{one:.3000}");
    assert_unimpressed(&service, delay);
}

async fn a_costly_dedup_key_holds_up_no_alert(fresh: Fresh) {
    let service = Service::start(&json!({
        "storage": {"url": fresh.url()},
        "dedup_key": format!("{{{{alertname}}}}{}", nested(16, "labels")),
        "channels": [{"name": "console", "kind": "log"}], "route": {"channels": ["console"]},
    }))
    .await;
    service.create("/api/v1/catalog", &json!({"slug": "m", "kind": "model"})).await;
    for _ in 0..4 {
        service.deliver(&body(ALERTS, 8_000)).await;
    }

    let delay = alert_in_and_out_beside(&service).await;

    // What cannot be named as configured is named by rule and entry.
    let told = service.wait_for_delivered("console", ALERTS + 1).await;
    assert!(told.iter().any(|one| one["dedup_key"] == "Costly0:m"), "{:?}", told[0]);
    assert_unimpressed(&service, delay);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_expressions_in_the_catalog_hold_up_no_alert() {
    let service = start(&Value::Null).await;
    let import = async |pattern: &str| {
        let entry = |n: usize| {
            let matcher = format!("pod=~\"{pattern}-{n}\"");
            json!({"slug": format!("e{n}"), "kind": "model", "matchers": [{"matchers": [matcher]}]})
        };
        let entries: Vec<Value> = (0..EXPRESSIONS).map(entry).collect();
        let body = json!({"entries": entries}).to_string();
        service.call("POST", "/api/v1/catalog/import", &body).await.unwrap()
    };

    let (refusal, delay) = tokio::join!(import("[a-z]{1,1000}"), alert_in_and_out(&service, "Beside", 0));
    assert_eq!(refusal.status, 422, "{:.500}", refusal.body);
    assert!(refusal.body.contains("of the 48.0 MiB for the whole catalog are left"), "{:.500}", refusal.body);
    assert_unimpressed(&service, delay);

    let (reply, delay) = tokio::join!(import("[a-z]{1,100}"), alert_in_and_out(&service, "Second", 1));
    assert_eq!(reply.status, 200, "{:.500}", reply.body);
    assert_unimpressed(&service, delay);

    // Each of these is compared with all of them.
    let alert = |n: usize| json!({"labels": {"alertname": format!("Costly{n}"), "pod": "a".repeat(1_000)}});
    let alerts: Vec<Value> = (0..ALERTS).map(alert).collect();
    service.deliver(&json!({"receiver": "r", "alerts": alerts})).await;
    let delay = alert_in_and_out_beside(&service).await;
    assert_unimpressed(&service, delay);
}

/// So many expressions, each of which takes some hundredths of a second to compile.
const SLOW_TO_COMPILE: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn expressions_that_take_long_to_compile_hold_up_no_alert() {
    let service = start(&Value::Null).await;
    let entry = |n: usize| {
        let matcher = format!("pod=~\"[a-z]{{0,150}}[a-z]{{0,150}}x{n}\"");
        json!({"slug": format!("e{n}"), "kind": "model", "matchers": [{"matchers": [matcher]}]})
    };
    let entries: Vec<Value> = (0..SLOW_TO_COMPILE).map(entry).collect();
    let body = json!({"entries": entries}).to_string();

    let is_imported = Cell::new(false);
    let importing = async {
        let reply = service.call("POST", "/api/v1/catalog/import", &body).await;
        is_imported.set(true);
        reply
    };
    // From the first check to the last change that is applied.
    let beside = async {
        let (mut slowest, mut n) = (Duration::ZERO, 0);
        while !is_imported.get() {
            slowest = slowest.max(alert_in_and_out(&service, &format!("Beside{n}"), n).await);
            n += 1;
        }
        slowest
    };
    let (reply, delay) = tokio::join!(importing, beside);

    assert_eq!(reply.unwrap().status, 200);
    assert_unimpressed(&service, delay);
}
