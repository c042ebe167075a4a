//! The recorder: one task that writes how attempts ended, many per transaction, and tries
//! until the store takes them. What it never got to write shows as a lost lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::breaker::Pass;
use super::ended::Ended;
use super::orphans::cancel_orphans;
use super::shared::Shared;
use crate::domain::notification::NotificationState;
use crate::store::StoreError;
use crate::store::outbox::{HealthChange, Next, Recording};
use crate::store::stand_ins::When;
use crate::store::triage::TimelineRow;

/// How many attempts share one transaction at most.
const BATCH: usize = 256;
/// How long the first of a transaction waits for company at most.
const LINGER: Duration = Duration::from_millis(10);
/// How long to wait before a refused recording is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Runs until every sender is gone and all they sent is written.
pub(super) async fn run(shared: Arc<Shared>, mut inbox: mpsc::Receiver<Ended>) {
    let mut batch = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut batch, BATCH).await > 0 {
        gather(&mut inbox, &mut batch).await;
        record(&shared, &batch).await;
        batch.clear();
    }
}

/// Waits a moment for more. Nobody waits for the recording of what was sent but what comes
/// next about the same problem, and everybody for the database.
async fn gather(inbox: &mut mpsc::Receiver<Ended>, batch: &mut Vec<Ended>) {
    let end = Instant::now() + LINGER;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match tokio::time::timeout_at(end, inbox.recv_many(batch, room)).await {
            Ok(more) if more > 0 => {}
            Ok(_) | Err(_) => return,
        }
    }
}

async fn record(shared: &Shared, batch: &[Ended]) {
    let begun = shared.clock.now();
    if let Err(error) = store(shared, batch).await {
        tracing::error!(
            attempts = batch.len(),
            error = &error as &dyn std::error::Error,
            "attempts cannot be recorded together, going on one by one"
        );
        for ended in batch {
            if let Err(error) = store(shared, std::slice::from_ref(ended)).await {
                let id = ended.finished.notification_id.as_str();
                tracing::error!(
                    notification.id = id,
                    error = &error as &dyn std::error::Error,
                    "an attempt cannot be recorded, its lease will run out"
                );
            }
        }
    }
    shared.metrics.store_operation("record_attempts", shared.clock.now().since(begun));
    for ended in batch {
        count(shared, ended);
        shared.wake(&ended.finished.channel);
        if let Some(stand_in) = &ended.stand_in {
            shared.wake(&stand_in.channel);
        }
    }
    withdraw_orphans(shared, batch).await;
}

/// Writes the ends of attempts; waits for as long as the database cannot take them.
async fn store(shared: &Shared, batch: &[Ended]) -> Result<(), StoreError> {
    let health = health(batch);
    let moved = shared.breakers.unsaved(health.iter().map(|(channel, _)| channel.as_str()));
    let recording = Recording {
        finished: batch.iter().map(|ended| ended.finished.clone()).collect(),
        timeline: batch.iter().filter_map(|ended| timeline(shared, ended)).collect(),
        health,
        breakers: moved.rows.clone(),
        stand_ins: batch.iter().filter_map(|ended| ended.stand_in.clone()).collect(),
    };
    let outcome = write(shared, &recording).await;
    shared.breakers.mark_saved(&moved);
    outcome
}

async fn write(shared: &Shared, recording: &Recording) -> Result<(), StoreError> {
    let mut may_be_there = false;
    loop {
        let outcome = write_once(shared, recording, may_be_there).await;
        may_be_there |= outcome.as_ref().is_err_and(StoreError::may_have_happened);
        let now = shared.clock.now();
        if outcome.as_ref().err().is_some_and(|error| !error.is_unavailable()) {
            return outcome;
        }
        shared.store.watch().note("record what was sent", &outcome, now);
        if outcome.is_ok() {
            return outcome;
        }
        shared.clock.sleep_until(now.plus(RETRY)).await;
    }
}

