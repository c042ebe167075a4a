//! How far a copy is, kept in the target itself: each batch is committed together with it.

use serde_json::Value as Json;

use super::rows;
use super::schema::{MARKER, Table};
use super::value::Value;
use super::{CopyError, PerDialect, Store, StoreError, TargetState, pick};
use crate::store::Tx;
use crate::store::error::Doing as _;

const EXISTS: PerDialect = PerDialect {
    sqlite: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'storage_copy'",
    postgres: "SELECT COUNT(*) FROM pg_class WHERE relname = 'storage_copy' AND relkind = 'r' \
               AND relnamespace = CAST(current_schema() AS REGNAMESPACE)",
};
const CREATE: &str = "CREATE TABLE storage_copy (table_name TEXT NOT NULL PRIMARY KEY, source TEXT NOT NULL, \
     last_key TEXT, copied BIGINT NOT NULL, done BOOLEAN NOT NULL)";
const DROP: &str = "DROP TABLE storage_copy";
const INSERT: &str = "INSERT INTO storage_copy (table_name, source, copied, done) VALUES ($1, $2, 0, FALSE)";
const UPDATE: &str = "UPDATE storage_copy SET last_key = $2, copied = $3, done = $4 WHERE table_name = $1";
const FIND: &str = "SELECT last_key, copied, done FROM storage_copy WHERE table_name = $1";
const LIST: &str = "SELECT table_name, source FROM storage_copy ORDER BY table_name";

/// How far one table is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Progressed {
    /// The key of the last row copied.
    pub after: Option<Vec<Value>>,
    pub rows: u64,
    pub is_done: bool,
}

impl Progressed {
    /// After one more batch; an empty one is the end.
    pub fn with(self, table: &Table, batch: &[Vec<Value>]) -> Self {
        let Some(last) = batch.last() else { return Self { is_done: true, ..self } };
        let after = table.key.iter().map(|n| last[*n].clone()).collect();
        Self { after: Some(after), rows: self.rows + batch.len() as u64, is_done: false }
    }
}

impl Store {
    /// Whether a copy into this database was begun and not ended.
    pub(in crate::store) async fn is_unfinished_copy(&self) -> Result<bool, StoreError> {
        let sql = pick(EXISTS, self);
        let (count,): (i64,) = with_reader!(self, |conn| sqlx::query_as(sql).fetch_one(&mut *conn).await)
            .doing("look for an unfinished copy")?;
        Ok(count > 0)
    }
}

/// In which state the target is found.
pub(super) async fn state(to: &Store, source: &str, tables: &[Table]) -> Result<TargetState, CopyError> {
    if !to.is_unfinished_copy().await? {
        return match first_foreign(to, tables).await? {
            None => Ok(TargetState::Empty),
            Some(table) => Err(CopyError::Refused(format!(
                "the target holds data already (in {table}): take an empty database"
            ))),
        };
    }
    let begun: Vec<(String, String)> =
        with_reader!(to, |conn| sqlx::query_as(LIST).fetch_all(&mut *conn).await)
            .doing("read how far the copy is")?;
    if let Some((_, other)) = begun.iter().find(|(_, of)| of != source) {
        return Err(CopyError::Refused(format!(
            "the target holds an unfinished copy of {other}, not of {source}: take an empty database"
        )));
    }
    let is_same = begun.len() == tables.len()
        && tables.iter().all(|table| begun.iter().any(|(name, _)| *name == table.name));
    if !is_same {
        let problem = "the target holds an unfinished copy made by another version: take an empty database";
        return Err(CopyError::Refused(problem.to_owned()));
    }
    Ok(TargetState::Unfinished)
}

