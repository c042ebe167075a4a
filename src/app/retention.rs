//! Deleting what is older than `retention` says: now and then, in small steps with pauses
//! between them, so that intake and dispatch go first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::config::Keep;
use crate::domain::clock::SharedClock;
use crate::store::retention::{Kept, Swept};
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::web::state::Live;

/// How long after the start, which has enough to do, and after each run.
const FIRST: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(3_600);
/// How many times as long as a step took, waiting for its turn included, the others have
/// the database to themselves; and how long at least.
const PAUSE_FACTOR: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// The parts that deleting needs.
pub(super) struct Retention {
    pub store: Store,
    pub clock: SharedClock,
    pub metrics: Metrics,
    pub live: Arc<ArcSwap<Live>>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Done,
    /// Another replica is at it, or the program stops.
    Left,
}

impl Retention {
    /// Runs until `stopped` says so.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut wait = FIRST;
        loop {
            if self.is_stopped_within(wait, &mut stopped).await {
                return;
            }
            match self.sweep_all(&mut stopped).await {
                Ok(Run::Done) => self.metrics.retention_done(self.clock.now()),
                Ok(Run::Left) => {}
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what is outdated could not be deleted, trying again in an hour"
                ),
            }
            wait = EVERY;
        }
    }

    async fn is_stopped_within(&self, wait: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
        tokio::select! {
            ended = stopped.wait_for(|stopped| *stopped) => { drop(ended); true }
            () = self.clock.sleep_until(self.clock.now().plus(wait)) => false,
        }
    }

    async fn sweep_all(&self, stopped: &mut watch::Receiver<bool>) -> Result<Run, StoreError> {
        let retention = self.live.load().config.retention.clone();
        // Messages before their incidents, which stay as long as one message does.
        let order = [
            (Kept::Events, retention.events),
            (Kept::Notifications, retention.notifications),
            (Kept::Incidents, retention.incidents),
            (Kept::Audit, retention.audit),
        ];
        for (kept, Keep(age)) in order {
            let Some(age) = age else { continue };
            if self.sweep(kept, age, stopped).await? == Run::Left {
                return Ok(Run::Left);
            }
        }
        self.store.shrink_wal().await?;
        Ok(Run::Done)
    }

    async fn sweep(
        &self,
        kept: Kept,
        age: Duration,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<Run, StoreError> {
        let mut sweep = self.store.begin_sweep(kept, self.clock.now().minus(age)).await?;
        let mut total: BTreeMap<&'static str, u64> = BTreeMap::new();
        let outcome = loop {
            let began = self.clock.now();
            let swept = self.store.sweep_some(&mut sweep).await?;
            let (rows, is_last) = match swept {
                Swept::Busy => break Run::Left,
                Swept::Some(rows) => (rows, false),
                Swept::Last(rows) => (rows, true),
            };
            for (table, count) in rows {
                self.metrics.retention_deleted(table, count);
                *total.entry(table).or_default() += count;
            }
            if is_last {
                break Run::Done;
            }
            let pause = (self.clock.now().since(began) * PAUSE_FACTOR).max(SHORTEST_PAUSE);
            if self.is_stopped_within(pause, stopped).await {
                break Run::Left;
            }
        };
        if !total.is_empty() {
            tracing::info!(rows = ?total, older_than_h = age.as_secs() / 3_600, "deleted what is outdated");
        }
        Ok(outcome)
    }
}
