//! The program ends, by itself or by force, and starts again: what was answered with 200
//! is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use modelpager::fakes::engine::Step;
use modelpager::fakes::{slack, webhook};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{Providers, delivery};
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::{Api, LIMIT, Service, eventually, serve_and_end};

/// More than are sent at the same time, so that some are not even begun.
const MESSAGES: usize = 30;

on_both_databases! { what_was_accepted_survives_a_kill, a_stop_under_load_loses_nothing }

/// A channel whose provider folds repeats, and one whose provider does not.
fn config(providers: &Providers, fresh: &Fresh) -> Value {
    json!({
        "storage": {"url": fresh.url()},
        "delivery": {"backoff_min": "50ms", "backoff_max": "500ms"},
        // Every message counts here: none may be folded or overtaken.
        "channels": [
            {"name": "slack", "kind": "slack", "rate_limit": "none", "supersede": false, "timeout": "20s", "api_url": providers.slack.api_url(),
                "token": slack::TOKEN, "channel": slack::CHANNEL},
            {"name": "webhook", "kind": "webhook", "timeout": "20s", "url": providers.webhook.url(),
                "secret": webhook::SECRET},
        ],
        "route": {"channels": ["slack", "webhook"]},
    })
}

async fn what_was_accepted_survives_a_kill(fresh: Fresh) {
    let providers = Providers::start().await;
    let servers = [providers.slack.http(), providers.webhook.http()];
    servers.iter().for_each(|server| server.always(Step::hang()));
    let mut service = Service::start(&config(&providers, &fresh)).await;

    service.deliver(&delivery("Load0")).await;
    for server in servers {
        assert_eq!(server.wait_for_requests(1, LIMIT).await.len(), 1);
    }
    let bodies: Vec<Value> = (1..MESSAGES).map(|n| delivery(&format!("Load{n}"))).collect();
    join_all(bodies.iter().map(|body| service.deliver(body))).await;
    service.kill();

    servers.iter().for_each(|server| server.clear());
    // Where several processes may share the database, the dead one has to be missed first.
    service.restart().await;
    let on_slack = service.wait_for_delivered("slack", MESSAGES).await;
    let on_webhook = service.wait_for_delivered("webhook", MESSAGES).await;
    assert_eq!(service.wait_for_processed(MESSAGES).await.len(), MESSAGES);

    let expected: BTreeSet<String> = (0..MESSAGES).map(|n| format!("Load{n}")).collect();
    for told in [&on_slack, &on_webhook] {
        assert_eq!((told.len(), alertnames(told)), (MESSAGES, expected.clone()));
    }
    assert_eq!(providers.slack.messages().len(), MESSAGES);
    let messages = providers.webhook.messages();
    assert_eq!(messages.len(), MESSAGES);
    assert!(messages.iter().all(|message| message.deliveries == 1));
    check_marks(&service, &on_slack, &on_webhook).await;
    providers.assert_clean();
}

fn alertnames(notifications: &[Value]) -> BTreeSet<String> {
    notifications.iter().map(|one| one["alertname"].as_str().unwrap().to_owned()).collect()
}

/// The attempt that the kill cut short is in the log as one whose end nobody knows.
async fn check_marks(service: &Service, on_slack: &[Value], on_webhook: &[Value]) {
    assert!(on_webhook.iter().all(|one| one["maybe_sent_twice"] == false), "a receiver knows the id");
    assert_eq!(on_slack[0]["maybe_sent_twice"], true);
    for one in [&on_slack[0], &on_webhook[0]] {
        let detail = service.notification(&one["id"]).await;
        let attempts = detail["attempts"].as_array().unwrap();
        let outcomes: Vec<&str> = attempts.iter().map(|a| a["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["ambiguous", "accepted"], "{detail:#}");
        let error = attempts[0]["error"].as_str().unwrap();
        assert!(error.contains("stopped during the send"), "{error}");
    }
}

async fn a_stop_under_load_loses_nothing(fresh: Fresh) {
    let providers = Providers::start().await;
    for server in [providers.slack.http(), providers.webhook.http()] {
        server.always(Step::usual().delayed(Duration::from_millis(30)));
    }
    let mut service = Service::start(&config(&providers, &fresh)).await;
    let accepted: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let senders: Vec<JoinHandle<()>> =
        (0..8).map(|n| tokio::spawn(post_until_refused(n, service.clone_api(), accepted.clone()))).collect();

    eventually("some load", || async { (accepted.lock().len() >= 60).then_some(()) }).await;
    service.signal("TERM");
    let status = service.wait_for_end().await;
    join_all(senders).await;
    assert_eq!(status.code(), Some(0), "{}", service.log());

    service.restart().await;
    let accepted = std::mem::take(&mut *accepted.lock());
    let (ids, names): (BTreeSet<String>, BTreeSet<String>) = accepted.into_iter().unzip();
    let events = service.wait_for_processed(ids.len()).await;
    let stored: BTreeSet<String> =
        events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert!(ids.is_subset(&stored), "lost: {:?}", ids.difference(&stored).collect::<Vec<_>>());
    for channel in ["slack", "webhook"] {
        let told = service.wait_for_delivered(channel, names.len()).await;
        assert!(names.is_subset(&alertnames(&told)), "{channel}");
        assert!(told.iter().all(|one| one["attempt_count"] == 1), "a stop in order cuts no send short");
    }
    assert!(providers.webhook.messages().iter().all(|message| message.deliveries == 1));
    providers.assert_clean();
}

/// Posts one event after the other, and keeps the id and the alert's name of each 200.
async fn post_until_refused(sender: usize, api: Api, accepted: Arc<Mutex<Vec<(String, String)>>>) {
    for n in 0.. {
        let name = format!("Load{sender}x{n}");
        let answer = api.call("POST", "/webhooks/alertmanager", &delivery(&name).to_string()).await;
        match answer {
            Ok(reply) if reply.status == 200 => {
                let id = reply.json()["event_id"].as_str().unwrap().to_owned();
                accepted.lock().push((id, name));
            }
            // It stops: told so, or nobody answers any more.
            Ok(reply) => return assert_eq!(reply.status, 503, "{}", reply.body),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_file_is_refused() {
    let fresh = Fresh::sqlite();
    let config = json!({"storage": {"url": fresh.url()}});
    let service = Service::start(&config).await;

    let second = json!({"server": {"listen": "127.0.0.1:0"}, "storage": {"url": fresh.url()}});
    let (status, printed) = serve_and_end(&second.to_string()).await;

    assert!(!status.success());
    assert!(printed.contains("in use by another modelpager"), "{printed}");
    assert!(!printed.contains("listens on"), "{printed}");
    service.deliver(&delivery("StillHere")).await;
    service.wait_for_delivered("console", 1).await;
}
