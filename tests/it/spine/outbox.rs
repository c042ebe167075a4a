//! Leases, order and recording.

use std::time::Duration;

use modelpager::domain::clock::Timestamp;
use modelpager::domain::notification::Snapshot;
use modelpager::domain::outcome::SendOutcome;
use modelpager::store::outbox::{Claimed, Finished, HealthChange, Lease, Next, Recording};
use modelpager::store::outbox_hand::{Redeliver, Redelivery};
use serde_json::json;

use super::{START, World, alert, config, firing, resolved};
use crate::support::databases::{Fresh, execute, on_both_databases};

const MINUTE: Duration = Duration::from_secs(60);

on_both_databases! {
    messages_of_one_problem_are_handed_out_in_order,
    messages_of_different_problems_are_handed_out_together,
    the_urgent_are_handed_out_first_and_from_further_down_the_others,
    what_is_given_back_was_never_attempted,
    two_claimers_never_share_a_message,
    what_is_next_is_found_quickly_although_nobody_knows_how_much_waits,
    a_message_waits_for_its_time_and_is_recorded_with_every_attempt,
    a_lost_lease_cannot_finish_a_message_somebody_else_took,
    a_finished_message_can_be_sent_again_under_its_own_id,
    what_is_sent_again_goes_ahead_of_what_came_later_of_its_problem,
    what_is_owed_to_a_removed_channel_is_withdrawn,
    a_reference_is_handed_to_the_next_message_of_the_conversation,
}

impl World {
    async fn claim(&self, owner: &str) -> Vec<Claimed> {
        use modelpager::domain::clock::Clock as _;
        let lease = Lease { owner, claim: "test", now: self.clock.now(), length: MINUTE, from_priority: 0 };
        self.store.claim_notifications("console", &lease, 10).await.unwrap()
    }

    async fn finish(&self, message: &Claimed, owner: &str, next: Next) {
        let finished = Finished { owner: owner.to_owned(), next, ..ended(self.ids.next_id(), message) };
        let recording = Recording { finished: vec![finished], ..Recording::default() };
        self.store.record_attempts(&recording).await.unwrap();
    }
}

fn ended(attempt_id: String, message: &Claimed) -> Finished {
    Finished {
        attempt_id,
        notification_id: message.id.clone(),
        channel: "console".to_owned(),
        owner: "me".to_owned(),
        series: message.series,
        number: message.attempts,
        started_at: START,
        ended_at: START.plus(Duration::from_millis(42)),
        outcome: SendOutcome::Accepted,
        status: Some(200),
        error: None,
        response: Some("ok".to_owned()),
        next: Next::Delivered,
        maybe_twice: false,
        preview: Some(
            json!({"title": "t", "text": "x", "body": "b", "content_type": "text/plain"}).to_string(),
        ),
        reference: None,
    }
}

async fn messages_of_one_problem_are_handed_out_in_order(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    world.tell(&[resolved("a", "high")]).await;

    let first = world.claim("me").await;
    assert_eq!(first.len(), 1);
    assert!(first[0].snapshot.contains("\"kind\":\"firing\""));
    assert!(world.claim("me").await.is_empty());
    world.finish(&first[0], "me", Next::Retry(START.plus(MINUTE))).await;
    assert!(world.claim("me").await.is_empty(), "the resolve must not overtake");
    assert_eq!(world.store.next_due("console").await.unwrap(), Some(START.plus(MINUTE)));

    world.clock.advance(MINUTE);
    let again = world.claim("me").await;
    assert_eq!((again[0].id.as_str(), again[0].attempts), (first[0].id.as_str(), 2));
    world.finish(&again[0], "me", Next::Delivered).await;
    let second = world.claim("me").await;
    assert!(second[0].snapshot.contains("\"kind\":\"resolved\""));
}

async fn messages_of_different_problems_are_handed_out_together(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let unknown: Vec<_> = (0..7).map(|n| alert(("firing", "x", "high", &format!("i{n}")))).collect();
    world.tell(&unknown).await;

    assert_eq!(world.claim("me").await.len(), 7);
}

