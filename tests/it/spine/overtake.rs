//! Messages that a newer one overtakes before anything of them was sent.

use std::time::Duration;

use modelpager::config::Config;
use modelpager::domain::clock::Clock as _;
use modelpager::domain::notification::{NotificationKind, Snapshot};
use modelpager::domain::outcome::SendOutcome;
use modelpager::store::outbox::{Claimed, Finished, Lease, Next, Recording};

use super::{World, firing, log_channel, resolved, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    what_ended_before_its_begin_was_told_is_told_once,
    of_several_changes_that_could_not_be_told_the_newest_is_told_as_the_first_word,
    what_a_worker_is_sending_is_not_overtaken,
    only_what_surely_did_not_arrive_is_overtaken,
    a_channel_that_does_not_supersede_is_told_every_step,
}

const MINUTE: Duration = Duration::from_secs(60);

fn config(supersede: bool) -> Config {
    let mut channel = log_channel("console");
    channel.supersede = Some(supersede);
    let mut config = Config::default();
    config.channels = vec![channel];
    config.route = route(&["console"], &[]);
    config
}

impl World {
    async fn claim_all(&self) -> Vec<Claimed> {
        let lease =
            Lease { owner: "me", claim: "test", now: self.clock.now(), length: MINUTE, from_priority: 0 };
        self.store.claim_notifications("console", &lease, 10).await.unwrap()
    }

    /// The first attempt of a message ended like that, and it is to be tried again at once.
    async fn try_in_vain(&self, message: &Claimed, outcome: SendOutcome) {
        let now = self.clock.now();
        let finished = Finished {
            attempt_id: self.ids.next_id(),
            notification_id: message.id.clone(),
            channel: "console".to_owned(),
            owner: "me".to_owned(),
            series: message.series,
            number: message.attempts,
            started_at: now,
            ended_at: now,
            outcome,
            status: None,
            error: Some("in vain".to_owned()),
            response: None,
            next: Next::Retry(now),
            maybe_twice: false,
            preview: None,
            reference: None,
        };
        let recording = Recording { finished: vec![finished], ..Recording::default() };
        self.store.record_attempts(&recording).await.unwrap();
    }

    async fn kinds_and_states(&self) -> Vec<(String, String)> {
        self.notifications().await.into_iter().map(|n| (n.kind, n.state)).collect()
    }
}

fn told(message: &Claimed) -> Snapshot {
    serde_json::from_str(&message.snapshot).unwrap()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(kind, state)| ((*kind).to_owned(), (*state).to_owned())).collect()
}

async fn what_ended_before_its_begin_was_told_is_told_once(fresh: Fresh) {
    let world = World::open(fresh, &config(true)).await;

    world.tell(&[firing("a", "high")]).await;
    world.clock.advance(MINUTE);
    world.tell(&[resolved("a", "high")]).await;

    assert_eq!(world.kinds_and_states().await, pairs(&[("firing", "superseded"), ("resolved", "pending")]));
    let all = world.notifications().await;
    assert!(all[0].reason.contains(&all[1].id), "{}", all[0].reason);
    assert!(all[0].finished_at.is_some());
    let snapshot = told(&world.claim_all().await[0]);
    let overtook = snapshot.overtook.unwrap();
    assert_eq!((overtook.count, overtook.since), (1, super::START));
    assert_eq!(overtook.kinds, [NotificationKind::Firing]);
    assert_eq!(snapshot.incident.resolved_at, Some(super::START.plus(MINUTE)));
}

async fn of_several_changes_that_could_not_be_told_the_newest_is_told_as_the_first_word(fresh: Fresh) {
    let world = World::open(fresh, &config(true)).await;
    world.add_entry("fraud").await;

    world.tell(&[firing("a", "low")]).await;
    world.tell(&[firing("a", "low"), firing("b", "high")]).await;
    world.clock.advance(MINUTE);
    world.tell(&[firing("c", "high")]).await;
    world.pass(MINUTE).await;

    let mut claimed = world.claim_all().await;
    assert_eq!(claimed.len(), 1);
    let snapshot = told(&claimed.remove(0));
    assert_eq!((snapshot.kind, snapshot.previous_severity), (NotificationKind::Firing, None));
    assert_eq!(snapshot.incident.firing, 3);
    let states = world.kinds_and_states().await;
    let superseded = states.iter().filter(|(_, state)| state == "superseded").count();
    assert_eq!(snapshot.overtook.unwrap().count, superseded as u64);
    assert_eq!(states.len(), superseded + 1);
}

async fn what_a_worker_is_sending_is_not_overtaken(fresh: Fresh) {
    let world = World::open(fresh, &config(true)).await;
    world.tell(&[firing("a", "high")]).await;
    assert_eq!(world.claim_all().await.len(), 1);

    world.tell(&[resolved("a", "high")]).await;

    assert_eq!(world.kinds_and_states().await, pairs(&[("firing", "sending"), ("resolved", "pending")]));
    assert!(world.claim_all().await.is_empty(), "the end waits for its begin");
}

async fn only_what_surely_did_not_arrive_is_overtaken(fresh: Fresh) {
    let world = World::open(fresh, &config(true)).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    let first = world.claim_all().await.remove(0);
    world.try_in_vain(&first, SendOutcome::NotProcessed).await;
    world.clock.advance(MINUTE);
    world.tell(&[firing("b", "high")]).await;
    let second = world.claim_all().await.remove(0);
    world.try_in_vain(&second, SendOutcome::Ambiguous).await;

    world.tell(&[resolved("a", "high"), resolved("b", "high")]).await;

    assert_eq!(
        world.kinds_and_states().await,
        pairs(&[("firing", "superseded"), ("firing", "pending"), ("resolved", "pending")])
    );
}

async fn a_channel_that_does_not_supersede_is_told_every_step(fresh: Fresh) {
    let world = World::open(fresh, &config(false)).await;

    world.tell(&[firing("a", "high")]).await;
    world.tell(&[resolved("a", "high")]).await;

    assert_eq!(world.kinds_and_states().await, pairs(&[("firing", "pending"), ("resolved", "pending")]));
}
