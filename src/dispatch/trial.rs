//! Trying a channel: one message sent at once, with its end told to who asked.

use std::sync::Arc;

use super::attempt::{Letter, attempt};
use super::breaker::Pass;
use super::dispatcher::Dispatcher;
use super::ended::Ended;
use super::plan::{ChannelPlan, Plan};
use super::sender::Sender;
use super::shared::Shared;
use crate::domain::alert::AlertStatus;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::domain::incident::{Incident, IncidentState, Tally};
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::outcome::SendOutcome;
use crate::domain::severity::Severity;
use crate::store::StoreError;
use crate::store::outbox::{Claimed, Next};
use crate::store::triage::NewNotification;

/// How trying a channel ended.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Trial {
    /// The notification, as the delivery log and the receiver know it.
    pub notification_id: String,
    /// How it ended.
    pub outcome: SendOutcome,
    /// The provider's status.
    pub status: Option<u16>,
    /// Why it did not end well.
    pub error: Option<String>,
    /// The head of the provider's answer.
    pub response: Option<String>,
    /// Milliseconds.
    pub duration_ms: u64,
}

/// Why a channel could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// No enabled channel has that name.
    #[error("there is no enabled channel {0:?}")]
    UnknownChannel(String),
    /// The program is ending.
    #[error("the program is stopping")]
    Stopping,
    /// The log did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Dispatcher {
    /// Sends one test message through a channel now, without retries, and records it in the
    /// delivery log.
    ///
    /// # Errors
    /// When there is no such channel or the store does not answer. A message the provider
    /// did not take is not an error but a [`Trial`] that says so.
    pub async fn send_test(&self, channel: &str, actor: &str) -> Result<Trial, TrialError> {
        let shared = &self.shared;
        let plan = shared.plan();
        let target = plan.channel(channel).ok_or_else(|| TrialError::UnknownChannel(channel.to_owned()))?;
        let records = self.records().ok_or(TrialError::Stopping)?;
        let now = shared.clock.now();
        let snapshot = test_snapshot(&target, actor, now);
        let message = claimed(shared.ids.next_id(), &snapshot, now.plus(plan.max_age));
        let notification = NewNotification {
            id: message.id.clone(),
            channel: target.name.clone(),
            received_at: None,
            follows: None,
            is_flood: false,
            expires_at: Timestamp::from_millis(message.expires_at),
            snapshot,
        };
        let lease_until = now.plus(target.timeout * 2);
        insert_leased(shared, &notification, lease_until).await?;
        let mut ended =
            Sender::new(shared.clone(), target, records.clone()).attempt(&message, Pass::Trial).await;
        give_up(&mut ended);
        let trial = Trial {
            notification_id: message.id,
            outcome: ended.finished.outcome,
            status: ended.finished.status,
            error: ended.finished.error.clone(),
            response: ended.finished.response.clone(),
            duration_ms: millis_between(ended.finished.started_at, ended.finished.ended_at),
        };
        // The recorder ends only with the dispatcher; then the lease runs out.
        let _ = records.send(ended).await;
        Ok(trial)
    }
}

/// Sends one test message through a channel now, without retries and without a database:
/// nobody but who asked and the receiver will know of it.
///
/// # Errors
/// When there is no such channel. A message the provider did not take is not an error but a
/// [`Trial`] that says so.
pub async fn send_unlogged(
    plan: &Arc<Plan>,
    channel: &str,
    actor: &str,
    clock: &SharedClock,
    ids: &IdMaker,
) -> Result<Trial, TrialError> {
    let target = plan.channel(channel).ok_or_else(|| TrialError::UnknownChannel(channel.to_owned()))?;
    let started_at = clock.now();
    let snapshot = Arc::new(test_snapshot(&target, actor, started_at));
    let notification_id = ids.next_id();
    let dedup_key = &snapshot.incident.dedup_key;
    let letter =
        Letter { notification_id: &notification_id, dedup_key, snapshot: &snapshot, reference: None };
    let report = attempt(plan, &target, letter, started_at).await.report;
    Ok(Trial {
        notification_id,
        outcome: report.outcome,
        status: report.status,
        error: report.error,
        response: report.response,
        duration_ms: millis_between(started_at, clock.now()),
    })
}

fn millis_between(begin: Timestamp, end: Timestamp) -> u64 {
    u64::try_from(end.since(begin).as_millis()).unwrap_or(u64::MAX)
}

/// Puts a test into the log. When the answer to that is lost, asks again: it may be there.
async fn insert_leased(
    shared: &Shared,
    test: &NewNotification,
    lease_until: Timestamp,
) -> Result<(), StoreError> {
    let insert = async || shared.store.insert_leased(test, &shared.owner, lease_until).await;
    match insert().await {
        Err(error) if error.may_have_happened() => match insert().await {
            Err(StoreError::Conflict { .. }) => Ok(()),
            settled => settled,
        },
        settled => settled,
    }
}

/// A test is told once: who asked sees the end and may ask again.
fn give_up(ended: &mut Ended) {
    ended.about = None;
    if let Next::Retry(_) = ended.finished.next {
        let error = ended.finished.error.as_deref().unwrap_or("no reason was given");
        ended.finished.next = Next::Failed(format!("a test is not repeated: {error}"));
    }
}

fn claimed(id: String, snapshot: &Snapshot, expires_at: Timestamp) -> Claimed {
    Claimed {
        id,
        dedup_key: snapshot.incident.dedup_key.clone(),
        series: 1,
        attempts: 1,
        created_at: snapshot.at.as_millis(),
        received_at: None,
        expires_at: expires_at.as_millis(),
        snapshot: serde_json::to_string(snapshot).unwrap_or_default(),
        maybe_twice: false,
        priority: 0,
        lease_claim: String::new(),
        reference: None,
    }
}

/// The message a test sends: clearly a test, and of no incident.
pub fn test_snapshot(channel: &Arc<ChannelPlan>, actor: &str, now: Timestamp) -> Snapshot {
    let incident = Incident {
        id: String::new(),
        dedup_key: format!("modelpager-test:{}", channel.name),
        state: IncidentState::Open,
        severity: Severity::Info,
        severity_raw: "info".to_owned(),
        entry: String::new(),
        version: String::new(),
        alertname: "ModelpagerTest".to_owned(),
        source: "modelpager".to_owned(),
        receiver: String::new(),
        external_url: String::new(),
        truncated: 0,
        started_at: now,
        opened_at: now,
        updated_at: now,
        last_seen_at: now,
        resolved_at: None,
        resolve_reason: None,
        reopened: 0,
        firing: 0,
        members: 0,
        tally: Tally::default(),
    };
    Snapshot {
        kind: NotificationKind::Test,
        reason: format!("{actor} tries the channel {}", channel.name),
        at: now,
        status: AlertStatus::Firing,
        previous_severity: None,
        incident,
        alerts: Vec::new(),
        alerts_omitted: 0,
        entry: None,
        route: Vec::new(),
        by_default_route: false,
        severity_unknown: false,
        stands_in: None,
        overtook: None,
    }
}
