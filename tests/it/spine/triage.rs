//! From events to incidents, decisions and messages owed.

use std::time::Duration;

use modelpager::config::RouteConfig;
use modelpager::domain::duration::PromDuration;
use modelpager::store::pending::Share;
use serde_json::json;

use super::{World, alert, body, config, firing, resolved, route};
use crate::support::databases::{Fresh, on_both_databases};

const MINUTE: Duration = Duration::from_secs(60);

on_both_databases! {
    an_alert_becomes_an_incident_with_a_message_a_decision_and_a_timeline,
    alerts_of_one_problem_are_one_incident,
    a_rise_of_severity_reaches_the_channels_of_the_new_severity_at_once,
    the_end_is_told_where_firing_was_told,
    messages_do_not_depend_on_how_many_events_share_a_transaction,
    an_alert_told_twice_in_one_body_is_triaged,
    events_are_triaged_in_order_although_another_replica_is_at_it,
    the_repeat_comes_exactly_at_its_time_and_after_a_restart,
    a_refire_within_the_cooldown_folds_and_a_later_one_is_new,
    an_incident_not_heard_of_ends_as_stale_and_says_so,
    an_unmatched_alert_is_delivered_all_the_same,
    an_event_that_cannot_be_triaged_is_set_aside_and_its_neighbours_go_on,
    a_large_incident_counts_every_member,
    a_second_hearing_changes_nothing,
    what_is_read_at_once_is_bounded_by_bytes,
    an_end_missed_while_its_channel_was_disabled_is_told_once_it_is_back,
    the_same_alert_twice_in_one_body_is_one_alert,
    a_cooldown_of_routes_for_what_fires_holds_a_refire,
    a_cooldown_of_routes_for_the_new_severity_holds_a_refire,
    a_cooldown_of_routes_for_another_severity_holds_nothing,
    a_cooldown_counts_from_the_end_where_ends_are_not_told,
}

async fn an_alert_becomes_an_incident_with_a_message_a_decision_and_a_timeline(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;

    world.tell(&[firing("a", "P1")]).await;

    assert_eq!(world.owed().await, ["console firing high"]);
    let incidents = world.incidents().await;
    assert_eq!(incidents.len(), 1);
    let incident = world.store.find_incident(&incidents[0].id).await.unwrap().unwrap();
    assert_eq!(incident.summary.dedup_key, "AccuracyDrop:fraud");
    assert_eq!(incident.summary.entry, "fraud");
    assert_eq!(
        incident.timeline.iter().map(|line| line.kind.as_str()).collect::<Vec<_>>(),
        ["opened", "alert_joined"]
    );
    assert_eq!(incident.channels.len(), 1);
    assert_eq!(incident.channels[0].channel, "console");
}

async fn alerts_of_one_problem_are_one_incident(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;

    world.tell(&[firing("a", "high"), firing("b", "high")]).await;
    world.tell(&[firing("c", "medium")]).await;
    assert_eq!(world.owed().await, ["console firing high"]);

    world.pass(MINUTE).await;
    assert_eq!(world.owed().await, ["console firing high", "console updated high"]);
    assert_eq!(world.incidents().await.len(), 1);
}

async fn a_rise_of_severity_reaches_the_channels_of_the_new_severity_at_once(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;

    world.tell(&[firing("a", "high")]).await;
    world.tell(&[firing("b", "page")]).await;

    assert_eq!(
        world.owed().await,
        ["console firing high", "oncall firing critical", "console severity_raised critical"]
    );
}

async fn the_end_is_told_where_firing_was_told(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "critical")]).await;
    world.tell(&[firing("a", "critical"), firing("b", "low")]).await;

    // The critical member ends: the incident is low now, and no route leads to oncall.
    world.tell(&[resolved("a", "critical"), firing("b", "low")]).await;
    world.tell(&[resolved("b", "low")]).await;

    let owed = world.owed().await;
    assert_eq!(owed[..2], ["oncall firing critical", "console firing critical"]);
    assert_eq!(owed.iter().filter(|told| told.contains("resolved")).count(), 2, "{owed:?}");
}

async fn messages_do_not_depend_on_how_many_events_share_a_transaction(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;

    // Both wait when triage begins: what fired in between is told all the same.
    world.post(&body(&[firing("a", "high")])).await.unwrap();
    world.post(&body(&[resolved("a", "high")])).await.unwrap();
    world.processor.settle().await.unwrap();

    assert_eq!(world.owed().await, ["console firing high", "console resolved high"]);
}

