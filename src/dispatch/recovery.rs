//! Finding messages whose worker died during the send, and letting go of those that this
//! process will not finish itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::conclude::{Terms, conclude};
use super::fallback::follow_up;
use super::give_back::give_back;
use super::orphans::cancel_orphans;
use super::plan::Plan;
use super::shared::Shared;
use crate::config::OnAmbiguous;
use crate::domain::clock::Timestamp;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::store::outbox::{Finished, Next, Recording};
use crate::store::{LostLease, StoreError, Tx};

/// Why a test whose end nobody saw is not sent again.
const TEST_LOST: &str = "a test is not repeated: its result is unknown";
/// What is known of an attempt whose process is gone.
const STOPPED: &str = "the program stopped during the send: the provider may have it";
/// And of one whose process is this one.
const UNRECORDED: &str = "the end of the send was not recorded in time: the provider may have it";
/// How often to look.
const EVERY: Duration = Duration::from_secs(5);
/// How long a lease of this very process may seem to have run out before it counts as lost.
/// Its sender lives, as a rule: it is the clock that was set forward, or the database that
/// could not take the attempt's end for a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// Leases of this process that seem to have run out, and when that was first seen. On the
/// steady clock: the other one may be what is wrong.
type Doubtful = HashMap<(String, i64), Instant>;

/// Looks for lost leases, and for what is owed to channels that are gone by now, until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut doubtful = Doubtful::new();
    loop {
        shared.clock.sleep_until(shared.clock.now().plus(EVERY)).await;
        show_queues(&shared).await;
        let given_back = give_back(&shared, &shared.unsure_claims.all()).await;
        let now = shared.clock.now();
        shared.store.watch().note("give back what unanswered claims leased", &given_back, now);
        let found = recover(&shared, now, &mut doubtful).await;
        shared.store.watch().note("look for lost leases", &found, now);
        if let Ok(found @ 1..) = found {
            tracing::warn!(messages = found, "messages had lost their worker during the send");
        }
        // A process that is alone knows when it ceased to serve a channel.
        let is_alone = shared.store.backend() == "sqlite";
        if is_alone {
            continue;
        }
        if let Err(error) = cancel_orphans(&shared).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "could not look for messages of removed channels");
        }
    }
}

/// Takes up what an earlier process left: everything whose lease ran out by `deadline`.
pub(super) async fn take_over(shared: &Shared, deadline: Timestamp) -> Result<usize, StoreError> {
    recover(shared, deadline, &mut Doubtful::new()).await
}

/// Takes up what this process has leased and will not finish, now that its senders are gone.
pub(super) async fn release(shared: &Shared) -> Result<usize, StoreError> {
    let mut released = 0;
    loop {
        let mut tx = shared.store.begin_write().await?;
        let own = tx.leases_of(&shared.owner).await?;
        if own.is_empty() {
            return Ok(released);
        }
        take_up(shared, tx, &own).await?;
        released += own.len();
    }
}

/// How much waits for each channel, and for how long.
async fn show_queues(shared: &Shared) {
    let now = shared.clock.now();
    for channel in shared.plan().channels() {
        // A store that does not answer is complained about elsewhere.
        if let Ok(queue) = shared.store.waiting_for(&channel.name).await {
            let age = queue.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
            shared.metrics.set_channel_queue(&channel.name, queue.waiting, age);
        }
    }
}

/// Takes up every message whose lease ran out by `deadline`: its attempt is recorded as
/// ambiguous, and it is tried again or held as its channel wants. Answers how many.
async fn recover(shared: &Shared, deadline: Timestamp, doubtful: &mut Doubtful) -> Result<usize, StoreError> {
    let mut tx = shared.store.begin_write().await?;
    let mut lost = tx.lost_leases(deadline).await?;
    let before = std::mem::take(doubtful);
    lost.retain(|lease| {
        if lease.lease_owner != shared.owner {
            return true;
        }
        let key = (lease.id.clone(), lease.attempts);
        let since = before.get(&key).copied().unwrap_or_else(Instant::now);
        doubtful.insert(key, since);
        since.elapsed() >= PATIENCE
    });
    let now = shared.clock.now();
    if lost.is_empty() && shared.steadiness.can_judge(now) {
        lost = tx.leases_of_the_dead(now).await?;
    }
    let recording = take_up(shared, tx, &lost).await?;
    for lease in &lost {
        shared.wake(&lease.channel);
    }
    for stand_in in &recording.stand_ins {
        shared.wake(&stand_in.channel);
    }
    Ok(lost.len())
}

async fn take_up(shared: &Shared, mut tx: Tx, lost: &[LostLease]) -> Result<Recording, StoreError> {
    let now = shared.clock.now();
    let plan = shared.plan();
    let mut recording = Recording::default();
    for lease in lost {
        let snapshot = serde_json::from_str::<Snapshot>(&lease.snapshot).ok();
        let (mut finished, held) = ended(shared, &plan, lease, snapshot.as_ref(), now);
        let channel = plan.channel(&lease.channel).filter(|_| !held);
        if let (Some(channel), Some(snapshot)) = (channel, &snapshot) {
            recording.stand_ins.extend(follow_up(shared, &channel, snapshot, &mut finished));
        }
        recording.finished.push(finished);
    }
    tx.record_attempts(&recording).await?;
    tx.commit().await?;
    Ok(recording)
}

/// How the attempt that was lost is recorded, and whether its message is held for a person.
fn ended(
    shared: &Shared,
    plan: &Plan,
    lease: &LostLease,
    snapshot: Option<&Snapshot>,
    now: Timestamp,
) -> (Finished, bool) {
    // A test is told once: who asked for it has gone.
    let is_test = snapshot.is_some_and(|snapshot| snapshot.kind == NotificationKind::Test);
    let channel = plan.channel(&lease.channel);
    let why = if lease.lease_owner == shared.owner { UNRECORDED } else { STOPPED };
    let report = SendReport::failed(SendOutcome::Ambiguous, None, why);
    let terms = Terms {
        backoff: plan.backoff,
        // A channel that is gone cannot say: assume the worse.
        idempotent: channel.as_ref().is_some_and(|channel| channel.kind.idempotent),
        on_ambiguous: channel.as_ref().map_or(OnAmbiguous::Retry, |channel| channel.on_ambiguous),
        expires_at: Timestamp::from_millis(lease.expires_at),
    };
    let attempt = u32::try_from(lease.attempts).unwrap_or(u32::MAX);
    // Drawn as zero: the restart was wait enough.
    let conclusion = conclude(&report, &terms, attempt, now, 0.0);
    let finished = Finished {
        attempt_id: shared.ids.next_id(),
        notification_id: lease.id.clone(),
        channel: lease.channel.clone(),
        owner: lease.lease_owner.clone(),
        series: lease.series,
        number: lease.attempts,
        started_at: now,
        ended_at: now,
        outcome: report.outcome,
        status: None,
        error: report.error,
        response: None,
        next: if is_test { Next::Failed(TEST_LOST.to_owned()) } else { conclusion.next },
        maybe_twice: conclusion.maybe_twice,
        preview: None,
        reference: None,
    };
    (finished, conclusion.held)
}
