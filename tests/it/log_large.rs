//! A log that is larger than what is looked through at once: what is rare is found by the index,
//! and what is deleted or sent again leaves it.

use modelpager::config::{ChannelConfig, Config};
use serde_json::Value;

use crate::support::databases::{Fresh, on_both_databases};
use crate::upkeep::raw::Raw;
use crate::web_support::{START, Site};

on_both_databases! { what_is_rare_in_a_large_log_is_found_changed_and_deleted }

/// More than four windows of rows that are compared one by one.
const ROWS: i64 = 21_000;

/// One message a second. Rare are a channel, failures and some words.
fn fill(fresh: &Fresh, end: i64) -> String {
    let (id, zero) = match fresh {
        Fresh::Sqlite(_) => ("printf('%08x-%04x-7000-8000-%012x', at / 65536, at % 65536, n)", "0"),
        Fresh::Postgres(_) => (
            "lpad(to_hex(at / 65536), 8, '0') || '-' || lpad(to_hex(at % 65536), 4, '0') || '-7000-8000-' \
             || lpad(to_hex(n), 12, '0')",
            "CAST(0 AS BIGINT)",
        ),
    };
    format!(
        "INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, alertname, created_at, \
         due_at, expires_at, attempts, series, finished_at, reason, maybe_twice, snapshot, preview) \
         WITH RECURSIVE n(n) AS (SELECT {zero} UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS} - 1), \
         made AS (SELECT n, {end} - ({ROWS} - n) * 1000 AS at FROM n) \
         SELECT {id}, \
         CASE WHEN n % 997 = 0 THEN 'rare' ELSE 'team-' || (n % 4) END, 'k' || n, 'firing', \
         CASE WHEN n % 1009 = 0 THEN 'failed' ELSE 'delivered' END, 'high', \
         CASE WHEN n < 10 OR n > 15990 AND n < 16010 THEN 'edge' ELSE 'churn' END, 'Stale', at, at, at + 1, 1, 1, at, \
         '', FALSE, '{{}}', CASE WHEN n % 5000 = 77 THEN '{{\"title\":\"needle' || (n / 5000) || '\"}}' END \
         FROM made ORDER BY n"
    )
}

/// What is asked for, and how many messages that is.
const ASKED: [(&str, usize); 13] = [
    ("channel=rare", 22),
    ("state=failed", 21),
    ("state=failed&channel=team-1", 5),
    ("state=failed&channel=nowhere", 0),
    ("state=pending", 0),
    ("entry=edge", 29),
    ("entry=edge&channel=team-3", 7),
    ("dedup_key=k0", 1),
    ("dedup_key=k15999", 1),
    ("q=needle", 5),
    ("q=needle3", 1),
    ("q=needle4&channel=team-1", 1),
    ("q=needlework", 0),
];

struct Log {
    site: Site,
    raw: Raw,
}

impl Log {
    async fn open(database: Fresh) -> Self {
        let mut config = Config::default();
        config.channels.push(ChannelConfig::new("team-1", "log"));
        let mut raw = Raw::open(&database.url()).await;
        let sql = fill(&database, START.as_millis());
        let site = Site::over(database, config).await;
        site.state.dispatcher.stop(std::time::Duration::ZERO).await;
        raw.execute(&sql).await;
        Self { site, raw }
    }

    async fn index(&self) {
        while self.site.state.store.index_log().await.unwrap() {}
    }

    async fn whole(&self, query: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.site.get(&format!("/api/v1/notifications?{query}&limit=9{cursor}")).await.json();
            let items = page["items"].as_array().unwrap_or_else(|| panic!("{query}: {page}"));
            all.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Value::String(next) = &page["next_cursor"] else { return all };
            cursor = format!("&cursor={next}");
        }
    }

    async fn lists(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut all = Vec::new();
        for (query, _) in ASKED {
            all.push((query, self.whole(query).await));
        }
        all
    }
}

async fn what_is_rare_in_a_large_log_is_found_changed_and_deleted(database: Fresh) {
    let mut log = Log::open(database).await;
    let before = log.lists().await;
    for ((query, ids), (_, count)) in before.iter().zip(ASKED) {
        assert_eq!(ids.len(), count, "{query}");
        assert!(ids.is_sorted_by(|a, b| a > b), "{query} is not newest first");
    }
    // Half of it first: both halves are searched as one.
    for _ in 0..40 {
        assert!(log.site.state.store.index_log().await.unwrap());
    }
    assert_eq!(log.lists().await, before);
    log.index().await;
    assert_eq!(log.raw.number("SELECT COUNT(*) FROM notifications_to_index").await, 0);
    assert_eq!(log.lists().await, before);

    // One of its rows is sent again.
    let failed = log.whole("state=failed&channel=team-1").await;
    let chosen = failed.last().unwrap();
    let answer = log.site.post(&format!("/api/v1/notifications/{chosen}/redeliver"), "").await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text());
    for _ in 0..2 {
        assert_eq!(log.whole("state=pending").await, std::slice::from_ref(chosen));
        assert_eq!(log.whole("state=failed&channel=team-1").await, failed[..failed.len() - 1]);
        log.index().await;
    }
    log.raw.execute("UPDATE notifications SET state = 'delivered' WHERE state = 'pending'").await;
    log.index().await;
    assert_eq!(log.whole("state=failed&channel=team-1").await, failed[..failed.len() - 1]);
    assert_eq!(log.whole("state=delivered&dedup_key=k1009").await, std::slice::from_ref(chosen));

    // Most of its rows are deleted.
    log.raw.execute("DELETE FROM notifications WHERE CAST(SUBSTR(dedup_key, 2) AS INTEGER) < 16000").await;
    assert_eq!(log.whole("channel=rare").await, before[0].1[..5]);
    assert_eq!(log.raw.number("SELECT COUNT(*) FROM notification_terms").await, ROWS - 16_000);
}
