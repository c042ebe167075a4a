//! One look into the outbox on behalf of one channel: what is due is leased, within the
//! channel's rate limit.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::breaker::Pass;
use super::fold::fold;
use super::give_back::give_back;
use super::plan::ChannelPlan;
use super::shared::Shared;
use super::unsure::Unsure;
use crate::domain::clock::Timestamp;
use crate::domain::notification::NotificationState;
use crate::domain::rate::{Rate, RateLimit};
use crate::store::StoreError;
use crate::store::limited::{Fold, Folded, Limit, Waiting, WithinLimit};
use crate::store::outbox::{Claimed, Lease};
use crate::store::triage::{NewNotification, TimelineRow};

/// How long a lease outlives the attempt's own time limit: room for recording its end.
pub(super) const LEASE_MARGIN: Duration = Duration::from_secs(60);
/// How often to look although nobody called: another replica may have written.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// How long to wait after the store failed, or when another worker was quicker.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// Messages that cannot be sent within this time are folded into one …
const PATIENCE: Duration = Duration::from_secs(5);
/// … but not so few.
const FEW: usize = 3;

/// What to look for in the outbox.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub limit: usize,
    pub from_priority: u8,
    /// Messages surely wait.
    pub is_sure: bool,
    /// By which right they will be sent.
    pub pass: Pass,
}

/// What a look into the outbox brought.
pub(super) struct Found {
    pub at: Timestamp,
    pub messages: Vec<Claimed>,
    pub more_waits: bool,
    pub look_at: Timestamp,
    /// The channel's rate limit is used up until then.
    pub not_before: Option<Timestamp>,
    /// Another replica was asked to leave the channel alone until then.
    pub paused_until: Option<Timestamp>,
    pub pass: Pass,
}

/// Leases due messages. Unless some surely wait, asks first: a question costs the database
/// less than a transaction.
pub(super) async fn look(
    shared: Arc<Shared>,
    channel: Arc<ChannelPlan>,
    wanted: Wanted,
) -> Result<Found, StoreError> {
    let at = shared.clock.now();
    let poll = at.plus(POLL);
    let nothing = Found {
        at,
        messages: Vec::new(),
        more_waits: false,
        look_at: poll,
        not_before: None,
        paused_until: None,
        pass: wanted.pass,
    };
    give_back(&shared, &shared.unsure_claims.new_ones(&channel.name)).await?;
    if !wanted.is_sure {
        let due = shared.store.next_due(&channel.name).await?;
        if due.is_none_or(|due| due > at) {
            return Ok(Found { look_at: due.unwrap_or(poll).min(poll), ..nothing });
        }
    }
    let is_probe = wanted.pass == Pass::Probe;
    let Some(WithinLimit { claimed, not_before, folded }) = take(&shared, &channel, wanted, at).await? else {
        return Ok(Found { look_at: at.plus(PAUSE), ..nothing });
    };
    shared.metrics.store_operation("claim_notifications", shared.clock.now().since(at));
    for ended in &folded {
        shared.metrics.notification_ended(&ended.channel, NotificationState::Superseded);
    }
    if !folded.is_empty() {
        let (channel, messages) = (channel.name.as_str(), folded.len());
        tracing::info!(channel, messages, "more waited than the channel may send: folded into one message");
    }
    let mut paused_until = None;
    if claimed.is_empty() && !shared.breakers.is_alone() {
        paused_until = shared.store.paused_until(&channel.name).await?;
    }
    let nothing = Found { paused_until, ..nothing };
    if is_probe {
        return Ok(Found { messages: claimed, look_at: at.plus(PAUSE), not_before, ..nothing });
    }
    let may_wait = match channel.rate_limit {
        RateLimit::None => claimed.len() == wanted.limit,
        RateLimit::Rate(_) => !claimed.is_empty() || not_before.is_some(),
    };
    // From further down the queue less may come than waits.
    if may_wait || wanted.from_priority > 0 {
        return Ok(Found { messages: claimed, more_waits: true, look_at: at, not_before, ..nothing });
    }
    // What is leased is in nobody else's hands: no question that may fail stands between it and
    // its send.
    if !claimed.is_empty() {
        return Ok(Found { messages: claimed, look_at: at.plus(PAUSE), ..nothing });
    }
    let due = shared.store.next_due(&channel.name).await?;
    let look_at = due.map_or(poll, |due| due.max(at.plus(PAUSE))).min(poll);
    Ok(Found { look_at, ..nothing })
}

