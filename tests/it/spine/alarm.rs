//! The internal alert about a channel that does not deliver: through the normal pipeline,
//! to another channel.

use std::sync::Arc;
use std::time::Duration;

use modelpager::config::Config;
use modelpager::dispatch::Dispatcher;
use modelpager::domain::clock::SharedClock;
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;
use modelpager::store::log_events::EventSummary;
use modelpager::store::log_notifications::NotificationSummary;

use super::breaker::webhook;
use super::{World, firing, log_channel, route};
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::eventually;

on_both_databases! {
    a_failing_channel_is_told_of_on_another_and_its_recovery_too,
    a_restart_tells_it_no_second_time,
    it_is_never_sent_to_the_broken_channel_through_a_fallback,
    replayed_it_is_still_our_own,
    without_another_channel_nothing_is_sent,
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const LIMIT: Duration = Duration::from_secs(20);
const ALERT: &str = "ModelpagerChannelFailing";

/// A world that routes everything to `hook`, a webhook.
struct Stage {
    world: World,
    dispatcher: Dispatcher,
    config: Config,
    hook: WebhookFake,
}

impl Stage {
    async fn open(fresh: Fresh, others: &[&str]) -> Self {
        let mut config = Config::default();
        config.channels = vec![log_channel("hook")];
        config.channels.extend(others.iter().map(|name| log_channel(name)));
        config.route = route(&["hook"], &[]);
        let world = World::open(fresh, &config).await;
        let clock: SharedClock = Arc::new(world.clock.clone());
        let hook = WebhookFake::with_secret(clock, SECRET).await.unwrap();
        config.channels[0] = webhook("hook", &hook);
        let dispatcher = world.dispatch(&config).await;
        Self { world, dispatcher, config, hook }
    }

    async fn refuse(&self) {
        self.hook.http().always(Step::status(401));
        self.world.tell(&[firing("a", "high")]).await;
        self.dispatcher.wake(["hook"]);
        self.hook.http().wait_for_requests(1, LIMIT).await;
        self.pass(6).await;
    }

    /// Lets time pass, second by second, with time for everybody to act.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.world.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.world.processor.settle().await.unwrap();
        self.dispatcher.wake(["hook", "console"]);
    }

    /// Lets time pass until so much was told.
    async fn pass_until_told(&self, count: usize) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while self.told().await.len() < count {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain for {count} messages");
            self.pass(1).await;
        }
    }

    async fn told(&self) -> Vec<NotificationSummary> {
        self.world.notifications().await.into_iter().filter(|n| n.alertname == ALERT).collect()
    }

    async fn told_in_short(&self) -> Vec<String> {
        let told = self.told().await;
        told.iter().map(|n| format!("{} {} {} {}", n.channel, n.kind, n.severity, n.dedup_key)).collect()
    }
}

async fn a_failing_channel_is_told_of_on_another_and_its_recovery_too(fresh: Fresh) {
    let stage = Stage::open(fresh, &["console"]).await;
    stage.refuse().await;
    stage.pass_until_told(1).await;

    let told = stage.told_in_short().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("console firing critical ModelpagerChannelFailing:"), "{told:?}");
    let deadline = tokio::time::Instant::now() + LIMIT;
    while stage.told().await[0].state != "delivered" {
        assert!(tokio::time::Instant::now() < deadline, "it is not delivered");
        stage.pass(1).await;
    }
    let id = &stage.told().await[0].id;
    let rendered = eventually("the message to be rendered", || async {
        let logged = stage.world.store.find_notification(id).await.unwrap().unwrap();
        logged.rendered.map(|rendered| serde_json::to_string(&rendered).unwrap())
    })
    .await;
    assert!(rendered.contains("the webhook channel hook does not deliver: answered HTTP 401"), "{rendered}");
    assert!(!rendered.contains("no catalog entry") && !rendered.contains("no route"), "{rendered}");

    stage.hook.http().always(Step::usual());
    stage.dispatcher.send_test("hook", "ann").await.unwrap();
    stage.pass(60).await;
    assert_eq!(stage.told().await.len(), 1, "it works for less than the calm time");
    stage.pass_until_told(2).await;

    let told = stage.told_in_short().await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("console resolved"), "{told:?}");
    assert_eq!(stage.world.store.list_sources().await.unwrap().len(), 1, "Modelpager is no Alertmanager");
    stage.pass(300).await;
    assert_eq!(stage.told().await.len(), 2);
}