async fn the_urgent_are_handed_out_first_and_from_further_down_the_others(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    for severity in ["low", "high", "critical", "info"] {
        world.tell(&[alert(("firing", severity, severity, "a"))]).await;
    }
    let claim_one = async |from_priority| {
        let lease = Lease { owner: "me", claim: "test", now: START, length: MINUTE, from_priority };
        let claimed = world.store.claim_notifications("console", &lease, 1).await.unwrap();
        let snapshot: Snapshot = serde_json::from_str(&claimed[0].snapshot).unwrap();
        snapshot.incident.severity.as_str()
    };

    assert_eq!(claim_one(0).await, "critical");
    assert_eq!(claim_one(3).await, "low");
    assert_eq!(claim_one(0).await, "high");
    assert_eq!(claim_one(0).await, "info");
}

async fn what_is_given_back_was_never_attempted(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.tell(&[firing("a", "high")]).await;
    let message = world.claim("me").await.remove(0);

    let leased = |claim: &str| [(message.id.clone(), claim.to_owned())];

    world.store.give_back(&leased("somebody else's")).await.unwrap();
    assert!(world.claim("me").await.is_empty(), "only who leased it can give it back");
    world.store.give_back(&leased(&message.lease_claim)).await.unwrap();

    let again = world.claim("me").await.remove(0);
    assert_eq!((again.id.as_str(), again.attempts), (message.id.as_str(), 1));
}

async fn two_claimers_never_share_a_message(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let unknown: Vec<_> = (0..60).map(|n| alert(("firing", "x", "high", &format!("i{n}")))).collect();
    world.tell(&unknown).await;

    let owners: Vec<String> = (0..6).map(|n| format!("worker-{n}")).collect();
    let claims = futures_util::future::join_all(owners.iter().map(|owner| world.claim(owner))).await;

    let mut ids: Vec<String> = claims.into_iter().flatten().map(|message| message.id).collect();
    let handed_out = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), handed_out);
    assert!(handed_out >= 10);
}

/// Written at once, as after an outage: the database has no statistics about it yet.
const MUCH: &str = "INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, alertname, \
     created_at, due_at, expires_at, attempts, series, reason, maybe_twice, snapshot) \
     WITH RECURSIVE number(n) AS (SELECT 1000001 UNION ALL SELECT n + 1 FROM number WHERE n < 1006000) \
     SELECT CAST(n AS TEXT), 'console', 'AccuracyDrop:' || CAST(n AS TEXT), 'firing', 'pending', 'high', '', \
     'AccuracyDrop', 1, 1, 9999999999999, 0, 1, '', FALSE, '{}' FROM number";

