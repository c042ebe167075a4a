//! A body with very many alerts is taken in parts, and others have their turn in between.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::{World, alert, body, config};
use crate::support::databases::{Fresh, on_both_databases};
use crate::upkeep::raw::Raw;

on_both_databases! {
    others_have_their_turn_between_the_parts_of_a_large_body,
    a_process_that_ends_between_two_parts_goes_on_where_it_was,
    what_came_later_is_not_undone_by_a_part_that_waited,
    one_incident_of_many_alerts_is_one_message,
}

const MANY: usize = 2_500;

fn unknown(status: &str, instance: &str) -> Value {
    alert((status, "unknown", "high", instance))
}

/// Distinct alerts, each an incident of its own.
fn many() -> Vec<Value> {
    (0..MANY).map(|n| unknown("firing", &format!("i{n}"))).collect()
}

async fn others_have_their_turn_between_the_parts_of_a_large_body(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.post(&body(&many())).await.unwrap();
    world.post(&body(&many()[..2])).await.unwrap();
    world.post(&body(&[unknown("firing", "neighbour")])).await.unwrap();

    world.processor.settle().await.unwrap();

    let mut raw = Raw::open(world.url()).await;
    let order = "SELECT CAST(COUNT(*) AS BIGINT) FROM incidents WHERE id < \
                 (SELECT incident_id FROM members WHERE labels LIKE '%neighbour%')";
    let before = raw.number(order).await;
    assert!(before <= 500, "{before} incidents were opened before the neighbour's");
    assert_eq!(raw.number("SELECT COUNT(*) FROM notifications").await, 2_501);
    // In the queue it stands before them, too.
    let ahead =
        "SELECT COUNT(*) FROM notifications WHERE priority <= (SELECT MIN(priority) FROM notifications)";
    assert_eq!(raw.number(ahead).await, 1);
    assert!(world.events().await.iter().all(|event| event.state == "processed"));
    assert_eq!(raw.number("SELECT COUNT(*) FROM event_progress").await, 0);
}

async fn a_process_that_ends_between_two_parts_goes_on_where_it_was(fresh: Fresh) {
    let World { processor, store, inbox, catalog, url, .. } = World::on(&fresh.url(), &config()).await;
    let text = bytes::Bytes::from(body(&many()).to_string());
    inbox.accept(text, "test").await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(processor.run(stopped));
    let mut raw = Raw::open(&url).await;
    let place = "SELECT COALESCE(MAX(place), 0) FROM event_progress";
    let limit = tokio::time::Instant::now() + Duration::from_secs(60);
    while raw.number(place).await == 0 {
        assert!(tokio::time::Instant::now() < limit, "no part is taken");
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    running.await.unwrap();
    let opened = raw.number("SELECT COUNT(*) FROM incidents").await;
    assert_eq!(raw.number(place).await, opened, "what is done and what is noted are the same");
    assert!(opened < i64::try_from(MANY).unwrap(), "{opened}: it was to end between two parts");
    drop((inbox, catalog));
    store.close().await;
    drop((store, raw));

    let again = World::open(fresh, &config()).await;
    again.processor.settle().await.unwrap();

    let mut raw = Raw::open(again.url()).await;
    for table in ["incidents", "members", "notifications"] {
        assert_eq!(raw.number(&format!("SELECT COUNT(*) FROM {table}")).await, 2_500, "{table}");
    }
}

async fn what_came_later_is_not_undone_by_a_part_that_waited(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.post(&body(&many())).await.unwrap();
    let last = format!("i{}", MANY - 1);
    world.post(&body(&[unknown("resolved", &last)])).await.unwrap();

    world.processor.settle().await.unwrap();

    let mut raw = Raw::open(world.url()).await;
    let open = "SELECT COUNT(*) FROM incidents WHERE state = 'open'";
    assert_eq!(raw.number(open).await, i64::try_from(MANY).unwrap() - 1);
    let state = format!("SELECT status FROM members WHERE labels LIKE '%\"{last}\"%'");
    assert_eq!(raw.texts(&state).await, ["resolved"]);
}

async fn one_incident_of_many_alerts_is_one_message(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    let members: Vec<Value> =
        (0..MANY).map(|n| alert(("firing", "fraud", "high", &format!("i{n}")))).collect();

    world.tell(&members).await;

    assert_eq!(world.owed().await, ["console firing high"]);
    let incident = &world.incidents().await[0];
    assert_eq!((incident.firing, incident.member_count), (2_500, 2_500));
    world.pass(Duration::from_secs(24 * 60)).await;
    assert_eq!(world.owed().await, ["console firing high", "console updated high"]);
    let told = Raw::open(world.url()).await.texts("SELECT snapshot FROM notifications ORDER BY id").await;
    assert!(told[1].contains("\"firing\":2500,"), "{}", told[1]);
}
