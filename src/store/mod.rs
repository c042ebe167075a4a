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

use sqlx::postgres::Postgres;
use sqlx::sqlite::{Sqlite, SqlitePool};
use tokio::sync::Mutex;

#[macro_use]
mod dialect;
mod bound;
mod error;
pub mod alarms;
mod arrivals;
pub mod audit;
pub mod backup;
pub mod breakers;
pub mod catalog;
pub mod catalog_read;
mod catalog_rows;
pub mod changes;
pub mod copy;
pub mod events;
mod file_watch;
pub mod full_disk;
#[macro_use]
mod rows;
pub mod log;
pub mod log_channels;
pub mod log_events;
pub mod log_incidents;
pub mod log_notifications;
pub mod news;
pub mod outbox;
pub mod outbox_hand;
pub mod replicas;
pub mod retention;
pub mod stand_ins;
mod overtake;
pub mod overview;
pub mod pending;
pub mod limited;
mod triage_rows;
pub mod triage;
pub mod triage_read;
pub mod triage_tx;
pub mod watch;
mod leases;
mod newest;
mod open;
mod precedence;
mod probe;
mod record;
mod script;
pub mod search;
mod server;
pub mod sessions;
mod twins;
mod wal;

pub use catalog_rows::StoredEntry;
use error::Doing as _;
pub use error::StoreError;
use file_watch::FileWatch;
pub use leases::LostLease;
pub use overtake::Superseded;
use precedence::Precedence;
use server::Server;
use twins::Recent;
use watch::Watch;

use crate::domain::clock::SharedClock;

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    watch: Arc<Watch>,
    announcer: Arc<news::Announcer>,
    /// Who writes next on SQLite.
    precedence: Arc<Precedence>,
    /// What was delivered of late, on SQLite; `None` when it must be read first.
    recent: Arc<Mutex<Option<Recent>>>,
    /// Held on SQLite by a [`triage_tx::TriageTx`].
    triage: Arc<Mutex<()>>,
    /// Whether the SQLite file is still there.
    file: Option<Arc<FileWatch>>,
    /// Holds the lock on the SQLite file for as long as any clone lives.
    _lock: Option<Arc<File>>,
}

#[derive(Clone)]
enum Pool {
    Sqlite { read: SqlitePool, triage: SqlitePool, write: SqlitePool, checkpoint: SqlitePool },
    Postgres(Arc<Server>),
}

