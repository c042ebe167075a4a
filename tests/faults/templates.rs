//! Templates and links that cost as much as they may: memory stays small, and a normal alert
//! is told as quickly as ever.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::receiver::Receiver;
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::http;
use crate::support::service::{LIMIT, Service, eventually};

on_both_databases! {
    previews_of_costly_templates_hold_up_no_alert,
    costly_links_of_the_catalog_hold_up_no_alert,
}

/// The most memory the program may ever have had, in MiB.
const MOST_MEMORY: u64 = 256;
/// How long a normal alert may take from its post to the receiver.
const QUICK: Duration = Duration::from_secs(2);

fn config(webhook: &Receiver, fresh: &Fresh) -> Value {
    json!({
        "storage": {"url": fresh.url()},
        "channels": [{"name": "webhook", "kind": "webhook", "url": webhook.url()}],
        "route": {"channels": ["webhook"]},
    })
}

fn body(name: &str, model: &str, alerts: usize) -> Value {
    let alert = |n: usize| {
        json!({
            "status": "firing",
            "labels": {"alertname": name, "model": model, "pod": format!("\"pod\"-{n}"), "severity": "high"},
            "annotations": {"summary": "s", "description": "\"d\" ".repeat(1_000)},
            "startsAt": "2026-11-20T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
        })
    };
    json!({
        "version": "4", "receiver": "ml", "status": "firing", "groupKey": name, "externalURL": "",
        "alerts": (0..alerts).map(alert).collect::<Vec<_>>(),
    })
}

/// `(json (json … inner))`
fn nested(inner: &str) -> String {
    format!("len {}{inner}{}", "(json ".repeat(28), ")".repeat(28))
}

/// Posts a normal alert and waits until the receiver has it.
async fn told_quickly(service: &Service, webhook: &Receiver, name: &str) {
    let began = Instant::now();
    service.deliver(&body(name, "other", 1)).await;
    eventually(name, || async { webhook.told().alerts.contains_key(name).then_some(()) }).await;
    let took = began.elapsed();
    assert!(took < QUICK, "{name} took {took:?}\n{}", service.log());
}

async fn previews_of_costly_templates_hold_up_no_alert(fresh: Fresh) {
    let webhook = Receiver::webhook().await;
    let service = Service::start(&config(&webhook, &fresh)).await;
    service.deliver(&body("Fault1", "m", 50)).await;
    service.wait_for_processed(1).await;
    let mut previews = JoinSet::new();
    let template = format!("{{{{{}}}}}", nested("alerts"));
    for _ in 0..32 {
        let url = format!("{}/channels/webhook/preview", service.url());
        let form = format!("field=text&text={}", percent(&template));
        let header = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded";
        previews.spawn(async move { http::request_with("POST", &url, header, &form).await.unwrap().status });
    }

    for n in 2..6 {
        told_quickly(&service, &webhook, &format!("Fault{n}")).await;
    }

    let statuses = previews.join_all().await;
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    let memory = service.peak_memory_mib();
    assert!(memory < MOST_MEMORY, "{memory} MiB");
}

async fn costly_links_of_the_catalog_hold_up_no_alert(fresh: Fresh) {
    let webhook = Receiver::webhook().await;
    let service = Service::start(&config(&webhook, &fresh)).await;
    // Nothing of it can be seen without an alert.
    let link = |n: usize| {
        let costly = nested("labels");
        (
            format!("link{n}"),
            json!(format!("https://x.example/{{{{#if labels.pod}}}}{{{{{costly}}}}}{{{{/if}}}}")),
        )
    };
    let links: serde_json::Map<String, Value> = (0..20).map(link).collect();
    service.create("/api/v1/catalog", &json!({"slug": "m", "kind": "model", "links": links})).await;
    for n in 100..160 {
        service.deliver(&body(&format!("Fault{n}"), "m", 3)).await;
    }

    for n in 2..6 {
        told_quickly(&service, &webhook, &format!("Fault{n}")).await;
    }

    eventually("all are told", || async { (webhook.told().alerts.len() >= 64).then_some(()) }).await;
    let told = service.notifications("webhook").await;
    assert!(told.iter().all(|one| one["state"] == "delivered"), "not within {LIMIT:?}");
    let memory = service.peak_memory_mib();
    assert!(memory < MOST_MEMORY, "{memory} MiB");
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
