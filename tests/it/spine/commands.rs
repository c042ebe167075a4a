//! What people do with incidents: the same path as events, the same promises.

use std::time::Duration;

use modelpager::triage::commands::{Command, CommandError};
use serde_json::json;

use super::{World, body, config, firing, resolved};
use crate::support::databases::{Fresh, on_both_databases};

const MINUTE: Duration = Duration::from_secs(60);

on_both_databases! {
    a_person_resolves_an_incident_and_those_who_were_notified_hear_of_it,
    what_fires_after_a_person_resolved_it_opens_it_again,
    what_was_received_before_a_person_resolved_it_opens_nothing,
    what_nobody_knew_of_opens_it_again_whenever_it_was_received,
    the_end_of_an_alert_after_a_person_resolved_it_changes_nothing,
    an_incident_is_resolved_by_one_person_alone,
    an_incident_that_is_not_there_cannot_be_resolved,
}

impl World {
    async fn resolve(&self, comment: Option<&str>) -> Result<(), CommandError> {
        let id = self.incidents().await[0].id.clone();
        let command = Command::Resolve { comment: comment.map(str::to_owned) };
        self.triage.execute(&id, &command, "ada").await
    }
}

async fn a_person_resolves_an_incident_and_those_who_were_notified_hear_of_it(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "critical"), firing("b", "high")]).await;
    let before = world.owed().await;

    world.resolve(Some("rolled back to v41")).await.unwrap();

    let id = world.incidents().await[0].id.clone();
    let incident = world.store.find_incident(&id).await.unwrap().unwrap();
    assert_eq!(incident.summary.state, "resolved");
    assert_eq!(incident.summary.resolve_reason.as_deref(), Some("person"));
    assert!(incident.members.iter().all(|member| member.status == "resolved"), "{:?}", incident.members);
    let line = incident.timeline.iter().find(|line| line.kind == "resolved").unwrap();
    assert_eq!(line.actor, "ada");
    assert_eq!(line.detail.value(), json!({"reason": "person", "comment": "rolled back to v41"}));
    let told: Vec<String> = world.owed().await.split_off(before.len());
    assert!(!before.is_empty());
    let expected: Vec<String> = before.iter().map(|message| message.replace("firing", "resolved")).collect();
    assert_eq!(told, expected);
}

async fn what_fires_after_a_person_resolved_it_opens_it_again(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    world.clock.advance(MINUTE);
    world.resolve(None).await.unwrap();

    world.clock.advance(MINUTE);
    world.tell(&[firing("a", "high")]).await;

    let incidents = world.incidents().await;
    assert_eq!(incidents[0].state, "open", "{incidents:?}");
    assert_eq!(incidents[0].firing, 1);
}

async fn what_was_received_before_a_person_resolved_it_opens_nothing(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    world.clock.advance(MINUTE);
    world.post(&body(&[firing("a", "high")])).await.unwrap();
    world.clock.advance(MINUTE);
    world.resolve(None).await.unwrap();

    world.processor.settle().await.unwrap();

    let incidents = world.incidents().await;
    assert_eq!((incidents.len(), incidents[0].state.as_str()), (1, "resolved"), "{incidents:?}");
}

async fn what_nobody_knew_of_opens_it_again_whenever_it_was_received(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    for unknown in [firing("b", "high"), firing("a", "critical")] {
        world.tell(&[firing("a", "high")]).await;
        world.clock.advance(MINUTE);
        world.post(&body(&[unknown])).await.unwrap();
        world.clock.advance(MINUTE);
        world.resolve(None).await.unwrap();

        world.processor.settle().await.unwrap();

        let newest = world.incidents().await.remove(0);
        assert_eq!((newest.state.as_str(), newest.firing), ("open", 1), "{newest:?}");
        world.clock.advance(MINUTE);
        world.resolve(None).await.unwrap();
        world.clock.advance(MINUTE);
    }
}

async fn the_end_of_an_alert_after_a_person_resolved_it_changes_nothing(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    world.resolve(None).await.unwrap();
    let told = world.owed().await;

    world.clock.advance(MINUTE);
    world.tell(&[resolved("a", "high")]).await;

    let incidents = world.incidents().await;
    assert_eq!((incidents.len(), incidents[0].state.as_str()), (1, "resolved"));
    assert_eq!(world.owed().await, told);
}

async fn an_incident_is_resolved_by_one_person_alone(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;

    let (first, second) = tokio::join!(world.resolve(None), world.resolve(None));

    let refused = [first, second].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(refused[..], [CommandError::AlreadyResolved]), "{refused:?}");
    let ends = world.owed().await.into_iter().filter(|message| message.contains("resolved")).count();
    let fires = world.owed().await.into_iter().filter(|message| message.contains("firing")).count();
    assert_eq!(ends, fires);
}

async fn an_incident_that_is_not_there_cannot_be_resolved(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;

    let resolved = world.triage.execute("nowhere", &Command::Resolve { comment: None }, "ada").await;

    assert!(matches!(resolved, Err(CommandError::NotFound)), "{resolved:?}");
}
