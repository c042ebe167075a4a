//! What providers write is recorded whatever bytes it has: no message stays behind because its
//! end cannot be stored.

use std::sync::Arc;
use std::time::Duration;

use modelpager::config::{ChannelConfig, Config};
use modelpager::dispatch::Dispatcher;
use modelpager::domain::clock::SharedClock;
use modelpager::fakes::engine::{Answer, Step};
use modelpager::fakes::slack::{CHANNEL, SlackFake, TOKEN};
use modelpager::fakes::smtp::{Fault, SmtpFake, Stage as At};
use modelpager::fakes::webhook::WebhookFake;
use modelpager::store::log_notifications::NotificationDetail;
use serde_json::{Value, json};

use super::{World, firing, log_channel, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    a_mail_refused_with_odd_bytes_is_recorded_with_its_reason,
    an_answer_with_odd_bytes_is_recorded,
    a_reference_with_odd_bytes_is_recorded,
}

const LIMIT: Duration = Duration::from_secs(20);

struct Stage {
    world: World,
    dispatcher: Dispatcher,
}

impl Stage {
    async fn open(fresh: Fresh, channel: impl AsyncFnOnce(SharedClock) -> ChannelConfig) -> Self {
        let mut config = Config::default();
        config.channels = vec![log_channel("out")];
        config.route = route(&["out"], &[]);
        let world = World::open(fresh, &config).await;
        config.channels = vec![channel(Arc::new(world.clock.clone())).await];
        let dispatcher = world.dispatch(&config).await;
        Self { world, dispatcher }
    }

    /// Tells of one alert and waits until its message has ended by one attempt.
    async fn told(&self) -> NotificationDetail {
        self.world.tell(&[firing("a", "high")]).await;
        self.dispatcher.wake(["out"]);
        let id = self.world.notifications().await[0].id.clone();
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let detail = self.world.store.find_notification(&id).await.unwrap().unwrap();
            if detail.summary.finished_at.is_some() {
                assert_eq!(detail.attempts.len(), 1);
                return detail;
            }
            assert!(tokio::time::Instant::now() < deadline, "not recorded: {detail:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn settings(mut channel: ChannelConfig, settings: &Value) -> ChannelConfig {
    channel.settings = settings.as_object().unwrap().clone().into_iter().collect();
    channel
}

async fn a_mail_refused_with_odd_bytes_is_recorded_with_its_reason(fresh: Fresh) {
    let mut servers = Vec::new();
    let stage = Stage::open(fresh, async |clock| {
        let smtp = SmtpFake::start(clock).await.unwrap();
        smtp.always(At::RcptTo, Fault::reply(550, "5.1.1 mailbox\0gone\u{1b}[31m\u{7f}"));
        let address = smtp.address();
        servers.push(smtp);
        settings(
            ChannelConfig::new("out", "email"),
            &json!({
                "smtp": {"host": address.ip().to_string(), "port": address.port(), "tls": "none"},
                "from": "modelpager@example.org",
                "to": ["a@example.org"],
            }),
        )
    })
    .await;

    let told = stage.told().await;

    assert_eq!(told.summary.state, "failed");
    let error = told.attempts[0].error.clone().unwrap();
    assert!(error.contains("mailbox gone [31m "), "{error}");
    let health = stage.world.store.channel_health().await.unwrap().remove(0);
    assert_eq!((health.failures, health.failed), (1, 1));
    assert!(health.last_error.unwrap().contains("mailbox gone"));
}

async fn an_answer_with_odd_bytes_is_recorded(fresh: Fresh) {
    let mut servers = Vec::new();
    let stage = Stage::open(fresh, async |clock| {
        let hook = WebhookFake::unsigned(clock).await.unwrap();
        let body = b"a\0b\x1b[0m \xff\xfe \xed\xa0\x80 end".to_vec();
        let answer = Answer { status: 422, headers: Vec::new(), body };
        hook.http().always(Step::answer(answer));
        let url = hook.url();
        servers.push(hook);
        settings(ChannelConfig::new("out", "webhook"), &json!({"url": url}))
    })
    .await;

    let told = stage.told().await;

    assert_eq!(told.summary.state, "failed");
    let response = told.attempts[0].response.clone().unwrap_or_default();
    assert!(!response.contains(char::is_control), "{response:?}");
}

async fn a_reference_with_odd_bytes_is_recorded(fresh: Fresh) {
    let mut servers = Vec::new();
    let stage = Stage::open(fresh, async |clock| {
        let slack = SlackFake::start(clock).await.unwrap();
        let answer =
            json!({"ok": true, "channel": "C\u{0}1", "ts": "1.\u{0}5", "message": {"text": "\u{0}"}});
        slack.http().always(Step::answer(Answer::json(200, &answer)));
        let url = slack.api_url();
        servers.push(slack);
        settings(
            ChannelConfig::new("out", "slack"),
            &json!({"token": TOKEN, "channel": CHANNEL, "api_url": url}),
        )
    })
    .await;

    assert_eq!(stage.told().await.summary.state, "delivered");
}
