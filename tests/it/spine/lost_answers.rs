//! Commits of dispatch whose answer is lost: what happened is found out, and nothing waits for a
//! lease that nobody holds. SQLite has no answer that could be lost on its way.

use std::sync::Arc;
use std::time::Duration;

use modelpager::config::{ChannelConfig, Config, OnAmbiguous};
use modelpager::dispatch::Dispatcher;
use modelpager::domain::clock::{Clock as _, SharedClock};
use modelpager::domain::rate::RateLimit;
use modelpager::fakes::engine::Step;
use modelpager::fakes::slack::SlackFake;
use modelpager::store::log_notifications::NotificationDetail;
use serde_json::Value;

use super::{World, alert, log_channel, route};
use crate::support::databases::Fresh;
use crate::support::postgres_cut::Cutter;

const CLAIM: &str = "SET state = 'sending'";
const GIVE_BACK: &str = "SET state = 'pending', attempts = attempts - 1";
const RECORD: &str = "INSERT INTO attempts";
const PROBE: &str = "SET breaker = 'half_open'";
/// In which a message is sent although an answer was lost; its lease would hold for 70 s.
const SOON: Duration = Duration::from_secs(20);

/// A world whose database is behind a way that can be cut, and whose only channel cannot tell
/// repeats apart.
struct Stage {
    world: World,
    dispatcher: Dispatcher,
    slack: SlackFake,
    cutter: Cutter,
    _fresh: Fresh,
}

impl Stage {
    async fn open(test: &str, settings: impl Fn(&mut ChannelConfig)) -> Option<Self> {
        let fresh = Fresh::postgres(test).await?;
        let cutter = Cutter::before(&fresh.url()).await;
        let mut config = Config::default();
        config.channels = vec![log_channel("chat")];
        config.route = route(&["chat"], &[]);
        let world = World::on(cutter.url(), &config).await;
        let clock: SharedClock = Arc::new(world.clock.clone());
        let slack = SlackFake::start(clock).await.unwrap();
        let mut channel = ChannelConfig::new("chat", "slack");
        channel.settings.insert("webhook_url".to_owned(), Value::String(slack.webhook_url()));
        channel.rate_limit = Some(RateLimit::None);
        settings(&mut channel);
        config.channels = vec![channel];
        let dispatcher = world.dispatch(&config).await;
        Some(Self { world, dispatcher, slack, cutter, _fresh: fresh })
    }

    async fn tell(&self, model: &str) {
        self.world.tell(&[alert(("firing", model, "high", "a"))]).await;
        self.dispatcher.wake(["chat"]);
    }

