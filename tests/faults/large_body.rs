//! A body with as many alerts as fit into one: memory stays bounded, and an alert that comes
//! beside it is told as if it were alone.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::load::single;
use crate::receiver::{NAME_PREFIX, Receiver};
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::Service;

/// How many alerts the body has.
const ALERTS: usize = 100_000;
/// How many alerts come beside it, one after the other.
const NEIGHBOURS: usize = 5;
/// How long each of them may take from its sender to its receiver.
const LIMIT: Duration = Duration::from_secs(2);
/// How much memory the program may ever have, in MiB.
const MOST_MEMORY: u64 = 256;

on_both_databases! {
    a_hundred_thousand_incidents_in_one_body_keep_nobody_waiting,
    a_hundred_thousand_alerts_of_one_incident_keep_nobody_waiting,
}

async fn a_hundred_thousand_incidents_in_one_body_keep_nobody_waiting(fresh: Fresh) {
    keeps_nobody_waiting(&fresh, "{{alertname}}:{{lookup labels \"n\"}}").await;
}

async fn a_hundred_thousand_alerts_of_one_incident_keep_nobody_waiting(fresh: Fresh) {
    keeps_nobody_waiting(&fresh, "{{alertname}}").await;
}

async fn keeps_nobody_waiting(fresh: &Fresh, dedup_key: &str) {
    let receiver = Receiver::webhook().await;
    let service = Service::start(&json!({
        "storage": {"url": fresh.url()},
        "dedup_key": dedup_key,
        "channels": [{"name": "webhook", "kind": "webhook", "timeout": "5s", "url": receiver.url()}],
        "route": {"channels": ["webhook"]},
    }))
    .await;
    service.create("/api/v1/catalog", &json!({"slug": "m", "kind": "model"})).await;
    let body = body();
    let api = service.clone_api();
    let posting =
        tokio::spawn(async move { api.call("POST", "/webhooks/alertmanager", &body).await.unwrap() });

    let mut waits = Vec::new();
    for n in 0..NEIGHBOURS {
        let name = format!("{NAME_PREFIX}neighbour{n}");
        let began = Instant::now();
        service.deliver(&single(&name, "firing")).await;
        while !receiver.watch().knows(&name) {
            assert!(began.elapsed() < LIMIT * 10, "{name} is not told");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waits.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(700)).await;
    }

    assert_eq!(posting.await.unwrap().status, 200);
    let memory = service.peak_memory_mib();
    println!("{waits:.2?}; {memory} MiB; {} messages so far", receiver.told().arrivals.len());
    assert!(waits.iter().all(|wait| *wait < LIMIT), "{waits:.2?}");
    assert!(memory < MOST_MEMORY, "{memory} MiB");
}

/// About 7 MiB.
fn body() -> String {
    let mut text = String::from(r#"{"receiver":"flood","alerts":["#);
    for n in 0..ALERTS {
        let comma = if n == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{comma}{{"labels":{{"alertname":"Flood","model":"m","n":"{n:020}"}}}}"#);
    }
    text + "]}"
}
