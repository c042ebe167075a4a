//! Where the news goes that a channel cannot deliver: to its fallback channel, with a note.
//!
//! What failed for good goes there at once, recorded in one transaction with the failure;
//! what waits for a broken channel goes there once it has been broken for `fallback_after`.
//! A message held for a person (`on_ambiguous: hold`) does not: it may have arrived.

use std::sync::Arc;

use super::plan::{ChannelPlan, Plan};
use super::shared::Shared;
use crate::domain::clock::Timestamp;
use crate::domain::incident::OURSELVES;
use crate::domain::notification::{NotificationKind, NotificationState, Snapshot, StandsIn};
use crate::store::StoreError;
use crate::store::outbox::{Finished, Next};
use crate::store::stand_ins::{StandIn, Waiting, When, Withdrawn};
use crate::store::triage::TimelineRow;

/// How many waiting messages share one transaction at most.
const BATCH: u32 = 200;

/// The label that names the channel an internal alert is about.
pub(super) const CHANNEL_LABEL: &str = "channel";

/// The channel that stands in for `channel`. News of a broken channel never goes to it: its
/// own fallback stands in then.
pub(super) fn target(plan: &Plan, channel: &ChannelPlan, snapshot: &Snapshot) -> Option<Arc<ChannelPlan>> {
    let about = about_channel(snapshot);
    let mut target = plan.channel(channel.fallback.as_ref()?)?;
    while about == Some(target.name.as_str()) {
        target = plan.channel(target.fallback.as_ref()?)?;
    }
    (target.name != channel.name).then_some(target)
}

/// The channel that an internal alert is about.
pub(super) fn about_channel(snapshot: &Snapshot) -> Option<&str> {
    let is_ours = snapshot.incident.source == OURSELVES;
    snapshot.alerts.first().filter(|_| is_ours)?.labels.get(CHANNEL_LABEL).map(String::as_str)
}

/// What the fallback channel is owed by the end of an attempt: the news itself when it
/// failed for good, the end of it where the fallback channel was told the beginning.
pub(super) fn follow_up(
    shared: &Shared,
    channel: &ChannelPlan,
    snapshot: &Snapshot,
    finished: &mut Finished,
) -> Option<StandIn> {
    if channel.fallback.is_none() || snapshot.kind == NotificationKind::Test {
        return None;
    }
    let (when, reason) = match &finished.next {
        Next::Failed(reason) => (When::Failed, Some(reason.clone())),
        Next::Delivered if snapshot.kind == NotificationKind::Resolved => (When::EndDelivered, None),
        Next::Delivered | Next::Retry(_) => return None,
    };
    let plan = shared.plan();
    let target = target(&plan, channel, snapshot)?;
    if let Next::Failed(reason) = &mut finished.next {
        *reason = format!("{reason}; sent through {} instead", target.name);
    }
    let stands_in = StandsIn { channel: channel.name.clone(), reason };
    Some(StandIn {
        id: shared.ids.next_id(),
        of: finished.notification_id.clone(),
        channel: target.name.clone(),
        at: finished.ended_at,
        expires_at: finished.ended_at.plus(plan.max_age),
        snapshot: Snapshot { stands_in: Some(stands_in), ..snapshot.clone() },
        when,
    })
}

/// Sends what waits for broken channels through their fallbacks, and ends what grew too old
/// waiting.
pub(super) async fn relieve(shared: &Shared) -> Result<(), StoreError> {
    let plan = shared.plan();
    let now = shared.clock.now();
    for channel in plan.channels() {
        let Some(outage) = shared.breakers.outage(&channel.name) else { continue };
        let is_due = channel.fallback.is_some() && now.since(outage.since) >= channel.fallback_after;
        let expire_by = if is_due { Timestamp::from_millis(i64::MAX) } else { now };
        let why = format!("it has not delivered since {}: {}", outage.since, outage.reason);
        while relieve_some(shared, &plan, channel, expire_by, &why).await? == BATCH as usize {}
    }
    Ok(())
}