/// Leases messages, for a probe once its place is taken; `None` when another replica has that.
async fn take(
    shared: &Shared,
    channel: &ChannelPlan,
    wanted: Wanted,
    now: Timestamp,
) -> Result<Option<WithinLimit>, StoreError> {
    let length = channel.timeout + LEASE_MARGIN;
    let probe_lost_at = (wanted.pass == Pass::Probe).then(|| now.plus(length));
    let unsure = Unsure { channel: channel.name.clone(), claim: shared.ids.next_id(), probe_lost_at };
    if let Some(lost_at) = probe_lost_at {
        let begun = shared.breakers.begin_probe(&channel.name, now, lost_at).await;
        if begun.as_ref().is_err_and(StoreError::may_have_happened) {
            shared.unsure_claims.keep(unsure.clone(), length);
        }
        if !begun? {
            return Ok(None);
        }
    }
    let taken = take_messages(shared, channel, wanted, now, &unsure).await;
    if taken.as_ref().is_err_and(|error| error.may_have_happened() || probe_lost_at.is_some()) {
        shared.unsure_claims.keep(unsure, length);
    }
    taken.map(Some)
}

/// Leases messages; a probe for which there is none gives its place back.
async fn take_messages(
    shared: &Shared,
    channel: &ChannelPlan,
    wanted: Wanted,
    now: Timestamp,
    Unsure { claim: id, probe_lost_at, .. }: &Unsure,
) -> Result<WithinLimit, StoreError> {
    let within = claim(shared, channel, wanted, now, id).await?;
    if let (Some(lost_at), true) = (probe_lost_at, within.claimed.is_empty()) {
        shared.breakers.forgo_probe(&channel.name, now, *lost_at).await?;
    }
    Ok(within)
}

async fn claim(
    shared: &Shared,
    channel: &ChannelPlan,
    wanted: Wanted,
    now: Timestamp,
    id: &str,
) -> Result<WithinLimit, StoreError> {
    let lease = Lease {
        owner: &shared.owner,
        claim: id,
        now,
        length: channel.timeout + LEASE_MARGIN,
        from_priority: wanted.from_priority,
    };
    let RateLimit::Rate(rate) = channel.rate_limit else {
        let claimed = shared.store.claim_notifications(&channel.name, &lease, wanted.limit).await?;
        return Ok(WithinLimit { claimed, ..WithinLimit::default() });
    };
    let one = |waiting: &[Waiting]| one_for(waiting, shared, channel, now);
    let limit = Limit { rate, patience: patience(rate), fold: channel.folds.then_some(&one as Fold<'_>) };
    shared.store.claim_within(&channel.name, &lease, wanted.limit, &limit).await
}

fn patience(rate: Rate) -> usize {
    rate.within(PATIENCE).max(FEW)
}

fn one_for(waiting: &[Waiting], shared: &Shared, channel: &ChannelPlan, now: Timestamp) -> Folded {
    let expires_at = waiting.iter().map(|message| message.expires_at).max().unwrap_or_default();
    let one = NewNotification {
        id: shared.ids.next_id(),
        channel: channel.name.clone(),
        received_at: None,
        expires_at: Timestamp::from_millis(expires_at),
        follows: None,
        is_flood: false,
        snapshot: fold(waiting, channel.rate_limit, now),
    };
    let line = |message: &Waiting| {
        Some(TimelineRow {
            id: shared.ids.next_id(),
            incident_id: message.incident_id.clone()?,
            at: now,
            kind: "folded".to_owned(),
            actor: "modelpager".to_owned(),
            detail: json!({
                "channel": channel.name,
                "notification_id": message.id,
                "message": message.kind,
                "folded_into": one.id,
            }),
        })
    };
    let timeline = waiting.iter().filter_map(line).collect();
    Folded { one, timeline }
}
