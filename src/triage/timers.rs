//! Timers: conversations whose moment has come are decided again, incidents not heard of
//! for too long are ended as stale. The same policy answers as for events.

use super::desk::Desk;
use super::processor::{Processor, Progress};
use crate::store::triage::Consequences;
use crate::store::{StoreError, Tx};

/// How many incidents with a timer that came due share one transaction at most.
const BATCH: u32 = 500;

impl Processor {
    /// Decides again what is due, in one transaction.
    pub(super) async fn run_timers(&self) -> Result<Progress, StoreError> {
        let rules = self.parts.rules.load_full();
        let now = self.parts.clock.now();
        let next = self.parts.store.next_timer(rules.stale_after).await?;
        if next.is_none_or(|at| at > now) {
            return Ok(Progress::Idle);
        }
        let mut tx = self.parts.store.begin_write().await?;
        let stale = tx.stale_incident_ids(now.minus(rules.stale_after), BATCH).await?;
        let mut due = tx.due_incident_ids(now, BATCH).await?;
        let may_be_more = [&stale, &due].iter().any(|ids| ids.len() == BATCH as usize);
        due.retain(|id| !stale.contains(id));
        due.sort_unstable();
        due.dedup();
        let around = self.surroundings(&rules, now);
        let mut ended = load(&mut tx, &stale).await?;
        ended.end_stale(&around);
        ended.evaluate_all(&around);
        let mut asked = load(&mut tx, &due).await?;
        asked.evaluate_all(&around);
        let concluded: [Consequences; 2] = [ended.clear(), asked.clear()];
        for conclusions in &concluded {
            tx.save_consequences(conclusions).await?;
        }
        tx.commit().await?;
        for conclusions in &concluded {
            self.after_commit(conclusions, std::iter::empty());
        }
        Ok(if may_be_more { Progress::More } else { Progress::Idle })
    }
}

async fn load(tx: &mut Tx, ids: &[String]) -> Result<Desk, StoreError> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let incidents = tx.incidents_by_id(&ids).await?;
    let members = tx.top_members(&ids).await?;
    let conversations = tx.conversations(&ids).await?;
    Ok(Desk::lay_out(incidents, members, conversations))
}
