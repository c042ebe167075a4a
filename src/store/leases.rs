//! Leases that nobody will end: those that ran out, and those of a process that stops.

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::replicas::ALIVE;
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

const OF_THE_DEAD: &str = leases_sql!(
    "lease_owner NOT IN (SELECT id FROM replicas WHERE seen_at >= $1 AND left_at IS NULL)",
    " FOR UPDATE SKIP LOCKED"
);

impl Tx {
    /// Messages leased to replicas that do not live any more: there is no need to wait until
    /// the leases run out. None on SQLite.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn leases_of_the_dead(&mut self, now: Timestamp) -> Result<Vec<LostLease>, StoreError> {
        let super::TxKind::Postgres(_) = &self.0 else { return Ok(Vec::new()) };
        let since = now.minus(ALIVE).as_millis();
        with_tx!(self, |conn| sqlx::query_as(OF_THE_DEAD).bind(since).fetch_all(&mut *conn).await)
            .doing("look for leases of replicas that are gone")
    }

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
