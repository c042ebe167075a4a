//! What Alertmanager keeps to itself is neither told nor taken for an end.

use serde_json::{Value, json};

use super::{Providers, describe_the_model, latency_alert};
use crate::support::alertmanager::{Alertmanager, Settings, firing, resolved};
use crate::support::service::{Service, eventually};

async fn latency_incident(service: &Service) -> Value {
    let found = service.list("/api/v1/incidents?alertname=ModelLatencyHigh").await;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// The body of the last event.
async fn last_body(service: &Service) -> String {
    let events = service.list("/api/v1/events").await;
    let id = events.last().unwrap()["id"].as_str().unwrap().to_owned();
    service.get(&format!("/api/v1/events/{id}")).await["body"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silenced_alert_is_not_told_and_its_absence_ends_nothing() {
    let providers = Providers::start().await;
    let service = Service::start(&providers.config()).await;
    let settings = Settings::new(&service.webhook_url());
    let Some(alertmanager) = Alertmanager::start("a_silenced_alert", &settings).await else { return };
    describe_the_model(&service).await;
    alertmanager.silence(&[("alertname", "Quiet")]).await;
    alertmanager.post_alerts(&[firing(&[("alertname", "Quiet")], &[])]).await;
    let [a, b, c] = ["a:9000", "b:9000", "c:9000"].map(latency_alert);
    alertmanager.post_alerts(&[a.clone(), b.clone()]).await;
    service.wait_for_delivered("webhook", 1).await;

    // From now on `a` is missing in every body, although it fires.
    let silence = alertmanager.silence(&[("instance", "a:9000")]).await;
    alertmanager.post_alerts(&[a.clone(), c.clone()]).await;
    service.wait_for_delivered("webhook", 2).await;
    assert!(!last_body(&service).await.contains("a:9000"));
    assert_eq!(latency_incident(&service).await["firing"], 3);

    alertmanager.post_alerts(&[resolved(&b), resolved(&c)]).await;
    service.wait_for_delivered("webhook", 3).await;
    assert!(!last_body(&service).await.contains("a:9000"));
    let incident = latency_incident(&service).await;
    assert_eq!((&incident["state"], &incident["firing"]), (&json!("open"), &json!(1)));

    // The silence ends while it still fires: nothing new. Then it ends: that is new.
    let events = service.list("/api/v1/events").await.len();
    alertmanager.expire_silence(&silence).await;
    service.wait_for_processed(events + 1).await;
    assert!(last_body(&service).await.contains("a:9000"));
    alertmanager.post_alerts(&[resolved(&a)]).await;
    eventually("the incident's end", || async {
        (latency_incident(&service).await["state"] == "resolved").then_some(())
    })
    .await;
    service.wait_for_delivered("webhook", 4).await;

    let types = ["incident.firing", "incident.updated", "incident.updated", "incident.resolved"];
    assert_eq!(providers.webhook_types(), types);
    assert_eq!(service.list("/api/v1/incidents").await.len(), 1, "of the silenced alert nothing was heard");
    service.wait_for_delivered("slack", 4).await;
    assert_eq!(providers.slack.messages().iter().filter(|m| m.thread_ts.is_none()).count(), 1);
    providers.assert_clean();
}