/// One transaction; answers how many messages it looked at.
async fn relieve_some(
    shared: &Shared,
    plan: &Plan,
    channel: &ChannelPlan,
    expire_by: Timestamp,
    why: &str,
) -> Result<usize, StoreError> {
    let mut tx = shared.store.begin_write().await?;
    let waiting = tx.waiting_behind_breaker(&channel.name, expire_by, BATCH).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let mut relief = Relief { withdrawn: Vec::new(), stand_ins: Vec::new(), timeline: Vec::new() };
    let now = shared.clock.now();
    for message in &waiting {
        relief.take(shared, (plan, channel), message, (now, why));
    }
    if relief.withdrawn.is_empty() {
        return Ok(0);
    }
    tx.withdraw(&relief.withdrawn).await?;
    tx.insert_stand_ins(&relief.stand_ins).await?;
    tx.save_timeline(&relief.timeline).await?;
    tx.commit().await?;
    relief.tell(shared, channel);
    Ok(waiting.len())
}

/// What one transaction takes off a broken channel.
struct Relief {
    withdrawn: Vec<Withdrawn>,
    stand_ins: Vec<StandIn>,
    timeline: Vec<TimelineRow>,
}

impl Relief {
    fn take(
        &mut self,
        shared: &Shared,
        (plan, channel): (&Plan, &ChannelPlan),
        message: &Waiting,
        (now, why): (Timestamp, &str),
    ) {
        let is_too_old = message.expires_at <= now.as_millis();
        let snapshot = serde_json::from_str::<Snapshot>(&message.snapshot).ok();
        let target = snapshot.as_ref().and_then(|snapshot| target(plan, channel, snapshot));
        let (state, reason) = match (&target, is_too_old) {
            (Some(target), false) => ("superseded", format!("sent through {} instead: {why}", target.name)),
            (Some(target), true) => (
                "failed",
                format!("given up after delivery.max_age, sent through {} instead: {why}", target.name),
            ),
            (None, true) => ("failed", format!("given up after delivery.max_age: {why}")),
            (None, false) => return,
        };
        self.withdrawn.push(Withdrawn { id: message.id.clone(), state, reason, at: now });
        let Some(snapshot) = snapshot else { return };
        self.timeline.push(TimelineRow {
            id: shared.ids.next_id(),
            incident_id: snapshot.incident.id.clone(),
            at: now,
            kind: if is_too_old { "delivery_failed" } else { "fell_back" }.to_owned(),
            actor: "modelpager".to_owned(),
            detail: serde_json::json!({
                "channel": channel.name,
                "notification_id": message.id,
                "message": snapshot.kind.as_str(),
                "fallback": target.as_ref().map(|target| target.name.as_str()),
                "error": why,
            }),
        });
        let Some(target) = target else { return };
        let stands_in = StandsIn { channel: channel.name.clone(), reason: Some(why.to_owned()) };
        self.stand_ins.push(StandIn {
            id: shared.ids.next_id(),
            of: message.id.clone(),
            channel: target.name.clone(),
            at: now,
            expires_at: now.plus(plan.max_age),
            snapshot: Snapshot { stands_in: Some(stands_in), ..snapshot },
            when: if is_too_old { When::Failed } else { When::Superseded },
        });
    }

    /// Counts, logs and wakes, once all of it is safe.
    fn tell(&self, shared: &Shared, channel: &ChannelPlan) {
        for ended in &self.withdrawn {
            let state = match ended.state {
                "failed" => NotificationState::Failed,
                _ => NotificationState::Superseded,
            };
            shared.metrics.notification_ended(&channel.name, state);
        }
        for stand_in in &self.stand_ins {
            shared.metrics.fell_back(&channel.name);
            shared.wake(&stand_in.channel);
        }
        let (channel, messages) = (channel.name.as_str(), self.withdrawn.len());
        let by_fallback = self.stand_ins.len();
        tracing::warn!(channel, messages, by_fallback, "took messages off a channel that does not deliver");
    }
}
