//! Bodies whose texts are as long as a body may be: no list and no page shows all of them.

use serde_json::{Value, json};

use crate::attacks::{alert_in_and_out, assert_unimpressed, begin, open_config};
use crate::support::service::Service;

/// How many such bodies are posted.
const BODIES: usize = 40;
/// Nearly as long as a body may be.
const LONG: usize = 7 * 1_024 * 1_024;
/// How many read one event at the same time.
const READERS: usize = 32;
/// How much is kept of a label.
const LABEL: usize = 16 * 1_024;
/// No answer of a list and no page may be larger.
const LARGEST_ANSWER: usize = 4 * 1_024 * 1_024;

/// A body one of whose texts is very long, another one each time.
fn body(n: usize) -> Value {
    let long = format!("https://am{n}.example/{}", "x".repeat(LONG));
    let name = format!("Long{n}");
    let mut body = json!({
        "receiver": "r", "externalURL": "http://am.example", "groupKey": format!("{n}"), "version": "4",
        "status": "firing", "notification_reason": "",
        "alerts": [{
            "status": "firing", "labels": {"alertname": name, "severity": "low"}, "annotations": {},
            "startsAt": "2026-08-20T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        }],
    });
    let places = [
        "/receiver",
        "/externalURL",
        "/groupKey",
        "/status",
        "/version",
        "/notification_reason",
        "/alerts/0/generatorURL",
        "/alerts/0/labels/severity",
        "/alerts/0/labels/alertname",
        "/alerts/0/fingerprint",
    ];
    body["alerts"][0]["fingerprint"] = json!("");
    if n % (places.len() + 1) == places.len() {
        // Each of them as long as a label may be.
        let label = |m: usize| (format!("label{m}"), json!("x".repeat(LABEL)));
        body["alerts"][0]["labels"].as_object_mut().unwrap().extend((0..LONG / LABEL).map(label));
        return body;
    }
    *body.pointer_mut(places[n % (places.len() + 1)]).unwrap() = json!(long);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_seven_mebibytes_are_shown_cut_and_take_no_memory() {
    let service = Service::start(&open_config()).await;
    for n in 0..BODIES {
        service.deliver(&body(n)).await;
    }
    let told = service.wait_for_delivered("console", BODIES).await.len();

    let events = service.get("/api/v1/events?limit=500").await["items"].as_array().unwrap().clone();
    assert_eq!(events.len(), BODIES);
    let incidents = service.list("/api/v1/incidents").await;
    let mut pages = vec![
        "/api/v1/events?limit=500".to_owned(),
        "/api/v1/incidents?limit=500".to_owned(),
        "/api/v1/notifications?limit=500".to_owned(),
        "/api/v1/status".to_owned(),
        "/".to_owned(),
        "/events".to_owned(),
        "/incidents".to_owned(),
        "/notifications".to_owned(),
    ];
    pages.extend(events.iter().take(10).map(|event| format!("/events/{}", event["id"].as_str().unwrap())));
    pages.extend(incidents.iter().take(10).map(|one| format!("/incidents/{}", one["id"].as_str().unwrap())));
    for page in pages {
        let reply = service.call("GET", &page, "").await.unwrap();
        assert_eq!(reply.status, 200, "{page}");
        println!("{page}: {} bytes, {} MiB at most so far", reply.body.len(), service.peak_memory_mib());
        assert!(reply.body.len() < LARGEST_ANSWER, "{page}: {} bytes", reply.body.len());
    }

    let delay = alert_in_and_out(&service, "Beside", told).await;
    assert_unimpressed(&service, delay);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_readers_of_one_long_body_take_no_memory() {
    let service = Service::start(&open_config()).await;
    let event = service.deliver(&body(0)).await["event_id"].as_str().unwrap().to_owned();
    let other = service.deliver(&body(8)).await["event_id"].as_str().unwrap().to_owned();
    let told = service.wait_for_delivered("console", 2).await.len();

    // Some never read their answers.
    let head = |id: &str| format!("GET /api/v1/events/{id} HTTP/1.1");
    let silent: Vec<_> = (0..READERS).map(|_| begin(&service, &head(&event), b"\r\n")).collect();
    let readers = (0..READERS).map(|n| {
        let (api, id) = (service.clone_api(), if n % 2 == 0 { event.clone() } else { other.clone() });
        let (method, path) = match n % 4 {
            0 | 1 => ("GET", format!("/api/v1/events/{id}")),
            2 => ("GET", format!("/events/{id}")),
            _ => ("POST", format!("/api/v1/events/{id}/replay")),
        };
        tokio::spawn(async move { api.call(method, &path, "").await.unwrap().status })
    });
    let readers: Vec<_> = readers.collect();

    let delay = alert_in_and_out(&service, "Beside", told).await;
    for reader in readers {
        assert!([200, 202, 503].contains(&reader.await.unwrap()));
    }
    assert_unimpressed(&service, delay);
    drop(silent);
    let reply = service.call("GET", &format!("/api/v1/events/{event}"), "").await.unwrap();
    assert!(reply.status == 200 && reply.body.len() > LONG, "{}", reply.status);
}
