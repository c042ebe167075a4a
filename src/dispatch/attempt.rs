//! One attempt to send, whatever happens in it. Knows neither the outbox nor the log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;

use super::plan::{ChannelPlan, Plan};
use crate::channels::{Message, Preview};
use crate::domain::clock::Timestamp;
use crate::domain::notification::Snapshot;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::render::Rendered;

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
    pub snapshot: &'a Arc<Snapshot>,
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
pub async fn attempt(
    plan: &Arc<Plan>,
    channel: &Arc<ChannelPlan>,
    letter: Letter<'_>,
    now: Timestamp,
) -> Sent {
    let rendered = match render_aside(plan, channel, letter.snapshot, now).await {
        Ok(rendered) => rendered,
        Err(error) => return Sent::never_rendered(&error),
    };
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

impl Sent {
    /// The message could not even be put into words: the program stops, or has a defect.
    fn never_rendered(error: &tokio::task::JoinError) -> Self {
        let why = format!("the message was not rendered: {error}");
        let nothing = String::new;
        let channel_kind = "";
        let preview = Preview {
            channel_kind,
            title: nothing(),
            text: nothing(),
            body: nothing(),
            content_type: nothing(),
        };
        let report = SendReport::failed(SendOutcome::NotProcessed, None, why);
        Self { report, preview, template_problem: None }
    }
}

/// Renders on a thread of its own: a template may keep it for as long as its budget allows,
/// and what else the program does must not wait for that.
async fn render_aside(
    plan: &Arc<Plan>,
    channel: &Arc<ChannelPlan>,
    snapshot: &Arc<Snapshot>,
    now: Timestamp,
) -> Result<Rendered, tokio::task::JoinError> {
    let (plan, channel, snapshot) = (plan.clone(), channel.clone(), snapshot.clone());
    tokio::task::spawn_blocking(move || plan.render(&channel, &snapshot, now)).await
}
