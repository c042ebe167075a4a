//! Timers: conversations whose moment has come are decided again, incidents not heard of
//! for too long are ended as stale. The same policy answers as for events.
//!
//! One incident that cannot be worked on holds up no other: what fails together is tried one
//! by one, and the odd one is set aside for a while, loudly.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use super::desk::Desk;
use super::processor::{Processor, Progress};
use super::rules::Rules;
use crate::domain::clock::Timestamp;
use crate::domain::incident::TEST_LASTS;
use crate::store::triage::Consequences;
use crate::store::{StoreError, Superseded, Tx};

/// How many incidents with a timer that came due share one transaction at most.
const BATCH: u32 = 500;
/// How long the timers of an incident that cannot be worked on rest.
const SET_ASIDE: Duration = Duration::from_secs(3600);

/// Why timers came to nothing.
#[derive(Debug, thiserror::Error)]
enum TimerError {
    /// The store refused it, or holds something unreadable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect.
    #[error("triage panicked over it")]
    Panicked,
}

/// One look at the timers.
struct Look<'a> {
    rules: &'a Rules,
    now: Timestamp,
    /// An open incident not heard of since then is stale.
    stale_before: Timestamp,
}

impl Processor {
    /// Decides again what is due.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn run_timers(&self) -> Result<Progress, StoreError> {
        let rules = self.parts.rules.load_full();
        let now = self.parts.clock.now();
        let next = self.parts.store.next_timer(rules.stale_after).await?;
        if next.is_none_or(|at| at > now) {
            return Ok(Progress::Idle);
        }
        let look = Look { rules: &rules, now, stale_before: now.minus(rules.stale_after) };
        match self.run_together(&look).await {
            Ok(progress) => Ok(progress),
            Err(TimerError::Store(error)) if error.is_unavailable() && !error.is_too_slow() => Err(error),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "timers failed together, going on one by one"
                );
                self.run_one_by_one(&look).await
            }
        }
    }

    /// One transaction over all that is due.
    async fn run_together(&self, look: &Look<'_>) -> Result<Progress, TimerError> {
        let mut tx = self.parts.store.begin_triage().await?;
        let (due, progress) = due(&mut tx, look).await?;
        self.conclude(tx, &due, look).await?;
        Ok(progress)
    }

    /// As many transactions as there are incidents with something due.
    async fn run_one_by_one(&self, look: &Look<'_>) -> Result<Progress, StoreError> {
        let mut tx = self.parts.store.begin_triage().await?;
        let (due, progress) = due(&mut tx, look).await?;
        tx.rollback().await?;
        for id in &due {
            let tx = self.parts.store.begin_triage().await?;
            match self.conclude(tx, std::slice::from_ref(id), look).await {
                Ok(()) => {}
                Err(TimerError::Store(error)) if error.is_unavailable() && !error.is_too_slow() => {
                    return Err(error);
                }
                Err(error) => self.set_aside(id, &error, look).await?,
            }
        }
        Ok(progress)
    }

    /// Decides again and commits, or leaves everything as it was.
    async fn conclude(&self, mut tx: Tx, ids: &[String], look: &Look<'_>) -> Result<(), TimerError> {
        let due = match self.decide_due(&mut tx, ids, look).await {
            Ok(due) => due,
            Err(error) => {
                // The next look passes over what is locked, so these must not be any more. A
                // broken connection has no locks.
                let _ = tx.rollback().await;
                return Err(error);
            }
        };
        let mut tx = tx.into_writing(&self.parts.store).await?;
        let superseded = match save(&mut tx, &due).await {
            Ok(superseded) => superseded,
            Err(error) => {
                let _ = tx.rollback().await;
                return Err(error.into());
            }
        };
        tx.commit().await?;
        self.after_commit(&due.conclusions, std::iter::empty());
        self.count_superseded(&superseded);
        Ok(())
    }

    /// Ends what is stale and decides all of it again; nothing is written yet.
    async fn decide_due(&self, tx: &mut Tx, ids: &[String], look: &Look<'_>) -> Result<Due, TimerError> {
        tx.triage_alone().await?;
        self.catch_up(tx).await?;
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let incidents = tx.incidents_by_id(&ids).await?;
        let members = tx.top_members(&ids).await?;
        let conversations = tx.conversations(&ids).await?;
        let is_orphan = |id: &&&str| incidents.iter().all(|incident| incident.id != **id);
        let orphans = ids.iter().filter(is_orphan).map(|id| (*id).to_owned()).collect();
        let mut desk = Desk::lay_out(Vec::new(), incidents, members, conversations);
        self.memory.lock().forget(tx.triage_number(), desk.keys());
        let around = self.surroundings(look.rules, look.now);
        let work = AssertUnwindSafe(|| {
            desk.end_stale(look.stale_before, &around);
            desk.evaluate_all(&around);
            desk.clear()
        });
        let (conclusions, _) = std::panic::catch_unwind(work).map_err(|_| TimerError::Panicked)?;
        Ok(Due { conclusions, orphans })
    }

    /// Lets the timers of an incident rest: it stays as it is, and is tried again later.
    async fn set_aside(&self, id: &str, error: &TimerError, look: &Look<'_>) -> Result<(), StoreError> {
        tracing::error!(
            incident.id = id,
            error = error as &dyn std::error::Error,
            again_in_seconds = SET_ASIDE.as_secs(),
            "an incident cannot be worked on: nothing more is told of it until its row is mended"
        );
        let mut tx = self.parts.store.begin_write().await?;
        tx.triage_alone().await?;
        tx.postpone_timers(id, look.now, look.stale_before, SET_ASIDE).await?;
        tx.commit().await
    }
}

/// What follows from timers that came due.
struct Due {
    conclusions: Consequences,
    /// Ids of incidents that are gone.
    orphans: Vec<String>,
}

async fn save(tx: &mut Tx, due: &Due) -> Result<Vec<Superseded>, StoreError> {
    // What belongs to no incident any more would come due for ever.
    for orphan in &due.orphans {
        tx.clear_timers(orphan).await?;
    }
    tx.save_consequences(&due.conclusions).await
}

/// The incidents with something due, and whether there may be more of them.
async fn due(tx: &mut Tx, look: &Look<'_>) -> Result<(Vec<String>, Progress), StoreError> {
    tx.triage_alone().await?;
    let mut ids = tx.stale_incident_ids(look.stale_before, BATCH).await?;
    let tests = tx.stale_test_ids(look.now.minus(TEST_LASTS), BATCH).await?;
    let waiting = tx.due_incident_ids(look.now, BATCH).await?;
    let may_be_more = [&ids, &tests, &waiting].iter().any(|found| found.len() == BATCH as usize);
    ids.extend(tests);
    ids.extend(waiting);
    ids.sort_unstable();
    ids.dedup();
    Ok((ids, if may_be_more { Progress::More } else { Progress::Idle }))
}
