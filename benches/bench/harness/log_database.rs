//! A database with a large log, made by SQLite itself and kept between runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use modelpager::store::Store;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

/// How many notifications it has.
pub const ROWS: u64 = 10_000_000;
/// How many are written at once.
const PART: u64 = 100_000;
const FILL: &str = include_str!("log_database.sql");

/// The database, and how large it is.
pub struct LogDatabase {
    /// The file.
    pub file: PathBuf,
    /// Notifications in it.
    pub rows: u64,
    /// The file's size.
    pub bytes: u64,
    /// How much of it is the log's index.
    pub index_bytes: u64,
}

/// The database below `folder`; made if it is not there.
///
/// # Errors
/// When it cannot be written, most often because the disk is full: ten million rows take
/// some 20 GB.
pub fn make(folder: &Path, rows: u64) -> anyhow::Result<LogDatabase> {
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("log-{rows}.db"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if !file.exists() {
        let draft = folder.join(format!("log-{rows}.draft"));
        // Whatever an interrupted run has left is of no use.
        let _ = fs::remove_file(&draft);
        runtime.block_on(write(&draft, rows))?;
        fs::rename(&draft, &file)?;
    }
    let index_bytes = runtime.block_on(index_bytes(&file))?;
    Ok(LogDatabase { bytes: fs::metadata(&file)?.len(), file, rows, index_bytes })
}

async fn write(file: &Path, rows: u64) -> anyhow::Result<()> {
    let url = format!("sqlite://{}", file.display());
    let begun = Instant::now();
    // The program makes the tables, the rows come from SQL, and the index from the program.
    Store::open(&url, 1).await?.close().await;
    let mut connection = fast(file).await?;
    for first in (0..rows).step_by(usize::try_from(PART)?) {
        let end = rows.min(first + PART);
        let sql = FILL
            .replace("{first}", &first.to_string())
            .replace("{end}", &end.to_string())
            .replace("{all}", &rows.to_string());
        let sql = AssertSqlSafe(format!("BEGIN; {sql} COMMIT;"));
        sqlx::raw_sql(sql).execute(&mut connection).await.context("could not fill the log")?;
        eprint!("\r  {end} of {rows} notifications, {:.0} s ", begun.elapsed().as_secs_f64());
    }
    connection.close().await?;
    let store = Store::open(&url, 2).await?;
    let mut steps = 0;
    while store.index_log().await? {
        steps += 1;
        if steps % 100 == 0 {
            eprint!("\r  {steps} steps of the index, {:.0} s          ", begun.elapsed().as_secs_f64());
        }
    }
    eprintln!();
    store.close().await;
    Ok(())
}

/// A connection that trusts the machine to stay up: the file is made again otherwise.
async fn fast(file: &Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-262144")
        .pragma("temp_store", "MEMORY")
        .pragma("locking_mode", "EXCLUSIVE");
    Ok(options.connect().await?)
}

async fn index_bytes(file: &Path) -> anyhow::Result<u64> {
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await?;
    let sql = "SELECT (SELECT COALESCE(SUM(LENGTH(block)), 0) FROM notification_terms_data) \
         + (SELECT COALESCE(SUM(LENGTH(sz) + 8), 0) FROM notification_terms_docsize)";
    let bytes: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(u64::try_from(bytes)?)
}
