//! Two Alertmanagers that send the same: everybody is told once.

use modelpager::domain::clock::{Clock as _, SystemClock};
use modelpager::fakes::pagerduty::Effect;
use serde_json::{Value, json};

use super::{Providers, latency_alert, wait_everywhere};
use crate::support::alertmanager::{Alertmanager, Pair, Settings, firing, resolved};
use crate::support::service::{Service, eventually};

/// As Prometheus hands it to both: with the moment at which it began.
fn alert() -> Value {
    let mut alert = latency_alert("a:9000");
    alert["startsAt"] = json!(SystemClock.now().to_rfc3339());
    alert
}

async fn post_to_both(pair: &[Alertmanager; 2], alert: &Value) {
    for one in pair {
        one.post_alerts(std::slice::from_ref(alert)).await;
    }
}

/// It fired and ended: each said once, everywhere.
fn assert_told_once(providers: &Providers) {
    let messages = providers.slack.messages();
    assert_eq!(messages.iter().filter(|m| m.thread_ts.is_none()).count(), 1, "{messages:#?}");
    assert_eq!((messages.len(), messages[0].earlier.len()), (2, 1), "{messages:#?}");
    let effects: Vec<Effect> = providers.pagerduty.told().iter().map(|told| told.effect).collect();
    assert_eq!(effects, [Effect::Opened, Effect::Resolved]);
    assert_eq!(providers.webhook_types(), ["incident.firing", "incident.resolved"]);
    assert!(providers.webhook.messages().iter().all(|message| message.deliveries == 1));
    assert_eq!(providers.mail.mails().len(), 2);
    providers.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_strangers_send_is_told_once_and_counted() {
    let providers = Providers::start().await;
    let service = Service::start(&providers.config()).await;
    let settings = Settings::new(&service.webhook_url());
    let pair = Alertmanager::start_pair("two_strangers", &settings, Pair::Strangers).await;
    let Some(pair) = pair else { return };
    let alert = alert();
    let both_came = |count: usize| {
        let service = &service;
        async move {
            eventually("both deliveries", || async {
                let events = service.list("/api/v1/events").await;
                let twins: i64 = events.iter().map(|event| event["twins"].as_i64().unwrap()).sum();
                (events.len() + twins as usize == 2 * count).then_some(events)
            })
            .await
        }
    };

    post_to_both(&pair, &alert).await;
    both_came(1).await;
    post_to_both(&pair, &resolved(&alert)).await;
    let events = both_came(2).await;
    wait_everywhere(&service, 2).await;

    assert_told_once(&providers);
    let twins: Vec<&Value> = events.iter().map(|event| &event["twins"]).collect();
    assert_eq!(twins, [&json!(1), &json!(1)], "{events:#?}");
    let metrics = service.call("GET", "/metrics", "").await.unwrap().body;
    assert!(metrics.lines().any(|line| line.contains("duplicate") && line.ends_with(" 2")), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gossiping_pair_sends_is_told_once() {
    let providers = Providers::start().await;
    let service = Service::start(&providers.config()).await;
    let settings = Settings::new(&service.webhook_url());
    let pair = Alertmanager::start_pair("a_gossiping_pair", &settings, Pair::Gossiping).await;
    let Some(pair) = pair else { return };
    let alert = alert();

    post_to_both(&pair, &alert).await;
    wait_everywhere(&service, 1).await;
    post_to_both(&pair, &resolved(&alert)).await;
    wait_everywhere(&service, 2).await;
    // Told to the second alone and after the other: when this one has come, the second has
    // been through the first alert, too.
    pair[1].post_alerts(&[firing(&[("alertname", "Marker")], &[])]).await;
    service.wait_for_delivered("webhook", 3).await;

    let told: Vec<String> = providers.webhook_types();
    assert_eq!(told, ["incident.firing", "incident.resolved", "incident.firing"]);
    assert!(providers.webhook.messages().iter().all(|message| message.deliveries == 1));
    let incidents = service.list("/api/v1/incidents").await;
    assert_eq!(incidents.len(), 2);
    assert_eq!((&incidents[0]["state"], &incidents[0]["reopened"]), (&json!("resolved"), &json!(0)));
    providers.assert_clean();
}
