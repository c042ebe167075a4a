//! Leases that nobody will end: those that ran out, and those of a process that stops.

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::{StoreError, Tx};
use crate::domain::clock::Timestamp;

/// A message whose worker did not come back.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LostLease {
    /// The notification.
    pub id: String,
    /// Its channel.
    pub channel: String,
    /// The series.
    pub series: i64,
    /// The attempt that never ended.
    pub attempts: i64,
    /// Whose lease it was.
    pub lease_owner: String,
    /// After this the message fails for good, milliseconds.
    pub expires_at: i64,
    /// The snapshot as JSON.
    pub snapshot: String,
}

macro_rules! leases_sql {
    ($condition:literal, $lock:literal) => {
        concat!(
            "SELECT id, channel, series, attempts, lease_owner, expires_at, snapshot FROM notifications \
             WHERE state = 'sending' AND ",
            $condition,
            " LIMIT 500",
            $lock
        )
    };
}
const EXPIRED: PerDialect = PerDialect {
    sqlite: leases_sql!("lease_until <= $1", ""),
    postgres: leases_sql!("lease_until <= $1", " FOR UPDATE SKIP LOCKED"),
};
const OWNED: PerDialect = PerDialect {
    sqlite: leases_sql!("lease_owner = $1", ""),
    postgres: leases_sql!("lease_owner = $1", " FOR UPDATE SKIP LOCKED"),
};

impl Tx {
    /// Messages whose lease ran out by `now`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn lost_leases(&mut self, now: Timestamp) -> Result<Vec<LostLease>, StoreError> {
        let sql = EXPIRED.pick(self);
        with_tx!(self, |conn| sqlx::query_as(sql).bind(now.as_millis()).fetch_all(&mut *conn).await)
            .doing("look for lost leases")
    }

    /// Messages that `owner` has leased and not finished.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn leases_of(&mut self, owner: &str) -> Result<Vec<LostLease>, StoreError> {
        let sql = OWNED.pick(self);
        with_tx!(self, |conn| sqlx::query_as(sql).bind(owner).fetch_all(&mut *conn).await)
            .doing("look for own leases")
    }
}
