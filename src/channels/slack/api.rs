//! Through the Web API: the first message of an incident is posted; later ones bring that
//! message up to date and answer in its thread. The reference they leave says how far
//! they came, so that a retry after a half-done pair does not repeat the finished half.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{self, ApiAnswer};
use super::target::ApiTarget;
use super::{SlackChannel, message};
use crate::channels::{Message, shrink};
use crate::domain::notification::NotificationKind;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::http::{Deadline, Endpoint};

/// Which message stands for the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reference {
    /// The channel's id, as Slack gave it.
    channel: String,
    /// The message's identity in the channel.
    ts: String,
    /// The notification whose text the message shows.
    #[serde(default)]
    updated_for: String,
}

pub async fn send(
    channel: &SlackChannel,
    target: &ApiTarget,
    message: &Message<'_>,
    time_limit: Duration,
) -> SendReport {
    let sender = Sender { channel, target, message, deadline: Deadline::after(time_limit) };
    let known = message.reference.and_then(|value| Reference::deserialize(value).ok());
    match known {
        Some(reference) if message.snapshot.kind != NotificationKind::Test => {
            sender.follow_up(reference).await
        }
        _ => sender.post_new().await,
    }
}

struct Sender<'a> {
    channel: &'a SlackChannel,
    target: &'a ApiTarget,
    message: &'a Message<'a>,
    deadline: Deadline,
}

impl Sender<'_> {
    /// The first message of an incident, or one that replaces a lost one.
    async fn post_new(&self) -> SendReport {
        let mut body = json!(message::compose(self.message));
        body["channel"] = json!(self.target.channel);
        match self.call(&self.target.post_message, &body).await {
            ApiAnswer::Done { channel, ts: Some(ts), mut report } => {
                report.reference = as_value(&Reference {
                    channel: channel.unwrap_or_else(|| self.target.channel.clone()),
                    ts,
                    updated_for: self.message.notification_id.to_owned(),
                });
                report
            }
            ApiAnswer::Done { report, .. } | ApiAnswer::Failed { report, .. } => report,
        }
    }

    /// Brings the message up to date, then answers in its thread.
    async fn follow_up(&self, mut reference: Reference) -> SendReport {
        if reference.updated_for != self.message.notification_id {
            match self.update(&reference).await {
                Update::Done => reference.updated_for = self.message.notification_id.to_owned(),
                Update::Impossible => {}
                Update::Lost => return self.post_new().await,
                Update::Failed(report) => return report,
            }
        }
        self.reply(&reference).await
    }

    async fn update(&self, reference: &Reference) -> Update {
        let mut body = json!(message::compose(self.message));
        body["channel"] = json!(reference.channel);
        body["ts"] = json!(reference.ts);
        match self.call(&self.target.update, &body).await {
            ApiAnswer::Done { .. } => Update::Done,
            ApiAnswer::Failed { error, mut report } => match error.as_str() {
                "message_not_found" => Update::Lost,
                "cant_update_message" | "edit_window_closed" => Update::Impossible,
                _ => {
                    // To set the same text twice changes nothing, and nothing else was sent.
                    if report.outcome == SendOutcome::Ambiguous {
                        report.outcome = SendOutcome::NotProcessed;
                    }
                    Update::Failed(report)
                }
            },
        }
    }

    async fn reply(&self, reference: &Reference) -> SendReport {
        let mut body = json!(message::compose_reply(self.message));
        body["channel"] = json!(reference.channel);
        body["thread_ts"] = json!(reference.ts);
        if concerns_everybody(self.message.snapshot.kind) {
            body["reply_broadcast"] = json!(true);
        }
        match self.call(&self.target.post_message, &body).await {
            ApiAnswer::Failed { error, .. } if error == "thread_not_found" => self.post_new().await,
            ApiAnswer::Done { mut report, .. } | ApiAnswer::Failed { mut report, .. } => {
                report.reference = as_value(reference);
                report
            }
        }
    }

    async fn call(&self, method: &Endpoint, body: &Value) -> ApiAnswer {
        let client = &self.channel.client;
        let redactor = client.redactor();
        let answer = client.post_json(method, &self.target.headers, shrink::json(body), self.deadline).await;
        match answer {
            Ok(answer) => answer::read_api(&answer, redactor, self.message.now),
            Err(failure) => ApiAnswer::Failed { error: String::new(), report: failure.report(redactor) },
        }
    }
}

/// How an attempt to update the incident's message ended.
enum Update {
    Done,
    /// The message is there but cannot be changed any more.
    Impossible,
    /// The message is gone.
    Lost,
    Failed(SendReport),
}

/// Whether an answer in the thread is shown in the channel, too: when it calls for
/// somebody to look again.
const fn concerns_everybody(kind: NotificationKind) -> bool {
    match kind {
        NotificationKind::SeverityRaised | NotificationKind::Reopened | NotificationKind::Repeated => true,
        NotificationKind::Firing
        | NotificationKind::Updated
        | NotificationKind::SeverityLowered
        | NotificationKind::Acknowledged
        | NotificationKind::Resolved
        | NotificationKind::Folded
        | NotificationKind::Other
        | NotificationKind::Test => false,
    }
}

fn as_value(reference: &Reference) -> Option<Value> {
    serde_json::to_value(reference).ok()
}
