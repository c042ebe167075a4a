//! What can go wrong with the store, told apart by what helps.

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// What is attempted last in a transaction.
pub(super) const COMMITTING: &str = "commit a transaction";

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
    #[error("could not {doing}: the database is unavailable{}", in_brackets(advice(source)))]
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
    /// The SQLite file is not the one that was opened. Putting it back helps.
    #[error("the database file {path} was deleted, renamed or replaced while it was open")]
    FileGone {
        /// Where it was.
        path: String,
    },
    /// The SQLite file is damaged, or was overwritten. Only a restart with another file helps.
    #[error("the database file {path} is damaged or was overwritten while it was open")]
    FileDamaged {
        /// Where it is.
        path: String,
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
        matches!(self, Self::Unavailable { .. } | Self::FileGone { .. } | Self::FileDamaged { .. })
    }

    /// Whether it may have happened all the same: the answer to the commit was lost.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unavailable { doing: COMMITTING, .. })
    }

    /// Whether the server gave up a statement because it took too long: with less to do at once
    /// it may come to its end.
    pub fn is_too_slow(&self) -> bool {
        let Self::Unavailable { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| code == "57014")
    }

    /// Whether SQLite found that the file is no database, or no sound one. A damaged index for
    /// searching alone is another code.
    pub(super) fn is_damaged_file(&self) -> bool {
        let Self::Unavailable { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| code.parse().is_ok_and(|code: u32| is_damage(code)))
    }

    /// Whether there is no space left on the disk of the database.
    pub fn is_full_disk(&self) -> bool {
        matches!(self, Self::Unavailable { source, .. } if is_full_disk(source))
    }

    /// Why a database could not be opened: a full disk passes, anything else must be mended.
    pub(super) fn opening(source: sqlx::Error) -> Self {
        if is_full_disk(&source) {
            return Self::Unavailable { doing: "open the database", source };
        }
        Self::Open(source.to_string())
    }

    /// The same for a schema that could not be brought up to date.
    pub(super) fn migrating(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
                if is_full_disk(&source) =>
            {
                Self::Unavailable { doing: "bring the schema up to date", source }
            }
            other => Self::Open(other.to_string()),
        }
    }

    /// Whether only the waiting took too long, for whatever reason.
    pub(super) fn is_vague(&self) -> bool {
        matches!(self, Self::Unavailable { source: sqlx::Error::PoolTimedOut, .. })
    }

    /// Whether the session takes no writes; it never will, even where a new one would.
    pub(super) fn is_read_only_session(&self) -> bool {
        let Self::Unavailable { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| code == "25006" || primary_sqlite_code(&code) == Some(8))
    }

    /// Whether the connection ended under it, as others may have at the same time.
    pub(super) fn is_broken_connection(&self) -> bool {
        let Self::Unavailable { source, .. } = self else { return false };
        match source {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => true,
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("08"))
            }
            _ => false,
        }
    }

    /// What keeps the database from serving and what an operator can do about it.
    pub fn advice(&self) -> Option<&'static str> {
        let source = match self {
            Self::Unavailable { source, .. } => source,
            Self::FileGone { .. } => return Some(FILE_GONE),
            Self::FileDamaged { .. } => return Some(FILE_DAMAGED),
            _ => return None,
        };
        Some(advice(source)).filter(|advice| !advice.is_empty())
    }

    /// Whether the operation gave way to another one at the same time: the same again will do.
    pub fn is_collision(&self) -> bool {
        let Self::Unavailable { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01" | "55P03"))
    }

    /// Whether it gave way to another transaction, as PostgreSQL has one of two do: then the
    /// database works.
    pub(super) fn gave_way(&self) -> bool {
        let Self::Unavailable { source: sqlx::Error::Database(error), .. } = self else { return false };
        error.code().is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01"))
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

/// SQLite's FULL; its IOERR_SHMSIZE, when the memory that connections share cannot be made, which
/// is a file as well; PostgreSQL's `disk_full`; and what the system says about a file.
fn is_full_disk(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| matches!(code.as_ref(), "13" | "4874" | "53100"))
        }
        _ => false,
    }
}

pub(super) fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        // A connection whose last transaction was never ended; it is not used again.
        | sqlx::Error::InvalidSavePointStatement
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| is_unavailable_code(&code)),
        _ => false,
    }
}

