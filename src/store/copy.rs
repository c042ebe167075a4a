//! Copying everything from one database to another, of whichever kind.
//!
//! Promises: the target is empty at the beginning, or holds an unfinished copy of the same
//! source, which is then continued; no row is copied twice, however often the copy is cut
//! short; both sides are compared, count and digest of every table, before it counts as
//! done; memory is bounded by a batch of rows. Until it is done no server starts on the
//! target: the table `storage_copy` in it says so.
//!
//! Tables, columns and keys are read from the live schemas, so that one that a migration
//! brings is copied without a word about it here.

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::open::{self, Purpose};
use super::{Pool, Store, StoreError};

mod digest;
mod marker;
mod rows;
mod schema;
mod trial;
mod value;

use digest::Digest;
use marker::Progressed;
use schema::Table;

/// Connections to each side.
const CONNECTIONS: u32 = 2;

/// Why a copy did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases could not be opened.
    #[error("{side}: {source}")]
    Open {
        /// `the source` or `the target`.
        side: &'static str,
        /// Why.
        source: StoreError,
    },
    /// A database did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was begun, and why.
    #[error("{0}")]
    Refused(String),
    /// The schemas cannot be copied from one to the other.
    #[error("the schemas differ: {0}")]
    Schema(String),
    /// The target refuses a row.
    #[error(
        "the target does not take a row of {table} ({key}): {}; mend or delete that row in the source",
        cause(source)
    )]
    Row {
        /// Its table.
        table: String,
        /// Its primary key.
        key: String,
        /// Why.
        source: StoreError,
    },
    /// The copy is not what the source is.
    #[error(
        "the copy differs from its source in {}: empty the target and begin again, with nothing running on either",
        .0.join(", ")
    )]
    Differs(Vec<String>),
}

/// What a copy is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rows go from one to the other.
    Copying,
    /// Both sides are read and compared.
    Checking,
}

/// How far a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    /// With what it is busy.
    pub phase: Phase,
    /// In which table.
    pub table: String,
    /// Rows done in this phase.
    pub done: u64,
    /// Rows there are to do in this phase.
    pub total: u64,
}

/// Takes what there is to tell.
pub type Tell<'a> = &'a mut (dyn FnMut(CopyProgress) + Send);

/// A table that was copied and compared, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    /// The digest of its rows, the same on both sides; empty when nothing was copied.
    pub digest: String,
}

/// What is in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Nothing yet.
    Empty,
    /// Part of this very copy.
    Unfinished,
}

impl TargetState {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Unfinished => "unfinished",
        }
    }
}

/// Two databases, ready for a copy.
pub struct Transfer {
    from: Store,
    to: Store,
    /// What the source is called in the target.
    source: String,
    tables: Vec<Table>,
    state: TargetState,
}

/// Servers on a PostgreSQL database, as far as this user may see them.
const SERVERS: &str = "SELECT COUNT(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND application_name = $1";

impl Transfer {
    /// Opens both databases, brings their schemas up to date, and looks whether the one can
    /// be copied to the other.
    ///
    /// # Errors
    /// When one cannot be opened, is in use by a server, or the target holds something else.
    pub async fn prepare(from: &str, to: &str) -> Result<Self, CopyError> {
        let source = describe(from);
        if source == describe(to) {
            return Err(CopyError::Refused("the source and the target are the same database".to_owned()));
        }
        // The source first, without creating it: a slip of the pen must not make an empty one.
        open_one("the source", from, Purpose::Look).await?.close().await;
        let from = open_one("the source", from, Purpose::Copy).await?;
        let to = open_one("the target", to, Purpose::Copy).await?;
        if from.is_unfinished_copy().await? {
            return Err(CopyError::Refused("the source is itself an unfinished copy".to_owned()));
        }
        let tables = schema::matching(&schema::read(&from).await?, &schema::read(&to).await?)
            .map_err(CopyError::Schema)?;
        let state = marker::state(&to, &source, &tables).await?;
        Ok(Self { from, to, source, tables, state })
    }

    /// What there is to copy, and in which state the target is, as far as that can be told
    /// without writing anything. Every row is read and tried.
    ///
    /// # Errors
    /// When a database cannot be read, is in use by a server, the target holds something else, or
    /// it would not take a row.
    pub async fn look(from: &str, to: &str) -> Result<(Vec<CopiedTable>, Option<TargetState>), CopyError> {
        let source = describe(from);
        let is_new = to.starts_with("sqlite:") && !sqlite_file(to).is_file();
        let from = open_one("the source", from, Purpose::Look).await?;
        let tables = schema::read(&from).await?;
        let mut found = Vec::new();
        for table in &tables {
            let rows = rows::count(&from, table).await?;
            found.push(CopiedTable { name: table.name.clone(), rows, digest: String::new() });
        }
        if is_new {
            trial::try_on_file(&from, &tables).await?;
            from.close().await;
            return Ok((found, Some(TargetState::Empty)));
        }
        let to = open_one("the target", to, Purpose::Look).await?;
        let there = schema::read(&to).await?;
        let state = match schema::matching(&tables, &there) {
            Ok(tables) => Some(marker::state(&to, &source, &tables).await?),
            Err(_) if there.is_empty() => Some(TargetState::Empty),
            // One of the schemas is not up to date.
            Err(_) => None,
        };
        trial::try_on(&from, &to, &tables).await?;
        from.close().await;
        to.close().await;
        Ok((found, state))
    }

