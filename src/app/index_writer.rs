//! Keeps the log's index up to date, behind everything else: it waits while events do, but
//! not for ever.

use std::time::Duration;

use tokio::sync::watch;

use crate::domain::clock::{SharedClock, Timestamp};
use crate::store::{Store, StoreError};

/// How often there may be something to do.
const EVERY: Duration = Duration::from_secs(5);
/// How many steps are taken at a time.
const STEPS: usize = 256;
/// How long others have the database to themselves after a step.
const PAUSE: Duration = Duration::from_millis(20);
/// With more events than these waiting, a step waits, too.
const BUSY: u64 = 500;
/// How long it waits at most, be the program as busy as it may.
const PATIENCE: Duration = Duration::from_secs(60);

/// The task that writes the log's index.
pub(super) struct IndexWriter {
    pub store: Store,
    pub clock: SharedClock,
}

impl IndexWriter {
    /// Runs until `stopped` says so.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut last_round = self.clock.now();
        while !*stopped.borrow() {
            if let Err(error) = self.round(&mut last_round, &stopped).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the log's index could not be brought up to date, trying again"
                );
            }
            tokio::select! {
                _ = stopped.changed() => return,
                () = self.clock.sleep_until(self.clock.now().plus(EVERY)) => {}
            }
        }
    }

    async fn round(
        &self,
        last_round: &mut Timestamp,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        let is_owed = self.clock.now().since(*last_round) >= PATIENCE;
        for _ in 0..STEPS {
            let now = self.clock.now();
            if *stopped.borrow() || (!is_owed && self.is_busy().await?) {
                break;
            }
            *last_round = now;
            if !self.store.index_log().await? {
                break;
            }
            self.clock.sleep_until(self.clock.now().plus(PAUSE)).await;
        }
        Ok(())
    }

    async fn is_busy(&self) -> Result<bool, StoreError> {
        Ok(self.store.events_waiting().await?.waiting > BUSY)
    }
}