/// SQLite result codes (the low byte is the primary one) and PostgreSQL SQLSTATE classes.
fn is_unavailable_code(code: &str) -> bool {
    // PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL
    const SQLITE: [u32; 9] = [3, 5, 6, 7, 8, 10, 13, 14, 15];
    // What a damaged file does to an alert is not the alert's fault.
    // Connection, rolled back (serialization, deadlock), out of resources, not in the right
    // state (a lock not to be had in time), operator intervention, system error; a session
    // ended for being idle in a transaction or for its transaction's length; read-only; a
    // prepared statement that the pooler in between does not know.
    const POSTGRES: [&str; 10] = ["08", "40", "53", "55P", "57", "58", "25P03", "25P04", "25006", "26000"];

    if code.len() == 5 {
        return POSTGRES.iter().any(|prefix| code.starts_with(prefix));
    }
    code.parse::<u32>().is_ok_and(|n| SQLITE.contains(&(n & 0xFF)) || is_damage(n))
}

/// CORRUPT and NOTADB, but for a table's own search index (CORRUPT_VTAB).
fn is_damage(code: u32) -> bool {
    const CORRUPT_VTAB: u32 = 267;
    matches!(code & 0xFF, 11 | 26) && code != CORRUPT_VTAB
}

/// The server's own reason, and what an operator can do about it.
pub(super) fn with_advice(error: &sqlx::Error) -> String {
    let reason = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    };
    match advice(error) {
        "" => reason,
        advice => format!("{reason}: {advice}"),
    }
}

const FULL_DISK: &str = "the disk is full: free some space";
const FILE_GONE: &str = "the database file was deleted, renamed or replaced while it was open: put it back, or \
     restart modelpager to go on with the file that is there now";

const FILE_DAMAGED: &str = "the database file is damaged or was overwritten while it was open: stop modelpager, put a \
     backup in its place without FILE-wal and FILE-shm, and start it again";

/// What is wrong and what an operator can do about it, where the error tells.
fn advice(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::PoolTimedOut => "no connection was free in time: the database is busy or out of reach",
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => FULL_DISK,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            "the database cannot be reached: check that it runs, and the network"
        }
        sqlx::Error::Database(e) => e.code().map_or("", |code| advice_on_code(&code)),
        _ => "",
    }
}

fn advice_on_code(code: &str) -> &'static str {
    match code {
        "4874" => return FULL_DISK,
        "53100" => return "the database server's disk is full: free some space there",
        "53300" => {
            return "the database server has no connection left: raise its max_connections or lower \
                    storage.max_connections";
        }
        "25006" => {
            return "the database is read-only: end that, or point storage.url at the server that takes writes";
        }
        "57014" => return "a statement took too long: look for what the database server is busy with",
        "57P01" | "57P02" | "57P03" => return "the database server stops or starts: wait for it, or start it",
        _ => {}
    }
    match primary_sqlite_code(code) {
        Some(5 | 6) => "another process holds a lock on the file: stop it",
        Some(3 | 8) => "the file or its folder is read-only: make it writable",
        Some(10) => "the disk reports an error: check it, and what this process may write",
        Some(11 | 26) => FILE_DAMAGED,
        Some(13) => FULL_DISK,
        Some(14) => "the file cannot be opened: check its folder, and what this process may open",
        _ => "",
    }
}

/// PostgreSQL's codes have five characters, SQLite's are shorter numbers.
fn primary_sqlite_code(code: &str) -> Option<u32> {
    code.parse::<u32>().ok().filter(|_| code.len() < 5).map(|n| n & 0xFF)
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_is_wrong() {
        // lock not available, idle in transaction, admin shutdown, crash shutdown, starting up,
        // statement timeout, too many connections, serialization, deadlock, hot standby
        for passing in [
            "55P03", "25P03", "57P01", "57P02", "57P03", "57014", "53300", "40001", "40P01", "25006", "08006",
        ] {
            assert!(is_unavailable_code(passing), "{passing}");
        }
        // unique, not null, syntax, no such table, bad text
        for wrong in ["23505", "23502", "42601", "42P01", "22021", "1555", "19", "267"] {
            assert!(!is_unavailable_code(wrong), "{wrong}");
        }
        // SQLite: busy, busy snapshot, full, I/O error while reading; a file that is damaged or none
        for passing in ["5", "517", "13", "266", "11", "779", "26"] {
            assert!(is_unavailable_code(passing), "{passing}");
        }
    }
}
