//! What is peculiar to PostgreSQL: plans that fit another size of a table, other encodings,
//! poolers, limits of a role, and locks of others.

use std::time::Duration;

use modelpager::store::outbox::Lease;
use modelpager::store::{Store, StoreError};
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use super::{World, body, config, firing};
use crate::support::databases::{Fresh, execute};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{create_database, create_database_with};

const LIMIT: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_secs(60);

/// Messages with their incidents and conversations, as triage leaves them.
macro_rules! messages {
    ($first:literal, $last:literal) => {
        concat!(
            "WITH number AS (SELECT n, LPAD(n::TEXT, 8, '0') AS name FROM generate_series(",
            $first,
            ", ",
            $last,
            ") AS n), told AS (INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, \
             alertname, created_at, due_at, expires_at, attempts, series, reason, maybe_twice, snapshot) \
             SELECT 'message-' || name, 'console', 'problem-' || name, 'firing', 'pending', 'high', '', '', 1, 1, \
             9999999999999, 0, 1, '', FALSE, '{}' FROM number), \
             tied AS (INSERT INTO notification_incidents (notification_id, incident_id) \
             SELECT 'message-' || name, 'incident-' || name FROM number) \
             INSERT INTO conversations (incident_id, channel, last_answer, reference) \
             SELECT 'incident-' || name, 'console', '', CASE WHEN n % 3 = 0 THEN '{}' END FROM number"
        )
    };
}

/// What was read of these tables from their beginning, and how often they were asked by an index.
const READ: &str = "SELECT COALESCE(SUM(seq_tup_read), 0)::BIGINT, COALESCE(SUM(idx_scan), 0)::BIGINT \
     FROM pg_stat_user_tables WHERE relname IN ('notifications', 'notification_incidents', 'conversations')";

async fn read(url: &str) -> (i64, i64) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let found = sqlx::query_as(READ).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found
}

async fn claim(world: &World, times: usize) {
    for n in 0..times {
        let claim = format!("claim-{n}");
        let lease = Lease { owner: "me", claim: &claim, now: super::START, length: MINUTE, from_priority: 0 };
        world.store.next_due("console").await.unwrap();
        assert_eq!(world.store.claim_notifications("console", &lease, 4).await.unwrap().len(), 4);
    }
}

/// A connection keeps the plan of a statement that it has run a few times. Made for a small
/// table, and made anew by a vacuum that takes no statistics, it must do for a large one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_read_no_table_from_its_beginning_whatever_is_known_about_it() {
    let test = "claims_read_no_table_from_its_beginning_whatever_is_known_about_it";
    let Some(fresh) = Fresh::postgres(test).await else { return };
    let url = fresh.url();
    let world = World::on(&url, &config()).await;
    let (before, _) = read(&url).await;

    execute(&url, messages!(1, 90)).await;
    claim(&world, 7).await;
    for table in [
        "VACUUM ANALYZE notifications",
        "VACUUM ANALYZE notification_incidents",
        "VACUUM ANALYZE conversations",
    ] {
        execute(&url, table).await;
    }
    claim(&world, 7).await;
    execute(&url, messages!(1001, 21000)).await;
    claim(&world, 7).await;
    for table in ["VACUUM notifications", "VACUUM notification_incidents", "VACUUM conversations"] {
        execute(&url, table).await;
    }
    claim(&world, 7).await;
    // Another connection, which has no plans.
    World::on(&url, &config()).await.end().await;
    claim(&world, 7).await;

    world.end().await;
    let deadline = Instant::now() + LIMIT;
    // What connections did is counted a moment after they end.
    let (after, _) = loop {
        let found = read(&url).await;
        if found.1 > 100 {
            break found;
        }
        assert!(Instant::now() < deadline, "not counted: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(after - before, 0, "rows read from the beginning of a table");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_utf_8_is_refused_with_what_to_do() {
    let test = "a_database_that_is_not_utf_8_is_refused_with_what_to_do";
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
        let Some(database) = create_database_with(test, &options).await else { return };

        let refused = refusal(database.url()).await;

        for part in [encoding, database.name(), "CREATE DATABASE", "ENCODING 'UTF8'", "storage.url"] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    }
}

