//! All SQL, and nothing but storage: one text for SQLite and PostgreSQL.
//!
//! Promises: what a committed transaction wrote survives `kill -9` and power loss
//! (SQLite: WAL with `synchronous=FULL`); one process at a time on a SQLite file; any
//! number of equal replicas on one PostgreSQL database. Callers see [`StoreError`], which
//! says whether waiting helps.
//!
//! Writes go through [`Store::begin_write`]: one writer at a time on SQLite (a deferred
//! transaction that turns to writing would fail at once instead of waiting). Rows are
//! written and claimed in batches; see [`dialect`] for how one text serves both.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool};

#[macro_use]
mod dialect;
mod error;
pub mod alarms;
pub mod audit;
pub mod backup;
pub mod breakers;
pub mod catalog;
pub mod catalog_read;
mod catalog_rows;
pub mod copy;
pub mod events;
#[macro_use]
mod rows;
pub mod log;
pub mod log_channels;
pub mod log_events;
pub mod log_incidents;
pub mod log_index;
pub mod log_notifications;
pub mod outbox;
pub mod outbox_hand;
pub mod retention;
pub mod stand_ins;
mod overtake;
pub mod limited;
pub mod triage;
pub mod triage_read;
pub mod watch;
mod leases;
mod newest;
mod open;
mod probe;
mod turns;
mod wal;

pub use catalog_rows::StoredEntry;
use error::Doing as _;
pub use error::StoreError;
pub use leases::LostLease;
pub use overtake::Superseded;
use watch::Watch;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    watch: Arc<Watch>,
    /// Holds the lock on the SQLite file for as long as any clone lives.
    _lock: Option<Arc<File>>,
}

#[derive(Clone)]
enum Pool {
    Sqlite { read: SqlitePool, write: SqlitePool },
    Postgres(PgPool),
}

/// A transaction that may write. Dropped without [`Tx::commit`], it leaves no trace.
pub struct Tx(TxKind);

enum TxKind {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Store {
    /// Opens the database at `url` (`sqlite://FILE` or `postgres://…`), creates it if it is
    /// a SQLite file that is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When the scheme is unknown, the file belongs to another process, the server cannot
    /// be reached, or a migration fails.
    pub async fn open(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        open::open(url, max_connections, open::Purpose::Serve).await
    }

    /// Which database this is: `sqlite` or `postgres`.
    pub fn backend(&self) -> &'static str {
        match self.pool {
            Pool::Sqlite { .. } => "sqlite",
            Pool::Postgres(_) => "postgres",
        }
    }

    /// How the database fares, as those who work with it found out.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Begins a transaction that may write.
    ///
    /// # Errors
    /// When no connection can be had in time or the database cannot be written.
    pub async fn begin_write(&self) -> Result<Tx, StoreError> {
        let kind = match &self.pool {
            Pool::Sqlite { write, .. } => write.begin_with("BEGIN IMMEDIATE").await.map(TxKind::Sqlite),
            Pool::Postgres(pool) => pool.begin().await.map(TxKind::Postgres),
        };
        kind.map(Tx).doing("begin a transaction")
    }

    /// Begins a transaction that only reads, and holds up nobody: what it reads may have
    /// changed by the time of a write.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        let kind = match &self.pool {
            Pool::Sqlite { read, .. } => read.begin().await.map(TxKind::Sqlite),
            Pool::Postgres(pool) => pool.begin().await.map(TxKind::Postgres),
        };
        kind.map(Tx).doing("begin a transaction")
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When it gives none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        with_reader!(self, |conn| sqlx::query("SELECT 1").execute(&mut *conn).await.map(|_| ()))
            .doing("ping the database")
    }

    /// Closes every connection; a SQLite file is left without a write-ahead log.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes the transaction's writes permanent.
    ///
    /// # Errors
    /// When the database could not do so; then nothing of it happened, unless the
    /// connection broke during the commit itself.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            TxKind::Sqlite(tx) => tx.commit().await,
            TxKind::Postgres(tx) => tx.commit().await,
        }
        .doing("commit a transaction")
    }

    /// Undoes the transaction's writes and lets go of its locks at once; a transaction that
    /// is only dropped does so a little later.
    ///
    /// # Errors
    /// When the connection broke; then the database undoes it by itself.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self.0 {
            TxKind::Sqlite(tx) => tx.rollback().await,
            TxKind::Postgres(tx) => tx.rollback().await,
        }
        .doing("undo a transaction")
    }
}

/// How long to wait for a connection or a lock before calling the store unavailable.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
