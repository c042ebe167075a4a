//! A copy of a SQLite database, made while the server runs in another process.
//!
//! Promises: the copy is one moment of the database, with everything committed before it;
//! the server goes on reading and writing meanwhile. The copy is readable by its owner
//! alone, complete and checked before it bears its name, and never takes the place of
//! another file.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::WAIT_LIMIT;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The database.
    pub source: PathBuf,
    /// The size of the copy.
    pub bytes: u64,
    /// How many rows of each table it holds.
    pub rows: BTreeMap<String, u64>,
}

/// How far a copy is: bytes done, and about how many there will be.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Another program does that.
    #[error(
        "this copies SQLite files; a PostgreSQL database is saved with its own program: \
         pg_dump --format=custom --file=FILE \"$DATABASE_URL\", and brought back with pg_restore"
    )]
    NotSqlite,
    /// There is nothing to copy.
    #[error("there is no database at {}", .0.display())]
    NoSource(PathBuf),
    /// The file is no database of this program.
    #[error("{} is not a database of modelpager", .0.display())]
    Foreign(PathBuf),
    /// Something bears the name.
    #[error("{} exists already; it is left as it is", .0.display())]
    Exists(PathBuf),
    /// A file could not be made, written or given its name.
    #[error("could not {doing} {}", path.display())]
    File {
        /// What was attempted.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's account.
        source: std::io::Error,
    },
    /// The database could not be read or copied.
    #[error("could not {doing}")]
    Database {
        /// What was attempted.
        doing: &'static str,
        /// The driver's account.
        source: sqlx::Error,
    },
    /// The copy is not what it should be.
    #[error("the copy is damaged and was thrown away: {0}; check the disk and the database")]
    Damaged(String),
}

/// Copies the database at `url` to `target`.
///
/// # Errors
/// Then there is no file of that name, or it is the one that was there before.
pub async fn backup(url: &str, target: &Path, progress: Progress<'_>) -> Result<Backup, BackupError> {
    let source = source_file(url)?;
    let target = std::path::absolute(target).map_err(file("find the folder of", target))?;
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(target));
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    // Made by `tempfile`: for its owner alone from the first byte, and gone if this fails.
    let partial = tempfile::Builder::new()
        .prefix(".modelpager-backup-")
        .suffix(".partial")
        .tempfile_in(folder)
        .map_err(file("create a file beside", &target))?;
    copy(&source, partial.path(), progress).await?;
    partial.as_file().sync_all().map_err(file("write", partial.path()))?;
    let rows = check(partial.path()).await?;
    let written = partial.persist_noclobber(&target).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(target.clone()),
        _ => file("give its name to", &target)(error.error),
    })?;
    let bytes = written.metadata().map_err(file("look at", &target))?.len();
    // The name, too, survives a power failure.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(file("write the folder of", &target))?;
    Ok(Backup { source, bytes, rows })
}

fn file<'a>(doing: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> BackupError + 'a {
    move |source| BackupError::File { doing, path: path.to_path_buf(), source }
}

fn sql(doing: &'static str) -> impl Fn(sqlx::Error) -> BackupError {
    move |source| BackupError::Database { doing, source }
}

fn source_file(url: &str) -> Result<PathBuf, BackupError> {
    if !url.starts_with("sqlite:") {
        return Err(BackupError::NotSqlite);
    }
    let options = SqliteConnectOptions::from_str(url).map_err(sql("understand the URL of the database"))?;
    let path = options.get_filename().to_path_buf();
    if path.is_file() { Ok(path) } else { Err(BackupError::NoSource(path)) }
}

async fn open(path: &Path) -> Result<SqliteConnection, BackupError> {
    // Reading only, and without the lock of `FILE.lock`: the server holds that one.
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(WAIT_LIMIT);
    options.connect().await.map_err(sql("open the database for reading"))
}

async fn copy(source: &Path, partial: &Path, progress: Progress<'_>) -> Result<(), BackupError> {
    let mut conn = open(source).await?;
    let ours = "SELECT COUNT(*) FROM pragma_table_list WHERE name = '_sqlx_migrations'";
    let (ours,): (i64,) =
        sqlx::query_as(ours).fetch_one(&mut conn).await.map_err(sql("read the database"))?;
    if ours == 0 {
        return Err(BackupError::Foreign(source.to_path_buf()));
    }
    let size = "SELECT (page_count - freelist_count) * page_size \
                FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
    let (expected,): (i64,) =
        sqlx::query_as(size).fetch_one(&mut conn).await.map_err(sql("measure the database"))?;
    let expected = super::rows::unsigned(expected);
    vacuum_into(&mut conn, partial, |bytes| progress(bytes.min(expected), expected)).await?;
    progress(expected, expected);
    conn.close().await.map_err(sql("close the database"))
}

async fn vacuum_into(
    conn: &mut SqliteConnection,
    partial: &Path,
    mut written: impl FnMut(u64),
) -> Result<(), BackupError> {
    let name = partial.to_string_lossy();
    let mut copying = Box::pin(sqlx::query("VACUUM INTO $1").bind(name.as_ref()).execute(conn));
    loop {
        tokio::select! {
            done = &mut copying => return done.map(|_| ()).map_err(sql("copy the database")),
            () = tokio::time::sleep(TELL_EVERY) => {
                written(partial.metadata().map_or(0, |metadata| metadata.len()));
            }
        }
    }
}

/// Reads the copy from end to end; answers how many rows each table has.
async fn check(partial: &Path) -> Result<BTreeMap<String, u64>, BackupError> {
    let doing = "read the copy";
    let options = SqliteConnectOptions::new().filename(partial).read_only(true).immutable(true);
    let mut conn = options.connect().await.map_err(sql(doing))?;
    let complaints: Vec<String> =
        sqlx::query_scalar("PRAGMA quick_check").fetch_all(&mut conn).await.map_err(sql(doing))?;
    if complaints != ["ok"] {
        return Err(BackupError::Damaged(complaints.join("; ")));
    }
    let tables = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
                  AND name NOT LIKE 'sqlite%' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut conn).await.map_err(sql(doing))?;
    let mut rows = BTreeMap::new();
    for table in tables {
        // Safe: the name of a table of ours.
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{table}\""));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.map_err(sql(doing))?;
        rows.insert(table, super::rows::unsigned(count));
    }
    conn.close().await.map_err(sql(doing))?;
    Ok(rows)
}
