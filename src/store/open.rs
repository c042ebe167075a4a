//! Opening a database: scheme, options, the single-process lock, migrations.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::error::StoreError;
use super::watch::Watch;
use super::{Pool, Store, WAIT_LIMIT};

/// Room for every batch size of every multi-row statement.
const STATEMENT_CACHE: usize = 512;

pub(super) async fn open(url: &str, max_connections: u32) -> Result<Store, StoreError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => open_sqlite(url, max_connections).await,
        Some("postgres" | "postgresql") => open_postgres(url, max_connections).await,
        // The text may hold a password: it is not repeated.
        _ => Err(StoreError::Open("the URL begins neither with sqlite:// nor with postgres://".to_owned())),
    }
}

async fn open_sqlite(url: &str, max_connections: u32) -> Result<Store, StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|e| StoreError::Open(e.to_string()))?;
    let lock = claim_file(options.get_filename())?;
    let place = options.get_filename().display().to_string();
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(WAIT_LIMIT)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .statement_cache_capacity(STATEMENT_CACHE);
    let watch = Arc::new(Watch::new(place));
    let watching = watch.clone();
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .before_acquire(move |connection, metadata| {
            // On a full disk SQLite undoes a transaction by itself, the driver does not notice
            // and begins no other one on that connection. And one that was opened while the
            // file was read-only stays so.
            let is_usable = !connection.is_in_transaction() && !watching.is_stale(metadata.age);
            Box::pin(std::future::ready(Ok(is_usable)))
        })
        .acquire_timeout(WAIT_LIMIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(|e| StoreError::Open(e.to_string()))?;
    sqlx::migrate!("migrations/sqlite").run(&write).await.map_err(|e| StoreError::Open(e.to_string()))?;
    let read = SqlitePoolOptions::new()
        .max_connections(max_connections.max(1))
        .acquire_timeout(WAIT_LIMIT)
        .connect_lazy_with(options.read_only(true));
    Ok(Store { pool: Pool::Sqlite { read, write }, watch, _lock: Some(Arc::new(lock)) })
}

/// Creates the file, readable by its owner alone, and locks its neighbour `FILE.lock`:
/// SQLite's own locks would let a second process in between transactions, and two
/// dispatchers would send everything twice.
fn claim_file(file: &Path) -> Result<File, StoreError> {
    let path = file.display();
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|e| StoreError::Open(format!("could not create the folder of {path}: {e}")))?;
    }
    private_file(file).map_err(|e| StoreError::Open(format!("could not open {path}: {e}")))?;
    let lock_path = file.with_added_extension("lock");
    let lock = private_file(&lock_path)
        .map_err(|e| StoreError::Open(format!("could not open {}: {e}", lock_path.display())))?;
    lock.try_lock().map_err(|_| {
        StoreError::Open(format!(
            "{path} is in use by another modelpager: SQLite serves one process; for several use postgres://"
        ))
    })?;
    Ok(lock)
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

async fn open_postgres(url: &str, max_connections: u32) -> Result<Store, StoreError> {
    let options = PgConnectOptions::from_str(url)
        // The driver's message may repeat the URL with its password.
        .map_err(|_| StoreError::Open("the postgres:// URL is malformed".to_owned()))?
        .application_name("modelpager")
        .statement_cache_capacity(STATEMENT_CACHE);
    let watch = Arc::new(Watch::new("postgres"));
    let watching = watch.clone();
    let pool = PgPoolOptions::new()
        .before_acquire(move |_, connection| {
            let is_usable = !watching.is_stale(connection.age);
            Box::pin(std::future::ready(Ok(is_usable)))
        })
        .max_connections(max_connections.max(2))
        .acquire_timeout(WAIT_LIMIT)
        .connect_with(options)
        .await
        .map_err(|e| StoreError::Open(e.to_string()))?;
    sqlx::migrate!("migrations/postgres").run(&pool).await.map_err(|e| StoreError::Open(e.to_string()))?;
    Ok(Store { pool: Pool::Postgres(pool), watch, _lock: None })
}
