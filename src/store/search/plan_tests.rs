//! How SQLite finds what the log's lists show: never by reading a large table whole.

use super::super::Store;
use super::super::log::{ASKED, PageKey};
use super::super::log_events::EventFilter;
use super::super::log_incidents::IncidentFilter;
use super::super::log_notifications::NotificationFilter;
use crate::domain::clock::Timestamp;

/// Tables that grow with the log.
const LARGE: [&str; 9] = [
    "attempts",
    "conversations",
    "decisions",
    "events",
    "incidents",
    "members",
    "notification_incidents",
    "notifications",
    "timeline",
];
/// Enough rows for the index.
const FILL: &str = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 600) \
     INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, alertname, created_at, due_at, \
     expires_at, attempts, series, reason, maybe_twice, snapshot) SELECT printf('01990c1e-7c53-7000-8000-%012x', n), \
     'console', 'k' || n, 'firing', 'delivered', 'high', 'churn', 'Stale', n, n, n, 1, 1, '', FALSE, '{}' FROM n";
/// A moment at which they are old.
const LATER: Timestamp = Timestamp::from_millis(1_900_000_000_000);

#[tokio::test]
async fn no_list_of_the_log_reads_a_large_table_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", folder.path().join("test.db").display()), 1).await.unwrap();
    let mut tx = store.begin_write().await.unwrap();
    with_tx!(tx, |conn| sqlx::query(FILL).execute(&mut *conn).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
    assert!(store.index_log().await.unwrap());

    ask_for_everything(&store).await;

    let mut asked = ASKED.take();
    asked.sort();
    asked.dedup();
    assert!(asked.iter().any(|sql| sql.contains(" MATCH ")), "the index was not asked");
    assert!(asked.len() > 50, "{asked:#?}");
    let mut whole = Vec::new();
    for sql in asked {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let steps: Vec<(i64, i64, i64, String)> =
            with_reader!(store, |conn| sqlx::query_as(explain).fetch_all(&mut *conn).await).unwrap();
        let sorts = steps.iter().any(|step| step.3.contains("USE TEMP B-TREE FOR ORDER BY"));
        let is_walk = sql.contains("ORDER BY number DESC") && !sorts;
        let found = steps.into_iter().filter(|step| !is_walk && reads_whole(&step.3));
        whole.extend(found.map(|step| format!("{}: {sql}", step.3)));
    }
    assert!(whole.is_empty(), "{}", whole.join("\n"));
}

/// A walk along the primary key is none: it ends after so many rows. Nor is one along what is
/// open: that is never much.
fn reads_whole(step: &str) -> bool {
    let Some(table) = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next()) else {
        return false;
    };
    let is_short = [&format!("INDEX sqlite_autoindex_{table}_1"), "INDEX incidents_open"];
    LARGE.contains(&table) && !is_short.iter().any(|index| step.contains(*index))
}

/// Every filter by itself and every two together.
async fn ask_for_everything(store: &Store) {
    let page = PageKey { limit: 5, before: None };
    let some = |text: &str| Some(text.to_owned());
    for n in 0..144 {
        let has = |filter: usize| n % 12 == filter || n / 12 == filter;
        let filter = NotificationFilter {
            state: [None, some("delivered"), some("failed"), some("pending")][if has(1) {
                1
            } else if has(2) {
                2
            } else if has(3) {
                3
            } else {
                0
            }]
            .clone(),
            channel: some("console").filter(|_| has(4)),
            severity: some("high").filter(|_| has(5)),
            entry: some("churn").filter(|_| has(6)),
            alertname: some("Stale").filter(|_| has(7)),
            dedup_key: some("k7").filter(|_| has(8)),
            incident: some("01990c1e-7c53-7000-8000-000000000001").filter(|_| has(9)),
            since: Some(Timestamp::from_millis(1)).filter(|_| has(10)),
            until: Some(LATER).filter(|_| has(10)),
            text: some("stale churn").filter(|_| has(11)),
        };
        store.list_notifications(&filter, &page).await.unwrap();
        let filter = IncidentFilter {
            state: if has(1) { some("open") } else { some("resolved").filter(|_| has(2)) },
            severity: filter.severity,
            entry: filter.entry,
            alertname: filter.alertname,
            text: filter.text,
        };
        store.list_incidents(&filter, &page).await.unwrap();
        let filter = EventFilter {
            state: if has(1) { some("processed") } else { some("failed").filter(|_| has(2)) },
            receiver: some("x").filter(|_| has(4)),
            since: Some(Timestamp::from_millis(1)).filter(|_| has(10)),
            until: Some(LATER).filter(|_| has(10)),
        };
        store.list_events(&filter, &page).await.unwrap();
    }
    let id = "01990c1e-7c53-7000-8000-000000000001";
    store.find_notification(id).await.unwrap();
    store.find_incident(id).await.unwrap();
    store.find_event(id).await.unwrap();
}
