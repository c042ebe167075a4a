//! No statement of the start, of the timers or of an alert's way reads a large table from
//! end to end: the program says which statements it runs, SQLite how it would run them.

use std::collections::BTreeSet;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

use super::program::Server;
use super::raw::Raw;
use crate::e2e::delivery;
use crate::support::http;
use crate::support::service::eventually;

/// Tables that grow for as long as the log is kept.
const LARGE: [&str; 10] = [
    "events",
    "notifications",
    "notification_incidents",
    "attempts",
    "incidents",
    "members",
    "timeline",
    "conversations",
    "decisions",
    "audit_log",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_of_the_running_program_reads_a_large_table_whole() {
    let mut server = Server::start(&json!({}), "", "warn,sqlx::query=debug").await;
    server.post(&delivery("Once")).await;
    let mut resolved = delivery("Once");
    resolved["alerts"][0]["status"] = json!("resolved");
    resolved["alerts"][0]["endsAt"] = json!("2026-08-20T10:30:00Z");
    server.post(&resolved).await;
    let metrics = format!("{}/metrics", server.url);
    eventually("the message is delivered", || async {
        let text = http::get(&metrics).await.unwrap().body;
        text.contains(r#"modelpager_notifications_total{channel="console",state="delivered"} "#).then_some(())
    })
    .await;
    // The next round of what is done every few seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    server.program.signal("TERM");
    server.program.wait_for_end().await;

    let statements = statements(&server.program.log());
    let mut raw = Raw::open(&format!("sqlite://{}", server.file("modelpager.db").display())).await;
    let partial: BTreeSet<String> = raw
        .texts("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%'")
        .await
        .into_iter()
        .collect();
    let mut complaints = Vec::new();
    for statement in &statements {
        for step in raw.plan(statement).await {
            if reads_whole(&step, statement, &partial) {
                complaints.push(format!("{step}: {statement}"));
            }
        }
    }

    assert!(statements.len() > 20, "{statements:#?}");
    assert!(statements.iter().any(|sql| sql.contains("conversations_told_firing")), "{statements:#?}");
    assert_eq!(complaints, Vec::<String>::new());
}

/// The distinct statements in a log, without those that have no plan.
fn statements(log: &str) -> BTreeSet<String> {
    let texts = log.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = if line["fields"].is_object() { line["fields"].clone() } else { line };
        let whole = fields["db.statement"].as_str().unwrap_or_default().trim().to_owned();
        let sql = if whole.is_empty() { fields["summary"].as_str()?.to_owned() } else { whole };
        Some(sql)
    });
    let planned = ["SELECT", "UPDATE", "DELETE", "INSERT", "WITH"];
    texts.filter(|sql| planned.iter().any(|word| sql.starts_with(word))).collect()
}

/// Whether a step of a plan reads a large table from end to end. A partial index is short.
fn reads_whole(step: &str, statement: &str, partial: &BTreeSet<String>) -> bool {
    // `MIN` and `MAX` take one step along an index, unless they look at rows and pass them over.
    let walks = |rest: &&str| rest.contains(" USING INDEX ") && !rest.contains('(');
    let walked = step.strip_prefix("SEARCH ").filter(walks);
    let Some(rest) = step.strip_prefix("SCAN ").or(walked) else { return false };
    let name = rest.split(' ').next().unwrap_or_default();
    let by_partial = rest.split(' ').any(|word| partial.contains(word));
    let is_large = |table: &str| LARGE.contains(&table);
    let aliases = Regex::new(r"(?i)\b(?:FROM|JOIN|UPDATE)\s+(\w+)\s+(?:AS\s+)?(\w+)").unwrap();
    let named = aliases.captures_iter(statement).any(|found| is_large(&found[1]) && &found[2] == name);
    !by_partial && (is_large(name) || named)
}

#[test]
fn a_statement_that_reads_a_table_whole_is_seen() {
    let partial = BTreeSet::from(["events_pending".to_owned()]);
    let seen = |step, statement| reads_whole(step, statement, &partial);

    assert!(seen("SCAN events", "SELECT 1 FROM events"));
    assert!(seen("SCAN n USING COVERING INDEX notifications_by_state", "SELECT 1 FROM notifications n"));
    assert!(seen(
        "SEARCH events USING INDEX sqlite_autoindex_events_1",
        "SELECT MIN(id) FROM events WHERE actor = ''"
    ));
    assert!(!seen(
        "SEARCH events USING COVERING INDEX sqlite_autoindex_events_1",
        "SELECT MIN(id) FROM events"
    ));
    assert!(!seen("SCAN events USING INDEX events_pending", "SELECT 1 FROM events WHERE state = 'pending'"));
    assert!(!seen("SCAN v", "SELECT 1 FROM (VALUES (1)) AS v JOIN events ON true"));
    assert!(!seen("SEARCH events USING INDEX x (id>?)", "SELECT 1 FROM events"));
}