async fn an_alert_told_twice_in_one_body_is_triaged(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;

    world
        .tell(&[firing("a", "high"), firing("b", "high"), firing("a", "critical"), resolved("b", "high")])
        .await;
    world.tell(&[firing("a", "high"), firing("a", "high")]).await;

    assert!(
        world.events().await.iter().all(|event| event.state == "processed"),
        "{:?}",
        world.events().await
    );
    assert_eq!(world.owed().await.first().map(String::as_str), Some("oncall firing critical"));
}

async fn events_are_triaged_in_order_although_another_replica_is_at_it(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.post(&body(&[firing("a", "high")])).await.unwrap();
    world.post(&body(&[resolved("a", "high")])).await.unwrap();
    let another_replica = world.store.begin_triage().await.unwrap();

    // Whether it waits or gives way: what comes later is not taken before what came first.
    let _ = tokio::time::timeout(Duration::from_millis(300), world.processor.settle()).await;
    drop(another_replica);
    world.processor.settle().await.unwrap();

    assert_eq!(world.owed().await, ["console firing high", "console resolved high"]);
}

async fn the_repeat_comes_exactly_at_its_time_and_after_a_restart(fresh: Fresh) {
    let config = config();
    let world = World::on(&fresh.url(), &config).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    let repeat = MINUTE * 240;
    world.pass(repeat - Duration::from_millis(1)).await;
    assert_eq!(world.owed().await, ["console firing high"]);
    world.end().await;

    let after_restart = World::open(fresh, &config).await;
    after_restart.pass(repeat).await;

    assert_eq!(after_restart.owed().await, ["console firing high", "console repeated high"]);
}

async fn a_refire_within_the_cooldown_folds_and_a_later_one_is_new(fresh: Fresh) {
    let mut config = config();
    config.route.cooldown = Some(PromDuration(MINUTE * 30));
    let world = World::open(fresh, &config).await;
    world.add_entry("fraud").await;
    let incidents = async || world.incidents().await.len();
    world.tell(&[firing("a", "high")]).await;
    world.tell(&[resolved("a", "high")]).await;

    world.clock.advance(MINUTE * 5);
    world.tell(&[firing("a", "high")]).await;
    assert_eq!(world.owed().await, ["console firing high", "console resolved high"]);
    assert_eq!(incidents().await, 1);
    world.pass(MINUTE * 25).await;
    assert_eq!(world.owed().await.last().unwrap(), "console reopened high");

    world.tell(&[resolved("a", "high")]).await;
    world.clock.advance(MINUTE * 31);
    world.tell(&[firing("a", "high")]).await;
    assert_eq!(incidents().await, 2);
    assert_eq!(world.owed().await.last().unwrap(), "console firing high");
}

async fn an_incident_not_heard_of_ends_as_stale_and_says_so(fresh: Fresh) {
    let mut config = config();
    config.incidents.stale_after = PromDuration(MINUTE * 90);
    let world = World::open(fresh, &config).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;

    world.pass(MINUTE * 89).await;
    assert_eq!(world.owed().await.len(), 1);
    world.pass(MINUTE).await;

    assert_eq!(world.owed().await, ["console firing high", "console resolved high"]);
    let incident = &world.incidents().await[0];
    assert_eq!(incident.resolve_reason.as_deref(), Some("stale"));
    world.tell(&[firing("a", "high")]).await;
    assert_eq!(world.owed().await.last().unwrap(), "console firing high");
}

async fn an_unmatched_alert_is_delivered_all_the_same(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;

    world.tell(&[alert(("firing", "nobody-knows-me", "🔥", "a"))]).await;

    assert_eq!(world.owed().await, ["console firing medium"]);
    let message = &world.notifications().await[0].id;
    let snapshot = world.snapshot(message).await;
    assert!(snapshot.by_default_route, "no child of the tree took it");
    assert!(snapshot.entry.is_none());
}

async fn an_event_that_cannot_be_triaged_is_set_aside_and_its_neighbours_go_on(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let mut poison = firing("a", "high");
    poison["labels"]["make_triage_panic"] = json!("yes");
    world.post(&body(&[firing("b", "high")])).await.unwrap();
    world.post(&body(&[poison])).await.unwrap();
    world.post(&body(&[firing("c", "high")])).await.unwrap();

    world.processor.settle().await.unwrap();

    assert_eq!(world.owed().await.len(), 2);
    let events = world.events().await;
    let states: Vec<&str> = events.iter().map(|event| event.state.as_str()).collect();
    assert_eq!(states, ["processed", "failed", "processed"]);
}

async fn a_large_incident_counts_every_member(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    let all: Vec<_> = (0..200).map(|n| firing(&format!("i{n:03}"), "high")).collect();
    world.tell(&all).await;
    let over: Vec<_> = (0..199).map(|n| resolved(&format!("i{n:03}"), "high")).collect();
    world.tell(&over).await;

    let incident = &world.incidents().await[0];
    assert_eq!((incident.firing, incident.member_count), (1, 200));

    world.tell(&[resolved("i199", "high")]).await;
    assert_eq!(world.owed().await.last().unwrap(), "console resolved high");
}