/// The first table with rows other than those that migrations put there.
async fn first_foreign(to: &Store, tables: &[Table]) -> Result<Option<String>, CopyError> {
    let mut fresh: Option<(tempfile::TempDir, Store)> = None;
    for table in tables {
        if !rows::has_any(to, table).await? {
            continue;
        }
        if fresh.is_none() {
            fresh = Some(fresh_database().await?);
        }
        let Some((_, seeded)) = &fresh else { continue };
        let (mut ours, mut theirs) = (super::Digest::default(), super::Digest::default());
        rows::digest(to, table, &mut ours, &mut |_| {}).await?;
        rows::digest(seeded, table, &mut theirs, &mut |_| {}).await?;
        if ours != theirs {
            return Ok(Some(table.name.clone()));
        }
    }
    Ok(None)
}

/// What a database holds right after its migrations.
async fn fresh_database() -> Result<(tempfile::TempDir, Store), CopyError> {
    let folder = tempfile::tempdir()
        .map_err(|error| CopyError::Refused(format!("could not make a temporary folder: {error}")))?;
    let url = format!("sqlite://{}", folder.path().join("fresh.db").display());
    let store = super::open::open(&url, 1, super::Purpose::Copy).await?;
    Ok((folder, store))
}

/// Empties the tables of what migrations put there, and notes that a copy begins.
pub(super) async fn begin(to: &Store, source: &str, tables: &[Table]) -> Result<(), StoreError> {
    let doing = "begin the copy";
    let mut tx = to.begin_write().await?;
    with_tx!(tx, |conn| sqlx::query(CREATE).execute(&mut *conn).await.map(|_| ())).doing(doing)?;
    for table in tables {
        rows::clear(&mut tx, table).await?;
        with_tx!(tx, |conn| {
            sqlx::query(INSERT).bind(&table.name).bind(source).execute(&mut *conn).await.map(|_| ())
        })
        .doing(doing)?;
    }
    tx.commit().await
}

/// How far a table is.
pub(super) async fn progress(to: &Store, table: &Table) -> Result<Progressed, StoreError> {
    let (key, copied, is_done): (Option<String>, i64, bool) =
        with_reader!(to, |conn| sqlx::query_as(FIND).bind(&table.name).fetch_one(&mut *conn).await)
            .doing("read how far the copy is")?;
    let after = key.map(|key| read_key(table, &key)).transpose()?;
    Ok(Progressed { after, rows: crate::store::rows::unsigned(copied), is_done })
}

fn read_key(table: &Table, text: &str) -> Result<Vec<Value>, StoreError> {
    let corrupt = |detail: &str| StoreError::Corrupt {
        table: MARKER,
        column: "last_key",
        id: table.name.clone(),
        detail: detail.to_owned(),
    };
    let parts: Vec<Json> = serde_json::from_str(text).map_err(|error| corrupt(&error.to_string()))?;
    if parts.len() != table.key.len() {
        return Err(corrupt("it has another number of parts than the key"));
    }
    let kinds = table.key.iter().map(|n| table.columns[*n].kind);
    let values: Option<Vec<Value>> =
        parts.iter().zip(kinds).map(|(part, kind)| Value::from_json(kind, part)).collect();
    values.ok_or_else(|| corrupt("it does not fit the key"))
}

/// Notes how far a table is, in the transaction of its rows.
pub(super) async fn save(tx: &mut Tx, table: &Table, progressed: &Progressed) -> Result<(), StoreError> {
    let key = progressed.after.as_ref().map(|values| {
        let parts: Vec<Json> = values.iter().map(Value::to_json).collect();
        Json::from(parts).to_string()
    });
    with_tx!(tx, |conn| {
        sqlx::query(UPDATE)
            .bind(&table.name)
            .bind(key)
            .bind(crate::store::rows::signed(progressed.rows))
            .bind(progressed.is_done)
            .execute(&mut *conn)
            .await
            .map(|_| ())
    })
    .doing("note how far the copy is")
}

/// Notes that the copy is done: from now on a server may start on it.
pub(super) async fn end(to: &Store) -> Result<(), StoreError> {
    let mut tx = to.begin_write().await?;
    with_tx!(tx, |conn| sqlx::query(DROP).execute(&mut *conn).await.map(|_| ())).doing("end the copy")?;
    tx.commit().await
}
