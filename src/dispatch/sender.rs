//! One message of one channel: sent, its end concluded and handed to the recorder.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use tokio::sync::mpsc;

use super::attempt::{Letter, Sent, attempt};
use super::breaker::{Evidence, Pass};
use super::conclude::{Terms, conclude};
use super::ended::Ended;
use super::fallback::follow_up;
use super::plan::ChannelPlan;
use super::shared::Shared;
use crate::domain::clock::Timestamp;
use crate::domain::notification::{FOLDED_KEY, Snapshot};
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::store::outbox::{Claimed, Finished};

/// Until when a channel without a wish of its provider is paused.
const NEVER_PAUSED: i64 = i64::MIN;

/// What one send needs.
#[derive(Clone)]
pub(super) struct Sender {
    pub shared: Arc<Shared>,
    pub channel: Arc<ChannelPlan>,
    pub records: mpsc::Sender<Ended>,
    paused_until: Arc<AtomicI64>,
}

impl Sender {
    pub fn new(shared: Arc<Shared>, channel: Arc<ChannelPlan>, records: mpsc::Sender<Ended>) -> Self {
        Self { shared, channel, records, paused_until: Arc::new(AtomicI64::new(NEVER_PAUSED)) }
    }

    /// Until when the provider asked to be left alone.
    pub fn paused_until(&self) -> Timestamp {
        Timestamp::from_millis(self.paused_until.load(Ordering::Relaxed))
    }

    /// Leaves the channel alone until then.
    pub fn pause_until(&self, until: Timestamp) {
        self.paused_until.fetch_max(until.as_millis(), Ordering::Relaxed);
    }

    /// One attempt, and its end to the recorder.
    pub async fn deliver(self, message: Claimed, pass: Pass) {
        let ended = self.attempt(&message, pass).await;
        if let Some(until) = ended.paused_until {
            self.pause_until(until);
        }
        if self.records.send(ended).await.is_err() {
            tracing::error!(notification.id = message.id, "the recorder is gone, the lease will run out");
        }
    }

    /// One attempt, whatever happens in it; the channel's breaker hears of it.
    pub async fn attempt(&self, message: &Claimed, pass: Pass) -> Ended {
        let started_at = self.shared.clock.now();
        let expires_at = Timestamp::from_millis(message.expires_at);
        let mut evidence = Evidence::None;
        let snapshot = serde_json::from_str::<Snapshot>(&message.snapshot).map(Arc::new);
        let (report, preview, about) = match &snapshot {
            Ok(_) if started_at > expires_at => {
                (SendReport::failed(SendOutcome::NotProcessed, None, "it grew too old unsent"), None, None)
            }
            Ok(snapshot) => {
                let (report, preview) = self.send(message, snapshot, started_at).await;
                evidence = Evidence::of(&report);
                // A message that stands for many is about no incident of its own.
                let about = Some((snapshot.incident.id.clone(), snapshot.kind.as_str()));
                (report, preview, about.filter(|(incident, _)| !incident.is_empty()))
            }
            Err(error) => {
                let why = format!("its snapshot is unreadable: {error}");
                (SendReport::failed(SendOutcome::Rejected, None, why), None, None)
            }
        };
        let mut ended = self.conclude(message, started_at, report, preview, about);
        (ended.pass, ended.evidence) = (pass, evidence);
        self.shared.breakers.note(&mut ended);
        if let (Ok(snapshot), false) = (&snapshot, ended.held) {
            ended.stand_in = follow_up(&self.shared, &self.channel, snapshot, &mut ended.finished);
        }
        ended
    }

    async fn send(
        &self,
        message: &Claimed,
        snapshot: &Arc<Snapshot>,
        now: Timestamp,
    ) -> (SendReport, Option<String>) {
        let reference: Option<Value> =
            message.reference.as_deref().and_then(|json| serde_json::from_str(json).ok());
        let letter = Letter {
            notification_id: &message.id,
            dedup_key: &message.dedup_key,
            snapshot,
            reference: reference.as_ref(),
        };
        let Sent { report, preview, template_problem } =
            attempt(&self.shared.plan(), &self.channel, letter, now).await;
        if let Some(problem) = template_problem {
            self.shared.metrics.template_failed(&self.channel.name);
            tracing::warn!(
                channel = self.channel.name,
                problem,
                "a template failed, the built-in text stands in"
            );
        }
        (report, serde_json::to_string(&preview).ok())
    }

    fn conclude(
        &self,
        message: &Claimed,
        started_at: Timestamp,
        report: SendReport,
        preview: Option<String>,
        about: Option<(String, &'static str)>,
    ) -> Ended {
        let now = self.shared.clock.now();
        let terms = Terms {
            backoff: self.shared.plan().backoff,
            idempotent: self.channel.kind.idempotent,
            on_ambiguous: self.channel.on_ambiguous,
            expires_at: Timestamp::from_millis(message.expires_at),
        };
        let attempt = u32::try_from(message.attempts).unwrap_or(u32::MAX);
        let conclusion = conclude(&report, &terms, attempt, now, self.shared.random.fraction());
        log_end(&self.channel.name, message, &report);
        let pause = report.retry_after.filter(|_| report.slows_channel);
        let about_incident = about.is_some();
        Ended {
            about,
            paused_until: pause.map(|hint| now.plus(hint)),
            received_at: message.received_at.map(Timestamp::from_millis),
            evidence: Evidence::None,
            pass: Pass::Regular,
            not_before: report.retry_after.map(|hint| now.plus(hint)),
            expires_at: terms.expires_at,
            stands_for_many: message.dedup_key == FOLDED_KEY,
            held: conclusion.held,
            stand_in: None,
            finished: Finished {
                attempt_id: self.shared.ids.next_id(),
                notification_id: message.id.clone(),
                channel: self.channel.name.clone(),
                owner: self.shared.owner.clone(),
                series: message.series,
                number: message.attempts,
                started_at,
                ended_at: now,
                outcome: report.outcome,
                status: report.status,
                error: report.error,
                response: report.response,
                next: conclusion.next,
                maybe_twice: conclusion.maybe_twice,
                preview,
                reference: report.reference.filter(|_| about_incident).map(|reference| reference.to_string()),
            },
        }
    }
}

fn log_end(channel: &str, message: &Claimed, report: &SendReport) {
    let (id, attempt, outcome) = (message.id.as_str(), message.attempts, report.outcome.as_str());
    let error = report.error.as_deref().unwrap_or_default();
    match report.outcome {
        SendOutcome::Accepted => tracing::debug!(channel, notification.id = id, attempt, outcome, "sent"),
        SendOutcome::Rejected => {
            tracing::error!(channel, notification.id = id, attempt, outcome, error, "not sent");
        }
        SendOutcome::NotProcessed | SendOutcome::Ambiguous => {
            tracing::warn!(channel, notification.id = id, attempt, outcome, error, "not sent");
        }
    }
}
