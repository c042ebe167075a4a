//! The delivery log and incidents over HTTP, on both databases.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use modelpager::config::{ChannelConfig, Config};
use modelpager::domain::severity::Severity;
use modelpager::store::outbox::Next;
use serde_json::Value;

use crate::log_support::{Case, told};
use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::{Answer, Site, config_with_tokens};

on_both_databases! {
    the_delivery_log_pages_newest_first_without_loss_or_repetition,
    every_filter_chooses_what_it_names,
    a_notification_shows_its_text_incidents_decisions_and_attempts,
    an_incident_says_why_each_channel_was_told,
    a_failed_notification_is_redelivered_under_its_own_id_and_by_name,
    a_notification_of_a_channel_that_is_gone_is_not_redelivered,
    the_log_comes_whole_as_lines_or_for_a_spreadsheet,
    wrong_parameters_are_all_named_and_hostile_ones_do_nothing,
    a_cursor_of_another_list_is_refused,
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn problem(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["type"].as_str().unwrap().to_owned())
}

async fn the_delivery_log_pages_newest_first_without_loss_or_repetition(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let mut written = Vec::new();
    for _ in 0..23 {
        written.push(site.tell(&told("console", "LatencyHigh")).await.notification);
    }
    written.reverse();

    let mut seen = Vec::new();
    let mut uri = "/api/v1/notifications?limit=5".to_owned();
    loop {
        let answer = site.get(&uri).await;
        seen.extend(ids(&answer));
        // What comes in meanwhile does not disturb the pages that follow.
        site.tell(&told("console", "Later")).await;
        let Value::String(cursor) = &answer.json()["next_cursor"] else { break };
        uri = format!("/api/v1/notifications?limit=5&cursor={cursor}");
    }

    assert_eq!(seen, written);
}

