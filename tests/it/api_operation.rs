//! Channels, status, the description and its page.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use modelpager::config::{ChannelConfig, Config};
use modelpager::domain::clock::SystemClock;
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;
use serde_json::{Value, json};

use crate::web_support::{Site, config_with_tokens};

fn channel(settings: Value) -> ChannelConfig {
    serde_json::from_value(settings).unwrap()
}

fn with_channels(mut config: Config) -> Config {
    config.channels = vec![
        channel(json!({"name": "console", "kind": "log"})),
        // Nothing listens there: the connection is refused.
        channel(
            json!({"name": "audit", "kind": "webhook", "url": "http://127.0.0.1:1/secret-path", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}),
        ),
        channel(json!({"name": "off", "kind": "log", "enabled": false})),
    ];
    config
}

#[actix_web::test]
async fn channels_show_how_they_fare_but_none_of_their_settings() {
    let site = Site::with_config(with_channels(Config::default())).await;

    let answer = site.get("/api/v1/channels").await;

    let shown = answer.json();
    let states: Vec<(&str, &str)> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["name"].as_str().unwrap(), item["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("console", "untried"), ("audit", "untried"), ("off", "disabled")]);
    assert!(!answer.text().contains("secret-path") && !answer.text().contains("whsec"));
}

#[actix_web::test]
async fn a_channel_is_tried_and_the_trial_stands_in_the_log() {
    let site = Site::with_config(with_channels(Config::default())).await;

    let tried = site.post("/api/v1/channels/console/test", "").await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.text());
    assert_eq!(tried.json()["outcome"], "accepted");

    let refused = site.post("/api/v1/channels/audit/test", "").await.json();
    assert_eq!(refused["outcome"], "not_processed");
    assert!(!refused.to_string().contains("secret-path"), "{refused}");

    assert_eq!(site.post("/api/v1/channels/off/test", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.post("/api/v1/channels/nope/test", "").await.status, StatusCode::NOT_FOUND);

    let id = tried.json()["notification_id"].as_str().unwrap().to_owned();
    let logged = site.get(&format!("/api/v1/notifications/{id}")).await.json();
    assert_eq!((&logged["kind"], &logged["alertname"]), (&json!("test"), &json!("ModelpagerTest")));
}

#[actix_web::test]
async fn a_channel_shows_its_health_and_is_given_a_new_chance_by_hand() {
    let hook = WebhookFake::unsigned(std::sync::Arc::new(SystemClock)).await.unwrap();
    hook.http().always(Step::status(401));
    let mut config = Config::default();
    config.channels = vec![
        channel(json!({"name": "hook", "kind": "webhook", "url": hook.url(), "fallback": "console"})),
        channel(json!({"name": "console", "kind": "log"})),
    ];
    let site = Site::with_config(config).await;
    let fine = site.get("/api/v1/channels/hook").await.json();
    assert_eq!((&fine["health"]["state"], &fine["fallback"]), (&json!("healthy"), &json!("console")));

    site.post("/api/v1/channels/hook/test", "").await;
    let health = async || site.get("/api/v1/channels/hook").await.json()["health"].clone();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while health().await["state"] != "open" {
        assert!(tokio::time::Instant::now() < deadline, "{}", health().await);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let shown = health().await;
    assert_eq!(shown["reason"], "answered HTTP 401");
    assert_eq!(shown["last_error"], "answered HTTP 401");
    assert_eq!(shown["failures"], 1);
    assert!(shown["next_probe_at"].as_str() > shown["since"].as_str(), "{shown}");
    let metrics = site.get("/metrics").await.text().to_owned();
    let open = r#"modelpager_channel_breaker_state{channel="hook",state="open"} 1"#;
    assert!(metrics.contains(open), "{metrics}");

    let answer = site.post("/api/v1/channels/hook/reset", "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json()["health"]["state"], "degraded", "it has not delivered yet");
    assert_eq!(answer.json()["health"]["next_probe_at"], json!(null));
    assert_eq!(site.post("/api/v1/channels/nope/reset", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/api/v1/channels/nope").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn only_an_operator_gives_channels_a_new_chance() {
    let site = Site::with_config(with_channels(config_with_tokens())).await;
    let header = ("Authorization", "Bearer write-token-0123456");

    let answer =
        site.call(TestRequest::post().uri("/api/v1/channels/console/reset").insert_header(header)).await;

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn only_an_operator_tries_channels() {
    let site = Site::with_config(with_channels(config_with_tokens())).await;
    let header = ("Authorization", "Bearer write-token-0123456");

    let answer =
        site.call(TestRequest::post().uri("/api/v1/channels/console/test").insert_header(header)).await;

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn the_status_tells_what_runs_and_what_waits() {
    let site = Site::open().await;
    site.post("/webhooks/alertmanager", r#"{"receiver":"r","alerts":[{"labels":{"a":"b"}}]}"#).await;
    site.clock.advance(std::time::Duration::from_secs(90));

    let status = site.get("/api/v1/status").await.json();

    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["storage"], "sqlite");
    assert_eq!(status["uptime_seconds"], 90);
    assert_eq!(
        status["queues"]["events"],
        json!({"depth": 1, "oldest_at": "2026-08-20T10:00:03.125Z", "oldest_age_seconds": 90})
    );
    assert_eq!(status["queues"]["notifications"]["depth"], 0);
    assert_eq!(status["stopped_workers"], json!([]));
}

#[actix_web::test]
async fn the_description_and_its_page_need_neither_token_nor_network() {
    let site = Site::with_config(config_with_tokens()).await;

    let description = site.get("/api/v1/openapi.json").await;
    assert_eq!(description.json()["openapi"], "3.1.0");

    let page = site.get("/docs").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text().contains("<base href=\"/docs/\">"));
    assert!(!page.text().contains("https://") && !page.text().contains("http://"), "{}", page.text());
    assert!(page.header("content-security-policy").contains("connect-src 'self'"));
    for (_, rest) in page.text().match_indices("=\"./").map(|(n, found)| (n, &page.text()[n + found.len()..]))
    {
        let file = rest.split('"').next().unwrap();
        let plain = site.get(&format!("/docs/{file}")).await;
        assert_eq!(plain.status, StatusCode::OK, "{file}");
        assert!(!plain.text().is_empty(), "{file}");
    }
    let start = site.get("/docs/start.js").await;
    assert!(start.text().contains("/api/v1/openapi.json"), "{}", start.text());
    assert_eq!(site.get("/docs/../etc/passwd").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/docs/nope.js").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn reads_are_compressed_for_who_can_read_that() {
    let site = Site::open().await;
    let request = TestRequest::get().uri("/api/v1/openapi.json").insert_header(("Accept-Encoding", "gzip"));

    let answer = site.call(request).await;

    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.body.len() < 60_000, "{}", answer.body.len());
}
