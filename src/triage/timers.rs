//! Timers: conversations whose moment has come are decided again, incidents not heard of
//! for too long are ended as stale. The same policy answers as for events.
//!
//! One incident that cannot be worked on holds up no other: what fails together is tried one
//! by one, and the one that fails alone rests for a while, with an error in the log.

use std::time::Duration;

use super::change::{Scope, TriageError};
use super::processor::{Processor, Progress};
use super::rules::Rules;
use crate::domain::clock::Timestamp;
use crate::domain::incident::TEST_LASTS;
use crate::store::StoreError;
use crate::store::triage::{Consequences, Postponed};
use crate::store::triage_tx::TriageTx;

/// How many incidents with a timer that came due share one transaction at most.
const BATCH: u32 = 500;
/// How long the timers of an incident that cannot be worked on rest.
const REST: Duration = Duration::from_secs(3600);

/// One look at the timers.
struct Poll<'a> {
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
        let rules = self.triage.rules.load_full();
        let now = self.triage.clock.now();
        let next = self.triage.store.next_timer(rules.stale_after).await?;
        if next.is_none_or(|at| at > now) {
            return Ok(Progress::Idle);
        }
        let poll = Poll { rules: &rules, now, stale_before: now.minus(rules.stale_after) };
        match self.run_together(&poll).await {
            Ok(progress) => Ok(progress),
            Err(error) => match error.into_outage() {
                Ok(outage) => Err(outage),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "timers failed together, going on one by one"
                    );
                    self.run_one_by_one(&poll).await
                }
            },
        }
    }

    /// One transaction over all that is due.
    async fn run_together(&self, poll: &Poll<'_>) -> Result<Progress, TriageError> {
        let mut tx = self.triage.begin().await?;
        let (due, progress) = due(&mut tx, poll).await?;
        self.decide_due(tx, &due, poll).await?;
        Ok(progress)
    }

    /// As many transactions as there are incidents with something due.
    async fn run_one_by_one(&self, poll: &Poll<'_>) -> Result<Progress, StoreError> {
        let mut tx = self.triage.store.begin_triage().await?;
        let (due, progress) = due(&mut tx, poll).await?;
        tx.rollback().await;
        for id in &due {
            let tx = self.triage.store.begin_triage().await?;
            let Err(error) = self.decide_due(tx, std::slice::from_ref(id), poll).await else { continue };
            match error.into_outage() {
                Ok(outage) => return Err(outage),
                Err(error) => self.postpone(id, &error, poll).await?,
            }
        }
        Ok(progress)
    }

    /// Ends what is stale and decides all of it again.
    async fn decide_due(&self, mut tx: TriageTx, ids: &[String], poll: &Poll<'_>) -> Result<(), TriageError> {
        self.triage.catch_up(&mut tx).await?;
        let context = self.triage.context(poll.rules, poll.now);
        let scope = Scope::Ids(ids);
        let work = self.triage.change(tx, &scope, |set| {
            let gone = ids.iter().filter(|id| !set.has(id)).cloned();
            set.consequences.without_timers = gone.collect();
            set.end_stale(poll.stale_before, &context);
            set.evaluate_all(&context);
        });
        work.await.map(|_| ())
    }

    /// Lets the timers of an incident rest: it stays as it is, and is tried again later.
    async fn postpone(&self, id: &str, error: &TriageError, poll: &Poll<'_>) -> Result<(), StoreError> {
        tracing::error!(
            incident.id = id,
            error = error as &dyn std::error::Error,
            again_in_seconds = REST.as_secs(),
            "an incident cannot be worked on: nothing more is sent about it until its row is mended"
        );
        let Poll { now, stale_before, .. } = *poll;
        let postponed = vec![Postponed { incident_id: id.to_owned(), now, stale_before, rest: REST }];
        let tx = self.triage.store.begin_triage().await?;
        self.triage.commit(tx, &Consequences { postponed, ..Consequences::default() }).await
    }
}

/// The incidents with something due, and whether there may be more of them.
async fn due(tx: &mut TriageTx, poll: &Poll<'_>) -> Result<(Vec<String>, Progress), StoreError> {
    let mut ids = tx.stale_incident_ids(poll.stale_before, BATCH).await?;
    let tests = tx.stale_test_ids(poll.now.minus(TEST_LASTS), BATCH).await?;
    let waiting = tx.due_incident_ids(poll.now, BATCH).await?;
    let may_be_more = [&ids, &tests, &waiting].iter().any(|found| found.len() == BATCH as usize);
    ids.extend(tests);
    ids.extend(waiting);
    ids.sort_unstable();
    ids.dedup();
    Ok((ids, if may_be_more { Progress::More } else { Progress::Idle }))
}
