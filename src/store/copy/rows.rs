//! Rows of any table: read by key, inserted, counted, digested.

use futures_util::TryStreamExt as _;
use sqlx::AssertSqlSafe;

use super::digest::Digest;
use super::schema::Table;
use super::value::{Kind, Value, bind_value, row_values};
use super::{CopyError, Store, StoreError};
use crate::domain::index_key::index_key;
use crate::store::Tx;
use crate::store::error::Doing as _;

/// No batch has more rows than this.
pub(super) const BATCH_ROWS: usize = 500;
/// Nor, but for its first row, more bytes: bodies may be large.
const BATCH_BYTES: usize = 8 << 20;
/// No statement has more parameters: SQLite's limit is 32,766.
const PARAMETERS: usize = 30_000;
/// How often the reader of a whole table says how far it is.
const TELL_EVERY: u64 = 1_000;

/// The rows after a key, in the key's order.
pub(super) async fn read(
    store: &Store,
    table: &Table,
    after: Option<&[Value]>,
) -> Result<Vec<Vec<Value>>, StoreError> {
    let sql = select(table, after.is_some());
    with_reader!(store, |conn| async {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in after.into_iter().flatten() {
            query = bind_value!(query, value);
        }
        let mut found = query.fetch(&mut *conn);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(row) = found.try_next().await? {
            let values = row_values!(row, table)?;
            bytes += values.iter().map(Value::size).sum::<usize>();
            batch.push(values);
            if bytes > BATCH_BYTES {
                break;
            }
        }
        Ok::<_, sqlx::Error>(batch)
    }
    .await)
    .doing("read rows to copy")
}

/// Puts rows into the table of the same name.
pub(super) async fn insert(tx: &mut Tx, table: &Table, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    for part in rows.chunks((PARAMETERS / table.columns.len().max(1)).max(1)) {
        let sql = insert_sql(table, part.len());
        with_tx!(tx, |conn| {
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(part.len() == BATCH_ROWS);
            for value in part.iter().flatten() {
                query = bind_value!(query, value);
            }
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("write copied rows")?;
    }
    Ok(())
}

/// [`insert`], and if the target refuses that, says which row it refuses.
pub(super) async fn insert_or_name(tx: &mut Tx, table: &Table, rows: &[Vec<Value>]) -> Result<(), CopyError> {
    savepoint(tx, "SAVEPOINT part").await?;
    let refused = match insert(tx, table, rows).await {
        Ok(()) => return Ok(savepoint(tx, "RELEASE SAVEPOINT part").await?),
        Err(error) if error.is_unavailable() => return Err(error.into()),
        Err(error) => error,
    };
    savepoint(tx, "ROLLBACK TO SAVEPOINT part").await?;
    for row in rows {
        if let Err(error) = insert(tx, table, std::slice::from_ref(row)).await {
            return Err(CopyError::Row { table: table.name.clone(), key: key_of(table, row), source: error });
        }
    }
    Err(refused.into())
}

/// Marks a point in a transaction, or goes back to it.
pub(super) async fn savepoint(tx: &mut Tx, sql: &'static str) -> Result<(), StoreError> {
    with_tx!(tx, |conn| sqlx::raw_sql(sql).execute(&mut *conn).await.map(|_| ()))
        .doing("mark a point in a copy")
}

/// What names a row to people: its primary key, long values cut.
fn key_of(table: &Table, row: &[Value]) -> String {
    let part = |n: &usize| {
        let value = row[*n].to_json();
        let text = value.as_str().map_or_else(|| value.to_string(), |text| index_key(text).into_owned());
        format!("{} = {text}", table.columns[*n].name)
    };
    table.key.iter().map(part).collect::<Vec<String>>().join(", ")
}

/// How many rows a table has.
pub(super) async fn count(store: &Store, table: &Table) -> Result<u64, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
    let (count,): (i64,) =
        with_reader!(store, |conn| sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *conn).await)
            .doing("count rows")?;
    Ok(crate::store::rows::unsigned(count))
}

/// Whether a table has any row.
pub(super) async fn has_any(store: &Store, table: &Table) -> Result<bool, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {} LIMIT 1) AS head", quoted(&table.name));
    let (count,): (i64,) =
        with_reader!(store, |conn| sqlx::query_as(AssertSqlSafe(sql)).fetch_one(&mut *conn).await)
            .doing("look into a table")?;
    Ok(count > 0)
}

/// Removes every row.
pub(super) async fn clear(tx: &mut Tx, table: &Table) -> Result<(), StoreError> {
    let sql = format!("DELETE FROM {}", quoted(&table.name));
    with_tx!(tx, |conn| sqlx::query(AssertSqlSafe(sql)).execute(&mut *conn).await.map(|_| ()))
        .doing("empty a table")
}

/// Takes every row into a digest; `tell` hears how many so far.
pub(super) async fn digest(
    store: &Store,
    table: &Table,
    digest: &mut Digest,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<(), StoreError> {
    let sql = format!("SELECT {} FROM {}", columns(table), quoted(&table.name));
    with_reader!(store, |conn| async {
        let mut found = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *conn);
        while let Some(row) = found.try_next().await? {
            let values = row_values!(row, table)?;
            digest.add(values.iter());
            if digest.rows().is_multiple_of(TELL_EVERY) {
                tell(digest.rows());
            }
        }
        Ok::<_, sqlx::Error>(())
    }
    .await)
    .doing("read rows to compare")
}

fn select(table: &Table, is_after: bool) -> String {
    let keys: Vec<String> = table.key.iter().map(|n| quoted(&table.columns[*n].name)).collect();
    let keys = keys.join(", ");
    let places: Vec<String> = (1..=table.key.len()).map(|n| format!("${n}")).collect();
    let after = if is_after { format!(" WHERE ({keys}) > ({})", places.join(", ")) } else { String::new() };
    format!(
        "SELECT {} FROM {}{after} ORDER BY {keys} LIMIT {BATCH_ROWS}",
        columns(table),
        quoted(&table.name)
    )
}

fn insert_sql(table: &Table, rows: usize) -> String {
    use std::fmt::Write as _;
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", quoted(&table.name), columns(table));
    let width = table.columns.len();
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=width {
            let comma = if column == 1 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{comma}${}", row * width + column);
        }
        sql.push(')');
    }
    sql
}

fn columns(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    names.join(", ")
}

/// A name of the schema, safe in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
