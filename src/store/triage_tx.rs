//! The one transaction that changes incidents, members and conversations.
//!
//! Promises: from [`Store::begin_triage`] until a [`TriageTx`] is gone, nothing else changes what
//! it has read, in this process or another. Only [`TriageTx::commit`] writes these rows: whatever
//! writes them has read them in the same transaction.
//!
//! On PostgreSQL a lock of the server keeps other replicas out. On SQLite the reading part holds
//! up no writer: a lock of the process keeps others from triage, and the writing part follows as a
//! transaction of its own.

use tokio::sync::OwnedMutexGuard;

use super::error::Doing as _;
use super::{Pool, Store, StoreError, Tx, TxKind, dialect};
use crate::domain::ids::IdMaker;

/// A transaction of triage. Dropped without [`TriageTx::commit`], it leaves no trace.
pub struct TriageTx {
    pub(super) tx: Tx,
    pub(super) store: Store,
    /// Held on SQLite from the first reading to the commit.
    pub(super) turn: Option<OwnedMutexGuard<()>>,
}

/// Held until the transaction ends; the number is this use's alone. Whatever the transaction
/// waits for it gives up before the server's limit for a statement: a batch that waited is no
/// batch that is too large.
const WAIT_FOR_TURN: &str =
    "SELECT set_config('lock_timeout', '20000', TRUE), pg_advisory_xact_lock(7236832412)";

impl Store {
    /// Begins a transaction of triage once no other is under way: what came later is not taken
    /// before what came first, and nothing that is due is decided twice. A replica whose machine
    /// died in between is cut off by the server.
    ///
    /// # Errors
    /// When no connection or no turn can be had in time.
    pub async fn begin_triage(&self) -> Result<TriageTx, StoreError> {
        let Pool::Sqlite { triage, .. } = &self.pool else {
            let mut tx = self.begin_write().await?;
            tx.wait_for_turn().await?;
            return Ok(TriageTx { tx, store: self.clone(), turn: None });
        };
        let turn = self.triage.clone().lock_owned().await;
        let reading = triage.begin().await.doing("begin a transaction")?;
        let tx = self.transaction(TxKind::Sqlite(reading));
        Ok(TriageTx { tx, store: self.clone(), turn: Some(turn) })
    }
}

impl Tx {
    async fn wait_for_turn(&mut self) -> Result<(), StoreError> {
        let TxKind::Postgres(tx) = &mut self.0 else { return Ok(()) };
        let wait = sqlx::query(WAIT_FOR_TURN).execute(&mut **tx);
        dialect::in_time(wait).await.map(|_| ()).doing("wait for the turn to triage")
    }
}

impl TriageTx {
    /// Lets `ids` go on above what the replica that triaged before wrote, and answers the
    /// catalog's revision: what the senders of the events that are read next may count on is
    /// known. `None` on SQLite, where there are no others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catch_up(&mut self, ids: &IdMaker) -> Result<Option<i64>, StoreError> {
        self.tx.catch_up(ids).await
    }

    /// Ends the transaction without a change, and lets go of its locks at once.
    pub async fn rollback(self) {
        // A broken connection has no locks.
        let _ = self.tx.rollback().await;
    }
}
