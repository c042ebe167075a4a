//! Conversations with a workspace, and what goes wrong in them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::ManualClock;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::outcome::SendOutcome;
use crate::fakes::engine::{Answer, Step};
use crate::fakes::slack::{CHANNEL, SlackFake, TOKEN};
use crate::render::{Link, Rendered, samples};

const LIMIT: Duration = Duration::from_secs(20);

struct Conversation {
    fake: SlackFake,
    channel: Box<dyn Channel>,
    reference: Option<Value>,
    count: u32,
}

fn channel(settings: Value) -> Box<dyn Channel> {
    let config = config(settings);
    build(&config, &Proxies::default()).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn config(mut settings: Value) -> ChannelConfig {
    settings["name"] = json!("ml-alerts");
    settings["kind"] = json!("slack");
    serde_json::from_value(settings).unwrap()
}

impl Conversation {
    async fn start() -> Self {
        let fake = SlackFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
        let channel = channel(json!({"token": TOKEN, "channel": CHANNEL, "api_url": fake.api_url()}));
        Self { fake, channel, reference: None, count: 0 }
    }

    /// Tells the next notification and keeps its reference, as the dispatch does.
    async fn tell(&mut self, kind: NotificationKind) -> SendReport {
        self.count += 1;
        self.attempt(kind).await
    }

    /// Tries the last notification once more.
    async fn attempt(&mut self, kind: NotificationKind) -> SendReport {
        let mut snapshot = samples::firing();
        snapshot.kind = kind;
        let rendered = rendered(kind);
        let id = format!("n-{}", self.count);
        let message = Message { reference: self.reference.as_ref(), ..message(&id, &snapshot, &rendered) };
        let report = self.channel.send(&message, LIMIT).await;
        if report.reference.is_some() {
            self.reference.clone_from(&report.reference);
        }
        report
    }

    fn methods(&self) -> Vec<String> {
        let requests = self.fake.http().requests();
        requests.iter().map(|request| request.path.trim_start_matches("/api/").to_owned()).collect()
    }
}

fn rendered(kind: NotificationKind) -> Rendered {
    let fields = [("title", "title"), ("body", "body"), ("thread", "thread")];
    Rendered {
        fields: fields.map(|(name, text)| (name.to_owned(), format!("{text} {}", kind.as_str()))).into(),
        links: vec![Link {
            name: "runbook".to_owned(),
            label: "Runbook".to_owned(),
            url: "https://runbooks.example/fraud?a=1&b=2".to_owned(),
        }],
        problem: None,
    }
}

fn message<'a>(id: &'a str, snapshot: &'a Snapshot, rendered: &'a Rendered) -> Message<'a> {
    Message {
        notification_id: id,
        dedup_key: &snapshot.incident.dedup_key,
        snapshot,
        rendered,
        reference: None,
        now: samples::NOW,
    }
}

#[tokio::test]
async fn an_incident_has_one_message_that_is_kept_up_to_date_and_answered_in_its_thread() {
    let mut talk = Conversation::start().await;
    for kind in [NotificationKind::Firing, NotificationKind::SeverityRaised, NotificationKind::Resolved] {
        let report = talk.tell(kind).await;
        assert_eq!(report.outcome, SendOutcome::Accepted, "{report:?}");
    }

    let messages = talk.fake.messages();
    let parent = messages.iter().find(|message| message.thread_ts.is_none()).unwrap();
    let thread = talk.fake.thread(CHANNEL, &parent.ts);
    assert_eq!(messages.len(), 3);
    assert_eq!(parent.visible_text().lines().next(), Some("title resolved"));
    assert_eq!(parent.earlier.len(), 2);
    let replies: Vec<(String, bool)> =
        thread.iter().map(|reply| (reply.visible_text(), reply.broadcast)).collect();
    assert_eq!(replies, [("thread severity_raised".to_owned(), true), ("thread resolved".to_owned(), false)]);
    talk.fake.violations().assert_clean();
}

#[tokio::test]
async fn a_retry_after_half_of_a_pair_does_not_repeat_the_half() {
    let mut talk = Conversation::start().await;
    let _ = talk.tell(NotificationKind::Firing).await;
    talk.fake.http().script([Step::usual(), Step::status(500)]);

    let failed = talk.tell(NotificationKind::Updated).await;
    let retried = talk.attempt(NotificationKind::Updated).await;

    assert_eq!((failed.outcome, retried.outcome), (SendOutcome::Ambiguous, SendOutcome::Accepted));
    assert_eq!(talk.methods(), ["chat.postMessage", "chat.update", "chat.postMessage", "chat.postMessage"]);
}

#[tokio::test]
async fn an_update_that_may_have_worked_is_tried_again_without_harm() {
    let mut talk = Conversation::start().await;
    let _ = talk.tell(NotificationKind::Firing).await;
    talk.fake.http().script([Step::reset_after_request()]);

    let report = talk.tell(NotificationKind::Resolved).await;
    assert_eq!(report.outcome, SendOutcome::NotProcessed, "{report:?}");
    let report = talk.attempt(NotificationKind::Resolved).await;

    assert_eq!(report.outcome, SendOutcome::Accepted);
    assert_eq!(talk.fake.messages().len(), 2);
}

fn says_no(error: &str) -> Step {
    Step::answer(Answer::json(200, &json!({"ok": false, "error": error})))
}

#[tokio::test]
async fn a_lost_message_is_replaced_and_the_new_one_carries_on() {
    let mut talk = Conversation::start().await;
    let _ = talk.tell(NotificationKind::Firing).await;
    talk.fake.http().script([says_no("message_not_found")]);

    let report = talk.tell(NotificationKind::Updated).await;
    assert_eq!(report.outcome, SendOutcome::Accepted);
    let _ = talk.tell(NotificationKind::Resolved).await;

    let messages = talk.fake.messages();
    assert!(messages[1].thread_ts.is_none());
    assert_eq!(messages[2].thread_ts.as_ref(), Some(&messages[1].ts));
}