/// Writes a recording, unless an earlier try whose answer was lost has done so: all of it is
/// there or nothing.
async fn write_once(shared: &Shared, recording: &Recording, may_be_there: bool) -> Result<(), StoreError> {
    if let (true, Some(first)) = (may_be_there, recording.finished.first()) {
        let is_there = shared.store.has_attempt(&first.notification_id, &first.attempt_id).await?;
        if is_there {
            return Ok(());
        }
    }
    shared.store.record_attempts(recording).await
}

/// A channel may be removed while it sends: nobody would try again what failed then.
async fn withdraw_orphans(shared: &Shared, batch: &[Ended]) {
    let plan = shared.plan();
    let is_orphan = |ended: &Ended| {
        matches!(ended.finished.next, Next::Retry(_)) && plan.channel(&ended.finished.channel).is_none()
    };
    if !batch.iter().any(is_orphan) {
        return;
    }
    if let Err(error) = cancel_orphans(shared).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "messages for removed channels stay until the next start"
        );
    }
}

fn timeline(shared: &Shared, ended: &Ended) -> Option<TimelineRow> {
    let finished = &ended.finished;
    let kind = match &finished.next {
        Next::Delivered => "delivered",
        Next::Failed(_) => "delivery_failed",
        Next::Retry(_) => return None,
    };
    let (incident_id, message) = ended.about.as_ref()?;
    Some(TimelineRow {
        id: shared.ids.next_id(),
        incident_id: incident_id.clone(),
        at: finished.ended_at,
        kind: kind.to_owned(),
        actor: "modelpager".to_owned(),
        detail: json!({
            "channel": finished.channel,
            "notification_id": finished.notification_id,
            "message": message,
            "error": finished.error,
            "fallback": fallback(ended),
        }),
    })
}

/// The channel that is told instead.
fn fallback(ended: &Ended) -> Option<&str> {
    let stand_in = ended.stand_in.as_ref().filter(|stand_in| stand_in.when == When::Failed)?;
    Some(&stand_in.channel)
}

/// Sums the attempts up per channel, in the order in which they ended.
fn health(batch: &[Ended]) -> Vec<(String, HealthChange)> {
    let mut channels: BTreeMap<&str, HealthChange> = BTreeMap::new();
    for ended in batch {
        let finished = &ended.finished;
        let change = channels.entry(&finished.channel).or_default();
        change.paused_until = change.paused_until.max(ended.paused_until);
        match finished.next {
            Next::Delivered => {
                change.delivered += 1;
                change.failures = 0;
                change.last_success_at = Some(finished.ended_at);
                continue;
            }
            Next::Failed(_) => {
                change.failed += 1;
                // Who tried the channel saw the end of it.
                if ended.pass != Pass::Trial {
                    change.given_up_at = Some(finished.ended_at);
                }
            }
            Next::Retry(_) => {}
        }
        change.failures += 1;
        change.last_failure_at = Some(finished.ended_at);
        change.last_error.clone_from(&finished.error);
    }
    channels.into_iter().map(|(channel, change)| (channel.to_owned(), change)).collect()
}

fn count(shared: &Shared, ended: &Ended) {
    let finished = &ended.finished;
    let channel = finished.channel.as_str();
    shared.metrics.send(channel, finished.outcome, finished.ended_at.since(finished.started_at));
    match finished.next {
        Next::Delivered => {
            shared.metrics.notification_ended(channel, NotificationState::Delivered);
            if let Some(received_at) = ended.received_at {
                shared.metrics.delivered_after(channel, finished.ended_at.since(received_at));
            }
        }
        Next::Failed(_) => shared.metrics.notification_ended(channel, NotificationState::Failed),
        Next::Retry(_) => {}
    }
    if fallback(ended).is_some() {
        shared.metrics.fell_back(channel);
    }
    let is_healthy = matches!(finished.next, Next::Delivered) && shared.breakers.is_closed(channel);
    shared.metrics.set_channel_healthy(channel, is_healthy);
}
