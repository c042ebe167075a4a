//! `POST /webhooks/alertmanager`, the events it leaves, and their replay.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use bytes::Bytes;
use modelpager::config::Config;
use modelpager::domain::duration::PromDuration;
use modelpager::web::connections::Connections;
use serde_json::{Value, json};

use crate::web_support::{Answer, Site, config_with_tokens};

const PATH: &str = "/webhooks/alertmanager";

fn alert(name: &str) -> Value {
    json!({
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical"},
        "annotations": {},
        "startsAt": "2026-08-20T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z"
    })
}

fn body(alerts: &[Value]) -> String {
    json!({"version": "4", "status": "firing", "receiver": "team\\.ml", "groupKey": "{}:{}", "alerts": alerts,
        "externalURL": "http://alertmanager:9093"})
    .to_string()
}

fn expect(answer: &Answer, status: u16, problem: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.json()["type"], format!("/problems/{problem}"));
    assert!(answer.body.len() < 1_000, "Alertmanager logs the whole answer: {}", answer.text());
    assert_eq!(answer.header("location"), "");
}

#[actix_web::test]
async fn what_is_accepted_is_in_the_log_before_the_answer() {
    let site = Site::open().await;
    let sent = body(&[alert("A"), json!({"labels": {}}), alert("B")]);

    let answer = site.post(PATH, &sent).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let receipt = answer.json();
    assert_eq!(
        (&receipt["status"], &receipt["alerts"], &receipt["rejected"]),
        (&json!("accepted"), &json!(2), &json!(1))
    );
    let id = receipt["event_id"].as_str().unwrap();
    let event = site.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!((&event["body"], &event["body_encoding"]), (&json!(sent), &json!("utf-8")));
    assert_eq!((&event["receiver"], &event["state"]), (&json!("team.ml"), &json!("pending")));
    assert_eq!(event["verdicts"].as_array().unwrap().len(), 1);

    let twin = site.post(PATH, &sent).await.json();
    assert_eq!((&twin["status"], &twin["event_id"]), (&json!("duplicate"), &json!(id)));
}