async fn every_filter_chooses_what_it_names(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let failed = Case {
        entry: "llm-gateway",
        severity: Severity::Critical,
        end: Some(Next::Failed("gone".to_owned())),
        ..told("pager", "ErrorBudget")
    };
    let a = site.tell(&told("console", "LatencyHigh")).await;
    let b = site.tell(&failed).await;
    let c = site.tell(&Case { end: None, entry: "", ..told("console", "ErrorBudget") }).await;
    let (a, b, c, incident) = (a.notification, b.notification, c.notification, b.incident);

    for (query, expected) in [
        ("state=delivered", vec![&a]),
        ("state=failed", vec![&b]),
        ("state=pending", vec![&c]),
        ("channel=console", vec![&c, &a]),
        ("severity=critical", vec![&b]),
        ("entry=fraud-detector", vec![&a]),
        ("entry=(none)", vec![&c]),
        ("entry=&state=&severity=&since=&until=&q=&channel=", vec![&c, &b, &a]),
        ("limit=&cursor=&format=", vec![&c, &b, &a]),
        ("alertname=ErrorBudget", vec![&c, &b]),
        ("alertname=ErrorBudget&channel=console", vec![&c]),
        (format!("incident={incident}").as_str(), vec![&b]),
        (format!("incident={incident}&state=delivered").as_str(), vec![]),
        (format!("dedup_key=ErrorBudget:llm-gateway:{incident}").as_str(), vec![&b]),
        ("since=2026-08-20T10:00:05.125Z", vec![&c, &b]),
        ("until=2026-08-20T10:00:05.125Z", vec![&b, &a]),
        ("since=2026-08-20T12:00:05.125%2B02:00&until=2026-08-20T10:00:05.125Z", vec![&b]),
        ("q=GATEWAY", vec![&b]),
        ("text=GATEWAY", vec![&b]),
        ("q=2.4%20s", vec![&b, &a]),
        ("q=100%25", vec![]),
        ("q=_", vec![]),
        ("channel=nowhere", vec![]),
    ] {
        let answer = site.get(&format!("/api/v1/notifications?{query}")).await;
        let found = ids(&answer);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
}

async fn a_notification_shows_its_text_incidents_decisions_and_attempts(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let written = site.tell(&told("console", "LatencyHigh")).await;

    let answer = site.get(&format!("/api/v1/notifications/{}", written.notification)).await;

    let shown = answer.json();
    assert_eq!(shown["title"], "=Latency is high");
    assert_eq!(shown["rendered"]["text"], "p99 is 2.4 s\nÄrger");
    assert_eq!(shown["incidents"][0]["id"], written.incident);
    assert_eq!(shown["decisions"][0]["reason"], "first word about it here");
    assert_eq!(shown["decisions"][0]["route"][0], "root");
    assert_eq!(shown["attempts"][0]["outcome"], "accepted");
    assert_eq!(shown["attempts"][0]["duration_ms"], 120);
    assert_eq!(shown["created_at"], "2026-08-20T10:00:04.125Z");

    for id in ["unknown", "'%20OR%201=1", &"x".repeat(5_000)] {
        let answer = site.get(&format!("/api/v1/notifications/{id}")).await;
        assert_eq!(problem(&answer), (404, "/problems/not-found".to_owned()), "{id}");
    }
}

async fn an_incident_says_why_each_channel_was_told(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let written = site.tell(&told("console", "LatencyHigh")).await;
    site.tell(&Case { entry: "llm-gateway", ..told("console", "ErrorBudget") }).await;

    let listed = site.get("/api/v1/incidents?state=open&q=latency").await;
    assert_eq!(ids(&listed), [written.incident.as_str()]);
    assert_eq!(ids(&site.get("/api/v1/incidents?entry=llm-gateway").await).len(), 1);
    assert_eq!(ids(&site.get("/api/v1/incidents?state=resolved").await).len(), 0);
    assert_eq!(ids(&site.get("/api/v1/incidents?severity=high&alertname=ErrorBudget").await).len(), 1);

    let shown = site.get(&format!("/api/v1/incidents/{}", written.incident)).await.json();
    assert_eq!(shown["members"][0]["labels"]["alertname"], "LatencyHigh");
    assert_eq!(shown["timeline"][0]["kind"], "opened");
    assert_eq!(shown["channels"][0]["channel"], "console");
    assert_eq!(
        shown["channels"][0]["why"],
        "sent (firing) at 2026-08-20T10:00:04.125Z: first word about it here"
    );
    assert_eq!(shown["channels"][0]["last_sent"]["at"], "2026-08-20T10:00:04.125Z");
    assert_eq!(shown["channels"][0]["next_due_at"], "2026-08-20T14:00:04.125Z");
}

async fn a_failed_notification_is_redelivered_under_its_own_id_and_by_name(database: Fresh) {
    let mut config = config_with_tokens();
    config.channels.push(ChannelConfig::new("pager", "log"));
    let site = Site::over(database, config).await;
    // Nobody sends here: what is queued stays so.
    site.state.dispatcher.stop(Duration::ZERO).await;
    let failed = Case { end: Some(Next::Failed("gone".to_owned())), ..told("pager", "LatencyHigh") };
    let written = site.tell(&failed).await;
    let uri = format!("/api/v1/notifications/{}/redeliver", written.notification);
    let ask = |name: &str| {
        let header = ("Authorization", format!("Bearer {name}-token-0123456"));
        TestRequest::post().uri(&uri).insert_header(header)
    };

    assert_eq!(site.call(ask("read")).await.status, StatusCode::FORBIDDEN);
    let queued = site.call(ask("write")).await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.text());
    assert_eq!(queued.json()["id"], written.notification);
    assert_eq!(queued.json()["series"], 2);
    let shown = site.state.store.find_notification(&written.notification).await.unwrap().unwrap();
    assert_eq!(shown.summary.state, "pending");

    let again = site.call(ask("write")).await;
    assert_eq!(problem(&again), (409, "/problems/conflict".to_owned()));
    let incident = site.state.store.find_incident(&written.incident).await.unwrap().unwrap();
    let line = incident.timeline.last().unwrap();
    assert_eq!((line.kind.as_str(), line.actor.as_str()), ("redelivered", "write"));
}

