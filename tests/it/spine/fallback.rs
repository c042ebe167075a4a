//! What a channel cannot deliver goes through its fallback channel: once, with a note, and
//! the log says so on both sides.

use std::time::Duration;

use modelpager::config::{ChannelConfig, Config, OnAmbiguous};
use modelpager::dispatch::Dispatcher;
use modelpager::domain::clock::SharedClock;
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;
use modelpager::store::log_notifications::NotificationSummary;
use serde_json::Value;

use super::breaker::webhook;
use super::{World, alert, firing, log_channel, resolved, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    what_failed_for_good_goes_through_the_fallback_once,
    what_waits_goes_through_the_fallback_after_the_time_set,
    what_comes_later_in_the_outage_does_not_wait_again,
    the_end_is_told_where_the_beginning_went,
    a_message_held_for_a_person_does_not_go_through_the_fallback,
    a_fallback_that_fails_too_has_its_own,
    what_waited_too_long_without_a_fallback_ends_and_says_so,
    a_test_does_not_go_through_the_fallback,
    a_lease_that_was_lost_makes_no_stand_in,
    a_fallback_that_is_told_by_itself_is_not_told_twice,
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const LIMIT: Duration = Duration::from_secs(20);

/// A world whose channel `hook` has the fallback `back`, and that the fallback `last`.
struct Stage {
    world: World,
    dispatcher: Dispatcher,
    hook: WebhookFake,
    back: WebhookFake,
    last: WebhookFake,
}

impl Stage {
    async fn open(fresh: Fresh) -> Self {
        Self::routed(fresh, &["hook"]).await
    }

    async fn routed(fresh: Fresh, channels: &[&str]) -> Self {
        Self::build(fresh, channels, |_| {}).await
    }

    async fn with(fresh: Fresh, change: impl FnOnce(&mut Config)) -> Self {
        Self::build(fresh, &["hook"], change).await
    }

    async fn build(fresh: Fresh, channels: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.channels = ["hook", "back", "last"].map(log_channel).into();
        config.route = route(channels, &[]);
        let world = World::open(fresh, &config).await;
        let clock = || -> SharedClock { std::sync::Arc::new(world.clock.clone()) };
        let fake = async || WebhookFake::with_secret(clock(), SECRET).await.unwrap();
        let (hook, back, last) = (fake().await, fake().await, fake().await);
        config.channels = vec![webhook("hook", &hook), webhook("back", &back), webhook("last", &last)];
        config.channels[0].fallback = Some("back".to_owned());
        config.channels[1].fallback = Some("last".to_owned());
        change(&mut config);
        let dispatcher = world.dispatch(&config).await;
        Self { world, dispatcher, hook, back, last }
    }

    async fn tell(&self, alert: Value) {
        self.world.tell(&[alert]).await;
        self.dispatcher.wake(["hook"]);
    }

    /// What it was told, but for failing channels: that is tested elsewhere.
    async fn of_channel(&self, channel: &str) -> Vec<NotificationSummary> {
        let is_fit =
            |n: &NotificationSummary| n.channel == channel && n.alertname != "ModelpagerChannelFailing";
        self.world.notifications().await.into_iter().filter(is_fit).collect()
    }

    async fn states(&self, channel: &str) -> Vec<String> {
        self.of_channel(channel).await.into_iter().map(|n| n.state).collect()
    }

    /// Lets time pass, second by second, with time for everybody to act.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.world.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn wait_until(&self, what: &str, come: impl AsyncFn() -> bool) {
        let deadline = tokio::time::Instant::now() + LIMIT;
        while !come().await {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
            self.world.clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn wait_for(&self, channel: &str, states: &[&str]) {
        let what = format!("{channel} is {states:?}");
        self.wait_until(&what, async || self.states(channel).await == states).await;
    }
}

/// What a provider was told, but for failing channels: whether that is told before or after
/// the rest is up to the machine.
fn told(provider: &WebhookFake) -> Vec<Value> {
    let is_fit = |body: &Value| !body.to_string().contains("ModelpagerChannelFailing");
    provider.messages().into_iter().map(|message| message.body).filter(is_fit).collect()
}

fn text_told(provider: &WebhookFake, place: usize) -> String {
    told(provider)[place].to_string()
}

async fn what_failed_for_good_goes_through_the_fallback_once(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.hook.http().script([Step::status(400)]);

    stage.tell(firing("a", "high")).await;
    stage.wait_for("back", &["delivered"]).await;

    let told = text_told(&stage.back, 0);
    assert!(told.contains("sent here because hook could not deliver: the provider refused it"), "{told}");
    let original = &stage.of_channel("hook").await[0];
    assert_eq!(original.state, "failed");
    assert!(original.reason.ends_with("; sent through back instead"), "{}", original.reason);
    let stand_in = &stage.of_channel("back").await[0];
    assert_eq!(stand_in.fallback_of.as_ref(), Some(&original.id));
    let logged = stage.world.store.find_notification(&original.id).await.unwrap().unwrap();
    assert_eq!(logged.fallback.map(|f| (f.id, f.channel)), Some((stand_in.id.clone(), "back".to_owned())));
    let logged = stage.world.store.find_notification(&stand_in.id).await.unwrap().unwrap();
    assert_eq!(logged.incidents.len(), 1);

    // Sent again by hand it may fail again; the fallback has told it already.
    stage.hook.http().script([Step::status(400)]);
    let wish = modelpager::store::outbox_hand::Redeliver {
        id: &original.id,
        actor: "ann",
        now: super::START.plus(Duration::from_secs(1)),
        expires_at: super::START.plus(Duration::from_secs(3_600)),
    };
    stage.pass(2).await;
    stage.world.store.redeliver_notification(&wish, &stage.world.ids).await.unwrap();
    stage.dispatcher.wake(["hook"]);
    stage.wait_until("a second refusal", async || stage.hook.http().requests().len() == 2).await;
    stage.wait_for("hook", &["failed"]).await;
    assert_eq!(stage.states("back").await, ["delivered"]);
    stage.back.violations().assert_clean();
}

async fn what_waits_goes_through_the_fallback_after_the_time_set(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.hook.http().always(Step::status(401));
    stage.tell(firing("a", "high")).await;
    stage.wait_for("back", &["delivered"]).await;
    stage.tell(alert(("firing", "churn", "high", "a"))).await;
    stage.tell(alert(("firing", "ranking", "high", "a"))).await;

    stage.pass(250).await;
    // One of them may be under way as a probe just then.
    let states = stage.states("hook").await;
    assert!(states[1..].iter().all(|state| state == "pending" || state == "sending"), "{states:?}");
    assert_eq!(stage.states("back").await, ["delivered"]);

    stage.pass(55).await;
    stage.wait_for("hook", &["failed", "superseded", "superseded"]).await;
    stage.wait_for("back", &["delivered", "delivered", "delivered"]).await;
    let told = text_told(&stage.back, 1);
    assert!(told.contains("sent here because hook could not deliver: it has not delivered since"), "{told}");
    let reason = &stage.of_channel("hook").await[1].reason;
    assert!(reason.starts_with("sent through back instead: it has not delivered since"), "{reason}");

    let sends = stage.hook.http().requests().len();
    stage.hook.http().always(Step::usual());
    stage.pass(600).await;
    assert_eq!(stage.hook.http().requests().len(), sends, "stale news was sent");
}

async fn what_comes_later_in_the_outage_does_not_wait_again(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.hook.http().always(Step::status(401));
    stage.tell(firing("a", "high")).await;
    stage.wait_for("back", &["delivered"]).await;
    stage.pass(310).await;

    stage.tell(alert(("firing", "churn", "high", "a"))).await;
    stage.wait_until("a probe", async || stage.hook.http().requests().len() == 2).await;
    let is_told = async || {
        stage.pass(1).await;
        stage.states("back").await == ["delivered", "delivered"]
    };
    stage.wait_until("the fallback is told", is_told).await;
}

async fn the_end_is_told_where_the_beginning_went(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.hook.http().script([Step::status(400)]);
    stage.tell(firing("a", "high")).await;
    stage.wait_for("back", &["delivered"]).await;
    stage.tell(alert(("firing", "churn", "high", "a"))).await;
    stage.wait_for("hook", &["failed", "delivered"]).await;
    stage.pass(1).await;

    stage.tell(resolved("a", "high")).await;
    stage.tell(alert(("resolved", "churn", "high", "a"))).await;
    stage.wait_for("hook", &["failed", "delivered", "delivered", "delivered"]).await;
    stage.wait_for("back", &["delivered", "delivered"]).await;

    let end = &told(&stage.back)[1];
    assert_eq!(end["type"], "incident.resolved");
    assert!(
        end.to_string().contains("also sent here because hook could not deliver the firing message"),
        "{end}"
    );
}

async fn a_message_held_for_a_person_does_not_go_through_the_fallback(fresh: Fresh) {
    // Of a kind whose provider does not fold repeats.
    let stage = Stage::with(fresh, |config| {
        let url = config.channels[0].settings["url"].clone();
        config.channels[0] = ChannelConfig::new("hook", "slack");
        config.channels[0].settings.insert("webhook_url".to_owned(), url);
        config.channels[0].fallback = Some("back".to_owned());
        config.channels[0].on_ambiguous = OnAmbiguous::Hold;
    })
    .await;
    stage.hook.http().script([Step::reset_after_request()]);

    stage.tell(firing("a", "high")).await;
    stage.wait_for("hook", &["failed"]).await;
    stage.pass(5).await;

    assert!(stage.of_channel("back").await.is_empty());
}

async fn a_fallback_that_fails_too_has_its_own(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.hook.http().script([Step::status(400)]);
    stage.back.http().script([Step::status(410)]);

    stage.tell(firing("a", "high")).await;
    stage.wait_for("last", &["delivered"]).await;

    assert_eq!(stage.states("back").await, ["failed"]);
    assert!(text_told(&stage.last, 0).contains("sent here because back could not deliver"));
}

async fn what_waited_too_long_without_a_fallback_ends_and_says_so(fresh: Fresh) {
    let stage = Stage::with(fresh, |config| config.channels[0].fallback = None).await;
    stage.hook.http().always(Step::status(401));
    stage.tell(firing("a", "high")).await;
    stage.wait_for("hook", &["failed"]).await;
    stage.tell(alert(("firing", "churn", "high", "a"))).await;

    stage.world.clock.advance(Duration::from_secs(24 * 3_600 + 1));
    stage.pass(10).await;

    stage.wait_for("hook", &["failed", "failed"]).await;
    let reason = &stage.of_channel("hook").await[1].reason;
    assert!(reason.starts_with("given up after delivery.max_age"), "{reason}");
}

async fn a_test_does_not_go_through_the_fallback(fresh: Fresh) {
    let stage = Stage::open(fresh).await;
    stage.hook.http().always(Step::status(410));

    stage.dispatcher.send_test("hook", "ann").await.unwrap();
    stage.wait_for("hook", &["failed"]).await;
    stage.pass(3).await;

    assert!(stage.of_channel("back").await.is_empty());
}

async fn a_fallback_that_is_told_by_itself_is_not_told_twice(fresh: Fresh) {
    let stage = Stage::routed(fresh, &["hook", "back"]).await;
    stage.hook.http().script([Step::status(400)]);

    stage.tell(firing("a", "high")).await;
    stage.dispatcher.wake(["back"]);
    stage.wait_for("hook", &["failed"]).await;
    stage.wait_for("back", &["delivered"]).await;
    stage.pass(5).await;

    assert_eq!(told(&stage.back).len(), 1);
}

async fn a_lease_that_was_lost_makes_no_stand_in(fresh: Fresh) {
    use modelpager::domain::outcome::SendOutcome;
    use modelpager::store::outbox::{Finished, Lease, Next, Recording};
    use modelpager::store::stand_ins::{StandIn, When};

    let stage = Stage::open(fresh).await;
    stage.dispatcher.stop(Duration::from_secs(1)).await;
    stage.world.tell(&[firing("a", "high")]).await;
    let store = &stage.world.store;
    let lease = Lease {
        owner: "us",
        claim: "test",
        now: super::START,
        length: Duration::from_secs(60),
        from_priority: 0,
    };
    let claimed = store.claim_notifications("hook", &lease, 1).await.unwrap().remove(0);
    let at = super::START.plus(Duration::from_secs(1));
    let recording = |owner: &str| Recording {
        finished: vec![Finished {
            attempt_id: stage.world.ids.next_id(),
            notification_id: claimed.id.clone(),
            channel: "hook".to_owned(),
            owner: owner.to_owned(),
            series: 1,
            number: 1,
            started_at: super::START,
            ended_at: at,
            outcome: SendOutcome::Rejected,
            status: Some(400),
            error: None,
            response: None,
            next: Next::Failed("no".to_owned()),
            maybe_twice: false,
            preview: None,
            reference: None,
        }],
        stand_ins: vec![StandIn {
            id: stage.world.ids.next_id(),
            of: claimed.id.clone(),
            channel: "back".to_owned(),
            at,
            expires_at: at.plus(Duration::from_secs(60)),
            snapshot: serde_json::from_str(&claimed.snapshot).unwrap(),
            when: When::Failed,
        }],
        ..Recording::default()
    };

    store.record_attempts(&recording("somebody else")).await.unwrap();
    assert!(stage.of_channel("back").await.is_empty(), "the message is still being sent");

    // As if the process had died before it learnt that the first commit had worked.
    store.record_attempts(&recording("us")).await.unwrap();
    store.record_attempts(&recording("us")).await.unwrap();
    assert_eq!(stage.of_channel("back").await.len(), 1);
}
