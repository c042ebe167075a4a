//! One attempt to send, whatever happens in it. Knows neither the outbox nor the log.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;

use super::plan::{ChannelPlan, Plan};
use crate::channels::{Message, Preview};
use crate::domain::clock::Timestamp;
use crate::domain::notification::Snapshot;
use crate::domain::outcome::{SendOutcome, SendReport};

/// How long after its time limit a channel is given up as defective.
const GUARD: Duration = Duration::from_secs(30);

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The notification's id.
    pub notification_id: &'a str,
    /// The incident's dedup key.
    pub dedup_key: &'a str,
    /// What is told.
    pub snapshot: &'a Snapshot,
    /// What the message before it left to refer to.
    pub reference: Option<&'a Value>,
}

/// What came of it.
pub struct Sent {
    /// How it ended.
    pub report: SendReport,
    /// The message as it was sent.
    pub preview: Preview,
    /// What is wrong with the templates, when the built-in text stood in.
    pub template_problem: Option<String>,
}

/// Renders and sends. Ends within the channel's time limit and [`GUARD`]; a panic in the
/// channel's code is an ambiguous end, not a crash. What the provider wrote is cleaned here, for
/// whatever becomes of it: the log, the channel's health, other channels' messages.
pub async fn attempt(plan: &Plan, channel: &ChannelPlan, letter: Letter<'_>, now: Timestamp) -> Sent {
    let rendered = plan.render(channel, letter.snapshot, now);
    let message = Message {
        notification_id: letter.notification_id,
        dedup_key: letter.dedup_key,
        snapshot: letter.snapshot,
        rendered: &rendered,
        reference: letter.reference,
        now,
    };
    let preview = channel.channel.preview(&message);
    let send = AssertUnwindSafe(channel.channel.send(&message, channel.timeout)).catch_unwind();
    // The channel keeps its time limit; this one only guards against a defect in it.
    let report = match tokio::time::timeout(channel.timeout + GUARD, send).await {
        Ok(Ok(report)) => report,
        Ok(Err(_)) => SendReport::failed(SendOutcome::Ambiguous, None, "the channel's code panicked"),
        Err(_) => SendReport::failed(SendOutcome::Ambiguous, None, "the channel did not keep its time limit"),
    };
    let report = report.cleaned();
    Sent { report, preview, template_problem: rendered.problem }
}
