//! Opening a database: scheme, options, the single-process lock, migrations.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::error::StoreError;
use super::file_watch::{FileWatch, lock_of};
use super::news::Announcer;
use super::server::{self, STATEMENT_CACHE, Terms};
use super::watch::Watch;
use super::{Pool, Store, WAIT_LIMIT};

/// What connections of a server call themselves in PostgreSQL's `pg_stat_activity`.
pub(super) const SERVER_NAME: &str = "modelpager";
/// And those of `modelpager migrate-storage`.
pub(super) const COPIER_NAME: &str = "modelpager migrate-storage";
/// How much of the file each SQLite connection may keep in memory: negative means KiB.
const CACHE_KIB: &str = "-16384";
/// Of those that only read, what they keep is void with the next commit of another.
const READING_CACHE_KIB: &str = "-4096";

/// What a database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To work on it; an unfinished copy is refused.
    Serve,
    /// To copy it or to copy into it.
    Copy,
    /// To look at it: nothing is created and its schema stays as it is.
    Look,
}

pub(super) async fn open(url: &str, max_connections: u32, purpose: Purpose) -> Result<Store, StoreError> {
    let store = match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => open_sqlite(url, max_connections, purpose).await?,
        Some("postgres" | "postgresql") => open_postgres(url, max_connections, purpose).await?,
        // The text may hold a password: it is not repeated.
        _ => {
            let problem = "the URL begins neither with sqlite:// nor with postgres://";
            return Err(StoreError::Open(problem.to_owned()));
        }
    };
    if purpose == Purpose::Serve && store.is_unfinished_copy().await? {
        store.close().await;
        return Err(StoreError::Open(
            "it holds an unfinished copy of another database: end it with the same \
             `modelpager migrate-storage` it was begun with"
                .to_owned(),
        ));
    }
    Ok(store)
}

async fn open_sqlite(url: &str, max_connections: u32, purpose: Purpose) -> Result<Store, StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|e| StoreError::Open(e.to_string()))?;
    let file = options.get_filename().to_path_buf();
    if purpose == Purpose::Look && !file.is_file() {
        return Err(StoreError::Open(format!("there is no database at {}", file.display())));
    }
    let (file, lock) = claim_file(&file)?;
    let options = options.filename(&file);
    let place = file.display().to_string();
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(WAIT_LIMIT)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .pragma("journal_size_limit", super::wal::SIZE_LIMIT)
        // A transaction that outgrows the cache writes its pages to the log more than once.
        .pragma("cache_size", CACHE_KIB)
        // What a statement would undo alone is kept in memory, not in a file.
        .pragma("temp_store", "MEMORY")
        // Nobody who commits copies the log into the file, unless nobody else does.
        .pragma("wal_autocheckpoint", super::wal::LAST_RESORT)
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
        // A file does not hang up: asking each time whether it is there costs a hand-over.
        .test_before_acquire(false)
        .acquire_timeout(WAIT_LIMIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(StoreError::opening)?;
    if purpose != Purpose::Look {
        let migrations = sqlx::migrate!("migrations/sqlite");
        migrations.run(&write).await.map_err(StoreError::migrating)?;
    }
    let checkpoint = SqlitePoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .acquire_timeout(WAIT_LIMIT)
        .connect_lazy_with(options.clone().busy_timeout(Duration::ZERO));
    let options = options.read_only(true).pragma("cache_size", READING_CACHE_KIB);
    let reading = SqlitePoolOptions::new().test_before_acquire(false).acquire_timeout(WAIT_LIMIT);
    let read = reading.clone().max_connections(max_connections.max(1)).connect_lazy_with(options.clone());
    // Its own connection: readers of the log must not keep triage waiting.
    let triage = reading.max_connections(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
    let kept = Some((lock, FileWatch::new(&file)));
    Ok(store(Pool::Sqlite { read, triage, write, checkpoint }, watch, kept))
}

/// Creates the file, readable by its owner alone, and locks its neighbour `FILE.lock`:
/// SQLite's own locks would let a second process in between transactions, and two
/// dispatchers would send everything twice. Answers its one name, without symbolic links: each
/// name would have a lock of its own.
fn claim_file(file: &Path) -> Result<(PathBuf, File), StoreError> {
    let path = file.display();
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|e| not_made(e, |e| format!("could not create the folder of {path}: {e}")))?;
    }
    let database = private_file(file).map_err(|e| not_made(e, |e| format!("could not open {path}: {e}")))?;
    warn_if_shared(&database, file);
    refuse_other_names(&database, file)?;
    let file = file.canonicalize().map_err(|e| not_made(e, |e| format!("could not find {path}: {e}")))?;
    let lock_path = lock_of(&file);
    let lock = private_file(&lock_path)
        .map_err(|e| not_made(e, |e| format!("could not open {}: {e}", lock_path.display())))?;
    lock.try_lock().map_err(|_| {
        StoreError::Open(format!(
            "{path} is in use by another modelpager: SQLite serves one process; for several, stop it and run \
             `modelpager migrate-storage --from sqlite://{path} --to postgres://…`"
        ))
    })?;
    Ok((file, lock))
}

/// A file with a second name could be opened by a second process that holds the lock of that name.
fn refuse_other_names(database: &File, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt as _;
    let names = database.metadata().map_or(1, |metadata| metadata.nlink());
    if names > 1 {
        return Err(StoreError::Open(format!(
            "{} has {names} names (hard links), and a second process could work on it by another one: \
             remove the others, or copy the file and use the copy",
            path.display()
        )));
    }
    Ok(())
}

fn not_made(error: std::io::Error, told: impl Fn(&std::io::Error) -> String) -> StoreError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return StoreError::opening(error.into());
    }
    StoreError::Open(told(&error))
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A file that was there before keeps its mode: somebody may have meant it.
fn warn_if_shared(file: &File, path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let others = file.metadata().map_or(0, |metadata| metadata.mode() & 0o077);
        if others != 0 {
            tracing::warn!(file = %path.display(), "other users may read the database: chmod 600 ends that");
        }
    }
}

async fn open_postgres(url: &str, max_connections: u32, purpose: Purpose) -> Result<Store, StoreError> {
    let serves = purpose == Purpose::Serve;
    let terms = Terms {
        name: if serves { SERVER_NAME } else { COPIER_NAME },
        has_time_limits: serves,
        migrates: purpose != Purpose::Look,
    };
    let watch = Arc::new(Watch::new("postgres"));
    let server = server::open(url, max_connections, terms, &watch).await?;
    Ok(store(Pool::Postgres(Arc::new(server)), watch, None))
}

fn store(pool: Pool, watch: Arc<Watch>, kept: Option<(File, FileWatch)>) -> Store {
    let (lock, file) = kept.unzip();
    Store {
        pool,
        watch,
        announcer: Announcer::new(),
        precedence: Arc::default(),
        recent: Arc::default(),
        triage: Arc::default(),
        file: file.map(Arc::new),
        _lock: lock.map(Arc::new),
    }
}
