//! What a pair of Alertmanagers says twice counts once; what is said again after something
//! else was said is news.

use std::time::Duration;

use serde_json::{Value, json};

use super::{World, body, config, firing, resolved};
use crate::support::databases::{Fresh, on_both_databases};

const SECOND: Duration = Duration::from_secs(1);

on_both_databases! {
    twins_in_step_are_duplicates,
    what_fires_again_after_its_end_within_the_window_is_news,
    what_fires_again_is_news_on_whichever_replica_it_is_heard,
    a_twin_that_lags_behind_the_end_ends_what_it_opened,
    the_late_twin_of_an_earlier_end_does_not_end_what_fires_now,
    an_end_of_another_group_makes_no_twin_news,
    many_that_fire_again_at_once_are_all_news,
}

async fn is_duplicate(world: &World, alerts: &[Value]) -> bool {
    let answer = world.post(&body(alerts)).await.unwrap();
    world.processor.settle().await.unwrap();
    world.clock.advance(SECOND);
    answer.duplicate
}

/// The states of all incidents, newest first.
async fn states(world: &World) -> Vec<String> {
    world.incidents().await.into_iter().map(|incident| incident.state).collect()
}

fn group(name: &str, alerts: &[Value]) -> Value {
    let mut body = body(alerts);
    body["groupKey"] = json!(name);
    body
}

async fn twins_in_step_are_duplicates(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let (both, one_over, over) = (
        [firing("a", "high"), firing("b", "high")],
        [firing("a", "high"), resolved("b", "high")],
        [resolved("a", "high")],
    );

    for (alerts, expected) in [
        (&both[..], false),
        (&both[..], true),
        (&one_over[..], false),
        (&one_over[..], true),
        (&over[..], false),
        (&over[..], true),
    ] {
        assert_eq!(is_duplicate(&world, alerts).await, expected, "{alerts:#?}");
    }
}

async fn what_fires_again_after_its_end_within_the_window_is_news(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    let (fires, ends) = ([firing("a", "high")], [resolved("a", "high")]);
    assert!(!is_duplicate(&world, &fires).await);
    assert!(!is_duplicate(&world, &ends).await);

    assert!(!is_duplicate(&world, &fires).await, "its beginning is the same, but it ended in between");
    assert_eq!(states(&world).await, ["open", "resolved"]);

    assert!(is_duplicate(&world, &fires).await, "the twin of the second time");
    assert!(!is_duplicate(&world, &ends).await);
    assert_eq!(states(&world).await, ["resolved", "resolved"]);
}

async fn what_fires_again_is_news_on_whichever_replica_it_is_heard(fresh: Fresh) {
    let one = World::on(&fresh.url(), &config()).await;
    one.add_entry("fraud").await;
    let (fires, ends) = ([firing("a", "high")], [resolved("a", "high")]);
    assert!(!is_duplicate(&one, &fires).await);
    one.end().await;

    let two = World::on(&fresh.url(), &config()).await;
    two.clock.advance(SECOND);
    assert!(!is_duplicate(&two, &ends).await);
    two.end().await;

    let three = World::open(fresh, &config()).await;
    three.clock.advance(SECOND * 2);
    assert!(!is_duplicate(&three, &fires).await);
    assert_eq!(states(&three).await, ["open", "resolved"]);
}

async fn a_twin_that_lags_behind_the_end_ends_what_it_opened(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    let (fires, ends) = ([firing("a", "high")], [resolved("a", "high")]);
    is_duplicate(&world, &fires).await;
    is_duplicate(&world, &ends).await;

    assert!(!is_duplicate(&world, &fires).await, "nothing tells it from one that fires again");
    assert!(!is_duplicate(&world, &ends).await, "what opened it must be able to end it");
    assert_eq!(states(&world).await, ["resolved", "resolved"]);

    assert!(is_duplicate(&world, &ends).await);
}

async fn the_late_twin_of_an_earlier_end_does_not_end_what_fires_now(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    let (fires, ends) = ([firing("a", "high")], [resolved("a", "high")]);
    is_duplicate(&world, &fires).await;
    is_duplicate(&world, &ends).await;
    let mut later = firing("a", "high");
    later["startsAt"] = json!("2026-08-20T10:31:00Z");
    assert!(!is_duplicate(&world, &[later]).await);

    assert!(is_duplicate(&world, &ends).await);
    assert_eq!(states(&world).await, ["open", "resolved"]);
    world.clock.advance(SECOND * 60);
    assert!(!is_duplicate(&world, &ends).await, "after the window nobody knows that it is a twin");
    assert_eq!(states(&world).await, ["open", "resolved"], "but it ended before this began");
}

async fn an_end_of_another_group_makes_no_twin_news(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let first = group("one", &[firing("a", "high")]);
    world.post(&first).await.unwrap();
    world.post(&group("other", &[resolved("b", "high")])).await.unwrap();

    assert!(world.post(&first).await.unwrap().duplicate);
}

async fn many_that_fire_again_at_once_are_all_news(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let bodies = |of: fn(&str, &str) -> Value| -> Vec<Value> {
        (0..40).map(|n| group(&format!("g{n}"), &[of(&format!("i{n}"), "high")])).collect()
    };
    let post_all = async |bodies: Vec<Value>| {
        let answers = futures_util::future::join_all(bodies.iter().map(|body| world.post(body))).await;
        answers.iter().filter(|answer| !answer.as_ref().unwrap().duplicate).count()
    };

    assert_eq!(post_all(bodies(firing)).await, 40);
    assert_eq!(post_all(bodies(resolved)).await, 40);
    let twice = [bodies(firing), bodies(firing)].concat();
    assert_eq!(post_all(twice).await, 40, "of each pair one");
    assert_eq!(post_all(bodies(resolved)).await, 40);
}