async fn a_restart_tells_it_no_second_time(fresh: Fresh) {
    let stage = Stage::open(fresh, &["console"]).await;
    stage.refuse().await;
    stage.pass_until_told(1).await;
    stage.dispatcher.stop(Duration::from_secs(1)).await;

    let dispatcher = stage.world.dispatch(&stage.config).await;
    let stage = Stage { dispatcher, ..stage };
    stage.pass(30).await;

    assert_eq!(stage.told().await.len(), 1);
    let events = stage.world.events().await;
    assert_eq!(events.iter().filter(|event| event.source == "modelpager").count(), 1);
}

async fn it_is_never_sent_to_the_broken_channel_through_a_fallback(fresh: Fresh) {
    let mut stage = Stage::open(fresh, &["console"]).await;
    stage.dispatcher.stop(Duration::from_secs(1)).await;
    // Nothing listens there: its messages wait, and after a while go through `hook`.
    let nobody = WebhookFake::with_secret(Arc::new(stage.world.clock.clone()), SECRET).await.unwrap();
    nobody.http().always(Step::status(410));
    stage.config.channels[1] = webhook("console", &nobody);
    stage.config.channels[1].fallback = Some("hook".to_owned());
    stage.dispatcher = stage.world.dispatch(&stage.config).await;
    stage.refuse().await;
    let ours =
        async || stage.world.events().await.iter().filter(|event| event.source == "modelpager").count();
    let deadline = tokio::time::Instant::now() + LIMIT;
    while ours().await < 2 {
        assert!(tokio::time::Instant::now() < deadline, "not both were told of");
        stage.pass(1).await;
    }
    stage.pass(320).await;
    stage.pass(10).await;

    let told = stage.told().await;
    let about_hook = |n: &&NotificationSummary| n.dedup_key == told[0].dedup_key;
    assert!(told.iter().filter(about_hook).all(|n| n.channel == "console"), "{told:#?}");
    assert_eq!(ours().await, 2, "one for each channel, however often they fail");
}

async fn replayed_it_is_still_our_own(fresh: Fresh) {
    let stage = Stage::open(fresh, &["console"]).await;
    stage.refuse().await;
    stage.pass_until_told(1).await;
    let ours = async || -> Vec<EventSummary> {
        stage.world.events().await.into_iter().filter(|event| event.source == "modelpager").collect()
    };
    let first = ours().await.remove(0);
    let body = stage.world.store.find_event(&first.id).await.unwrap().unwrap().body;

    stage.world.inbox.replay(body.into(), "ann", &first).await.unwrap();
    stage.world.processor.settle().await.unwrap();

    let replayed: Vec<_> = ours().await.into_iter().map(|event| (event.replay_of, event.state)).collect();
    assert_eq!(replayed, [(Some(first.id), "processed".to_owned()), (None, "processed".to_owned())]);
    assert_eq!(stage.world.store.list_sources().await.unwrap().len(), 1, "Modelpager is no Alertmanager");
    assert_eq!(stage.world.incidents().await.len(), 2, "one of the alert told, one about the channel");
}

async fn without_another_channel_nothing_is_sent(fresh: Fresh) {
    let stage = Stage::open(fresh, &[]).await;
    stage.refuse().await;
    // The incident is there to be seen.
    let deadline = tokio::time::Instant::now() + LIMIT;
    while stage.world.incidents().await.len() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "the incident is not there");
        stage.pass(1).await;
    }
    stage.pass(5).await;

    assert!(stage.told().await.is_empty());
}
