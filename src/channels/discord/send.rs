//! One request an attempt: a new message, or an edit of the incident's message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DiscordChannel, message};
use crate::channels::{Message, shrink};
use crate::domain::notification::NotificationKind;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::http::{Answer, Deadline, Failure, Headers};

/// Discord's code for a message that was deleted.
const UNKNOWN_MESSAGE: u64 = 10_008;

/// Which message stands for the incident.
#[derive(Debug, Serialize, Deserialize)]
struct Reference {
    message: String,
}

pub async fn send(channel: &DiscordChannel, message: &Message<'_>, time_limit: Duration) -> SendReport {
    let sender = Sender { channel, message, deadline: Deadline::after(time_limit) };
    let known = message.reference.and_then(|value| Reference::deserialize(value).ok());
    match known {
        Some(reference) if is_digits(&reference.message) && !calls_for_attention(message.snapshot.kind) => {
            sender.edit(reference).await
        }
        _ => sender.post().await,
    }
}

struct Sender<'a> {
    channel: &'a DiscordChannel,
    message: &'a Message<'a>,
    deadline: Deadline,
}

impl Sender<'_> {
    /// A new message, to which later edits go.
    async fn post(&self) -> SendReport {
        // Without `wait` Discord answers before it knows whether the message can be saved.
        let endpoint = self.channel.webhook.with_query("wait", "true");
        let answer =
            self.channel.client.post_json(&endpoint, &Headers::default(), self.body(), self.deadline).await;
        let (mut report, answer) = self.report(answer);
        if report.outcome != SendOutcome::Accepted {
            return report;
        }
        let id = answer.and_then(|answer| Some(answer.json()?.get("id")?.as_str()?.to_owned()));
        match id.filter(|id| is_digits(id)) {
            Some(message) => report.reference = serde_json::to_value(Reference { message }).ok(),
            None => {
                report.outcome = SendOutcome::Ambiguous;
                report.error = Some("answered success, but not with the message that was saved".to_owned());
            }
        }
        report
    }

    /// The incident's message says something else; one that is gone is posted anew.
    async fn edit(&self, reference: Reference) -> SendReport {
        let endpoint = self.channel.webhook.join(&format!("messages/{}", reference.message));
        let answer =
            self.channel.client.patch_json(&endpoint, &Headers::default(), self.body(), self.deadline).await;
        let (mut report, answer) = self.report(answer);
        let code = answer.and_then(|answer| answer.json()?.get("code")?.as_u64());
        if report.status == Some(404) && code == Some(UNKNOWN_MESSAGE) {
            return self.post().await;
        }
        // To set the same text twice changes nothing.
        if report.outcome == SendOutcome::Ambiguous {
            report.outcome = SendOutcome::NotProcessed;
        }
        report.reference = serde_json::to_value(reference).ok();
        report
    }

    fn body(&self) -> String {
        shrink::json(&message::compose(self.message))
    }

    fn report(&self, answer: Result<Answer, Failure>) -> (SendReport, Option<Answer>) {
        let redactor = self.channel.client.redactor();
        match answer {
            Ok(answer) => (answer.report(redactor, self.message.now), Some(answer)),
            Err(failure) => (failure.report(redactor), None),
        }
    }
}

/// A reference comes from a provider's answer and becomes part of an address.
fn is_digits(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.chars().all(|c| c.is_ascii_digit())
}

/// Whether somebody should look again: an edit notifies nobody.
const fn calls_for_attention(kind: NotificationKind) -> bool {
    match kind {
        NotificationKind::Firing
        | NotificationKind::SeverityRaised
        | NotificationKind::Reopened
        | NotificationKind::Repeated
        | NotificationKind::Folded
        | NotificationKind::Other
        | NotificationKind::Test => true,
        NotificationKind::Updated
        | NotificationKind::SeverityLowered
        | NotificationKind::Acknowledged
        | NotificationKind::Resolved => false,
    }
}
