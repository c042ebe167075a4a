//! Rate limits, and what becomes of the messages that exceed them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use modelpager::config::{ChannelConfig, Config};
use modelpager::dispatch::Dispatcher;
use modelpager::domain::clock::{SharedClock, Timestamp};
use modelpager::domain::incident::Incident;
use modelpager::domain::notification::{FOLDED_KEY, NotificationKind, Snapshot};
use modelpager::domain::outcome::SendOutcome;
use modelpager::domain::rate::RateLimit;
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;
use modelpager::store::limited::{Folded, Limit, Waiting};
use modelpager::store::log_notifications::NotificationSummary;
use modelpager::store::outbox::{Lease, Next};
use modelpager::store::triage::NewNotification;
use serde_json::{Value, json};

use super::{World, alert, log_channel, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    replicas_share_the_limit_of_a_channel,
    what_came_later_waits_for_the_message_that_stands_for_what_came_first,
    ten_thousand_messages_become_few_and_none_is_forgotten,
    after_a_long_outage_readers_get_few_messages,
    without_folding_everything_is_sent_at_the_rate_allowed,
}

const LIMIT: Duration = Duration::from_secs(120);

fn config(mut channel: ChannelConfig, rate: &str) -> Config {
    channel.rate_limit = Some(rate.parse().unwrap());
    let mut config = Config::default();
    config.route = route(&[channel.name.as_str()], &[]);
    config.channels = vec![channel];
    config
}

/// Lets virtual time pass until nothing waits any more; answers how much passed.
async fn drain(world: &World, dispatcher: &Dispatcher, channel: &str, step: Duration) -> Duration {
    let deadline = tokio::time::Instant::now() + LIMIT;
    let mut passed = Duration::ZERO;
    while world.store.notifications_waiting().await.unwrap().waiting > 0 {
        assert!(tokio::time::Instant::now() < deadline, "not drained");
        world.clock.advance(step);
        passed += step;
        dispatcher.wake([channel]);
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    passed
}

/// `count` problems of their own.
fn problems(status: &str, count: usize) -> Vec<Value> {
    let severity = |n: usize| ["critical", "high", "medium", "low"][n % 4];
    (0..count).map(|n| alert((status, &format!("model-{n}"), severity(n), "i"))).collect()
}

fn of_state<'n>(all: &'n [NotificationSummary], state: &str) -> Vec<&'n NotificationSummary> {
    all.iter().filter(|n| n.state == state).collect()
}

async fn replicas_share_the_limit_of_a_channel(fresh: Fresh) {
    let config = config(log_channel("console"), "1/s burst 3");
    let world = World::on(&fresh.url(), &config).await;
    // SQLite serves one process.
    let other = match &fresh {
        Fresh::Sqlite(_) => world.store.clone(),
        Fresh::Postgres(_) => World::on(&fresh.url(), &config).await.store,
    };
    world.tell(&problems("firing", 20)).await;
    let Some(RateLimit::Rate(rate)) = config.channels[0].rate_limit else { panic!("no rate") };
    let limit = Limit { rate, patience: 1_000, fold: None };
    let claim = async |store: &modelpager::store::Store, owner: &str, from_start: u64| {
        let now = super::START.plus(Duration::from_secs(from_start));
        let lease = Lease { owner, claim: "test", now, length: Duration::from_secs(60), from_priority: 0 };
        let within = store.claim_within("console", &lease, 10, &limit).await.unwrap();
        (within.claimed.len(), within.not_before)
    };

    assert_eq!(world.store.waiting_for("console").await.unwrap().waiting, 20);
    let (one, two) = tokio::join!(claim(&world.store, "one", 0), claim(&other, "two", 0));

    assert_eq!(one.0 + two.0, 3, "{one:?} {two:?}");
    let next = super::START.plus(Duration::from_secs(1));
    assert_eq!(claim(&world.store, "one", 0).await, (0, Some(next)));
    assert_eq!(claim(&other, "two", 1).await.0, 1);
    assert_eq!(claim(&world.store, "one", 1).await.0, 0);
}