#[actix_web::test]
async fn the_path_and_the_headers_may_vary_as_senders_do() {
    let site = Site::open().await;

    for (n, path) in
        ["/webhooks/alertmanager/", "/webhooks/alertmanager/team-a", "/webhooks/alertmanager?env=prod"]
            .into_iter()
            .enumerate()
    {
        let request = TestRequest::post()
            .uri(path)
            .insert_header(("Content-Type", "text/plain; charset=latin-1"))
            .insert_header(("Content-Encoding", "identity"))
            .set_payload(format!("\u{feff}{}", body(&[alert(&format!("A{n}"))])));
        let answer = site.call(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    }

    for path in ["/webhooks/alertmanager", "/webhooks/alertmanager/team-a"] {
        let put = TestRequest::put().uri(path).set_payload(body(&[alert(&format!("Put{}", path.len()))]));
        assert_eq!(site.call(put).await.json()["status"], "accepted", "{path}");
    }

    let looked_at = site.get(PATH).await;
    expect(&looked_at, 405, "method-not-allowed");
    assert_eq!(looked_at.header("allow"), "POST");
    assert!(looked_at.text().contains("webhook_configs"));
}

#[actix_web::test]
async fn what_can_never_be_accepted_is_refused_and_its_head_kept() {
    let config = Config::default();
    let mut config = config;
    config.server.max_body_bytes = 100_000;
    let site = Site::with_config(config).await;

    expect(&site.post(PATH, "not json").await, 400, "bad-request");
    expect(&site.post(PATH, "").await, 400, "bad-request");
    expect(&site.post(PATH, "[{\"labels\":{}}]").await, 422, "validation");
    expect(&site.post(PATH, "{\"alerts\":[{\"labels\":{}}]}").await, 422, "validation");
    expect(&site.post(PATH, &"x".repeat(100_001)).await, 413, "payload-too-large");
    expect(&site.post(PATH, &"[".repeat(50_000)).await, 400, "bad-request");
    let gzip = TestRequest::post().uri(PATH).insert_header(("Content-Encoding", "gzip")).set_payload("x");
    expect(&site.call(gzip).await, 415, "unsupported-media-type");

    let rejected = site.get("/api/v1/events?state=rejected").await.json();
    let items = rejected["items"].as_array().unwrap();
    assert_eq!(items.len(), 7);
    assert!(items.iter().all(|item| item["reason"] != ""), "{rejected}");
    let large = site.get(&format!("/api/v1/events/{}", items[2]["id"].as_str().unwrap())).await.json();
    assert_eq!(large["body"].as_str().unwrap().len(), 65_536);

    let metrics = site.get("/metrics").await;
    assert!(
        metrics.text().contains("modelpager_events_total{source=\"alertmanager\",result=\"rejected\"} 7\n")
    );
}

#[actix_web::test]
async fn only_a_token_for_ingest_may_post() {
    let site = Site::with_config(config_with_tokens()).await;
    let as_header = |value: &str| {
        TestRequest::post().uri(PATH).insert_header(("Authorization", value)).set_payload(body(&[alert("A")]))
    };

    expect(&site.post(PATH, &body(&[alert("A")])).await, 401, "unauthorized");
    expect(&site.call(as_header("Bearer wrong-token-0123456")).await, 401, "unauthorized");
    expect(&site.call(as_header("Bearer write-token-0123456")).await, 403, "forbidden");
    // ingest:ingest-token-0123456
    let basic = site.call(as_header("Basic aW5nZXN0OmluZ2VzdC10b2tlbi0wMTIzNDU2")).await;
    assert_eq!(basic.status, StatusCode::OK, "{}", basic.text());

    let id = basic.json()["event_id"].as_str().unwrap().to_owned();
    let event = site.state.store.find_event(&id).await.unwrap().unwrap();
    assert_eq!(event.summary.actor, "ingest");
}

#[actix_web::test]
async fn a_store_that_cannot_take_it_asks_to_come_again() {
    let site = Site::open().await;
    site.state.store.close().await;

    let answer = site.post(PATH, &body(&[alert("A")])).await;

    expect(&answer, 503, "unavailable");
    assert_eq!(answer.header("retry-after"), "5");
}

#[actix_web::test]
async fn an_event_is_replayed_as_a_new_one_that_names_it() {
    let site = Site::with_config(config_with_tokens()).await;
    let ask = |path: &str, name: &str| {
        let header = ("Authorization", format!("Bearer {name}-token-0123456"));
        TestRequest::post().uri(path).insert_header(header)
    };
    let posted = site.call(ask(PATH, "ingest").set_payload(body(&[alert("A")]))).await.json();
    let first = posted["event_id"].as_str().unwrap();
    let path = format!("/api/v1/events/{first}/replay");

    assert_eq!(site.call(ask(&path, "read")).await.status, StatusCode::FORBIDDEN);
    let replayed = site.call(ask(&path, "write")).await;
    assert_eq!(replayed.status, StatusCode::ACCEPTED, "{}", replayed.text());

    let second = replayed.json()["event_id"].as_str().unwrap().to_owned();
    assert_eq!(replayed.json()["status"], "accepted");
    let event = site.state.store.find_event(&second).await.unwrap().unwrap();
    assert_eq!(event.summary.replay_of.as_deref(), Some(first));
    assert_eq!(event.summary.actor, "write");
    let unknown = site.call(ask("/api/v1/events/unknown/replay", "write")).await;
    expect(&unknown, 404, "not-found");
}

#[actix_web::test]
async fn events_are_listed_by_state_receiver_and_time() {
    let site = Site::open().await;
    let mut ids = Vec::new();
    for name in ["A", "B", "C"] {
        site.clock.advance(Duration::from_secs(10));
        ids.push(site.post(PATH, &body(&[alert(name)])).await.json()["event_id"].clone());
    }

    for (query, expected) in [
        ("", vec![2, 1, 0]),
        ("state=pending", vec![2, 1, 0]),
        ("state=processed", vec![]),
        ("receiver=team.ml", vec![2, 1, 0]),
        ("receiver=other", vec![]),
        ("since=2026-08-20T10:00:20Z", vec![2, 1]),
        ("since=2026-08-20T10:00:20Z&until=2026-08-20T10:00:24Z", vec![1]),
        ("limit=2", vec![2, 1]),
    ] {
        let answer = site.get(&format!("/api/v1/events?{query}")).await.json();
        let found: Vec<Value> = answer["items"].as_array().unwrap().iter().map(|e| e["id"].clone()).collect();
        let expected: Vec<Value> = expected.into_iter().map(|n: usize| ids[n].clone()).collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(answer["next_cursor"].is_string(), query == "limit=2");
    }
}

/// A real server, so that the body arrives piece by piece.
async fn serve(config: Config) -> (Site, std::net::SocketAddr, actix_web::dev::ServerHandle) {
    let site = Site::with_config(config).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server =
        modelpager::web::server::serve(listener, site.state.clone(), Connections::new(1_024)).unwrap();
    let handle = server.handle();
    tokio::spawn(server);
    (site, address, handle)
}

async fn exchange(address: std::net::SocketAddr, parts: impl IntoIterator<Item = Bytes>) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for part in parts {
        if stream.write_all(&part).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(read.is_ok(), "the connection stays open after {answer:?}");
    answer
}

fn chunk(text: &str) -> Bytes {
    Bytes::from(format!("{:x}\r\n{text}\r\n", text.len()))
}

#[actix_web::test]
async fn an_oversized_chunked_body_is_answered_and_never_held_in_memory() {
    let mut config = Config::default();
    config.server.max_body_bytes = 1_000_000;
    let (_site, address, server) = serve(config).await;
    let piece = chunk(&"x".repeat(100_000));

    let parts = (0..50).map(|_| piece.clone()).chain([chunk("")]);
    let answer = exchange(address, parts).await;

    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop(false).await;
}

#[actix_web::test]
async fn a_body_in_many_small_chunks_is_taken() {
    let (_site, address, server) = serve(Config::default()).await;
    let text = body(&[alert("A")]);

    let parts: Vec<Bytes> =
        text.as_bytes().chunks(7).map(|c| chunk(std::str::from_utf8(c).unwrap())).collect();
    let answer = exchange(address, parts.into_iter().chain([chunk("")])).await;

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"status\":\"accepted\""), "{answer}");
    server.stop(false).await;
}

#[actix_web::test]
async fn a_body_that_never_ends_is_given_up_with_a_503() {
    let mut config = Config::default();
    config.server.client_timeout = PromDuration(Duration::from_millis(300));
    let (_site, address, server) = serve(config).await;

    let answer = exchange(address, [chunk("{\"alerts\":")]).await;

    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 5"), "{answer}");
    server.stop(false).await;
}
