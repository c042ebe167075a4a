//! Timers come due, each for itself.

use std::time::Duration;

use modelpager::domain::clock::Clock as _;

use super::{World, alert, config, route};
use crate::support::databases::{Fresh, execute, on_both_databases};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

on_both_databases! {
    one_unreadable_incident_holds_up_no_other,
    one_unreadable_incident_keeps_no_other_from_growing_stale,
    what_came_due_of_an_incident_that_is_gone_does_not_come_due_again,
    what_came_due_on_a_channel_that_is_not_routed_to_does_not_come_due_again,
    however_many_are_open_all_are_decided_by_a_new_configuration,
}

const BREAK: &str = "UPDATE incidents SET tally = 'x' || tally WHERE dedup_key LIKE '%-first'";
const MEND: &str = "UPDATE incidents SET tally = SUBSTR(tally, 2) WHERE dedup_key LIKE '%-first'";

/// Two incidents in one state.
async fn two_incidents(fresh: &Fresh) -> World {
    let world = World::on(&fresh.url(), &config()).await;
    for model in ["first", "second"] {
        world.add_entry(&format!("model-{model}")).await;
        world.tell(&[alert(("firing", &format!("model-{model}"), "high", "a"))]).await;
    }
    world
}

async fn nothing_is_overdue(world: &World) {
    let next = world.store.next_timer(HOUR * 120).await.unwrap();
    assert!(next.is_none_or(|at| at > world.clock.now()), "it would be looked at without a pause");
}

async fn count(world: &World, message: &str) -> usize {
    world.owed().await.iter().filter(|owed| owed.as_str() == message).count()
}

async fn one_unreadable_incident_holds_up_no_other(fresh: Fresh) {
    let world = two_incidents(&fresh).await;
    execute(&fresh.url(), BREAK).await;

    world.pass(HOUR * 4).await;
    assert_eq!(count(&world, "console repeated high").await, 1, "the other repeats");
    nothing_is_overdue(&world).await;

    execute(&fresh.url(), MEND).await;
    world.pass(HOUR).await;
    assert_eq!(count(&world, "console repeated high").await, 2, "what was set aside is told once it can be");
}

async fn one_unreadable_incident_keeps_no_other_from_growing_stale(fresh: Fresh) {
    let world = two_incidents(&fresh).await;
    execute(&fresh.url(), BREAK).await;
    execute(&fresh.url(), "UPDATE conversations SET next_due_at = NULL").await;

    world.pass(HOUR * 120).await;
    assert_eq!(count(&world, "console resolved high").await, 1);
    nothing_is_overdue(&world).await;

    execute(&fresh.url(), MEND).await;
    world.pass(HOUR).await;
    assert_eq!(count(&world, "console resolved high").await, 2);
}

async fn what_came_due_of_an_incident_that_is_gone_does_not_come_due_again(fresh: Fresh) {
    let world = two_incidents(&fresh).await;
    execute(&fresh.url(), "DELETE FROM incidents WHERE dedup_key LIKE '%-first'").await;

    world.pass(HOUR * 4).await;

    assert_eq!(count(&world, "console repeated high").await, 1);
    nothing_is_overdue(&world).await;
}

async fn what_came_due_on_a_channel_that_is_not_routed_to_does_not_come_due_again(fresh: Fresh) {
    let mut disabled = config();
    disabled.channels[0].enabled = false;
    let world = World::on(&fresh.url(), &disabled).await;
    world.tell(&[alert(("firing", "fraud", "high", "a"))]).await;
    world.end().await;

    let mut elsewhere = config();
    elsewhere.route = route(&["oncall"], &[]);
    let world = World::open(fresh, &elsewhere).await;
    world.clock.advance(MINUTE);
    world.store.decide_again(world.clock.now()).await.unwrap();
    world.processor.settle().await.unwrap();

    assert_eq!(world.owed().await, ["oncall firing high"]);
    nothing_is_overdue(&world).await;
}

/// More than are decided in one transaction.
const MANY: usize = 1_003;

async fn however_many_are_open_all_are_decided_by_a_new_configuration(fresh: Fresh) {
    let mut by_instance = config();
    by_instance.dedup_key.0 = "{{labels.instance}}".to_owned();
    let world = World::on(&fresh.url(), &by_instance).await;
    let instances: Vec<String> = (0..MANY).map(|n| format!("i{n}")).collect();
    let alerts: Vec<_> =
        instances.iter().map(|instance| alert(("firing", "fraud", "high", instance))).collect();
    world.tell(&alerts).await;
    world.end().await;

    by_instance.route = route(&["console", "oncall"], &[]);
    let world = World::open(fresh, &by_instance).await;
    world.clock.advance(MINUTE);
    world.store.decide_again(world.clock.now()).await.unwrap();
    world.processor.settle().await.unwrap();

    let told = world.all_notifications().await;
    let told_on = |channel| told.iter().filter(|message| message.channel == channel).count();
    assert_eq!((told_on("oncall"), told_on("console")), (MANY, MANY), "once each");
}