async fn what_came_later_waits_for_the_message_that_stands_for_what_came_first(fresh: Fresh) {
    let config = config(log_channel("console"), "1/s burst 2");
    let world = World::open(fresh, &config).await;
    world.tell(&problems("firing", 12)).await;
    let lease = |from_start: u64| {
        let now = super::START.plus(Duration::from_secs(from_start));
        Lease { owner: "me", claim: "test", now, length: Duration::from_secs(60), from_priority: 0 }
    };
    let first = world.store.claim_notifications("console", &lease(0), 1).await.unwrap();
    let like: Snapshot = serde_json::from_str(&first[0].snapshot).unwrap();
    let one_for = |waiting: &[Waiting]| {
        let (id, dedup_key) = (String::new(), FOLDED_KEY.to_owned());
        let incident = Incident { id, dedup_key, ..like.incident.clone() };
        let one = NewNotification {
            id: world.ids.next_id(),
            channel: "console".to_owned(),
            received_at: None,
            expires_at: Timestamp::from_millis(waiting[0].expires_at),
            follows: None,
            is_flood: false,
            snapshot: Snapshot { kind: NotificationKind::Folded, incident, ..like.clone() },
        };
        Folded { one, timeline: Vec::new() }
    };
    let Some(RateLimit::Rate(rate)) = config.channels[0].rate_limit else { panic!("no rate") };
    let limit = Limit { rate, patience: 3, fold: Some(&one_for) };

    let within = world.store.claim_within("console", &lease(0), 10, &limit).await.unwrap();

    assert_eq!((within.claimed.len(), within.folded.len()), (2, 10));
    world.tell(&problems("resolved", 12)).await;
    assert!(world.store.claim_notifications("console", &lease(1), 50).await.unwrap().is_empty());
    assert_eq!(world.store.next_due("console").await.unwrap(), None);
    let folded = within.claimed.iter().find(|message| message.dedup_key == FOLDED_KEY).unwrap();
    assert_eq!(folded.reference, None);
    world.record("me", folded, SendOutcome::Accepted, Next::Delivered).await;
    assert_eq!(world.store.claim_notifications("console", &lease(1), 50).await.unwrap().len(), 10);
}

