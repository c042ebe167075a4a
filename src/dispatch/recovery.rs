//! Finding messages whose worker died during the send.

use std::sync::Arc;
use std::time::Duration;

use super::conclude::{Terms, conclude};
use super::fallback::follow_up;
use super::plan::Plan;
use super::shared::Shared;
use crate::config::OnAmbiguous;
use crate::domain::clock::Timestamp;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::store::StoreError;
use crate::store::outbox::{Finished, LostLease, Next, Recording};

/// Why a test whose end nobody saw is not sent again.
const TEST_LOST: &str = "a test is not repeated: the program stopped during it";
/// How often to look.
const EVERY: Duration = Duration::from_secs(15);

/// Looks for lost leases until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        shared.clock.sleep_until(shared.clock.now().plus(EVERY)).await;
        match recover(&shared, shared.clock.now()).await {
            Ok(0) => {}
            Ok(found) => tracing::warn!(messages = found, "messages had lost their worker during the send"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not look for lost leases");
            }
        }
    }
}

/// Takes up every message whose lease ran out by `deadline`: its attempt is recorded as
/// ambiguous, and it is tried again or held as its channel wants. Answers how many.
pub(super) async fn recover(shared: &Shared, deadline: Timestamp) -> Result<usize, StoreError> {
    let now = shared.clock.now();
    let plan = shared.plan();
    let mut tx = shared.store.begin_write().await?;
    let lost = tx.lost_leases(deadline).await?;
    let mut recording = Recording::default();
    for lease in &lost {
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
    for lease in &lost {
        shared.wake(&lease.channel);
    }
    for stand_in in &recording.stand_ins {
        shared.wake(&stand_in.channel);
    }
    Ok(lost.len())
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
    let report = SendReport::failed(
        SendOutcome::Ambiguous,
        None,
        "the program stopped during the send: the provider may have it",
    );
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