async fn a_notification_of_a_channel_that_is_gone_is_not_redelivered(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let failed = Case { end: Some(Next::Failed("gone".to_owned())), ..told("pager", "LatencyHigh") };
    let written = site.tell(&failed).await;

    let refused = site.post(&format!("/api/v1/notifications/{}/redeliver", written.notification), "").await;

    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
    assert!(refused.json()["detail"].as_str().unwrap().contains("pager"));
}

async fn the_log_comes_whole_as_lines_or_for_a_spreadsheet(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    for _ in 0..2 {
        site.tell(&told("console", "=HYPERLINK(1)")).await;
    }
    let last = site.tell(&told("console", "=HYPERLINK(1)")).await;

    let lines = site.get("/api/v1/notifications?format=ndjson").await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let titles: Vec<Value> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["title"].clone())
        .collect();
    assert_eq!(titles, ["=Latency is high"; 3]);

    let request = TestRequest::get().uri("/api/v1/notifications").insert_header(("Accept", "text/csv"));
    let sheet = site.call(request).await;
    assert_eq!(sheet.header("content-type"), "text/csv; charset=utf-8");
    let rows: Vec<&str> = sheet.text().lines().collect();
    assert_eq!(rows.len(), 4);
    assert!(rows[0].starts_with("\"id\",\"created_at\",\"channel\""));
    assert!(rows[0].ends_with("\"incident_id\""), "{}", rows[0]);
    assert!(rows[1].ends_with(&format!("\"{}\"", last.incident)), "{}", rows[1]);
    assert!(
        rows[1].contains("\"'=HYPERLINK(1)\"") && rows[1].contains("\"'=Latency is high\""),
        "{}",
        rows[1]
    );
}

async fn wrong_parameters_are_all_named_and_hostile_ones_do_nothing(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let written = site.tell(&told("console", "LatencyHigh")).await;

    let answer = site.get("/api/v1/notifications?state=delivred&severity=bad&since=now").await;
    assert_eq!(problem(&answer), (422, "/problems/validation".to_owned()));
    let fields: Vec<Value> =
        answer.json()["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["state", "severity", "since"]);

    let long = "x".repeat(10_000);
    for (query, status) in [
        (format!("q={long}"), 422),
        (format!("entry={long}"), 422),
        (format!("cursor={long}"), 400),
        ("cursor=AAAA".to_owned(), 400),
        ("limit=0".to_owned(), 422),
        ("limit=501".to_owned(), 422),
        ("limit=1;DROP".to_owned(), 422),
        ("stat=failed".to_owned(), 422),
        ("state=failed&state=pending".to_owned(), 422),
        ("format=xml".to_owned(), 422),
    ] {
        let answer = site.get(&format!("/api/v1/notifications?{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{:.60} {}", query, answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }

    for text in ["'; DROP TABLE notifications; --", "x' OR '1'='1", "\\", "%", "!", "\"", "$1", "?", "😀"] {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for filter in ["q", "channel", "entry", "alertname", "dedup_key", "incident"] {
            let answer = site.get(&format!("/api/v1/notifications?{filter}={encoded}")).await;
            assert_eq!(ids(&answer), Vec::<String>::new(), "{filter}={text}");
        }
        assert_eq!(ids(&site.get(&format!("/api/v1/incidents?q={encoded}")).await).len(), 0, "{text}");
    }
    assert_eq!(ids(&site.get("/api/v1/notifications").await), [written.notification]);
}

async fn a_cursor_of_another_list_is_refused(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    for _ in 0..2 {
        site.tell(&told("console", "LatencyHigh")).await;
    }
    let page = site.get("/api/v1/notifications?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();

    let answer = site.get(&format!("/api/v1/incidents?cursor={cursor}")).await;

    assert_eq!(problem(&answer), (400, "/problems/bad-request".to_owned()));
}
