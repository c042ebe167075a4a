//! The write-ahead log of a SQLite file, kept small.
//!
//! What is committed goes to the log; copying it into the file takes as long as many commits.
//! Left to itself SQLite has the one do it whose commit fills the log up, which may be a
//! sender's. Here it is done beside the writer, and only the rest, written meanwhile, between
//! two writers: then the log begins again.

use std::time::Duration;

use super::error::Doing as _;
use super::{Pool, Store, StoreError, WAIT_LIMIT};

/// How large the `-wal` file may stay after a burst or a long read, in bytes.
pub(super) const SIZE_LIMIT: &str = "67108864";

/// In pages: when nobody copied the log into the file for so long, a commit does.
pub(super) const LAST_RESORT: &str = "32000";
/// A log of so many pages is worth beginning again.
const LONG: i64 = 12_000;
/// How soon to look again: after much was copied, and after little.
const SOON: Duration = Duration::from_millis(250);
const LATER: Duration = Duration::from_secs(2);
/// So many pages are much.
const MUCH: i64 = 500;

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";
const BUSY_TIMEOUT_NONE: &str = "PRAGMA busy_timeout = 0";
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 5000";
const _: () = assert!(WAIT_LIMIT.as_millis() == 5_000, "the time in BUSY_TIMEOUT is WAIT_LIMIT");
const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

impl Store {
    /// Copies what the write-ahead log holds into the database while others write; answers when
    /// to do so again. Nothing to do on PostgreSQL.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn checkpoint(&self) -> Result<Duration, StoreError> {
        let Pool::Sqlite { write, checkpoint, .. } = &self.pool else { return Ok(LATER) };
        let doing = "copy the write-ahead log into the database";
        let (_, length, _): (i64, i64, i64) =
            sqlx::query_as(CHECKPOINT).fetch_one(checkpoint).await.doing(doing)?;
        if length > LONG {
            sqlx::query(CHECKPOINT).execute(write).await.doing(doing)?;
        }
        Ok(if length > MUCH { SOON } else { LATER })
    }

    /// Moves what the write-ahead log holds into the database and empties it, unless a reader
    /// still needs it: nobody is made to wait for that. Nothing to do on PostgreSQL.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn shrink_wal(&self) -> Result<(), StoreError> {
        let Pool::Sqlite { write, .. } = &self.pool else { return Ok(()) };
        let doing = "empty the write-ahead log";
        let mut conn = write.acquire().await.doing(doing)?;
        sqlx::query(BUSY_TIMEOUT_NONE).execute(&mut *conn).await.doing(doing)?;
        let emptied = sqlx::query(TRUNCATE).execute(&mut *conn).await.map(|_| ());
        sqlx::query(BUSY_TIMEOUT).execute(&mut *conn).await.doing(doing)?;
        match emptied.doing(doing) {
            Err(error) if error.is_unavailable() => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn size(file: &Path) -> u64 {
        file.metadata().unwrap().len()
    }

    async fn write_something(store: &Store) {
        let Pool::Sqlite { write, .. } = &store.pool else { panic!() };
        sqlx::query("UPDATE meta SET value = value + 1").execute(write).await.unwrap();
    }

    #[tokio::test]
    async fn the_log_is_emptied_unless_a_reader_needs_it_and_writing_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.db");
        let wal = file.with_file_name("t.db-wal");
        let store = Store::open(&format!("sqlite://{}", file.display()), 2).await.unwrap();
        let Pool::Sqlite { read, .. } = &store.pool else { panic!() };
        write_something(&store).await;
        let mut reader = read.begin().await.unwrap();
        let _: (i64,) = sqlx::query_as("SELECT value FROM meta").fetch_one(&mut *reader).await.unwrap();
        write_something(&store).await;
        let before = size(&wal);
        assert!(before > 0);

        store.shrink_wal().await.unwrap();
        assert_eq!(size(&wal), before, "the reader still needs it");
        reader.rollback().await.unwrap();
        write_something(&store).await;
        store.shrink_wal().await.unwrap();

        assert_eq!(size(&wal), 0);
        write_something(&store).await;
    }
}
