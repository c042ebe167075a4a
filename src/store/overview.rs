//! What the overview counts, each with a limit to the rows it touches.

use sqlx::FromRow;

use super::error::Doing as _;
use super::log::lowest_id;
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// How many open incidents are looked at.
pub const MOST_OPEN: i64 = 5_000;
/// How many messages of a time are counted.
pub const MOST_COUNTED: i64 = 100_000;

/// Open incidents that have these in common.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct OpenGroup {
    /// The severity's word.
    pub severity: String,
    /// The catalog entry; empty for those without.
    pub entry: String,
    /// How many.
    pub incidents: i64,
    /// When the newest of them was last changed, milliseconds.
    pub updated_at: i64,
}

/// The messages decided in some time, by what became of them so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromRow)]
pub struct MessageCount {
    /// All of them.
    pub decided: i64,
    /// Given up.
    pub failed: i64,
    /// Neither delivered nor given up: owed, or told by another message.
    pub other: i64,
}

impl MessageCount {
    /// Those that arrived.
    pub fn delivered(self) -> i64 {
        (self.decided - self.failed - self.other).max(0)
    }
}

/// How many failed events are counted.
pub const MOST_FAILED: i64 = 1_000;

const FAILED: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE state = 'failed' AND state <> 'processed' \
     AND id >= $1 LIMIT $2) AS lost";
const OPEN: &str = "SELECT severity, entry, COUNT(*) AS incidents, MAX(updated_at) AS updated_at \
     FROM (SELECT severity, entry, updated_at FROM incidents WHERE state = 'open' ORDER BY id DESC LIMIT $1) AS newest \
     GROUP BY severity, entry ORDER BY severity, entry";
const MESSAGES: &str = "SELECT \
     (SELECT COUNT(*) FROM (SELECT 1 FROM notifications WHERE id >= $1 AND id < $2 LIMIT $3) AS made) AS decided, \
     (SELECT COUNT(*) FROM (SELECT 1 FROM notifications WHERE state = 'failed' AND state <> 'delivered' \
      AND id >= $1 AND id < $2 LIMIT $3) AS lost) AS failed, \
     (SELECT COUNT(*) FROM (SELECT 1 FROM notifications \
      WHERE state IN ('pending', 'sending', 'superseded', 'cancelled') AND state <> 'delivered' \
      AND id >= $1 AND id < $2 LIMIT $3) AS rest) AS other";

impl Store {
    /// Open incidents by severity and entry; of the newest [`MOST_OPEN`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_incident_groups(&self) -> Result<Vec<OpenGroup>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(OPEN).bind(MOST_OPEN).fetch_all(&mut *conn).await)
            .doing("count open incidents")
    }

    /// How many events received since then triage could not use, or not all of; at most
    /// [`MOST_FAILED`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn failed_events(&self, since: Timestamp) -> Result<i64, StoreError> {
        with_reader!(self, |conn| {
            let query = sqlx::query_scalar(FAILED).bind(lowest_id(since)).bind(MOST_FAILED);
            query.fetch_one(&mut *conn).await
        })
        .doing("count failed events")
    }

    /// The messages decided from `from` until before `until`; at most [`MOST_COUNTED`] of each
    /// sort.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_notifications(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<MessageCount, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(MESSAGES)
            .bind(lowest_id(from))
            .bind(lowest_id(until))
            .bind(MOST_COUNTED)
            .fetch_one(&mut *conn)
            .await)
        .doing("count messages")
    }
}
