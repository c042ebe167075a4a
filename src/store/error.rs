//! What can go wrong with the store, told apart by what helps.

use sqlx::error::ErrorKind;

/// A failed operation on the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique key is taken.
    #[error("could not {doing}: it exists already")]
    Conflict {
        /// What was attempted.
        doing: &'static str,
        /// The driver's account.
        source: sqlx::Error,
    },
    /// The database cannot serve now: full disk, read-only, busy, out of reach. Waiting or
    /// an operator helps; trying again is right.
    #[error("could not {doing}: the database is unavailable{}", hint(source))]
    Unavailable {
        /// What was attempted.
        doing: &'static str,
        /// The driver's account.
        source: sqlx::Error,
    },
    /// A stored value does not mean anything to this version.
    #[error("{table}.{column} of {id:?} is unreadable: {detail}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The database could not be opened.
    #[error("could not open the database: {0}")]
    Open(String),
    /// Anything else: a defect, or a database changed by other hands.
    #[error("could not {doing}")]
    Failed {
        /// What was attempted.
        doing: &'static str,
        /// The driver's account.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the same operation may succeed later without any change to it.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(super) fn new(doing: &'static str, source: sqlx::Error) -> Self {
        if is_conflict(&source) {
            Self::Conflict { doing, source }
        } else if is_unavailable(&source) {
            Self::Unavailable { doing, source }
        } else {
            Self::Failed { doing, source }
        }
    }
}

/// Says what was attempted when a driver call fails.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::new(doing, source))
    }
}

fn is_conflict(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(e) if matches!(e.kind(), ErrorKind::UniqueViolation))
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| is_unavailable_code(&code)),
        _ => false,
    }
}

/// SQLite result codes (the low byte is the primary one) and PostgreSQL SQLSTATE classes.
fn is_unavailable_code(code: &str) -> bool {
    // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL
    const SQLITE: [u32; 7] = [5, 6, 8, 10, 13, 14, 15];
    // connection, out of resources, operator intervention, system error; serialization, deadlock, read-only
    const POSTGRES: [&str; 7] = ["08", "53", "57", "58", "40001", "40P01", "25006"];

    if code.len() == 5 {
        return POSTGRES.iter().any(|prefix| code.starts_with(prefix));
    }
    code.parse::<u32>().is_ok_and(|n| SQLITE.contains(&(n & 0xFF)))
}

/// What an operator can do about it, where the code tells.
fn hint(error: &sqlx::Error) -> &'static str {
    let sqlx::Error::Database(e) = error else { return "" };
    match e.code().and_then(|code| code.parse::<u32>().ok()).map(|n| n & 0xFF) {
        Some(5 | 6) => " (another process holds a lock on the file: stop it)",
        Some(8) => " (the file or its folder is read-only: make it writable)",
        Some(13) => " (the disk is full: free some space)",
        Some(10) => " (the disk reports an error: check it)",
        _ => "",
    }
}
