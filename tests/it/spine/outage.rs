//! What waits behind an open breaker for hours, and what becomes of it when the provider is
//! back: few messages and no stale ones where they may be folded or overtaken, all of them in
//! order where somebody is paged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use modelpager::config::{ChannelConfig, Config};
use modelpager::dispatch::Dispatcher;
use modelpager::domain::clock::SharedClock;
use modelpager::fakes::engine::{HttpServer, Step};
use modelpager::fakes::pagerduty::{Action, Effect, PagerDutyFake, ROUTING_KEY};
use modelpager::fakes::webhook::WebhookFake;
use modelpager::store::log_notifications::NotificationSummary;
use serde_json::{Value, json};

use super::{World, alert, log_channel, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    after_hours_behind_an_open_breaker_readers_get_few_messages,
    a_message_that_stands_for_many_waits_while_its_provider_refuses,
    pages_that_waited_behind_an_open_breaker_arrive_with_the_trigger_first,
}

const LIMIT: Duration = Duration::from_secs(120);
const QUARTER: Duration = Duration::from_secs(15 * 60);

/// A world whose only channel does not work.
struct Outage {
    world: World,
    dispatcher: Dispatcher,
}

impl Outage {
    async fn begin(fresh: Fresh, settings: impl AsyncFnOnce(SharedClock) -> ChannelConfig) -> Self {
        let mut config = Config::default();
        config.channels = vec![log_channel("chat")];
        config.route = route(&["chat"], &[]);
        let world = World::open(fresh, &config).await;
        let mut channel = settings(Arc::new(world.clock.clone())).await;
        // Virtual hours pass while a real request is under way: no lease is lost over it.
        channel.timeout.0 = Duration::from_secs(36_000);
        config.channels = vec![channel];
        let dispatcher = world.dispatch(&config).await;
        Self { world, dispatcher }
    }

    async fn tell(&self, status: &str, models: std::ops::Range<usize>) {
        let severity = |n: usize| ["critical", "high", "medium", "low"][n % 4];
        let alerts: Vec<Value> =
            models.map(|n| alert((status, &format!("model-{n}"), severity(n), "i"))).collect();
        for chunk in alerts.chunks(500) {
            self.world.tell(chunk).await;
        }
    }