/// A transaction that may write. Dropped without [`Tx::commit`], it leaves no trace.
pub struct Tx(TxKind, news::Announcement);

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

    /// Begins a transaction that may write, when it is its turn (see [`precedence`]).
    ///
    /// # Errors
    /// When no connection can be had in time or the database cannot be written.
    pub async fn begin_write(&self) -> Result<Tx, StoreError> {
        if matches!(self.pool, Pool::Sqlite { .. }) {
            self.precedence.wait().await;
        }
        self.begin_write_at_once().await
    }

    /// Begins a transaction in which events are stored.
    async fn begin_intake(&self) -> Result<Tx, StoreError> {
        let Pool::Postgres(server) = &self.pool else { return self.begin_write_at_once().await };
        let begun = dialect::in_time(server.intake.begin()).await;
        begun.map(|tx| self.transaction(TxKind::Postgres(tx))).doing("begin a transaction")
    }

    /// Begins a transaction that may write before all others that wait for their turn.
    async fn begin_write_at_once(&self) -> Result<Tx, StoreError> {
        let kind = match &self.pool {
            Pool::Sqlite { write, .. } => write.begin_with("BEGIN IMMEDIATE").await.map(TxKind::Sqlite),
            Pool::Postgres(server) => dialect::in_time(server.write.begin()).await.map(TxKind::Postgres),
        };
        kind.map(|kind| self.transaction(kind)).doing("begin a transaction")
    }

    fn transaction(&self, kind: TxKind) -> Tx {
        let announcer = self.announcer.clone();
        Tx(kind, news::Announcement { announcer, news: news::News::default() })
    }

    /// Whether nobody else can change what is stored: what was read once stays true until this
    /// process changes it.
    pub fn is_alone(&self) -> bool {
        matches!(self.pool, Pool::Sqlite { .. })
    }

    /// Begins a transaction that only reads, and holds up nobody: what it reads may have
    /// changed by the time of a write.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn begin_read(&self) -> Result<Tx, StoreError> {
        let kind = match &self.pool {
            Pool::Sqlite { read, .. } => read.begin().await.map(TxKind::Sqlite),
            Pool::Postgres(server) => dialect::in_time(server.read.begin()).await.map(TxKind::Postgres),
        };
        kind.map(|kind| self.transaction(kind)).doing("begin a transaction")
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When it gives none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.check_file()?;
        with_reader!(self, |conn| sqlx::query("SELECT 1").execute(&mut *conn).await.map(|_| ()))
            .doing("ping the database")
    }

    /// Whether the SQLite file is still the one that was opened, and sound; always so on a server.
    ///
    /// # Errors
    /// When it was deleted, renamed, replaced or overwritten: what is stored then is gone after a
    /// restart.
    pub fn check_file(&self) -> Result<(), StoreError> {
        let Some(file) = &self.file else { return Ok(()) };
        self.watch.check_sound()?;
        file.check()
    }

    /// By how many milliseconds the database's clock is ahead of `clock`; `None` on SQLite, and
    /// when the answer took too long to tell.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clock_difference(&self, clock: &SharedClock) -> Result<Option<i64>, StoreError> {
        let Pool::Postgres(server) = &self.pool else { return Ok(None) };
        let measured = async {
            let mut conn = server.write.acquire().await?;
            let asked = clock.now();
            let (theirs,): (i64,) = sqlx::query_as(PRESENT).fetch_one(&mut *conn).await?;
            Ok((theirs, asked, clock.now()))
        };
        let (theirs, asked, answered) = dialect::in_time(measured).await.doing("ask for the time")?;
        let way = answered.since(asked);
        let half_way = asked.plus(way / 2);
        Ok((way <= PROMPT).then(|| theirs - half_way.as_millis()))
    }

    /// Closes every connection; a SQLite file is left without a write-ahead log.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { read, triage, write, checkpoint } => {
                read.close().await;
                triage.close().await;
                checkpoint.close().await;
                write.close().await;
            }
            Pool::Postgres(server) => {
                server.read.close().await;
                server.write.close().await;
                server.intake.close().await;
            }
        }
    }
}

impl Tx {
    fn dialect(&self) -> dialect::Dialect {
        match self.0 {
            TxKind::Sqlite(_) => dialect::Dialect::Sqlite,
            TxKind::Postgres(_) => dialect::Dialect::Postgres,
        }
    }

    /// Makes the transaction's writes permanent.
    ///
    /// # Errors
    /// When the database could not do so; then nothing of it happened, unless the
    /// connection broke during the commit itself.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.tell_others().await?;
        match self.0 {
            TxKind::Sqlite(tx) => tx.commit().await,
            TxKind::Postgres(tx) => dialect::in_time(tx.commit()).await,
        }
        .doing(error::COMMITTING)
    }

    /// Undoes the transaction's writes and lets go of its locks at once; a transaction that
    /// is only dropped does so a little later.
    ///
    /// # Errors
    /// When the connection broke; then the database undoes it by itself.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self.0 {
            TxKind::Sqlite(tx) => tx.rollback().await,
            TxKind::Postgres(tx) => dialect::in_time(tx.rollback()).await,
        }
        .doing("undo a transaction")
    }
}

const PRESENT: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";
/// An answer that took longer says little about the present.
const PROMPT: Duration = Duration::from_millis(200);
/// How long to wait for a connection or a lock before calling the store unavailable.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