    /// Whether this begins a copy or goes on with one.
    pub fn state(&self) -> TargetState {
        self.state
    }

    /// Copies what is not copied yet, then compares all of it.
    ///
    /// # Errors
    /// When a database fails; the copy can be continued. When both sides differ.
    pub async fn run(self, tell: Tell<'_>) -> Result<Vec<CopiedTable>, CopyError> {
        if self.state == TargetState::Empty {
            marker::begin(&self.to, &self.source, &self.tables).await?;
        }
        let sizes = self.sizes().await?;
        self.copy_rows(&sizes, tell).await?;
        let copied = self.compare(&sizes, tell).await?;
        marker::end(&self.to).await?;
        self.from.close().await;
        self.to.close().await;
        Ok(copied)
    }

    async fn sizes(&self) -> Result<Vec<u64>, CopyError> {
        let mut sizes = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            sizes.push(rows::count(&self.from, table).await?);
        }
        Ok(sizes)
    }

    async fn copy_rows(&self, sizes: &[u64], tell: Tell<'_>) -> Result<(), CopyError> {
        let total = sizes.iter().sum();
        let mut before = 0;
        for (table, size) in self.tables.iter().zip(sizes) {
            let mut progressed = marker::progress(&self.to, table).await?;
            while !progressed.is_done {
                tell(CopyProgress {
                    phase: Phase::Copying,
                    table: table.name.clone(),
                    done: before + progressed.rows,
                    total,
                });
                progressed = self.copy_some(table, progressed).await?;
            }
            before += size;
        }
        Ok(())
    }

    /// One batch, and how far the table is with it, in one transaction of the target.
    async fn copy_some(&self, table: &Table, so_far: Progressed) -> Result<Progressed, CopyError> {
        let batch = rows::read(&self.from, table, so_far.after.as_deref()).await?;
        let mut tx = self.to.begin_write().await?;
        rows::insert_or_name(&mut tx, table, &batch).await?;
        let progressed = so_far.with(table, &batch);
        marker::save(&mut tx, table, &progressed).await?;
        tx.commit().await?;
        Ok(progressed)
    }

    async fn compare(&self, sizes: &[u64], tell: Tell<'_>) -> Result<Vec<CopiedTable>, CopyError> {
        let total = sizes.iter().sum::<u64>() * 2;
        let mut done = 0;
        let mut copied = Vec::new();
        let mut different = Vec::new();
        for table in &self.tables {
            let (mut ours, mut theirs) = (Digest::default(), Digest::default());
            for (store, digest) in [(&self.from, &mut ours), (&self.to, &mut theirs)] {
                let mut count = |rows| {
                    let (phase, table) = (Phase::Checking, table.name.clone());
                    tell(CopyProgress { phase, table, done: done + rows, total });
                };
                rows::digest(store, table, digest, &mut count).await?;
                done += digest.rows();
            }
            if ours != theirs {
                different.push(format!("{} ({} and {} rows)", table.name, ours.rows(), theirs.rows()));
            }
            let name = table.name.clone();
            copied.push(CopiedTable { name, rows: ours.rows(), digest: ours.to_string() });
        }
        if different.is_empty() { Ok(copied) } else { Err(CopyError::Differs(different)) }
    }
}

/// Why a database refused something, in its own words.
fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

async fn open_one(side: &'static str, url: &str, purpose: Purpose) -> Result<Store, CopyError> {
    let store =
        open::open(url, CONNECTIONS, purpose).await.map_err(|source| CopyError::Open { side, source })?;
    let servers = servers(&store).await?;
    if servers > 0 {
        return Err(CopyError::Refused(format!(
            "{side} is in use: {servers} connections of modelpager servers; stop them all first"
        )));
    }
    Ok(store)
}

async fn servers(store: &Store) -> Result<i64, StoreError> {
    let Pool::Postgres(server) = &store.pool else { return Ok(0) };
    let (count,): (i64,) = sqlx::query_as(SERVERS)
        .bind(open::SERVER_NAME)
        .fetch_one(&server.read)
        .await
        .doing("look for servers on the database")?;
    Ok(count)
}

/// A database without the secrets of its URL.
fn describe(url: &str) -> String {
    use std::str::FromStr as _;
    if url.starts_with("sqlite:") {
        let file = sqlite_file(url);
        let file = file.canonicalize().or_else(|_| std::path::absolute(file));
        return format!("sqlite://{}", file.unwrap_or_default().display());
    }
    match sqlx::postgres::PgConnectOptions::from_str(url) {
        Ok(options) => format!(
            "postgres://{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or(options.get_username())
        ),
        Err(_) => "postgres://".to_owned(),
    }
}

fn sqlite_file(url: &str) -> std::path::PathBuf {
    use std::str::FromStr as _;
    let options = sqlx::sqlite::SqliteConnectOptions::from_str(url).unwrap_or_default();
    options.get_filename().to_path_buf()
}

/// Picks the text for a store.
fn pick(sql: PerDialect, store: &Store) -> &'static str {
    sql.pick_for(store)
}
