//! Conversations with a channel, and what goes wrong in them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::ManualClock;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::outcome::SendOutcome;
use crate::fakes::discord::{DiscordFake, TOKEN};
use crate::fakes::engine::Step;
use crate::render::{Overrides, Rendered, Renderer, samples};

const LIMIT: Duration = Duration::from_secs(20);

struct Conversation {
    fake: DiscordFake,
    channel: Box<dyn Channel>,
    reference: Option<Value>,
}

fn channel(mut settings: Value) -> Built {
    settings["name"] = json!("ml-discord");
    settings["kind"] = json!("discord");
    build(&serde_json::from_value(settings).unwrap(), &Proxies::default())
}

impl Conversation {
    async fn start() -> Self {
        let fake = DiscordFake::start(Arc::new(ManualClock::at(samples::NOW))).await.unwrap();
        let channel = channel(json!({"webhook_url": fake.webhook_url()})).ok().unwrap();
        Self { fake, channel, reference: None }
    }

    /// Tells a notification and keeps its reference, as the dispatch does.
    async fn tell(&mut self, kind: NotificationKind) -> SendReport {
        let mut snapshot = samples::firing();
        snapshot.kind = kind;
        let rendered = rendered(&snapshot);
        let message = Message { reference: self.reference.as_ref(), ..message(&snapshot, &rendered) };
        let report = self.channel.send(&message, LIMIT).await;
        if report.reference.is_some() {
            self.reference.clone_from(&report.reference);
        }
        report
    }
}

fn rendered(snapshot: &Snapshot) -> Rendered {
    let (renderer, problems) =
        Renderer::new(&[(KIND.name, KIND.templates)], &Overrides::default(), "http://localhost:9095");
    assert_eq!(problems.len(), 0, "{problems:?}");
    renderer.message(KIND.name, "ml-discord", snapshot, samples::NOW)
}

fn message<'a>(snapshot: &'a Snapshot, rendered: &'a Rendered) -> Message<'a> {
    Message {
        notification_id: "n-1",
        dedup_key: &snapshot.incident.dedup_key,
        snapshot,
        rendered,
        reference: None,
        now: samples::NOW,
    }
}

#[tokio::test]
async fn quiet_changes_edit_the_message_and_what_calls_for_attention_is_a_new_one() {
    let mut talk = Conversation::start().await;
    for (kind, messages, edits) in [
        (NotificationKind::Firing, 1, 0),
        (NotificationKind::Updated, 1, 1),
        (NotificationKind::SeverityRaised, 2, 0),
        (NotificationKind::Acknowledged, 2, 1),
        (NotificationKind::Resolved, 2, 2),
    ] {
        let report = talk.tell(kind).await;

        assert_eq!(report.outcome, SendOutcome::Accepted, "{kind:?}: {report:?}");
        let all = talk.fake.messages();
        assert_eq!((all.len(), all.last().unwrap().earlier.len()), (messages, edits), "{kind:?}");
    }
    talk.fake.violations().assert_clean();
}

#[tokio::test]
async fn a_message_that_was_deleted_is_posted_anew() {
    let mut talk = Conversation::start().await;
    let _ = talk.tell(NotificationKind::Firing).await;
    talk.fake.delete_messages();

    let report = talk.tell(NotificationKind::Resolved).await;

    assert_eq!(report.outcome, SendOutcome::Accepted, "{report:?}");
    assert_eq!(talk.fake.messages().len(), 1);
    assert_eq!(talk.reference.unwrap()["message"], json!(talk.fake.messages()[0].id));
}

#[tokio::test]
async fn an_edit_may_be_repeated_and_a_post_may_not() {
    let mut talk = Conversation::start().await;
    talk.fake.http().script([Step::status(500)]);
    assert_eq!(talk.tell(NotificationKind::Firing).await.outcome, SendOutcome::Ambiguous);
    let _ = talk.tell(NotificationKind::Firing).await;
    talk.fake.http().script([Step::status(500)]);

    let report = talk.tell(NotificationKind::Resolved).await;

    assert_eq!(report.outcome, SendOutcome::NotProcessed);
    assert!(report.reference.is_some());
}

#[tokio::test]
async fn a_deleted_webhook_refuses_the_channel() {
    let mut talk = Conversation::start().await;
    let _ = talk.tell(NotificationKind::Firing).await;
    talk.fake.delete_webhook();

    for kind in [NotificationKind::Firing, NotificationKind::Resolved] {
        let report = talk.tell(kind).await;

        assert_eq!((report.outcome, report.refuses_channel), (SendOutcome::Rejected, true), "{report:?}");
        assert!(
            report.response.as_deref().is_some_and(|text| text.contains("Unknown Webhook")),
            "{report:?}"
        );
        assert!(!format!("{report:?}").contains(TOKEN), "{report:?}");
    }
}

#[tokio::test]
async fn throttling_waits_as_long_as_the_body_says() {
    let mut talk = Conversation::start().await;
    talk.fake.limit_rate();
    for _ in 0..5 {
        let _ = talk.tell(NotificationKind::Firing).await;
    }

    let report = talk.tell(NotificationKind::Firing).await;

    assert_eq!((report.outcome, report.slows_channel), (SendOutcome::NotProcessed, true));
    assert_eq!(report.retry_after, Some(Duration::from_secs(2)));
}

#[tokio::test]
async fn a_thread_takes_posts_and_edits() {
    let mut talk = Conversation::start().await;
    talk.channel = channel(json!({"webhook_url": talk.fake.webhook_url(), "thread_id": "42"})).ok().unwrap();

    for kind in [NotificationKind::Firing, NotificationKind::Resolved] {
        assert_eq!(talk.tell(kind).await.outcome, SendOutcome::Accepted);
    }

    assert_eq!(talk.fake.messages()[0].thread.as_deref(), Some("42"));
    let queries: Vec<String> = talk.fake.http().requests().into_iter().map(|request| request.query).collect();
    assert_eq!(queries, ["thread_id=42&wait=true", "thread_id=42"]);
}

#[test]
fn what_cannot_be_a_webhook_is_refused_without_showing_it() {
    for (settings, key) in [
        (json!({"webhook_url": "https://discord.com/api/webhooks/1/canary/slack"}), "webhook_url"),
        (json!({"webhook_url": "discord.com/canary"}), "webhook_url"),
        (json!({"webhook_url": "https://discord.com/api/webhooks/1/canary", "thread_id": "x"}), "thread_id"),
    ] {
        let problems = channel(settings).err().unwrap();

        assert_eq!(problems[0].key, key);
        assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
    }
}

#[test]
fn the_message_has_this_shape() {
    let channel = channel(json!({"webhook_url": "https://discord.com/api/webhooks/1/x"})).ok().unwrap();
    for (name, snapshot) in [("firing", samples::firing()), ("resolved", samples::resolved())] {
        let rendered = rendered(&snapshot);

        let preview = channel.preview(&message(&snapshot, &rendered));

        let body: Value = serde_json::from_str(&preview.body).unwrap();
        insta::assert_json_snapshot!(format!("the_message_has_this_shape_{name}"), body);
        insta::assert_snapshot!(format!("the_message_reads_{name}"), preview.text);
    }
}
