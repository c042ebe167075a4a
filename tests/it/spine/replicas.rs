//! Several replicas on one PostgreSQL: what they must not do to each other.

use std::time::Duration;

use futures_util::future::join_all;
use modelpager::store::events::{EventState, NewEvent, TwinKey};
use sqlx::{Connection as _, PgConnection};

use super::{START, World, alert, body, config, firing, resolved};
use crate::support::databases::Fresh;

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
        id,
        received_at: START,
        state: EventState::Pending,
        source: "alertmanager",
        receiver: "modelpager".to_owned(),
        group_key: String::new(),
        external_url: String::new(),
        actor: "test".to_owned(),
        alerts: 1,
        rejected: 0,
        truncated: 0,
        replay_of: None,
        reason: String::new(),
        verdicts: "[]".to_owned(),
        body: b"{}".to_vec(),
        twin: Some(TwinKey { key: twin.to_owned(), expires_at: START.plus(MINUTE) }),
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
