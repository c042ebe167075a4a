//! Old blocks of the log's index are joined into large ones: every list stays the same, and
//! so it does when what is in a large one changes or is deleted.

use std::time::Duration;

use modelpager::config::{ChannelConfig, Config};
use modelpager::domain::clock::Clock as _;
use serde_json::Value;

use crate::support::databases::Fresh;
use crate::upkeep::raw::Raw;
use crate::web_support::Site;

/// Nine full blocks, of which eight make a large one.
const ROWS: i64 = 72_000;
const HOUR: Duration = Duration::from_secs(3_600);
const JOINED: &str = "SELECT COUNT(*) FROM log_blocks WHERE state = 'ready' AND docs > 8192";

/// One message a second. Rare are a channel, failures and some words.
fn fill(end: i64) -> String {
    format!(
        "INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, alertname, created_at, \
         due_at, expires_at, attempts, series, finished_at, reason, maybe_twice, snapshot, preview) \
         WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS} - 1), \
         made AS (SELECT n, {end} - ({ROWS} - n) * 1000 AS at FROM n) \
         SELECT printf('%08x-%04x-7000-8000-%012x', at / 65536, at % 65536, n), \
         CASE WHEN n % 997 = 0 THEN 'rare' ELSE 'team-' || (n % 4) END, 'k' || n, 'firing', \
         CASE WHEN n % 1009 = 0 THEN 'failed' ELSE 'delivered' END, 'high', \
         CASE WHEN n < 10 OR n > 63990 AND n < 64010 THEN 'edge' ELSE 'churn' END, 'Stale', at, at, at + 1, 1, 1, at, \
         '', FALSE, '{{}}', CASE WHEN n % 10000 = 77 THEN '{{\"title\":\"needle' || (n / 10000) || '\"}}' END FROM made"
    )
}

/// What is asked for, and how many messages that is.
const ASKED: [(&str, usize); 11] = [
    ("channel=rare", 73),
    ("state=failed", 72),
    ("state=failed&channel=team-1", 18),
    ("state=failed&channel=nowhere", 0),
    ("entry=edge", 29),
    ("entry=edge&channel=team-3", 7),
    ("dedup_key=k0", 1),
    ("dedup_key=k63999", 1),
    ("dedup_key=k64000", 1),
    ("q=needle", 8),
    ("q=needle6&channel=team-1", 1),
];

struct Log {
    site: Site,
    raw: Raw,
}

impl Log {
    async fn open() -> Self {
        let mut config = Config::default();
        config.channels.push(ChannelConfig::new("team-1", "log"));
        let database = Fresh::sqlite();
        let raw = database.url();
        let site = Site::over(database, config).await;
        site.state.dispatcher.stop(Duration::ZERO).await;
        let mut raw = Raw::open(&raw).await;
        raw.execute(&fill(site.clock.now().as_millis())).await;
        Self { site, raw }
    }

    async fn index(&self) {
        self.site.clock.advance(HOUR);
        while self.site.state.store.index_log(self.site.clock.now()).await.unwrap() {}
    }

    async fn whole(&self, query: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.site.get(&format!("/api/v1/notifications?{query}&limit=50{cursor}")).await.json();
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

#[tokio::test]
async fn what_is_in_a_large_block_is_found_changed_and_deleted() {
    let mut log = Log::open().await;
    let before = log.lists().await;
    for ((query, ids), (_, count)) in before.iter().zip(ASKED) {
        assert_eq!(ids.len(), count, "{query}");
        assert!(ids.is_sorted_by(|a, b| a > b), "{query} is not newest first");
    }

    log.index().await;

    assert_eq!(log.raw.number(JOINED).await, 1);
    assert_eq!(log.lists().await, before);

    // One of its rows changes.
    let failed = log.whole("state=failed&channel=team-1").await;
    let chosen = failed.last().unwrap();
    let answer = log.site.post(&format!("/api/v1/notifications/{chosen}/redeliver"), "").await;
    assert_eq!(answer.status.as_u16(), 202, "{}", answer.text());
    for joined in [1, 0] {
        assert_eq!(log.raw.number(JOINED).await, joined);
        assert_eq!(log.whole("state=pending").await, std::slice::from_ref(chosen));
        assert_eq!(log.whole("state=failed&channel=team-1").await, failed[..failed.len() - 1]);
        assert_eq!(log.whole("channel=rare").await, before[0].1);
        log.site.state.store.index_log(log.site.clock.now()).await.unwrap();
    }
    log.raw.execute("UPDATE notifications SET state = 'delivered' WHERE state = 'pending'").await;
    log.index().await;
    assert_eq!(log.raw.number(JOINED).await, 1);
    assert_eq!(log.whole("state=failed&channel=team-1").await, failed[..failed.len() - 1]);

    // All of its rows are deleted.
    log.raw.execute("DELETE FROM notifications WHERE CAST(SUBSTR(dedup_key, 2) AS INTEGER) < 64000").await;
    let left = log.whole("channel=rare").await;
    assert_eq!(left, before[0].1[..8]);
    log.index().await;
    log.index().await;
    assert_eq!(log.raw.number(JOINED).await, 0);
    assert_eq!(log.whole("channel=rare").await, left);
    assert_eq!(log.raw.number("SELECT COUNT(DISTINCT block) FROM log_terms").await, 1);
}
