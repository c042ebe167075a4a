//! Providers that fail for a while: everything is told in order when they are back, the
//! other channels do not notice, and the log has every attempt.

use std::time::Duration;

use modelpager::domain::clock::Timestamp;
use modelpager::fakes::engine::{HttpServer, Step};
use modelpager::fakes::pagerduty::Effect;
use serde_json::{Value, json};

use super::{Providers, kinds, latency_alert};
use crate::support::alertmanager::{Alertmanager, Settings, resolved};
use crate::support::service::{Service, eventually};

/// The channels whose providers fail; the other two go on.
const FAILING: [&str; 2] = ["slack", "pagerduty"];

/// What is wrong with a provider, and how the log is to call it.
struct Fault {
    step: Option<Step>,
    outcome: &'static str,
    status: Value,
}

impl Fault {
    async fn begin(&self, server: &HttpServer) {
        match &self.step {
            Some(step) => server.always(step.clone()),
            None => server.stop().await,
        }
    }

    async fn end(&self, server: &HttpServer) {
        server.clear();
        server.restart().await.unwrap();
    }
}

/// The log of one of the failing channels, once it has been tried twice.
async fn tried_twice(service: &Service, channel: &str) -> Vec<Value> {
    eventually(&format!("two attempts on {channel}"), || async {
        let found = service.notifications(channel).await;
        found.iter().any(|one| one["attempt_count"].as_i64() >= Some(2)).then_some(found)
    })
    .await
}

async fn survive(test: &str, fault: Fault) -> Option<Vec<Vec<Value>>> {
    let providers = Providers::start().await;
    let mut config = providers.config();
    for channel in config["channels"].as_array_mut().unwrap().iter_mut().take(2) {
        channel["timeout"] = json!("400ms");
    }
    let service = Service::start(&config).await;
    let settings = Settings::new(&service.webhook_url());
    let alertmanager = Alertmanager::start(test, &settings).await?;
    let servers = [providers.slack.http(), providers.pagerduty.http()];
    for server in servers {
        fault.begin(server).await;
    }

    let alert = latency_alert("a:9000");
    alertmanager.post_alerts(std::slice::from_ref(&alert)).await;
    service.wait_for_delivered("webhook", 1).await;
    alertmanager.post_alerts(&[resolved(&alert)]).await;
    service.wait_for_delivered("webhook", 2).await;
    service.wait_for_delivered("mail", 2).await;
    for channel in FAILING {
        // The others are done with all of it; these have told nothing.
        let owed = tried_twice(&service, channel).await;
        assert_eq!(kinds(&owed), ["firing", "resolved"]);
        assert!(owed.iter().all(|one| one["state"] == "pending" || one["state"] == "sending"), "{owed:#?}");
    }
    let health = service.get("/api/v1/channels").await["items"].clone();
    assert!(health[0]["failures"].as_i64() >= Some(1) && health[0]["waiting"] == 2, "{health:#}");

    for server in servers {
        fault.end(server).await;
    }
    let mut logs = Vec::new();
    for channel in FAILING {
        let told = service.wait_for_delivered(channel, 2).await;
        logs.push(check_attempts(&service, &told, &fault).await);
    }
    let messages = providers.slack.messages();
    assert_eq!((messages.len(), messages[0].earlier.len()), (2, 1), "{messages:#?}");
    assert!(messages[0].visible_text().contains("RESOLVED"));
    assert_eq!(messages[1].thread_ts.as_ref(), Some(&messages[0].ts));
    let effects: Vec<Effect> = providers.pagerduty.told().iter().map(|told| told.effect).collect();
    assert_eq!(effects, [Effect::Opened, Effect::Resolved]);
    assert_eq!(providers.webhook_types(), ["incident.firing", "incident.resolved"]);
    providers.assert_clean();
    Some(logs)
}

/// Every attempt of the first message but its last met the fault; the second message was
/// not tried before the first was through.
async fn check_attempts(service: &Service, told: &[Value], fault: &Fault) -> Vec<Value> {
    let attempts = |detail: Value| detail["attempts"].as_array().unwrap().clone();
    let first = attempts(service.notification(&told[0]["id"]).await);
    let second = attempts(service.notification(&told[1]["id"]).await);
    let (last, failed) = first.split_last().unwrap();
    assert!(failed.len() >= 2, "{first:#?}");
    for (n, attempt) in failed.iter().enumerate() {
        assert_eq!(attempt["number"], n + 1);
        assert_eq!((&attempt["outcome"], &attempt["status"]), (&json!(fault.outcome), &fault.status));
        assert!(attempt["error"].as_str().is_some_and(|error| !error.is_empty()), "{attempt}");
    }
    assert_eq!(last["outcome"], "accepted");
    assert_eq!((second.len(), &second[0]["outcome"]), (1, &json!("accepted")), "{second:#?}");
    assert!(second[0]["started_at"].as_str() >= told[0]["finished_at"].as_str());
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_down() {
    let fault = Fault { step: None, outcome: "not_processed", status: Value::Null };
    survive("a_provider_that_is_down", fault).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_answers_500() {
    let fault = Fault { step: Some(Step::status(500)), outcome: "ambiguous", status: json!(500) };
    survive("a_provider_that_answers_500", fault).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_hangs() {
    let fault = Fault { step: Some(Step::hang()), outcome: "ambiguous", status: Value::Null };
    survive("a_provider_that_hangs", fault).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_asks_for_patience_gets_it() {
    let step = Step::retry_after(429, "1");
    let fault = Fault { step: Some(step), outcome: "not_processed", status: json!(429) };
    let Some(logs) = survive("a_provider_that_asks_for_patience", fault).await else { return };

    let started =
        |attempt: &Value| Timestamp::parse_rfc3339(attempt["started_at"].as_str().unwrap()).unwrap();
    for attempts in logs {
        for pair in attempts.windows(2) {
            let gap = started(&pair[1]).since(started(&pair[0]));
            assert!(gap >= Duration::from_secs(1), "asked again after {gap:?}");
        }
    }
}