    /// Lets time pass, a tenth of a second at a time, until what is waited for has come; answers
    /// how long that took.
    async fn pass_until(&self, what: &str, come: impl AsyncFn() -> bool) -> Duration {
        let begun = self.world.clock.now();
        let passed = || self.world.clock.now().since(begun);
        while !come().await {
            assert!(passed() < Duration::from_secs(300), "waited in vain: {what}");
            self.world.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        passed()
    }

    async fn all_ended(&self) -> bool {
        self.world.store.notifications_waiting().await.unwrap().waiting == 0
    }

    /// Every message is delivered by one attempt of which nothing is in doubt.
    async fn assert_sent_once(&self) {
        let ids: Vec<String> = self.world.notifications().await.into_iter().map(|n| n.id).collect();
        for id in &ids {
            let NotificationDetail { summary, attempts, .. } =
                self.world.store.find_notification(id).await.unwrap().unwrap();
            let outcomes: Vec<&str> = attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
            assert_eq!((summary.state.as_str(), outcomes.as_slice()), ("delivered", &["accepted"][..]));
        }
        assert_eq!(self.slack.messages().len(), ids.len());
    }

    async fn end(self) {
        self.dispatcher.stop(Duration::from_secs(5)).await;
    }
}

async fn a_lost_answer_to_a_claim_delays_its_message_by_seconds(
    test: &str,
    settings: impl Fn(&mut ChannelConfig),
) {
    let Some(stage) = Stage::open(test, settings).await else { return };
    stage.cutter.cut_commit_of(CLAIM);

    stage.tell("fraud").await;
    let passed = stage.pass_until("it is delivered", async || stage.all_ended().await).await;

    assert_eq!(stage.cutter.cuts(), 1);
    assert!(passed < SOON, "{passed:?}");
    stage.assert_sent_once().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_without_an_answer_is_given_back_and_sent() {
    let test = "a_claim_without_an_answer_is_given_back_and_sent";
    a_lost_answer_to_a_claim_delays_its_message_by_seconds(test, |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_without_an_answer_is_not_held_for_a_person() {
    let test = "a_claim_without_an_answer_is_not_held_for_a_person";
    let hold = |channel: &mut ChannelConfig| channel.on_ambiguous = OnAmbiguous::Hold;
    a_lost_answer_to_a_claim_delays_its_message_by_seconds(test, hold).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_within_a_limit_without_an_answer_is_given_back_and_sent() {
    let test = "a_claim_within_a_limit_without_an_answer_is_given_back_and_sent";
    let limited = |channel: &mut ChannelConfig| {
        channel.rate_limit = Some("100/s".parse().unwrap());
        channel.on_ambiguous = OnAmbiguous::Hold;
    };
    a_lost_answer_to_a_claim_delays_its_message_by_seconds(test, limited).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_whose_recording_was_not_answered_is_recorded_once() {
    let test = "an_attempt_whose_recording_was_not_answered_is_recorded_once";
    let Some(stage) = Stage::open(test, |_| {}).await else { return };
    stage.cutter.cut_commit_of(RECORD);

    stage.tell("fraud").await;
    stage.pass_until("the recording is cut", async || stage.cutter.cuts() == 1).await;
    let passed = stage.pass_until("it is delivered", async || stage.all_ended().await).await;
    assert!(passed < SOON, "{passed:?}");
    // The recorder goes on with what comes next.
    stage.tell("churn").await;
    stage.pass_until("the next is delivered", async || stage.all_ended().await).await;

    stage.assert_sent_once().await;
    let health = stage.world.store.channel_health().await.unwrap();
    assert_eq!(health[0].delivered, 2, "counted twice: {health:?}");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_without_an_answer_is_tried_again_at_once() {
    for cut in [PROBE, CLAIM] {
        let test = "a_probe_without_an_answer_is_tried_again_at_once";
        let Some(stage) = Stage::open(test, |_| {}).await else { return };
        stage.slack.http().always(Step::status(403));
        stage.tell("first").await;
        let is_open =
            async || stage.world.store.breakers().await.unwrap().iter().any(|b| b.breaker == "open");
        stage.pass_until("the breaker opens", is_open).await;
        stage.slack.http().always(Step::usual());
        stage.tell("second").await;
        stage.cutter.cut_commit_of(cut);
        stage.pass_until("the probe is cut", async || stage.cutter.cuts() == 1).await;

        let is_told = async || stage.slack.messages().len() == 1;
        let passed = stage.pass_until("the probe is sent", is_told).await;

        assert!(passed < SOON, "{cut}: {passed:?}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_back_without_an_answer_is_sent_once() {
    let test = "what_was_given_back_without_an_answer_is_sent_once";
    let hold = |channel: &mut ChannelConfig| channel.on_ambiguous = OnAmbiguous::Hold;
    let Some(stage) = Stage::open(test, hold).await else { return };
    // Nothing goes on for longer than a leased message is kept.
    let slow = || Step::usual().delayed(Duration::from_secs(5));
    stage.slack.http().script(std::iter::repeat_with(slow).take(48));
    stage.cutter.cut_commit_of(GIVE_BACK);
    let models: Vec<Value> = (0..80).map(|n| alert(("firing", &format!("m{n}"), "high", "a"))).collect();
    stage.world.tell(&models).await;
    stage.dispatcher.wake(["chat"]);
    stage.pass_until("what waits is given back", async || stage.cutter.cuts() == 1).await;
    stage.slack.http().clear();

    stage.pass_until("everything is delivered", async || stage.all_ended().await).await;

    stage.assert_sent_once().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_whose_lease_was_not_answered_is_sent_once() {
    let test = "a_test_whose_lease_was_not_answered_is_sent_once";
    let Some(stage) = Stage::open(test, |_| {}).await else { return };
    stage.cutter.cut_commit_of("SET state = 'sending', attempts = 1");

    let trial = stage.dispatcher.send_test("chat", "ada").await.unwrap();

    assert_eq!(stage.cutter.cuts(), 1);
    assert_eq!(trial.outcome.as_str(), "accepted");
    stage.pass_until("it is recorded", async || stage.all_ended().await).await;
    stage.assert_sent_once().await;
    stage.end().await;
}
