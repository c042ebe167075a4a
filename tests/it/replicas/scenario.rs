//! What happens to the models, as a pair of Alertmanagers tells it: problem by problem, each
//! state until it is taken.

use std::collections::BTreeMap;
use std::time::Duration;

use modelpager::domain::random::{Random as _, SeededRandom};
use serde_json::{Value, json};

use super::CHANNELS;
use crate::support::http;
use crate::support::service::Api;

pub const MODELS: [&str; 4] = ["churn", "fraud", "ranker", "search"];

/// How many problems there are; every third is not over in the end.
pub const PROBLEMS: usize = 18;

/// What is left of it all: by dedup key, the incident's state and what each channel was told,
/// in order.
pub type Outcome = BTreeMap<String, (String, BTreeMap<&'static str, Vec<String>>)>;

/// The bodies about one problem, in the order in which they are sent.
pub fn bodies(problem: usize) -> Vec<Value> {
    let first = alert(problem, "a", "high", false);
    let second = alert(problem, "b", "critical", false);
    let mut bodies = vec![body(problem, std::slice::from_ref(&first)), body(problem, &[first, second])];
    if !problem.is_multiple_of(3) {
        let over = [alert(problem, "a", "high", true), alert(problem, "b", "critical", true)];
        bodies.push(body(problem, &over));
    }
    bodies
}

fn alert(problem: usize, instance: &str, severity: &str, is_over: bool) -> Value {
    let (status, ends_at) =
        if is_over { ("resolved", "2026-08-20T10:30:00Z") } else { ("firing", "0001-01-01T00:00:00Z") };
    json!({
        "status": status,
        "labels": {"alertname": format!("Problem{problem}"), "model": MODELS[problem % MODELS.len()],
            "severity": severity, "instance": instance},
        "annotations": {"summary": "accuracy 0.81 < 0.9"},
        "startsAt": "2026-08-20T10:00:00Z",
        "endsAt": ends_at,
        "generatorURL": "",
    })
}

fn body(problem: usize, alerts: &[Value]) -> Value {
    json!({
        "version": "4", "receiver": "modelpager", "status": "firing", "truncatedAlerts": 0,
        "groupKey": format!("{{}}:{{alertname=\"Problem{problem}\"}}"), "groupLabels": {},
        "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am.example:9093",
        "alerts": alerts,
    })
}

/// Two Alertmanagers tell the course of one problem to any of `replicas`: both send each body,
/// and no new one before the last was taken of both; with pauses of up to `pause` in between.
pub async fn tell(problem: usize, replicas: Vec<Api>, pause: Duration, seed: u64) {
    let random = SeededRandom::new(seed);
    for body in bodies(problem) {
        tokio::time::sleep(pause.mul_f64(random.fraction())).await;
        tokio::join!(send(&body, &replicas, &random), send(&body, &replicas, &random));
    }
}

/// Again and again until it is taken, as Alertmanager does.
async fn send(body: &Value, replicas: &[Api], random: &SeededRandom) {
    loop {
        let replica = &replicas[(random.bits() % replicas.len() as u64) as usize];
        match http::post_json(&replica.webhook_url(), body).await {
            Ok(reply) if reply.status == 200 => return,
            Ok(reply) => assert_eq!(reply.status, 503, "{}", reply.body),
            // Killed before it could answer, or not there.
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50 + random.bits() % 200)).await;
    }
}

/// Whether all is done: every event triaged, every message told.
pub async fn is_settled(api: &Api) -> bool {
    let Ok(reply) = api.call("GET", "/api/v1/status", "").await else { return false };
    if reply.status != 200 {
        return false;
    }
    let queues = &reply.json()["queues"];
    queues["events"]["depth"] == 0 && queues["notifications"]["depth"] == 0
}

/// What is left of it all.
pub async fn outcome(api: &Api) -> Outcome {
    let mut outcome = Outcome::new();
    for incident in api.list("/api/v1/incidents").await {
        let text = |field: &str| incident[field].as_str().unwrap().to_owned();
        let before = outcome.insert(text("dedup_key"), (text("state"), BTreeMap::new()));
        assert!(before.is_none(), "two incidents of one problem: {incident:#}");
    }
    for channel in CHANNELS {
        for one in api.notifications(channel).await {
            assert_eq!(one["state"], "delivered", "{one:#}");
            let (_, told) = outcome.get_mut(one["dedup_key"].as_str().unwrap()).unwrap();
            told.entry(channel).or_default().push(one["kind"].as_str().unwrap().to_owned());
        }
    }
    outcome
}
