//! Stopping and reloading under load: no request fails, nothing is lost, nothing is told
//! twice, and a provider that hangs does not hold up the end.

use std::time::{Duration, Instant};

use modelpager::fakes::engine::Step;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::chance::Chance;
use crate::ledger::{Log, check_slack, check_webhook, wait_until_all_is_told};
use crate::load::Load;
use crate::receiver::Receiver;
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::{LIMIT, Service, eventually};

on_both_databases! {
    a_stop_under_load_keeps_its_time_and_leaves_no_lease_behind,
    fifty_reloads_under_load_disturb_nobody,
}

/// How long a stop may take beyond its time of grace, on a busy machine.
const MARGIN: Duration = Duration::from_secs(6);

fn config(webhook: &Receiver, slack: &Receiver, fresh: &Fresh) -> Value {
    json!({
        "server": {"shutdown_grace": "2s"},
        "storage": {"url": fresh.url()},
        "delivery": {"backoff_min": "20ms", "backoff_max": "200ms", "concurrency": 4},
        "channels": [
            {"name": "webhook", "kind": "webhook", "timeout": "30s", "url": webhook.url()},
            // Every message counts here: none may be folded or overtaken.
            {"name": "slack", "kind": "slack", "rate_limit": "none", "supersede": false, "timeout": "30s",
                "webhook_url": slack.url()},
        ],
        "route": {
            "channels": ["webhook"], "group_interval": "50ms",
            "routes": [{"matchers": ["chat=\"yes\""], "channels": ["webhook", "slack"]}],
        },
    })
}

async fn a_stop_under_load_keeps_its_time_and_leaves_no_lease_behind(fresh: Fresh) {
    let (webhook, slack) = (Receiver::webhook().await, Receiver::slack().await);
    slack.http().always(Step::hang());
    let mut service = Service::start(&config(&webhook, &slack, &fresh)).await;
    let load = Load::start(&service.clone_api(), webhook.watch(), 100, &Chance::new());
    assert_eq!(slack.http().wait_for_requests(4, LIMIT).await.len(), 4, "as many as it may send at a time");
    eventually("some load", || async { (load.events() >= 20).then_some(()) }).await;

    let began = Instant::now();
    service.signal("TERM");
    let status = service.wait_for_end().await;
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0), "{}", service.log());
    assert!(took < Duration::from_secs(2) + MARGIN, "it took {took:?}\n{}", service.log());
    assert!(service.log().contains("they are tried again at the next start"), "{}", service.log());

    slack.http().clear();
    service.restart().await;
    let taken = load.stop().await;
    // Where leases were left behind they would run for a minute and a half.
    wait_until_all_is_told(&service, LIMIT).await;
    assert!(!service.log().contains("an earlier process did not finish"), "{}", service.log());
    let log = Log::read(&service).await;
    log.has_all(&taken);
    check_webhook(&service, &log, &taken, &webhook.told()).await;
    check_slack(&log, &taken, &slack.told());
    assert!(webhook.told().by_id().values().all(|times| *times == 1), "sends that can end are not cut short");
    let marked = log.on("slack").filter(|one| one["maybe_sent_twice"] == true).count();
    assert_eq!(marked, 4, "those that hung");
}

async fn fifty_reloads_under_load_disturb_nobody(fresh: Fresh) {
    let (webhook, slack) = (Receiver::webhook().await, Receiver::slack().await);
    for receiver in [&webhook, &slack] {
        receiver.http().always(Step::usual().delayed(Duration::from_millis(5)));
    }
    let config = config(&webhook, &slack, &fresh);
    let service = Service::start(&config).await;
    let load = Load::start(&service.clone_api(), webhook.watch(), 60, &Chance::new());
    for round in 0..50 {
        let mut next = config.clone();
        next["delivery"]["concurrency"] = json!(1 + round % 5);
        if round % 10 == 9 {
            next["route"]["channels"] = json!(["nowhere"]);
        }
        service.write_config(&next);
        let is_bad = round % 10 == 9;
        if round % 2 == 0 {
            let before = reloads(&service);
            service.signal("HUP");
            eventually("the reload", || async { (reloads(&service) > before).then_some(()) }).await;
            continue;
        }
        let reply = service.call("POST", "/-/reload", "").await.unwrap();
        assert_eq!(reply.status, if is_bad { 422 } else { 200 }, "{}", reply.body);
    }
    eventually("some load", || async { (load.events() >= 20).then_some(()) }).await;
    assert_eq!(load.repeats(), 0, "a request failed");
    let taken = load.stop().await;
    wait_until_all_is_told(&service, LIMIT).await;
    let log = Log::read(&service).await;
    log.has_all(&taken);
    let (on_webhook, on_slack) = (webhook.told(), slack.told());
    check_webhook(&service, &log, &taken, &on_webhook).await;
    check_slack(&log, &taken, &on_slack);
    assert!(on_webhook.by_id().values().all(|times| *times == 1));
    assert!(on_slack.by_alert().values().all(|times| *times == 1));
    assert!(log.on("webhook").all(|one| one["attempt_count"] == 1), "a reload cuts no send short");
}

/// How often the configuration was read, well or not.
fn reloads(service: &Service) -> usize {
    let log = service.log();
    ["configuration reloaded", "the configuration is refused"]
        .map(|text| log.matches(text).count())
        .iter()
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_requests_do_not_hold_up_a_stop() {
    let mut service = Service::start(&json!({"server": {"shutdown_grace": "60s"}})).await;
    let address = service.url().trim_start_matches("http://").to_owned();
    let head =
        "POST /webhooks/alertmanager HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let beginnings = [
        "POST /webhooks".to_owned(),
        head.to_owned(),
        format!("{head}Content-Length: 1000\r\n\r\n"),
        format!("{head}Content-Length: 1000\r\n\r\n{{\"alerts\": ["),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"ale\r\n"),
    ];
    let mut streams = Vec::new();
    for beginning in &beginnings {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // All of them have arrived once one that came later was answered.
    assert_eq!(service.call("GET", "/-/healthy", "").await.unwrap().status, 200);

    let began = Instant::now();
    service.signal("TERM");
    let status = service.wait_for_end().await;

    assert_eq!(status.code(), Some(0), "{}", service.log());
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_nobody_uses_does_not_hold_up_a_stop() {
    let config = json!({"server": {"shutdown_grace": "20s"}});
    let mut service = Service::start(&config).await;
    let mut idle = tokio::net::TcpStream::connect(service.url().trim_start_matches("http://")).await.unwrap();
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: modelpager\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");

    let began = Instant::now();
    service.signal("TERM");
    let status = service.wait_for_end().await;
    assert_eq!(status.code(), Some(0), "{}", service.log());
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
}
