//! The circuit breakers as the database keeps them: shared by replicas, outliving restarts.
//!
//! A probe is claimed here, so that of several replicas one sends it.

use super::error::Doing as _;
use super::{Store, StoreError, Tx};
use crate::domain::clock::Timestamp;

/// The breaker of one channel.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BreakerRow {
    /// The channel.
    pub channel: String,
    /// `closed`, `open`, `half_open`.
    pub breaker: String,
    /// Since when nothing is sent, milliseconds.
    pub opened_at: Option<i64>,
    /// What went wrong; without secrets.
    pub opened_reason: Option<String>,
    /// When the next probe may go; while one is under way, when it counts as lost.
    pub probe_at: Option<i64>,
    /// How many probes in a row have failed.
    pub failed_probes: i64,
}

const READ: &str = "SELECT channel, breaker, opened_at, opened_reason, probe_at, failed_probes FROM channel_health \
     ORDER BY channel";
const SAVE: &str = "INSERT INTO channel_health (channel, failures, delivered, failed, breaker, opened_at, opened_reason, \
     probe_at, failed_probes)";
/// Of replicas that saw the same outage the first says since when.
const SAVE_SET: &str = "ON CONFLICT (channel) DO UPDATE SET breaker = excluded.breaker, \
     opened_at = CASE WHEN channel_health.breaker <> 'closed' AND excluded.breaker <> 'closed' \
         THEN channel_health.opened_at ELSE excluded.opened_at END, \
     opened_reason = excluded.opened_reason, probe_at = excluded.probe_at, failed_probes = excluded.failed_probes";
const CLAIM_PROBE: &str = "UPDATE channel_health SET breaker = 'half_open', probe_at = $3 \
     WHERE channel = $1 AND breaker <> 'closed' AND probe_at <= $2";
const FORGO_PROBE: &str = "UPDATE channel_health SET breaker = 'open', probe_at = $2 \
     WHERE channel = $1 AND breaker = 'half_open' AND probe_at = $3";
const RESUME: &str = "UPDATE channel_health SET breaker = 'open', probe_at = $1 WHERE breaker = 'open' \
     OR (breaker = 'half_open' AND probe_at <= $2)";
const CLOSE: &str = "UPDATE channel_health SET breaker = 'closed', opened_at = NULL, opened_reason = NULL, \
     probe_at = NULL, failed_probes = 0 WHERE channel = $1 AND breaker <> 'closed'";

impl Store {
    /// The breaker of every channel that ever tried to send.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn breakers(&self) -> Result<Vec<BreakerRow>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(READ).fetch_all(&mut *conn).await)
            .doing("read the circuit breakers")
    }

    /// A program that starts may probe at once: somebody may have mended something. Probes
    /// that count as lost by `lost_by` are free again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resume_breakers(&self, now: Timestamp, lost_by: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| {
            let query = sqlx::query(RESUME).bind(now.as_millis()).bind(lost_by.as_millis());
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("take up the circuit breakers")?;
        tx.commit().await
    }

    /// Takes the one place of a channel's probe until `lost_at`; answers whether it was free.
    ///
    /// # Errors
    /// When the database does not answer; then it is not taken.
    pub async fn claim_probe(
        &self,
        channel: &str,
        now: Timestamp,
        lost_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_write().await?;
        let claimed = with_tx!(tx, |conn| {
            let query =
                sqlx::query(CLAIM_PROBE).bind(channel).bind(now.as_millis()).bind(lost_at.as_millis());
            query.execute(&mut *conn).await.map(|done| done.rows_affected())
        })
        .doing("claim a channel's probe")?;
        tx.commit().await?;
        Ok(claimed > 0)
    }

    /// Gives the place of a channel's probe that would count as lost at `lost_at` back unused.
    ///
    /// # Errors
    /// When the database does not answer; then the probe counts as lost in due time.
    pub async fn forgo_probe(
        &self,
        channel: &str,
        now: Timestamp,
        lost_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| {
            let query =
                sqlx::query(FORGO_PROBE).bind(channel).bind(now.as_millis()).bind(lost_at.as_millis());
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("give a channel's probe back")?;
        tx.commit().await
    }
}

impl Tx {
    /// Stores where breakers stand.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn save_breakers(&mut self, rows: &[BreakerRow]) -> Result<(), StoreError> {
        write_rows!(*self, rows, 9, SAVE, SAVE_SET, |query, row| query
            .bind(&row.channel)
            .bind(0_i64)
            .bind(0_i64)
            .bind(0_i64)
            .bind(&row.breaker)
            .bind(row.opened_at)
            .bind(&row.opened_reason)
            .bind(row.probe_at)
            .bind(row.failed_probes))
        .doing("store the circuit breakers")?;
        Ok(())
    }

    /// Closes a channel's breaker by hand; answers whether it was open.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn close_breaker(&mut self, channel: &str) -> Result<bool, StoreError> {
        let closed = with_tx!(self, |conn| {
            sqlx::query(CLOSE).bind(channel).execute(&mut *conn).await.map(|done| done.rows_affected())
        })
        .doing("close a circuit breaker")?;
        Ok(closed > 0)
    }
}