async fn refusal(url: &str) -> String {
    match Store::open(url, 4).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error @ StoreError::Open(_)) => error.to_string(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_is_used_in_session_mode_and_refused_in_others_with_a_hint() {
    let test = "a_pooler_is_used_in_session_mode_and_refused_in_others_with_a_hint";
    let Some(database) = create_database(test).await else { return };
    let Some(pooler) = PgBouncer::start(test, &database, "session").await else { return };
    let world = World::on(pooler.url(), &config()).await;
    world.tell(&[firing("a", "high")]).await;
    claim_some(&world).await;
    world.end().await;

    for mode in ["transaction", "statement"] {
        let Some(pooler) = PgBouncer::start(test, &database, mode).await else { return };
        let refused = refusal(pooler.url()).await;
        assert!(refused.contains("pool_mode = session"), "{mode}: {refused}");
        assert!(refused.contains("pgbouncer.ini"), "{mode}: {refused}");
    }
}

/// How many sessions wait for a lock.
const HELD_UP: &str = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";

async fn claim_some(world: &World) {
    let lease = Lease { owner: "me", claim: "first", now: super::START, length: MINUTE, from_priority: 0 };
    assert_eq!(world.store.claim_notifications("console", &lease, 4).await.unwrap().len(), 1);
}

/// Makes one step of the migrations take longer than the role may.
const SLOW_MIGRATION: &str = "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
     IF EXISTS (SELECT 1 FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.notifications' \
     AND command_tag = 'CREATE TABLE') THEN PERFORM pg_sleep(1.5); END IF; END $$; \
     CREATE EVENT TRIGGER slow ON ddl_command_end EXECUTE FUNCTION slow(); \
     DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 500', current_database()); \
     EXECUTE format('ALTER DATABASE %I SET lock_timeout = 500', current_database()); END $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_take_the_time_they_need_whatever_the_role_may() {
    let test = "migrations_take_the_time_they_need_whatever_the_role_may";
    let Some(fresh) = Fresh::postgres(test).await else { return };
    execute(&fresh.url(), SLOW_MIGRATION).await;

    let world = World::on(&fresh.url(), &config()).await;

    world.tell(&[firing("a", "high")]).await;
    claim_some(&world).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_on_a_table_keeps_no_alert_out_that_does_not_need_it() {
    let test = "a_lock_on_a_table_keeps_no_alert_out_that_does_not_need_it";
    let Some(fresh) = Fresh::postgres(test).await else { return };
    let world = World::on(&fresh.url(), &config()).await;
    let mut holder = PgConnection::connect(&fresh.url()).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("LOCK TABLE notifications, incidents").execute(&mut *lock).await.unwrap();

    // More of those who wait for the lock than there are connections to work with.
    let waiting: Vec<_> = (0..12)
        .map(|_| {
            let store = world.store.clone();
            tokio::spawn(async move { store.next_due("console").await })
        })
        .collect();
    let deadline = Instant::now() + LIMIT;
    loop {
        let (held_up,): (i64,) = sqlx::query_as(HELD_UP).fetch_one(&mut *lock).await.unwrap();
        if held_up >= 2 {
            break;
        }
        assert!(Instant::now() < deadline, "the lock holds up nobody");
    }
    for n in 0..20 {
        let begun = Instant::now();
        world.post(&body(&[firing(&format!("i{n}"), "high")])).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }

    lock.rollback().await.unwrap();
    for task in waiting {
        // Who waited for too long for a connection has been told so.
        let _ = task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_on_the_events_themselves_keeps_alerts_out_no_longer_than_it_lasts() {
    let test = "a_lock_on_the_events_themselves_keeps_alerts_out_no_longer_than_it_lasts";
    let Some(fresh) = Fresh::postgres(test).await else { return };
    let worlds = [World::on(&fresh.url(), &config()).await, World::on(&fresh.url(), &config()).await];
    let mut holder = PgConnection::connect(&fresh.url()).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("LOCK TABLE events, event_keys").execute(&mut *lock).await.unwrap();
    let alerts: Vec<_> = (0..40).map(|n| body(&[firing(&format!("i{n}"), "high")])).collect();
    let posts = worlds.iter().flat_map(|world| alerts.iter().map(|alert| world.post(alert)));
    let answers = futures_util::future::join_all(posts).await;
    assert!(answers.iter().all(Result::is_err), "the lock keeps nobody out");

    lock.rollback().await.unwrap();

    let begun = Instant::now();
    for world in &worlds {
        world.post(&body(&[firing("afterwards", "high")])).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
