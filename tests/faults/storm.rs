//! A storm on a database that has just been made: far more is owed than can be sent at once, and
//! the tables have no statistics yet. It takes minutes, so it is run by name:
//! `cargo nextest run --release --test faults --run-ignored only storm::`. `FAULTS_STORM` says how
//! many messages.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::receiver::{NAME_PREFIX, Receiver};
use crate::support::databases::Fresh;
use crate::support::postgres_own::OwnServer;
use crate::support::service::Service;

/// How many alerts one delivery brings.
const TOGETHER: usize = 100;
/// For how long delivery must not fall below half of its mean.
const WINDOW: Duration = Duration::from_secs(5);
const GIVE_UP: Duration = Duration::from_secs(1_200);

fn messages() -> usize {
    std::env::var("FAULTS_STORM").map_or(100_000, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a_storm_on_a_fresh_server_is_delivered_evenly() {
    let Some(server) = OwnServer::start("a_storm_on_a_fresh_server_is_delivered_evenly") else { return };
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    // The first vacuums come while the tables have no statistics yet.
    for setting in ["ALTER SYSTEM SET autovacuum_naptime = '5s'", "SELECT pg_reload_conf()"] {
        sqlx::raw_sql(setting).execute(&mut connection).await.unwrap();
    }
    weather(&server.url("postgres")).await;
    let (rows, dead, updates, hot, vacuums): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT n_live_tup, n_dead_tup, n_tup_upd, n_tup_hot_upd, autovacuum_count \
         FROM pg_stat_user_tables WHERE relname = 'notifications'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(vacuums > 0, "no vacuum met the storm");
    println!("notifications: {rows} rows, {dead} dead, {updates} updates, {hot} HOT, {vacuums} vacuums");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a_storm_on_a_fresh_file_is_delivered_evenly() {
    let fresh = Fresh::sqlite();
    weather(&fresh.url()).await;
}

async fn weather(url: &str) {
    let receiver = Receiver::webhook().await;
    let config = json!({
        "storage": {"url": url, "max_connections": 12},
        "route": {"channels": ["sound"], "group_interval": "1s"},
        "channels": [{"name": "sound", "kind": "webhook", "url": receiver.url(), "rate_limit": "none"}],
    });
    let service = Service::start(&config).await;
    let (all, watch) = (messages(), receiver.watch());
    let begun = Instant::now();
    let posting = async {
        for first in (0..all).step_by(TOGETHER) {
            service.deliver(&alerts(first..(first + TOGETHER).min(all))).await;
        }
    };
    let watching = async {
        let mut seen: Vec<(Duration, usize)> = Vec::new();
        while watch.alerts() < all {
            seen.push((begun.elapsed(), watch.alerts()));
            assert!(begun.elapsed() < GIVE_UP, "only {} of {all} arrived", watch.alerts());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        seen.push((begun.elapsed(), watch.alerts()));
        seen
    };
    let ((), seen) = tokio::join!(posting, watching);
    check(&seen);
}

/// No window has less than half of the mean, from the first message to the last.
fn check(seen: &[(Duration, usize)]) {
    let begin = seen.iter().position(|(_, count)| *count > 0).unwrap();
    let seen = &seen[begin..];
    let ((first_at, first), (last_at, last)) = (seen[0], seen[seen.len() - 1]);
    let mean = (last - first) as f64 / (last_at - first_at).as_secs_f64();
    let mut slowest = f64::INFINITY;
    for (at, count) in seen {
        let Some((end, later)) = seen.iter().find(|(end, _)| *end >= *at + WINDOW) else { break };
        slowest = slowest.min((later - count) as f64 / (*end - *at).as_secs_f64());
    }
    println!("{last} messages in {last_at:?}: {mean:.0}/s, in the slowest {WINDOW:?} {slowest:.0}/s");
    assert!(slowest >= mean / 2.0, "{slowest:.0}/s of {mean:.0}/s: {seen:?}");
}

fn alerts(numbers: std::ops::Range<usize>) -> Value {
    let name = format!("{NAME_PREFIX}storm{}", numbers.start);
    let alert = |n: usize| {
        json!({
            "status": "firing", "labels": {"alertname": format!("{NAME_PREFIX}storm{n}"), "severity": "high"},
            "annotations": {"summary": "something broke"}, "startsAt": "2026-08-20T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        })
    };
    json!({
        "version": "4", "status": "firing", "receiver": "modelpager", "externalURL": "http://alertmanager:9093",
        "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"), "truncatedAlerts": 0,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "alerts": numbers.map(alert).collect::<Vec<_>>(),
    })
}
