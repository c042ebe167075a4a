//! Which replicas there are: each leaves a sign of life with the channels it serves. Only on
//! PostgreSQL; a SQLite file has one process.

use std::time::Duration;

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::error::Doing as _;
use super::log::Moment;
use super::rows::to_json;
use super::{Pool, Store, StoreError};
use crate::domain::clock::Timestamp;

/// A replica not heard of for this long is not counted any more, and what it was sending is
/// taken up by others.
pub const ALIVE: Duration = Duration::from_secs(12);
/// For this long after its last sign of life a replica's channels count as served: it may be
/// restarting, and what is owed there is worth waiting for.
pub(super) const REMEMBERED: Duration = Duration::from_secs(600);

/// A replica's sign of life.
#[derive(Clone, Debug)]
pub struct SignOfLife {
    /// Names the process, as in leases.
    pub id: String,
    /// The program's version.
    pub version: &'static str,
    /// When it started.
    pub started_at: Timestamp,
    /// The channels it serves.
    pub channels: Vec<String>,
}

/// A replica that lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct ReplicaRecord {
    /// Names the process, as in the leases of notifications.
    pub id: String,
    /// The program's version.
    pub version: String,
    /// When it started.
    pub started_at: Moment,
    /// Its last sign of life; it gives one every few seconds.
    pub seen_at: Moment,
}

const SHOW: &str = "INSERT INTO replicas (id, version, started_at, seen_at, channels) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, channels = excluded.channels";
const FORGET: &str = "DELETE FROM replicas WHERE seen_at < $1";
const LEAVE: &str = "UPDATE replicas SET left_at = $2 WHERE id = $1";
const COUNT_ALIVE: &str = "SELECT COUNT(*) FROM replicas WHERE seen_at >= $1 AND left_at IS NULL";
const LIST_ALIVE: &str = "SELECT id, version, started_at, seen_at FROM replicas \
     WHERE seen_at >= $1 AND left_at IS NULL ORDER BY started_at, id LIMIT 1000";

impl Store {
    /// Leaves a sign of life; answers how many replicas live, this one included. On SQLite
    /// there is nothing to leave and nobody else.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn show_replica(&self, sign: &SignOfLife, now: Timestamp) -> Result<u64, StoreError> {
        let Pool::Postgres(_) = &self.pool else { return Ok(1) };
        let doing = "give a sign of life to other replicas";
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| {
            let query = sqlx::query(SHOW)
                .bind(&sign.id)
                .bind(sign.version)
                .bind(sign.started_at.as_millis())
                .bind(now.as_millis())
                .bind(to_json(&sign.channels));
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing(doing)?;
        with_tx!(tx, |conn| {
            let query = sqlx::query(FORGET).bind(now.minus(REMEMBERED).as_millis());
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing(doing)?;
        let since = now.minus(ALIVE).as_millis();
        let (alive,): (i64,) =
            with_tx!(tx, |conn| sqlx::query_as(COUNT_ALIVE).bind(since).fetch_one(&mut *conn).await)
                .doing(doing)?;
        tx.commit().await?;
        Ok(super::rows::unsigned(alive))
    }

    /// Says that a replica is about to end: it is not counted any more.
    ///
    /// # Errors
    /// When the database does not answer; then it is missed a little later.
    pub async fn leave_replica(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let Pool::Postgres(_) = &self.pool else { return Ok(()) };
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| {
            sqlx::query(LEAVE).bind(id).bind(now.as_millis()).execute(&mut *conn).await.map(|_| ())
        })
        .doing("take leave of other replicas")?;
        tx.commit().await
    }

    /// The replicas that live, oldest first; none on SQLite.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_replicas(&self, now: Timestamp) -> Result<Vec<ReplicaRecord>, StoreError> {
        let since = now.minus(ALIVE).as_millis();
        with_reader!(self, |conn| sqlx::query_as(LIST_ALIVE).bind(since).fetch_all(&mut *conn).await)
            .doing("list replicas")
    }
}
