//! Channels that do not deliver: left alone, tried now and then, and given everything once
//! they work again. The dispatcher runs on a clock that the tests move.

use std::sync::Arc;
use std::time::Duration;

use modelpager::config::{ChannelConfig, Config};
use modelpager::dispatch::Dispatcher;
use modelpager::dispatch::plan::Plan;
use modelpager::domain::clock::{Clock as _, SharedClock};
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;
use modelpager::http::Proxies;
use modelpager::store::breakers::BreakerRow;
use modelpager::store::log_notifications::NotificationSummary;
use serde_json::{Value, json};

use super::{World, alert, resolved, route};
use crate::support::databases::{Fresh, on_both_databases, on_postgres};

on_both_databases! {
    a_channel_that_fails_for_a_while_is_left_alone_and_recovers_in_order,
    a_refused_channel_costs_one_message_and_the_others_wait,
    a_refused_probe_waits_with_the_others,
    a_restart_finds_the_breaker_open_and_sends_one_probe,
    changed_settings_are_a_new_chance,
    an_unchanged_reload_is_none,
    a_test_that_arrives_is_a_new_chance,
    one_replica_sends_the_probe,
}

on_postgres! {
    another_replica_hears_of_the_outage_and_of_its_end,
    what_one_replica_was_asked_for_all_leave_alone,
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const LIMIT: Duration = Duration::from_secs(20);

/// A world whose only channel is a signed webhook.
pub struct Stage {
    pub world: World,
    pub dispatcher: Dispatcher,
    pub hook: WebhookFake,
    pub config: Config,
}

pub fn webhook(name: &str, fake: &WebhookFake) -> ChannelConfig {
    let mut channel = ChannelConfig::new(name, "webhook");
    channel.settings.insert("url".to_owned(), Value::String(fake.url()));
    channel.settings.insert("secret".to_owned(), Value::String(SECRET.to_owned()));
    channel
}

impl Stage {
    async fn open(fresh: Fresh) -> Self {
        let mut config = Config::default();
        config.channels = vec![super::log_channel("hook")];
        config.route = route(&["hook"], &[]);
        let world = World::open(fresh, &config).await;
        world.add_entry("fraud").await;
        let clock: SharedClock = Arc::new(world.clock.clone());
        let hook = WebhookFake::with_secret(clock, SECRET).await.unwrap();
        config.channels = vec![webhook("hook", &hook)];
        let dispatcher = world.dispatch(&config).await;
        Self { world, dispatcher, hook, config }
    }

    async fn tell(&self, model: &str) {
        self.tell_alert(alert(("firing", model, "high", "a"))).await;
    }

    async fn tell_alert(&self, alert: Value) {
        self.world.tell(&[alert]).await;
        self.dispatcher.wake(["hook"]);
    }

    fn sends(&self) -> usize {
        self.hook.http().requests().len()
    }

    async fn breaker(&self) -> Option<BreakerRow> {
        self.world.store.breakers().await.unwrap().into_iter().find(|row| row.channel == "hook")
    }

    async fn is_in(&self, state: &str) -> bool {
        self.breaker().await.is_some_and(|row| row.breaker == state)
    }

    /// The messages and how often each was tried, oldest first.
    async fn messages(&self) -> Vec<(String, i64)> {
        let told = |n: NotificationSummary| (n.state, n.attempt_count);
        self.world.notifications().await.into_iter().map(told).collect()
    }

    /// Lets time pass, second by second, until what is waited for has come.
    async fn pass_until(&self, what: &str, come: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !come().await {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
            self.world.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets time pass, second by second, with time for everybody to act.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.world.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until what is to come at once has come.
    async fn wait_until(&self, what: &str, come: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !come().await {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn refuse(&self) {
        self.hook.http().always(Step::status(401));
        self.tell("first").await;
        self.wait_until("the breaker opens", || self.is_in("open")).await;
    }

    async fn all_delivered(&self) -> bool {
        self.world.notifications().await.iter().all(|n| n.state == "delivered")
    }
}

async fn a_channel_that_fails_for_a_while_is_left_alone_and_recovers_in_order(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.hook.http().always(Step::status(500));
    stage.tell("fraud").await;
    stage.pass_until("the breaker opens", || stage.is_in("open")).await;
    let sends = stage.sends();
    assert!(sends >= 5, "{sends}");
    let opened_at = stage.breaker().await.unwrap().opened_at.unwrap();
    assert!(opened_at - super::START.as_millis() >= 30_000, "{opened_at}");

    stage.tell("churn").await;
    stage.tell_alert(resolved("a", "high")).await;
    stage.pass(5).await;
    assert_eq!(stage.sends(), sends, "something was sent before the probe was due");
    let waiting = stage.messages().await;
    assert_eq!(waiting[1..], [("pending".to_owned(), 0), ("pending".to_owned(), 0)]);

    stage.hook.http().always(Step::usual());
    stage.pass_until("everything is delivered", || stage.all_delivered()).await;
    let told: Vec<Value> = stage
        .hook
        .messages()
        .iter()
        .filter(|message| {
            message.body["data"]["incidents"][0]["dedup_key"].as_str().unwrap().contains("fraud")
        })
        .map(|message| message.body["type"].clone())
        .collect();
    assert_eq!(told.last(), Some(&json!("incident.resolved")));
    assert!(stage.is_in("closed").await);
    stage.hook.violations().assert_clean();
}

async fn a_refused_channel_costs_one_message_and_the_others_wait(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.refuse().await;

    stage.tell("second").await;
    stage.tell("third").await;
    stage.pass(5).await;

    assert_eq!(stage.sends(), 1);
    let messages = stage.messages().await;
    let states: Vec<(&str, i64)> = messages.iter().map(|(state, tries)| (state.as_str(), *tries)).collect();
    assert_eq!(states, [("failed", 1), ("pending", 0), ("pending", 0)]);
    let row = stage.breaker().await.unwrap();
    assert_eq!(row.opened_reason.as_deref(), Some("answered HTTP 401"));

    stage.hook.http().always(Step::usual());
    assert_eq!(stage.dispatcher.reset_channel("hook", "ann").await.unwrap(), Some(true));
    stage.wait_until("the others are delivered", async || stage.hook.messages().len() >= 2).await;
    let audit = stage.world.store.list_audit("channel", "hook", 10).await.unwrap();
    assert_eq!((audit[0].action.as_ref(), audit[0].actor.as_str()), ("reset", "ann"));
    assert_eq!(stage.dispatcher.reset_channel("nope", "ann").await.unwrap(), None);
}

async fn a_refused_probe_waits_with_the_others(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.refuse().await;
    stage.tell("second").await;
    stage.tell("third").await;

    stage.pass_until("a probe", async || stage.sends() >= 2).await;
    stage.wait_until("it is recorded", || stage.is_in("open")).await;

    let waiting: Vec<String> = stage.messages().await.into_iter().map(|(state, _)| state).collect();
    assert_eq!(waiting, ["failed", "pending", "pending"]);
    assert_eq!(stage.breaker().await.unwrap().failed_probes, 1);
    let sends = stage.sends();
    // The second wait is twice the first, less a quarter at most.
    stage.pass(20).await;
    assert_eq!(stage.sends(), sends);
}

async fn a_restart_finds_the_breaker_open_and_sends_one_probe(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.refuse().await;
    stage.tell("second").await;
    stage.tell("third").await;
    stage.dispatcher.stop(Duration::from_secs(1)).await;

    let dispatcher = stage.world.dispatch(&stage.config).await;
    let stage = Stage { dispatcher, ..stage };
    stage.wait_until("a probe", async || stage.sends() == 2).await;
    stage.pass(5).await;

    assert_eq!(stage.sends(), 2);
}

async fn changed_settings_are_a_new_chance(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.refuse().await;
    stage.tell("second").await;
    stage.hook.http().always(Step::usual());

    let mut config = stage.config.clone();
    config.channels[0].settings.insert("headers".to_owned(), json!({"x-team": "risk"}));
    let (plan, _) =
        Plan::build(&config, &Proxies::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
    stage.dispatcher.apply(plan).await.unwrap();

    stage.wait_until("the breaker closes", || stage.is_in("closed")).await;
    stage.wait_until("the other is delivered", async || stage.hook.messages().len() == 1).await;
}

async fn an_unchanged_reload_is_none(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.refuse().await;
    stage.tell("second").await;

    let (plan, _) =
        Plan::build(&stage.config, &Proxies::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
    stage.dispatcher.apply(plan).await.unwrap();
    stage.pass(5).await;

    assert!(stage.is_in("open").await);
    assert_eq!(stage.sends(), 1);
}

async fn a_test_that_arrives_is_a_new_chance(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.refuse().await;
    stage.tell("second").await;
    stage.dispatcher.send_test("hook", "ann").await.unwrap();
    assert!(stage.is_in("open").await, "a test that failed closed it");

    stage.hook.http().always(Step::usual());
    stage.dispatcher.send_test("hook", "ann").await.unwrap();

    stage.wait_until("the other is delivered", async || stage.hook.messages().len() == 2).await;
    stage.wait_until("it is closed", || stage.is_in("closed")).await;
}

async fn another_replica_hears_of_the_outage_and_of_its_end(fresh: Fresh) {
    let url = fresh.url();
    let stage = Stage::open(fresh).await;
    let other = World::on(&url, &stage.config).await;
    let clock: SharedClock = Arc::new(stage.world.clock.clone());
    let replica = other.dispatch_by(clock, &stage.config).await;
    stage.refuse().await;
    let state =
        |state: &str| format!("modelpager_channel_breaker_state{{channel=\"hook\",state=\"{state}\"}} 1");
    let shows = async |word: &str| {
        stage.pass(1).await;
        other.metrics.encode().contains(&state(word))
    };
    stage.wait_until("the other replica hears of it", async || shows("open").await).await;
    let sends = stage.sends();

    stage.world.tell(&[alert(("firing", "second", "high", "a"))]).await;
    replica.wake(["hook"]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stage.sends(), sends);

    stage.hook.http().always(Step::usual());
    stage.dispatcher.reset_channel("hook", "ann").await.unwrap();
    stage.wait_until("the other replica hears of its end", async || shows("closed").await).await;
}

async fn what_one_replica_was_asked_for_all_leave_alone(fresh: Fresh) {
    let url = fresh.url();
    let stage = Stage::open(fresh).await;
    let other = World::on(&url, &stage.config).await;
    let clock: SharedClock = Arc::new(stage.world.clock.clone());
    let replica = other.dispatch_by(clock, &stage.config).await;
    stage.hook.http().always(Step::retry_after(429, "60"));
    stage.tell("first").await;
    let paused = async || stage.world.store.paused_until("hook").await.unwrap().is_some();
    stage.wait_until("the channel is paused", paused).await;
    let sends = stage.sends();
    stage.hook.http().always(Step::usual());

    for model in ["second", "third", "fourth"] {
        stage.world.tell(&[alert(("firing", model, "high", "a"))]).await;
        replica.wake(["hook"]);
        stage.pass(10).await;
        assert_eq!(stage.sends(), sends, "sent before the time asked for");
    }
    stage.pass_until("everything is delivered", || stage.all_delivered()).await;
    replica.stop(Duration::from_secs(1)).await;
}

async fn one_replica_sends_the_probe(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.refuse().await;
    stage.dispatcher.stop(Duration::from_secs(1)).await;
    let store = &stage.world.store;
    let now = stage.world.clock.now();
    let later = now.plus(Duration::from_secs(60));
    let lost_at = later.plus(Duration::from_secs(75));

    assert!(!store.claim_probe("hook", now, lost_at).await.unwrap(), "before it was due");
    assert!(store.claim_probe("hook", later, lost_at).await.unwrap());
    assert!(!store.claim_probe("hook", later, lost_at).await.unwrap(), "a second one");
    assert!(stage.is_in("half_open").await);

    store.forgo_probe("hook", later, lost_at).await.unwrap();
    assert!(store.claim_probe("hook", later, lost_at).await.unwrap());
    assert!(store.claim_probe("hook", lost_at, lost_at.plus(LIMIT)).await.unwrap(), "the probe was lost");
}