async fn ten_thousand_messages_become_few_and_none_is_forgotten(fresh: Fresh) {
    const MESSAGES: usize = 10_000;
    let config = config(log_channel("console"), "1/s burst 10");
    let world = World::open(fresh, &config).await;
    for chunk in problems("firing", MESSAGES).chunks(1_000) {
        world.tell(chunk).await;
    }
    let dispatcher = world.dispatch(&config).await;

    drain(&world, &dispatcher, "console", Duration::from_millis(500)).await;

    dispatcher.stop(Duration::from_secs(5)).await;
    let all = world.all_notifications().await;
    let (folded, others): (Vec<_>, Vec<_>) = all.iter().partition(|n| n.kind == "folded");
    assert_eq!(others.len(), MESSAGES);
    let delivered = of_state(&all, "delivered").len();
    assert!((2..=30).contains(&delivered), "{delivered} messages");
    assert!(folded.iter().all(|n| n.state == "delivered"));
    assert!(all.iter().all(|n| !n.reason.is_empty() && n.finished_at.is_some()));
    // Each is told alone or counted in the message that stands for it.
    let alone = others.iter().filter(|n| n.state == "delivered").count();
    let superseded = of_state(&all, "superseded");
    assert_eq!(alone + superseded.len(), MESSAGES);
    let counted: usize =
        folded.iter().map(|n| n.alertname.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(counted, superseded.len());
    let by: BTreeSet<&str> = folded.iter().map(|n| n.id.as_str()).collect();
    assert!(superseded.iter().all(|n| by.iter().any(|id| n.reason.contains(id))));
    timelines_say_which_message_stands_for_theirs(&world, &folded).await;
    // The most urgent go alone; a turn in eight is for the others.
    let urgent = others.iter().filter(|n| n.state == "delivered" && n.severity == "critical").count();
    assert!(urgent * 2 > alone, "{urgent} of {alone}");
}

/// Of the newest incidents: there are ten thousand.
async fn timelines_say_which_message_stands_for_theirs(world: &World, folded: &[&NotificationSummary]) {
    let mut told = 0;
    for incident in world.incidents().await {
        let incident = world.store.find_incident(&incident.id).await.unwrap().unwrap();
        for line in incident.timeline.iter().filter(|line| line.kind == "folded") {
            let detail = line.detail.value();
            let message = world.store.find_notification(detail["notification_id"].as_str().unwrap()).await;
            let message = message.unwrap().unwrap();
            let by = detail["folded_into"].as_str().unwrap();
            assert!(folded.iter().any(|one| one.id == by), "{by}");
            assert!(message.summary.reason.contains(by), "{}", message.summary.reason);
            assert_eq!((&detail["channel"], &detail["message"]), (&json!("console"), &json!("firing")));
            told += 1;
        }
    }
    assert!(told > 0);
}

async fn after_a_long_outage_readers_get_few_messages(fresh: Fresh) {
    const INCIDENTS: usize = 1_000;
    let mut channel = ChannelConfig::new("chat", "webhook");
    channel.supersede = Some(true);
    // Virtual hours pass while a real request is under way: no lease is lost over it.
    channel.timeout.0 = Duration::from_secs(36_000);
    let mut config = config(channel, "6/m burst 3");
    let world = World::open(fresh, &config).await;
    let clock: SharedClock = Arc::new(world.clock.clone());
    let fake = WebhookFake::unsigned(clock).await.unwrap();
    config.channels[0].settings.insert("url".to_owned(), Value::String(fake.url()));
    fake.http().always(Step::retry_after(503, "60"));
    let dispatcher = world.dispatch(&config).await;
    // Two hours: every quarter of an hour all of them begin or end.
    for round in 0..8 {
        let status = if round % 2 == 0 { "firing" } else { "resolved" };
        for chunk in problems(status, INCIDENTS).chunks(500) {
            world.tell(chunk).await;
        }
        for _ in 0..30 {
            world.clock.advance(Duration::from_secs(30));
            dispatcher.wake(["chat"]);
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }
    assert!(fake.messages().is_empty());
    fake.http().always(Step::usual());

    drain(&world, &dispatcher, "chat", Duration::from_secs(10)).await;

    dispatcher.stop(Duration::from_secs(5)).await;
    let received = fake.messages().len();
    assert!((1..=40).contains(&received), "{received} messages after the outage");
    let all = world.all_notifications().await;
    assert!(all.iter().all(|n| n.finished_at.is_some() && !n.reason.is_empty()));
    assert!(of_state(&all, "superseded").len() >= INCIDENTS);
    fake.violations().assert_clean();
    // What stands for every message in the end was delivered.
    let by_id: BTreeMap<&str, &NotificationSummary> = all.iter().map(|n| (n.id.as_str(), n)).collect();
    for mut message in all.iter() {
        while message.state == "superseded" {
            let words = message.reason.split([' ', ':']);
            message = words.filter_map(|word| by_id.get(word)).next().unwrap();
        }
        assert_eq!(message.state, "delivered", "{message:?}");
    }
}

async fn without_folding_everything_is_sent_at_the_rate_allowed(fresh: Fresh) {
    let config = config(log_channel("console"), "1/s burst 2");
    let world = World::open(fresh, &config).await;
    world.tell(&problems("firing", 4)).await;
    let dispatcher = world.dispatch(&config).await;

    let took = drain(&world, &dispatcher, "console", Duration::from_millis(250)).await;

    dispatcher.stop(Duration::from_secs(5)).await;
    assert!(took >= Duration::from_secs(2), "{took:?}");
    let all = world.all_notifications().await;
    assert!(all.iter().all(|n| n.state == "delivered"), "{all:?}");
}
