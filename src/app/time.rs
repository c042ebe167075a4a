//! One time for all replicas: the database's. Leases, due times and ids of one replica are
//! judged by the others; so each sets its clock right by the one they share. On SQLite there
//! is one process and one clock.

use crate::domain::clock::AdjustedClock;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// Differences as small as this are left alone: time should not go to and fro with the network.
const TOLERATED_MS: i64 = 20;
/// A difference as large as this is worth an operator's attention.
const REMARKABLE_MS: i64 = 2_000;

/// The clock that is set right.
pub(super) struct Time {
    pub store: Store,
    pub clock: AdjustedClock,
    pub metrics: Metrics,
}

impl Time {
    /// Sets the clock right by that of the database.
    ///
    /// # Errors
    /// When the database does not answer; then the clock stays as it was.
    pub async fn set_right(&self) -> Result<(), StoreError> {
        let Some(ahead) = self.store.clock_difference(self.clock.inner()).await? else { return Ok(()) };
        self.metrics.set_clock_ahead(ahead);
        let before = self.clock.ahead_ms();
        if ahead.abs_diff(before) <= TOLERATED_MS.unsigned_abs() {
            return Ok(());
        }
        if ahead.abs_diff(before) >= REMARKABLE_MS.unsigned_abs() {
            tracing::warn!(
                ahead_ms = ahead,
                "the clocks of this machine and of the database differ, going by the database's"
            );
        }
        self.clock.adjust(ahead);
        Ok(())
    }
}