async fn what_is_next_is_found_quickly_although_nobody_knows_how_much_waits(fresh: Fresh) {
    let world = World::on(&fresh.url(), &config()).await;
    execute(&fresh.url(), MUCH).await;
    let begun = std::time::Instant::now();

    assert_eq!(world.store.next_due("console").await.unwrap(), Some(Timestamp::from_millis(1)));
    assert_eq!(world.claim("me").await.len(), 10);

    // A few milliseconds; what compares all with all takes ten seconds and more.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

async fn a_message_waits_for_its_time_and_is_recorded_with_every_attempt(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.tell(&[firing("a", "high")]).await;
    let message = world.claim("me").await.remove(0);
    let refused = Finished {
        outcome: SendOutcome::NotProcessed,
        status: Some(429),
        error: Some("too many".to_owned()),
        next: Next::Retry(START.plus(MINUTE)),
        ..ended(world.ids.next_id(), &message)
    };
    let health = HealthChange {
        paused_until: Some(START.plus(MINUTE)),
        failures: 1,
        last_failure_at: Some(START),
        last_error: Some("too many".to_owned()),
        ..HealthChange::default()
    };
    let recording = Recording {
        finished: vec![refused],
        health: vec![("console".to_owned(), health)],
        ..Recording::default()
    };
    world.store.record_attempts(&recording).await.unwrap();
    assert_eq!(world.store.paused_until("console").await.unwrap(), Some(START.plus(MINUTE)));

    world.clock.advance(MINUTE);
    let again = world.claim("me").await.remove(0);
    world.finish(&again, "me", Next::Delivered).await;

    let detail = world.store.find_notification(&message.id).await.unwrap().unwrap();
    assert_eq!(detail.summary.state, "delivered");
    let attempts: Vec<_> = detail.attempts.iter().map(|a| (a.number, a.outcome.as_str(), a.status)).collect();
    assert_eq!(attempts, [(1, "not_processed", Some(429)), (2, "accepted", Some(200))]);
    assert_eq!(detail.attempts[0].duration_ms, 42);
}

async fn a_lost_lease_cannot_finish_a_message_somebody_else_took(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.tell(&[firing("a", "high")]).await;
    let message = world.claim("slow").await.remove(0);

    world.clock.advance(MINUTE * 2);
    let mut tx = world.store.begin_write().await.unwrap();
    let lost = tx.lost_leases(START.plus(MINUTE * 2)).await.unwrap();
    assert_eq!(lost.len(), 1);
    tx.commit().await.unwrap();
    world.finish(&message, "slow", Next::Retry(START)).await;
    let taken = world.claim("quick").await.remove(0);
    world.finish(&taken, "slow", Next::Failed("late".to_owned())).await;

    let detail = world.store.find_notification(&message.id).await.unwrap().unwrap();
    assert_eq!(detail.summary.state, "sending");
}

async fn a_finished_message_can_be_sent_again_under_its_own_id(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.tell(&[firing("a", "high")]).await;
    let message = world.claim("me").await.remove(0);
    let wish =
        Redeliver { id: &message.id, actor: "ann", now: START, expires_at: Timestamp::from_millis(i64::MAX) };
    assert_eq!(world.store.redeliver_notification(&wish, &world.ids).await.unwrap(), Redelivery::Unfinished);
    world.finish(&message, "me", Next::Failed("refused".to_owned())).await;

    let redelivery = world.store.redeliver_notification(&wish, &world.ids).await.unwrap();

    assert_eq!(redelivery, Redelivery::Queued { channel: "console".to_owned(), series: 2 });
    let again = world.claim("me").await.remove(0);
    assert_eq!((again.id.as_str(), again.series, again.attempts), (message.id.as_str(), 2, 1));
    let incident = &world.incidents().await[0];
    let timeline = world.store.find_incident(&incident.id).await.unwrap().unwrap().timeline;
    assert!(timeline.iter().any(|line| line.kind == "redelivered" && line.actor == "ann"));
    let nobody = Redeliver { id: "no-such-id", ..wish };
    assert_eq!(world.store.redeliver_notification(&nobody, &world.ids).await.unwrap(), Redelivery::NotFound);
}

async fn what_is_sent_again_goes_ahead_of_what_came_later_of_its_problem(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    let message = world.claim("me").await.remove(0);
    world.finish(&message, "me", Next::Failed("refused".to_owned())).await;
    world.tell(&[resolved("a", "high")]).await;
    let wish =
        Redeliver { id: &message.id, actor: "ann", now: START, expires_at: Timestamp::from_millis(i64::MAX) };

    world.store.redeliver_notification(&wish, &world.ids).await.unwrap();

    let first = world.claim("me").await;
    assert_eq!((first.len(), first[0].id.as_str()), (1, message.id.as_str()), "the end must be told last");
    world.finish(&first[0], "me", Next::Delivered).await;
    assert!(world.claim("me").await[0].snapshot.contains("\"kind\":\"resolved\""));
}

async fn what_is_owed_to_a_removed_channel_is_withdrawn(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.tell(&[firing("a", "critical")]).await;

    let cancelled = world.store.cancel_orphans(&["console"], START).await.unwrap();

    assert_eq!(cancelled, 1);
    let states: Vec<_> = world.notifications().await.into_iter().map(|n| (n.channel, n.state)).collect();
    assert!(states.contains(&("oncall".to_owned(), "cancelled".to_owned())), "{states:?}");
    assert!(states.contains(&("console".to_owned(), "pending".to_owned())), "{states:?}");
    assert_eq!(world.store.cancel_orphans(&[], START).await.unwrap(), 1);
}

async fn a_reference_is_handed_to_the_next_message_of_the_conversation(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.tell(&[firing("a", "high")]).await;
    world.tell(&[resolved("a", "high")]).await;
    let first = world.claim("me").await.remove(0);
    assert_eq!(first.reference, None);
    let finished =
        Finished { reference: Some("{\"ts\":\"1.2\"}".to_owned()), ..ended(world.ids.next_id(), &first) };
    let recording = Recording { finished: vec![finished], ..Recording::default() };
    world.store.record_attempts(&recording).await.unwrap();

    let second = world.claim("me").await.remove(0);

    assert_eq!(second.reference.as_deref(), Some("{\"ts\":\"1.2\"}"));
}
