//! Tokens: Alertmanager has one, and nobody gets further than theirs allows.

use serde_json::{Value, json};

use super::{Providers, delivery, latency_alert};
use crate::support::alertmanager::{Alertmanager, Settings, firing};
use crate::support::http;
use crate::support::service::{Service, serve_and_end};

const INGEST: &str = "ingest-token-0123456";
const READ: &str = "read-token-01234567";
const ADMIN: &str = "admin-token-0123456";

fn with_tokens(mut config: Value) -> Value {
    config["auth"] = json!({"tokens": [
        {"name": "prod-alertmanager", "token": INGEST, "scopes": ["ingest"]},
        {"name": "dashboard", "token": READ, "scopes": ["read"]},
        {"name": "operator", "token": ADMIN, "scopes": ["admin"]},
    ]});
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alertmanager_comes_in_with_a_bearer_token_or_a_password() {
    let providers = Providers::start().await;
    let service = Service::start_with_token(&with_tokens(providers.config()), Some(ADMIN)).await;
    let mut bearer = Settings::new(&service.webhook_url());
    bearer.token = Some(INGEST.to_owned());
    let mut basic = Settings::new(&service.webhook_url());
    basic.login = Some(("prod-alertmanager".to_owned(), INGEST.to_owned()));
    let Some(first) = Alertmanager::start("alertmanager_comes_in", &bearer).await else { return };
    let second = Alertmanager::start("alertmanager_comes_in", &basic).await.unwrap();

    first.post_alerts(&[latency_alert("a:9000")]).await;
    second.post_alerts(&[firing(&[("alertname", "Drift")], &[])]).await;
    service.wait_for_delivered("webhook", 2).await;

    let events = service.list("/api/v1/events").await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event["actor"] == "prod-alertmanager"), "{events:#?}");
    providers.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_401_and_a_wrong_scope_403() {
    let service = Service::start_with_token(&with_tokens(json!({})), Some(ADMIN)).await;
    let url = service.webhook_url();
    let body = delivery("Drift").to_string();
    let post = async |header: String| http::request_with("POST", &url, &header, &body).await;

    // prod-alertmanager:not-the-token-at-all, in base64.
    let wrong_password = "cHJvZC1hbGVydG1hbmFnZXI6bm90LXRoZS10b2tlbi1hdC1hbGw=";
    for header in [
        "X-Nothing: 1".to_owned(),
        "Authorization: Bearer not-the-token-at-all".to_owned(),
        format!("Authorization: Basic {wrong_password}"),
    ] {
        assert_eq!(post(header.clone()).await.unwrap().status, 401, "{header}");
    }
    assert_eq!(post(format!("Authorization: Bearer {READ}")).await.unwrap().status, 403);
    let log = http::get_with_token(&format!("{}/api/v1/notifications", service.url()), INGEST).await.unwrap();
    assert_eq!(log.status, 403);
    assert!(service.list("/api/v1/events").await.is_empty(), "what was refused left nothing");
    assert_eq!(post(format!("Authorization: Bearer {INGEST}")).await.unwrap().status, 200);
    let printed = service.log();
    assert!([INGEST, READ, ADMIN].iter().all(|token| !printed.contains(token)), "{printed}");
}

#[tokio::test]
async fn an_address_others_can_reach_needs_tokens() {
    let (status, printed) = serve_and_end(r#"server: {listen: "0.0.0.0:0"}"#).await;

    assert!(!status.success());
    assert!(printed.contains("server.listen") && printed.contains("auth.tokens"), "{printed}");
    assert!(!printed.contains("listens on"), "{printed}");
}
