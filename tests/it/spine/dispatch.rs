//! The dispatcher against strict stand-ins of the providers.

use std::sync::Arc;
use std::time::Duration;

use modelpager::config::{ChannelConfig, Config, RouteConfig};
use modelpager::dispatch::Dispatcher;
use modelpager::dispatch::plan::Plan;
use modelpager::domain::clock::{Clock as _, SharedClock, SystemClock};
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;
use modelpager::http::Proxies;
use serde_json::{Value, json};

use super::{World, firing, resolved, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    a_message_is_delivered_and_logged_as_its_reader_saw_it,
    a_provider_that_says_never_ends_in_the_dead_letters,
    a_provider_that_fails_and_recovers_gets_everything_in_order,
    a_wish_to_be_left_alone_slows_the_whole_channel,
    a_hanging_channel_delays_no_other,
    a_message_whose_worker_died_is_sent_again_and_marked,
    what_a_channel_could_not_send_before_it_was_removed_is_withdrawn,
    a_test_is_sent_once_and_logged,
}

const LIMIT: Duration = Duration::from_secs(20);

/// A world with a dispatcher whose channels `good` and `bad` are signed webhooks.
struct Stage {
    world: World,
    dispatcher: Dispatcher,
    good: WebhookFake,
    bad: WebhookFake,
}