    /// Lets time pass, half a minute at a time.
    async fn pass(&self, time: Duration) {
        for _ in 0..time.as_secs() / 30 {
            self.world.clock.advance(Duration::from_secs(30));
            self.dispatcher.wake(["chat"]);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The provider is back: lets time pass until nothing waits, and some more.
    async fn end(&self, provider: &HttpServer) -> Vec<NotificationSummary> {
        provider.always(Step::usual());
        let deadline = tokio::time::Instant::now() + LIMIT;
        while self.world.store.notifications_waiting().await.unwrap().waiting > 0 {
            assert!(tokio::time::Instant::now() < deadline, "not drained");
            self.pass(Duration::from_secs(30)).await;
        }
        self.pass(Duration::from_secs(60)).await;
        self.world.all_notifications().await
    }

    async fn breaker(&self) -> String {
        self.world.store.breakers().await.unwrap().remove(0).breaker
    }
}

async fn chat(fake: &WebhookFake, rate: &str) -> ChannelConfig {
    let mut channel = ChannelConfig::new("chat", "webhook");
    channel.supersede = Some(true);
    channel.rate_limit = Some(rate.parse().unwrap());
    channel.settings.insert("url".to_owned(), Value::String(fake.url()));
    channel
}

/// Follows what stands for each message to what was sent in the end; answers how many of
/// them ended in each state.
fn ends(all: &[NotificationSummary]) -> BTreeMap<&str, usize> {
    let by_id: BTreeMap<&str, &NotificationSummary> = all.iter().map(|n| (n.id.as_str(), n)).collect();
    let mut ends = BTreeMap::new();
    for mut message in all {
        assert!(message.finished_at.is_some() && !message.reason.is_empty(), "{message:?}");
        while message.state == "superseded" {
            let words = message.reason.split([' ', ':']);
            message = words.filter_map(|word| by_id.get(word)).next().unwrap();
        }
        *ends.entry(message.state.as_str()).or_default() += 1;
    }
    ends
}

async fn after_hours_behind_an_open_breaker_readers_get_few_messages(fresh: Fresh) {
    const INCIDENTS: usize = 400;
    let mut fake = None;
    let outage = Outage::begin(fresh, async |clock| {
        let hook = fake.insert(WebhookFake::unsigned(clock).await.unwrap());
        hook.http().always(Step::status(500));
        chat(hook, "6/m burst 3").await
    })
    .await;
    let fake = fake.unwrap();
    // Two hours: every quarter of an hour all of them begin or end.
    for round in 0..8 {
        let status = if round % 2 == 0 { "firing" } else { "resolved" };
        outage.tell(status, 0..INCIDENTS).await;
        outage.pass(QUARTER).await;
    }
    assert_ne!(outage.breaker().await, "closed");
    let probes = fake.http().requests().len();
    assert!(probes <= 60, "{probes} requests while it was down");
    // The last word is that a few fire again.
    outage.tell("firing", 0..10).await;

    let all = outage.end(fake.http()).await;

    let received = fake.messages();
    assert!((1..=30).contains(&received.len()), "{} messages after the outage", received.len());
    assert_eq!(ends(&all), BTreeMap::from([("delivered", all.len())]));
    assert_eq!(outage.breaker().await, "closed");
    fake.violations().assert_clean();
    outage.dispatcher.stop(Duration::from_secs(5)).await;
}

async fn a_message_that_stands_for_many_waits_while_its_provider_refuses(fresh: Fresh) {
    const INCIDENTS: usize = 200;
    let mut fake = None;
    let outage = Outage::begin(fresh, async |clock| {
        let hook = fake.insert(WebhookFake::unsigned(clock).await.unwrap());
        hook.http().always(Step::status(401));
        chat(hook, "6/m").await
    })
    .await;
    let fake = fake.unwrap();
    outage.tell("firing", 0..INCIDENTS).await;
    outage.pass(8 * QUARTER).await;

    let all = outage.end(fake.http()).await;

    assert_eq!(ends(&all), BTreeMap::from([("delivered", all.len())]));
    assert!((1..=30).contains(&fake.messages().len()), "{} messages", fake.messages().len());
    outage.dispatcher.stop(Duration::from_secs(5)).await;
}

async fn pages_that_waited_behind_an_open_breaker_arrive_with_the_trigger_first(fresh: Fresh) {
    const INCIDENTS: usize = 60;
    let mut fake = None;
    let outage = Outage::begin(fresh, async |clock| {
        let pager = fake.insert(PagerDutyFake::start(clock).await.unwrap());
        pager.http().always(Step::status(500));
        let mut channel = ChannelConfig::new("chat", "pagerduty");
        channel.settings.insert("routing_key".to_owned(), json!(ROUTING_KEY));
        channel.settings.insert("url".to_owned(), json!(pager.events_url()));
        channel
    })
    .await;
    let fake = fake.unwrap();
    outage.tell("firing", 0..INCIDENTS).await;
    outage.pass(4 * QUARTER).await;
    outage.tell("resolved", 0..INCIDENTS / 2).await;
    outage.pass(4 * QUARTER).await;
    assert_ne!(outage.breaker().await, "closed");

    let all = outage.end(fake.http()).await;

    assert_eq!(ends(&all), BTreeMap::from([("delivered", INCIDENTS + INCIDENTS / 2)]));
    assert!(all.iter().all(|n| n.state == "delivered"), "pages are neither folded nor overtaken");
    let mut told: BTreeMap<String, Vec<Action>> = BTreeMap::new();
    for event in fake.told() {
        assert!(event.effect != Effect::Dropped, "{event:?}");
        let event = event.event;
        told.entry(event.dedup_key).or_default().push(event.action);
    }
    assert_eq!(told.len(), INCIDENTS);
    let resolved = told.values().filter(|actions| **actions == [Action::Trigger, Action::Resolve]).count();
    let open = told.values().filter(|actions| **actions == [Action::Trigger]).count();
    assert_eq!((resolved, open), (INCIDENTS / 2, INCIDENTS - INCIDENTS / 2));
    fake.violations().assert_clean();
    outage.dispatcher.stop(Duration::from_secs(5)).await;
}
