//! Several replicas on one PostgreSQL: what they must not do to each other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use modelpager::domain::clock::{AdjustedClock, ManualClock, SharedClock, Timestamp};
use modelpager::domain::entry::Entry;
use modelpager::store::events::{NewEvent, TwinKey};
use modelpager::store::news::{Listener, News};
use modelpager::store::outbox::Lease;
use modelpager::store::replicas::SignOfLife;
use sqlx::{Connection as _, PgConnection};

use super::{START, World, alert, body, config, firing, pending, resolved};
use crate::support::databases::{Fresh, on_both_databases};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Two replicas on one database, each with a clock of its own; `None` without PostgreSQL.
pub async fn pair(test: &str) -> Option<[World; 2]> {
    let fresh = Fresh::postgres(test).await?;
    let url = fresh.url();
    let first = World::open(fresh, &config()).await;
    first.add_entry("fraud").await;
    let second = World::on(&url, &config()).await;
    Some([first, second])
}

pub fn event(id: String, twin: &str) -> NewEvent {
    NewEvent {
        twin: Some(TwinKey {
            key: twin.to_owned(),
            turn_key: format!("turn of {twin}"),
            tells_end: false,
            expires_at: START.plus(MINUTE),
        }),
        ..pending(id, START, b"{}".to_vec())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_twin_is_being_counted_is_not_overtaken() {
    let Some([a, b]) = pair("an_event_whose_twin_is_being_counted").await else { return };
    let first = a.post(&body(&[firing("a", "high")])).await.unwrap();
    b.post(&body(&[resolved("a", "high")])).await.unwrap();
    let mut intake = PgConnection::connect(a.url()).await.unwrap();
    let mut counting = intake.begin().await.unwrap();
    sqlx::query("UPDATE events SET twins = twins + 1 WHERE id = $1")
        .bind(&first.event_id)
        .execute(&mut *counting)
        .await
        .unwrap();

    let triage = async {
        a.processor.settle().await.unwrap();
    };
    let count = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        counting.commit().await.unwrap();
    };
    tokio::join!(triage, count);

    assert_eq!(a.owed().await, ["console firing high", "console resolved high"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_are_sent_the_same_in_another_order_do_not_block_each_other() {
    let Some([a, b]) = pair("replicas_that_are_sent_the_same").await else { return };
    for round in 0..20 {
        let keys: Vec<String> = (0..60).map(|n| format!("{round}-{n}")).collect();
        let forwards: Vec<NewEvent> = keys.iter().map(|key| event(a.ids.next_id(), key)).collect();
        let backwards: Vec<NewEvent> = keys.iter().rev().map(|key| event(b.ids.next_id(), key)).collect();

        let (first, second) =
            tokio::join!(a.store.insert_events(&forwards), b.store.insert_events(&backwards));

        first.unwrap();
        second.unwrap();
    }
    let twins: i64 = sqlx::query_scalar("SELECT SUM(twins)::BIGINT FROM events")
        .fetch_one(&mut PgConnection::connect(a.url()).await.unwrap())
        .await
        .unwrap();
    assert_eq!(a.store.events_waiting().await.unwrap().waiting, 20 * 60);
    assert_eq!(twins, 20 * 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_decided_once_whoever_comes_first() {
    let Some([a, b]) = pair("what_is_due_is_decided_once").await else { return };
    a.tell(&[firing("a", "high")]).await;
    a.tell(&[firing("b", "high")]).await;
    assert_eq!(a.owed().await, ["console firing high"]);

    let hours = |n: u64| Duration::from_secs(3_600 * n);
    for world in [&a, &b] {
        world.clock.advance(MINUTE);
    }
    let (first, second) = tokio::join!(a.processor.settle(), b.processor.settle());
    first.unwrap();
    second.unwrap();
    assert_eq!(a.owed().await, ["console firing high", "console updated high"]);

    for world in [&a, &b] {
        world.clock.advance(hours(4));
    }
    join_all([&a, &b, &a, &b].map(|world| world.processor.settle())).await;
    assert_eq!(a.owed().await.len(), 3, "{:?}", a.owed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_and_events_of_the_same_incidents_do_not_block_each_other() {
    let Some([a, b]) = pair("timers_and_events").await else { return };
    let all = |status: &'static str, severity: &'static str| {
        (0..40).map(move |n| alert((status, "x", severity, &format!("i{n}")))).collect::<Vec<_>>()
    };
    a.tell(&all("firing", "high")).await;
    for round in 0..6 {
        b.post(&body(&all("firing", if round % 2 == 0 { "critical" } else { "high" }))).await.unwrap();
        for world in [&a, &b] {
            world.clock.advance(MINUTE * 5 + SECOND);
            world.store.decide_again(START).await.unwrap();
        }

        let (first, second) = tokio::join!(a.processor.settle(), b.processor.settle());

        first.unwrap();
        second.unwrap();
    }
    // The severity is a label like others: each of them is a problem of its own.
    assert_eq!(a.incidents().await.len(), 80);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_slow_writes_after_what_it_follows() {
    let Some([ahead, behind]) = pair("a_replica_whose_clock_is_slow").await else { return };
    ahead.clock.advance(MINUTE * 10);

    ahead.tell(&[firing("a", "high")]).await;
    behind.tell(&[resolved("a", "high")]).await;
    assert_eq!(ahead.owed().await, ["console firing high", "console resolved high"]);

    // The same while both wait for triage: what was answered first is taken first.
    ahead.post(&body(&[firing("b", "critical")])).await.unwrap();
    behind.post(&body(&[resolved("b", "critical")])).await.unwrap();
    behind.processor.settle().await.unwrap();
    let owed = ahead.owed().await;
    let last: Vec<&String> = owed.iter().filter(|told| told.starts_with("oncall")).collect();
    assert_eq!(last, ["oncall firing critical", "oncall resolved critical"], "{owed:?}");
}

on_both_databases! { a_clock_set_back_across_a_restart_changes_no_order }

async fn a_clock_set_back_across_a_restart_changes_no_order(fresh: Fresh) {
    let before = World::on(&fresh.url(), &config()).await;
    before.add_entry("fraud").await;
    before.clock.advance(MINUTE * 10);
    before.tell(&[firing("a", "high")]).await;
    before.end().await;

    let after = World::on(&fresh.url(), &config()).await;
    after.tell(&[resolved("a", "high")]).await;

    assert_eq!(after.owed().await, ["console firing high", "console resolved high"]);
}

async fn hear(listener: &mut Listener) -> News {
    tokio::time::timeout(SECOND * 10, listener.next()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_commits_the_others_hear_of_at_once() {
    let Some([a, b]) = pair("what_a_replica_commits").await else { return };
    let mut others = b.store.listen().await.unwrap().unwrap();
    let mut own = a.store.listen().await.unwrap().unwrap();

    a.post(&body(&[firing("a", "high")])).await.unwrap();
    assert_eq!(hear(&mut others).await, News { events: true, ..News::default() });
    a.processor.settle().await.unwrap();
    let owed = ["console".to_owned()].into();
    assert_eq!(hear(&mut others).await, News { owed, ..News::default() });
    a.add_entry("churn").await;
    assert_eq!(hear(&mut others).await, News { catalog: true, ..News::default() });
    b.catalog.refresh().await.unwrap();
    assert!(b.catalog.catalog().get("churn").is_some());

    // Nobody is told what it did itself, and nothing is told where nobody listens.
    a.store.set_alone(true);
    a.post(&body(&[firing("b", "high")])).await.unwrap();
    b.catalog.create("test", Entry { slug: "ranker".to_owned(), ..Entry::default() }).await.unwrap();
    assert_eq!(hear(&mut own).await, News { catalog: true, ..News::default() });
    let more = tokio::time::timeout(Duration::from_millis(200), others.next()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_cut_off_listens_again_and_assumes_that_it_missed_something() {
    let Some([a, b]) = pair("a_listener_cut_off").await else { return };
    let mut listener = b.store.listen().await.unwrap().unwrap();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .execute(&mut PgConnection::connect(a.url()).await.unwrap())
    .await
    .unwrap();

    match tokio::time::timeout(SECOND * 10, listener.next()).await.unwrap() {
        Ok(news) => assert_eq!(news, News::of_everything()),
        Err(_) => listener = b.store.listen().await.unwrap().unwrap(),
    }
    a.post(&body(&[firing("a", "high")])).await.unwrap();
    assert_eq!(hear(&mut listener).await, News { events: true, ..News::default() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_newer_configuration_owes_an_older_one_leaves_alone() {
    let Some([newer, older]) = pair("what_a_newer_configuration_owes").await else { return };
    let sign = |id: &str, channels: &[&str]| SignOfLife {
        id: id.to_owned(),
        version: "1.2.3",
        started_at: START,
        channels: channels.iter().map(|channel| (*channel).to_owned()).collect(),
    };
    newer.store.show_replica(&sign("newer", &["console", "oncall"]), START).await.unwrap();
    assert_eq!(older.store.show_replica(&sign("older", &["console"]), START).await.unwrap(), 2);
    newer.tell(&[firing("a", "critical")]).await;

    // It died, perhaps to come back: what it owes is kept for a while.
    let later = START.plus(MINUTE * 9);
    assert_eq!(older.store.show_replica(&sign("older", &["console"]), later).await.unwrap(), 1);
    assert_eq!(older.store.cancel_orphans(&["console"], later).await.unwrap(), 0);

    let much_later = START.plus(MINUTE * 11);
    older.store.show_replica(&sign("older", &["console"]), much_later).await.unwrap();
    assert_eq!(older.store.cancel_orphans(&["console"], much_later).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_replica_was_sending_need_not_wait_for_its_lease() {
    let Some([a, b]) = pair("what_a_dead_replica_was_sending").await else { return };
    let sign =
        |id: &str| SignOfLife { id: id.to_owned(), version: "1", started_at: START, channels: Vec::new() };
    a.tell(&[firing("a", "critical")]).await;
    let lost = async |now: Timestamp| {
        let mut tx = b.store.begin_write().await.unwrap();
        let lost = tx.leases_of_the_dead(now).await.unwrap();
        tx.rollback().await.unwrap();
        lost.into_iter().map(|lease| lease.lease_owner).collect::<Vec<_>>()
    };
    a.store.show_replica(&sign("lives"), START).await.unwrap();
    a.store.show_replica(&sign("dies"), START).await.unwrap();
    for (owner, channel) in [("lives", "console"), ("dies", "oncall")] {
        let lease = Lease { owner, claim: "test", now: START, length: MINUTE * 5, from_priority: 0 };
        assert_eq!(a.store.claim_notifications(channel, &lease, 1).await.unwrap().len(), 1);
    }
    assert!(lost(START).await.is_empty());

    let later = START.plus(SECOND * 20);
    a.store.show_replica(&sign("lives"), later).await.unwrap();
    assert_eq!(lost(later).await, ["dies"]);
    a.store.leave_replica("lives", later).await.unwrap();
    assert_eq!(lost(later).await.len(), 2);
    assert_eq!(a.store.list_replicas(later).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_set_right_by_the_one_of_the_database() {
    let Some([a, _]) = pair("clocks_are_set_right").await else { return };
    let wrong: SharedClock = Arc::new(ManualClock::at(START));
    let clock = AdjustedClock::new(wrong.clone());

    let ahead = a.store.clock_difference(clock.inner()).await.unwrap().unwrap();
    clock.adjust(ahead);

    let set_right: SharedClock = Arc::new(clock);
    let left = a.store.clock_difference(&set_right).await.unwrap().unwrap();
    assert!(left.abs() < 60_000 && set_right.now() != wrong.now(), "{ahead} {left}");
}
