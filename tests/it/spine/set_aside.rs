//! An alert whose consequences cannot be written is set aside; its neighbours go on.

use std::time::Duration;

use modelpager::domain::clock::Clock as _;
use serde_json::{Value, json};

use super::{World, alert, body, config, firing};
use crate::support::databases::{Fresh, on_both_databases};
use crate::upkeep::raw::Raw;

on_both_databases! {
    an_alert_that_cannot_be_written_is_set_aside_and_its_neighbours_go_on,
    a_body_of_which_nothing_can_be_written_ends_as_failed,
    a_body_that_fails_everywhere_is_given_up_after_a_hundred_alerts,
    an_alert_that_makes_triage_panic_costs_no_neighbour,
    triage_that_makes_no_progress_is_said,
}

/// Lets the database refuse every member with this in its labels, with this SQLSTATE where
/// there are any.
async fn refuse(world: &World, text: &str, sqlstate: &str) {
    let statement = if world.url().starts_with("sqlite:") {
        format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON members WHEN NEW.labels LIKE '%{text}%' \
             BEGIN SELECT RAISE(ABORT, 'no place for it'); END"
        )
    } else {
        format!(
            "CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.labels LIKE '%{text}%' THEN RAISE 'no place for it' USING ERRCODE = '{sqlstate}'; END IF; \
             RETURN NEW; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON members FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    };
    Raw::open(world.url()).await.execute(&statement).await;
}

fn unknown(instance: &str) -> Value {
    alert(("firing", "unknown", "high", instance))
}

async fn states(world: &World) -> Vec<String> {
    let mut events = world.events().await;
    events.reverse();
    events.into_iter().map(|event| event.state).collect()
}

async fn an_alert_that_cannot_be_written_is_set_aside_and_its_neighbours_go_on(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    refuse(&world, "poison", "XX000").await;
    let mixed = [unknown("a"), unknown("poison-1"), unknown("b"), unknown("poison-2"), unknown("c")];
    world.post(&body(&[unknown("before")])).await.unwrap();
    world.post(&body(&mixed)).await.unwrap();
    world.post(&body(&[unknown("after")])).await.unwrap();

    world.processor.settle().await.unwrap();

    assert_eq!(world.owed().await.len(), 5, "{:?}", world.owed().await);
    assert_eq!(states(&world).await, ["processed", "failed", "processed"]);
    let id = world.events().await[1].id.clone();
    let event = world.store.find_event(&id).await.unwrap().unwrap();
    assert_eq!((event.summary.alerts, event.summary.rejected), (3, 2));
    let reason = &event.summary.reason;
    assert!(reason.starts_with("several alerts were set aside; the first: alert 1: "), "{reason}");
    assert!(reason.contains("no place for it"), "{reason}");
    let verdicts = event.verdicts.value();
    let places: Vec<i64> =
        verdicts.as_array().unwrap().iter().map(|one| one["index"].as_i64().unwrap()).collect();
    assert_eq!(places, [1, 3]);
    assert!(verdicts[0]["head"].as_str().unwrap().contains("poison-1"), "{verdicts}");
    let metrics = world.metrics.encode();
    assert!(metrics.contains("modelpager_failed_events_total 1"), "{metrics}");
    assert_eq!(Raw::open(world.url()).await.number("SELECT COUNT(*) FROM event_progress").await, 0);
}

async fn a_body_that_fails_everywhere_is_given_up_after_a_hundred_alerts(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    refuse(&world, "poison", "XX000").await;
    let all: Vec<Value> = (0..103).map(|n| unknown(&format!("poison-{n}"))).collect();
    world.post(&body(&all)).await.unwrap();
    world.post(&body(&[unknown("after")])).await.unwrap();

    world.processor.settle().await.unwrap();

    assert_eq!(states(&world).await, ["failed", "processed"]);
    let reason = world.events().await[1].reason.clone();
    assert!(reason.ends_with("after a hundred of them the rest of the body was not tried"), "{reason}");
    assert_eq!(world.owed().await.len(), 1);
}

async fn a_body_of_which_nothing_can_be_written_ends_as_failed(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    // To PostgreSQL: it took longer than a statement may.
    refuse(&world, "poison", "57014").await;
    for instance in ["a", "poison", "b"] {
        world.post(&body(&[unknown(instance)])).await.unwrap();
    }

    world.processor.settle().await.unwrap();

    assert_eq!(states(&world).await, ["processed", "failed", "processed"]);
    assert_eq!(world.owed().await.len(), 2);
    assert!(world.events().await[1].reason.starts_with("alert 0: "), "{:?}", world.events().await[1]);
    world.tell(&[unknown("c")]).await;
    assert_eq!(world.owed().await.len(), 3, "what comes later is not held up");
}

async fn an_alert_that_makes_triage_panic_costs_no_neighbour(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let mut poison = firing("a", "high");
    poison["labels"]["make_triage_panic"] = json!("yes");

    world.tell(&[unknown("a"), poison, unknown("b")]).await;

    assert_eq!(world.owed().await.len(), 2);
    let event = &world.events().await[0];
    assert_eq!(event.state, "failed");
    assert!(event.reason.contains("panicked"), "{}", event.reason);
}

async fn triage_that_makes_no_progress_is_said(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.processor.settle().await.unwrap();
    // Not even that an event is set aside can be written.
    let refuse = if world.url().starts_with("sqlite:") {
        "CREATE TRIGGER refuse BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'no'); END"
    } else {
        "CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
         CREATE TRIGGER refuse BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION refuse()"
    };
    let mut raw = Raw::open(world.url()).await;
    raw.execute(refuse).await;
    world.post(&body(&[unknown("a")])).await.unwrap();

    world.processor.settle().await.unwrap_err();
    assert_eq!(world.store.watch().stalled(world.clock.now()), None, "not yet");
    world.clock.advance(Duration::from_secs(61));

    let said = world.store.watch().stalled(world.clock.now()).unwrap();
    assert!(said.contains("triage has made no progress since 2026-08-20T"), "{said}");
    assert!(said.contains("could not"), "{said}");
    raw.execute(if world.url().starts_with("sqlite:") {
        "DROP TRIGGER refuse"
    } else {
        "DROP TRIGGER refuse ON events"
    })
    .await;
    world.processor.settle().await.unwrap();
    assert_eq!(world.store.watch().stalled(world.clock.now()), None);
    assert_eq!(states(&world).await, ["processed"]);
}