#[tokio::test]
async fn a_message_that_cannot_be_changed_any_more_is_still_answered() {
    for error in ["cant_update_message", "edit_window_closed"] {
        let mut talk = Conversation::start().await;
        let _ = talk.tell(NotificationKind::Firing).await;
        talk.fake.http().script([says_no(error)]);

        let report = talk.tell(NotificationKind::Resolved).await;

        assert_eq!(report.outcome, SendOutcome::Accepted, "{error}");
        let messages = talk.fake.messages();
        assert_eq!(messages[1].thread_ts.as_ref(), Some(&messages[0].ts), "{error}");
    }
}

#[tokio::test]
async fn a_lost_thread_makes_a_new_message() {
    let mut talk = Conversation::start().await;
    let _ = talk.tell(NotificationKind::Firing).await;
    talk.fake.http().script([Step::usual(), says_no("thread_not_found")]);

    let report = talk.tell(NotificationKind::Resolved).await;

    assert_eq!(report.outcome, SendOutcome::Accepted);
    assert!(talk.fake.messages()[1].thread_ts.is_none());
}

#[tokio::test]
async fn the_words_of_the_web_api_have_their_outcomes() {
    let cases = [
        ("channel_not_found", SendOutcome::Rejected, false, None),
        ("invalid_auth", SendOutcome::Rejected, false, None),
        ("invalid_blocks", SendOutcome::Rejected, false, None),
        ("some_future_word", SendOutcome::Rejected, false, None),
        ("ratelimited", SendOutcome::NotProcessed, true, None),
        ("service_unavailable", SendOutcome::NotProcessed, false, None),
        ("message_limit_exceeded", SendOutcome::NotProcessed, true, Some(Duration::from_secs(3600))),
        ("fatal_error", SendOutcome::Ambiguous, false, None),
        ("internal_error", SendOutcome::Ambiguous, false, None),
    ];
    let mut talk = Conversation::start().await;
    for (word, outcome, slows, wait) in cases {
        talk.fake.http().script([says_no(word)]);

        let report = talk.tell(NotificationKind::Firing).await;

        assert_eq!(
            (report.outcome, report.slows_channel, report.retry_after),
            (outcome, slows, wait),
            "{word}"
        );
        assert!(report.error.unwrap().contains(word));
    }
}

#[tokio::test]
async fn a_webhook_has_succeeded_only_when_it_says_ok() {
    let fake = SlackFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
    let channel = channel(json!({"webhook_url": fake.webhook_url()}));
    let hour = Some(Duration::from_secs(3600));
    let cases = [
        (200, "ok", SendOutcome::Accepted, None),
        (200, "invalid_token", SendOutcome::Rejected, None),
        (200, "<html>portal</html>", SendOutcome::Rejected, None),
        (200, "", SendOutcome::Ambiguous, None),
        (200, "rate_limited", SendOutcome::NotProcessed, None),
        (404, "no_service", SendOutcome::Rejected, None),
        (410, "channel_is_archived", SendOutcome::Rejected, None),
        (429, "message_limit_exceeded", SendOutcome::NotProcessed, hour),
        (
            429,
            r#"{"retry_after":3,"ok":false,"error":"rate_limited"}"#,
            SendOutcome::NotProcessed,
            Some(Duration::from_secs(3)),
        ),
        (500, "rollup_error", SendOutcome::Ambiguous, None),
    ];
    for (status, body, outcome, wait) in cases {
        fake.http().script([Step::answer(Answer::text(status, body))]);
        let (snapshot, rendered) = (samples::firing(), rendered(NotificationKind::Firing));

        let report = channel.send(&message("n-1", &snapshot, &rendered), LIMIT).await;

        assert_eq!((report.outcome, report.retry_after), (outcome, wait), "{status} {body}");
    }
}

#[test]
fn the_message_has_this_shape() {
    let channel = channel(json!({"token": TOKEN, "channel": CHANNEL}));
    let (snapshot, rendered) = (samples::firing(), rendered(NotificationKind::Firing));

    let preview = channel.preview(&message("n-1", &snapshot, &rendered));

    let body: Value = serde_json::from_str(&preview.body).unwrap();
    insta::assert_json_snapshot!(body);
    insta::assert_snapshot!(preview.text, @"
    title firing
    body firing
    [Runbook] https://runbooks.example/fraud?a=1&b=2
    ");
}

#[test]
fn each_way_of_setting_it_up_wrong_is_told_under_its_key() {
    let cases = [
        (json!({}), ""),
        (json!({"token": "xoxb-1"}), "channel"),
        (json!({"channel": "C1"}), "token"),
        (json!({"token": "xoxb-1", "channel": " "}), "channel"),
        (json!({"token": "  ", "channel": "C1"}), "token"),
        (json!({"token": "xo\nxb", "channel": "C1"}), "token"),
        (json!({"token": "xoxb-1", "channel": "C1", "api_url": "slack.com/api"}), "api_url"),
        (json!({"webhook_url": "hooks.slack.com/x"}), "webhook_url"),
        (json!({"webhook_url": "https://h.example/x", "channel": "C1"}), "webhook_url"),
        (json!({"webhook_url": "https://h.example/x", "api_url": "https://a.example"}), "api_url"),
    ];
    for (settings, key) in cases {
        let problems = build(&config(settings.clone()), &Proxies::default()).err().unwrap();

        assert!(problems.iter().any(|problem| problem.key == key), "{settings}: {problems:?}");
    }
}
