//! What is answered 200 is stored, once.

use std::time::Duration;

use modelpager::intake::inbox::IntakeError;
use serde_json::json;

use super::{World, body, config, firing};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    a_twin_within_the_window_is_a_duplicate_of_the_first,
    equal_bodies_at_the_same_moment_are_stored_once,
    an_equal_body_after_the_window_is_new,
    a_refused_body_is_kept_with_its_reason,
    many_at_once_are_all_stored,
    a_replay_is_never_a_duplicate,
}

async fn a_twin_within_the_window_is_a_duplicate_of_the_first(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let mut twin = body(&[firing("a", "high")]);
    let first = world.post(&twin).await.unwrap();

    world.clock.advance(Duration::from_secs(15));
    twin["externalURL"] = json!("http://other-peer.example:9093");
    twin["notification_reason"] = json!("first notification");
    let second = world.post(&twin).await.unwrap();

    assert!(!first.duplicate);
    assert!(second.duplicate);
    assert_eq!(second.event_id, first.event_id);
    assert_eq!(world.store.events_waiting().await.unwrap().waiting, 1);
}

async fn equal_bodies_at_the_same_moment_are_stored_once(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let same = body(&[firing("a", "high")]);

    let answers = futures_util::future::join_all((0..20).map(|_| world.post(&same))).await;

    let new = answers.iter().filter(|answer| !answer.as_ref().unwrap().duplicate).count();
    assert_eq!(new, 1);
    assert_eq!(world.store.events_waiting().await.unwrap().waiting, 1);
}

async fn an_equal_body_after_the_window_is_new(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let same = body(&[firing("a", "high")]);
    let first = world.post(&same).await.unwrap();

    world.clock.advance(Duration::from_secs(60));
    let later = world.post(&same).await.unwrap();

    assert!(!later.duplicate);
    assert_ne!(later.event_id, first.event_id);
}

async fn a_refused_body_is_kept_with_its_reason(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;

    let refused = world.post(&json!([{"labels": {"alertname": "X"}}])).await;

    assert!(matches!(refused, Err(IntakeError::Refused(_))));
    assert_eq!(world.store.events_waiting().await.unwrap().waiting, 0);
    let kept = world.events().await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].state, "rejected");
    assert!(kept[0].reason.contains("Prometheus"), "{}", kept[0].reason);
}

async fn many_at_once_are_all_stored(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let bodies: Vec<_> = (0..300).map(|n| body(&[firing(&format!("i{n}"), "high")])).collect();

    let answers = futures_util::future::join_all(bodies.iter().map(|body| world.post(body))).await;

    let mut ids: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().event_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 300);
    assert_eq!(world.store.events_waiting().await.unwrap().waiting, 300);
}

async fn a_replay_is_never_a_duplicate(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let same = body(&[firing("a", "high")]);
    let first = world.post(&same).await.unwrap();

    let first = world.store.find_event(&first.event_id).await.unwrap().unwrap().summary;
    let again = world.inbox.replay(same.to_string().into(), "ann", &first).await.unwrap();

    assert!(!again.duplicate);
    let stored = world.store.find_event(&again.event_id).await.unwrap().unwrap();
    assert_eq!(stored.summary.replay_of.as_deref(), Some(first.id.as_str()));
}