fn webhook(name: &str, fake: &WebhookFake, timeout: Duration) -> ChannelConfig {
    let mut channel = ChannelConfig::new(name, "webhook");
    channel.settings.insert("url".to_owned(), Value::String(fake.url()));
    channel.settings.insert("secret".to_owned(), Value::String(SECRET.to_owned()));
    channel.timeout.0 = timeout;
    channel
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

impl Stage {
    async fn open(fresh: Fresh) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let good = WebhookFake::with_secret(clock.clone(), SECRET).await.unwrap();
        let bad = WebhookFake::with_secret(clock.clone(), SECRET).await.unwrap();
        let config = config(&good, &bad);
        let world = World::open(fresh, &config).await;
        // The dispatcher runs on the real clock: what was decided must not look a month old.
        world.clock.advance(SystemClock.now().since(super::START));
        world.add_entry("fraud").await;
        let dispatcher = start(&world, &config).await;
        Self { world, dispatcher, good, bad }
    }

    async fn tell(&self, alerts: &[Value]) {
        self.world.tell(alerts).await;
        self.dispatcher.wake(["good", "bad"]);
    }

    /// Waits until every message has ended.
    async fn drain(&self) -> Vec<(String, String, String)> {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let all = self.world.notifications().await;
            if all.iter().all(|n| n.finished_at.is_some()) {
                return all.into_iter().map(|n| (n.channel, n.kind, n.state)).collect();
            }
            assert!(tokio::time::Instant::now() < deadline, "not drained: {all:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn config(good: &WebhookFake, bad: &WebhookFake) -> Config {
    let mut config = Config::default();
    config.channels =
        vec![webhook("good", good, Duration::from_secs(5)), webhook("bad", bad, Duration::from_millis(700))];
    config.delivery.backoff_min.0 = Duration::from_millis(20);
    config.delivery.backoff_max.0 = Duration::from_millis(50);
    config.route = RouteConfig { ..route(&["good", "bad"], &[]) };
    config
}

/// On the real clock: what is measured here is waiting.
async fn start(world: &World, config: &Config) -> Dispatcher {
    world.dispatch_by(Arc::new(SystemClock), config).await
}

fn ended(channel: &str, kind: &str, state: &str) -> (String, String, String) {
    (channel.to_owned(), kind.to_owned(), state.to_owned())
}

async fn a_message_is_delivered_and_logged_as_its_reader_saw_it(fresh: Fresh) {
    let stage = Stage::open(fresh).await;

    stage.tell(&[firing("a", "high")]).await;

    assert_eq!(
        stage.drain().await,
        [ended("good", "firing", "delivered"), ended("bad", "firing", "delivered")]
    );
    let got = &stage.good.messages()[0];
    assert_eq!(got.body["type"], "incident.firing");
    assert_eq!(got.body["data"]["incidents"][0]["dedup_key"], "AccuracyDrop:fraud");
    let id = &stage.world.notifications().await[0].id;
    let logged = stage.world.store.find_notification(id).await.unwrap().unwrap();
    assert_eq!(logged.attempts.len(), 1);
    let rendered: Value = serde_json::to_value(&logged.rendered).unwrap();
    assert!(rendered["text"].as_str().unwrap().contains("AccuracyDrop"), "{rendered}");
    stage.good.violations().assert_clean();
}

async fn a_provider_that_says_never_ends_in_the_dead_letters(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.bad.http().always(Step::status(410));

    stage.tell(&[firing("a", "high")]).await;

    assert_eq!(stage.drain().await, [ended("good", "firing", "delivered"), ended("bad", "firing", "failed")]);
    assert_eq!(stage.bad.http().requests().len(), 1);
}

async fn a_provider_that_fails_and_recovers_gets_everything_in_order(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.bad.http().script([
        Step::status(500),
        Step::reset_after_request(),
        Step::reset_before_read(),
        Step::half_answer(),
    ]);

    stage.tell(&[firing("a", "high")]).await;
    stage.tell(&[resolved("a", "high")]).await;

    let all = stage.drain().await;
    assert!(all.iter().all(|(_, _, state)| state == "delivered"), "{all:?}");
    let kinds: Vec<Value> = stage.bad.messages().iter().map(|m| m.body["type"].clone()).collect();
    assert_eq!(kinds, [json!("incident.firing"), json!("incident.resolved")]);
    stage.bad.violations().assert_clean();
}

async fn a_wish_to_be_left_alone_slows_the_whole_channel(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.bad.http().script([Step::retry_after(429, "1")]);

    stage.tell(&[firing("a", "high")]).await;
    // The answer, not just the request, has to be through before the next message comes.
    let deadline = tokio::time::Instant::now() + LIMIT;
    while stage.world.store.paused_until("bad").await.unwrap().is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the channel is not paused");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.tell(&[super::alert(("firing", "unknown", "high", "z"))]).await;

    let all = stage.drain().await;
    assert!(all.iter().all(|(_, _, state)| state == "delivered"), "{all:?}");
    let requests = stage.bad.http().requests();
    assert_eq!(requests.len(), 3);
    let first = requests[0].received_at;
    assert!(requests[1..].iter().all(|r| r.received_at.since(first) >= Duration::from_secs(1)));
}

async fn a_hanging_channel_delays_no_other(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.bad.http().script([Step::hang()]);

    stage.tell(&[firing("a", "high")]).await;

    stage.good.http().wait_for_requests(1, LIMIT).await;
    assert!(stage.bad.messages().is_empty());
    stage.drain().await;
    assert_eq!(stage.bad.messages().len(), 1);
}

async fn a_message_whose_worker_died_is_sent_again_and_marked(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.dispatcher.stop(Duration::from_secs(1)).await;
    stage.world.tell(&[firing("a", "high")]).await;
    let lease = modelpager::store::outbox::Lease {
        owner: "a process that is gone",
        claim: "test",
        now: SystemClock.now(),
        length: Duration::from_secs(1),
        from_priority: 0,
    };
    // Claimed, and never heard of again.
    assert_eq!(stage.world.store.claim_notifications("good", &lease, 5).await.unwrap().len(), 1);

    let config = config(&stage.good, &stage.bad);
    let stage = Stage { dispatcher: start(&stage.world, &config).await, ..stage };

    assert_eq!(
        stage.drain().await,
        [ended("good", "firing", "delivered"), ended("bad", "firing", "delivered")]
    );
    let id = &stage.world.notifications().await[0].id;
    let logged = stage.world.store.find_notification(id).await.unwrap().unwrap();
    let outcomes: Vec<&str> = logged.attempts.iter().map(|a| a.outcome.as_str()).collect();
    assert_eq!(outcomes, ["ambiguous", "accepted"]);
}

async fn what_a_channel_could_not_send_before_it_was_removed_is_withdrawn(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.bad.http().always(Step::hang());
    stage.tell(&[firing("a", "high")]).await;
    stage.bad.http().wait_for_requests(1, LIMIT).await;
    let mut without_bad = config(&stage.good, &stage.bad);
    without_bad.channels.truncate(1);
    without_bad.route = route(&["good"], &[]);
    let (plan, _) =
        Plan::build(&without_bad, &Proxies::default()).unwrap_or_else(|problems| panic!("{problems:?}"));

    stage.dispatcher.apply(plan).await.unwrap();

    assert_eq!(
        stage.drain().await,
        [ended("good", "firing", "delivered"), ended("bad", "firing", "cancelled")]
    );
}

async fn a_test_is_sent_once_and_logged(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.bad.http().always(Step::status(503));

    let good = stage.dispatcher.send_test("good", "ann").await.unwrap();
    let bad = stage.dispatcher.send_test("bad", "ann").await.unwrap();

    assert_eq!((good.outcome.as_str(), good.status), ("accepted", Some(204)));
    assert_ne!(bad.outcome.as_str(), "accepted");
    assert_eq!(stage.drain().await, [ended("good", "test", "delivered"), ended("bad", "test", "failed")]);
    assert_eq!(stage.bad.http().requests().len(), 1);
    assert!(stage.dispatcher.send_test("no-such", "ann").await.is_err());
}