async fn a_second_hearing_changes_nothing(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    world.clock.advance(MINUTE * 5);

    world.tell(&[firing("a", "high")]).await;
    world.processor.settle().await.unwrap();

    assert_eq!(world.owed().await, ["console firing high"]);
}

async fn what_is_read_at_once_is_bounded_by_bytes(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let bodies: Vec<_> = ["a", "b", "c", "d", "e"].map(|instance| body(&[firing(instance, "high")])).into();
    let size = i64::try_from(bodies[0].to_string().len()).unwrap();
    for body in &bodies {
        world.post(body).await.unwrap();
    }
    let ids: Vec<String> = world.events().await.into_iter().rev().map(|event| event.id).collect();

    for (limit, most_bytes, expected) in
        [(256, i64::MAX, 5), (2, i64::MAX, 2), (256, 3 * size, 3), (256, 3 * size - 1, 2), (256, 1, 1)]
    {
        let mut tx = world.store.begin_triage().await.unwrap();
        let share = Share { events: limit, part: 100, alerts: 100, others_first: false, bytes: most_bytes };
        let events = tx.pending_events(&share).await.unwrap();
        let found: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!(found, ids[..expected], "{limit} events, {most_bytes} bytes");
        tx.rollback().await;
    }
}

async fn the_same_alert_twice_in_one_body_is_one_alert(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;

    world.tell(&[firing("a", "high"), firing("a", "high")]).await;

    let events = world.events().await;
    assert_eq!((events[0].state.as_str(), events[0].reason.as_str()), ("processed", ""));
    assert_eq!(world.owed().await, ["console firing high"]);
    assert_eq!((world.incidents().await[0].firing, world.incidents().await[0].member_count), (1, 1));
}

async fn an_end_missed_while_its_channel_was_disabled_is_told_once_it_is_back(fresh: Fresh) {
    let usual = config();
    let mut without = config();
    without.channels[0].enabled = false;
    let world = World::on(&fresh.url(), &usual).await;
    world.tell(&[firing("a", "high")]).await;
    world.end().await;

    let world = World::on(&fresh.url(), &without).await;
    world.clock.advance(MINUTE);
    world.tell(&[resolved("a", "high")]).await;
    assert_eq!(world.owed().await, ["console firing high"]);
    world.end().await;

    let world = World::open(fresh, &usual).await;
    world.clock.advance(MINUTE * 2);
    assert_eq!(world.store.decide_ends_again(super::START).await.unwrap(), 1);
    world.pass(MINUTE).await;
    assert_eq!(world.owed().await, ["console firing high", "console resolved high"]);
}

/// Fires as high, ends, and fires again with that severity, within a cooldown of the routes
/// with that matcher.
async fn is_refire_held(fresh: Fresh, matcher: &str, severity: &str) -> bool {
    let mut config = config();
    let cooldown = Some(PromDuration(MINUTE * 30));
    config.route.routes = vec![RouteConfig { cooldown, ..route(&["console"], &[matcher]) }];
    let world = World::open(fresh, &config).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    world.tell(&[resolved("a", "high")]).await;
    world.clock.advance(MINUTE * 5);

    world.tell(&[firing("a", severity)]).await;

    world.owed().await == ["console firing high", "console resolved high"]
}

async fn a_cooldown_of_routes_for_what_fires_holds_a_refire(fresh: Fresh) {
    assert!(is_refire_held(fresh, "status=\"firing\"", "high").await);
}

async fn a_cooldown_of_routes_for_the_new_severity_holds_a_refire(fresh: Fresh) {
    assert!(is_refire_held(fresh, "severity=\"low\"", "low").await);
}

async fn a_cooldown_of_routes_for_another_severity_holds_nothing(fresh: Fresh) {
    assert!(!is_refire_held(fresh, "severity=\"high\"", "low").await);
}

async fn a_cooldown_counts_from_the_end_where_ends_are_not_told(fresh: Fresh) {
    let mut config = config();
    config.channels[0].send_resolved = false;
    config.route.cooldown = Some(PromDuration(MINUTE * 30));
    let world = World::open(fresh, &config).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    world.clock.advance(MINUTE * 60);
    world.tell(&[resolved("a", "high")]).await;

    world.clock.advance(MINUTE * 5);
    world.tell(&[firing("a", "high")]).await;
    assert_eq!(world.owed().await, ["console firing high"]);
    world.pass(MINUTE * 24).await;
    assert_eq!(world.owed().await, ["console firing high"]);
    world.pass(MINUTE).await;
    assert_eq!(world.owed().await, ["console firing high", "console reopened high"]);
}
