//! How one SQL text serves both databases: the dispatch macros, multi-row statements, and
//! the few fragments that differ.
//!
//! A macro expands its body once per driver, so each copy is type-checked against its own
//! without any trait bound. SQL is `const` with `$N`; only the number of rows in a
//! `VALUES` list is put in at run time, from numbers alone.

use std::time::Duration;

use sqlx::AssertSqlSafe;

/// Runs a body on the connection of a [`super::Tx`].
macro_rules! with_tx {
    ($tx:expr, |$conn:ident| $body:expr) => {
        match &mut $tx.0 {
            $crate::store::TxKind::Sqlite(tx) => {
                let $conn = &mut **tx;
                $body
            }
            $crate::store::TxKind::Postgres(tx) => {
                let $conn = &mut **tx;
                $crate::store::dialect::in_time(async { $body }).await
            }
        }
    };
}

/// Runs a body on a connection for reading. Evaluates to the body's `Result<_, sqlx::Error>`.
macro_rules! with_reader {
    ($store:expr, |$conn:ident| $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite { read, .. } => match read.acquire().await {
                Ok(mut acquired) => {
                    let $conn = &mut *acquired;
                    $body
                }
                Err(error) => Err(error),
            },
            $crate::store::Pool::Postgres(server) => match server.read.acquire().await {
                Ok(mut acquired) => {
                    let $conn = &mut *acquired;
                    $crate::store::dialect::in_time(async { $body }).await
                }
                Err(error) => Err(error),
            },
        }
    };
}

/// Runs one statement per batch of rows: `PREFIX VALUES (…), (…) SUFFIX`. The last argument
/// binds one row's columns. Evaluates to the number of rows affected.
macro_rules! write_rows {
    ($tx:expr, $rows:expr, $columns:expr, $prefix:expr, $suffix:expr, |$query:ident, $row:ident| $bind:expr) => {
        async {
            let mut affected = 0_u64;
            for batch in $crate::store::dialect::batches($rows, $columns) {
                let sql = $crate::store::dialect::values_sql($prefix, $columns, batch.len(), $suffix);
                affected += with_tx!($tx, |conn| {
                    let mut $query = sqlx::query(sql);
                    for $row in batch {
                        $query = $bind;
                    }
                    sqlx::Executor::execute(&mut *conn, $query).await.map(|done| done.rows_affected())
                })?;
            }
            Ok::<u64, sqlx::Error>(affected)
        }
        .await
    };
}

/// Reads rows by a list of keys: `PREFIX (VALUES ($1), ($2), …) SUFFIX`, one statement per
/// batch. Evaluates to a `Vec` of `$row_type`.
macro_rules! read_by_keys {
    ($tx:expr, $row_type:ty, $keys:expr, $prefix:expr, $suffix:expr) => {
        async {
            let mut found: Vec<$row_type> = Vec::new();
            for batch in $crate::store::dialect::batches($keys, 1) {
                let sql = $crate::store::dialect::keys_sql($prefix, batch.len(), $suffix);
                found.extend(with_tx!($tx, |conn| {
                    let mut query = sqlx::query_as::<_, $row_type>(sql);
                    for key in batch {
                        query = query.bind(key);
                    }
                    query.fetch_all(&mut *conn).await
                })?);
            }
            Ok::<Vec<$row_type>, sqlx::Error>(found)
        }
        .await
    };
}

/// Gives up on PostgreSQL when it does not answer: a server that ends says so and is noticed,
/// one that is cut off stays silent for a quarter of an hour. The server itself gives up a
/// little earlier, so this is for when it cannot be heard.
pub(super) async fn in_time<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let silent = |_| {
        let silence = std::io::Error::new(std::io::ErrorKind::TimedOut, "the server does not answer");
        Err(sqlx::Error::Io(silence))
    };
    tokio::time::timeout(ANSWER_LIMIT, answer).await.unwrap_or_else(silent)
}

/// How long the server may take for one statement.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(30);
/// How long to wait for its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(35);

/// No statement carries more rows than this.
const MAX_ROWS: usize = 512;
/// Nor more parameters: SQLite's limit is 32,766.
const MAX_PARAMETERS: usize = 30_000;

/// Cuts rows into batches whose sizes are powers of two, so that each connection keeps a
/// handful of prepared statements instead of one for every count.
pub(super) fn batches<T>(rows: &[T], columns: usize) -> impl Iterator<Item = &[T]> {
    let largest = MAX_ROWS.min(previous_power_of_two(MAX_PARAMETERS / columns.max(1)));
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = largest.min(previous_power_of_two(rest.len()));
        let (batch, remaining) = rest.split_at(size);
        rest = remaining;
        (!batch.is_empty()).then_some(batch)
    })
}

fn previous_power_of_two(n: usize) -> usize {
    n.checked_ilog2().map_or(0, |bits| 1 << bits)
}

/// `PREFIX VALUES ($1, $2), ($3, $4) SUFFIX` for `rows` rows of `columns` columns.
pub(super) fn values_sql(
    prefix: &'static str,
    columns: usize,
    rows: usize,
    suffix: &'static str,
) -> AssertSqlSafe<String> {
    let mut sql = String::with_capacity(prefix.len() + suffix.len() + rows * columns * 6 + 16);
    sql.push_str(prefix);
    sql.push_str(" VALUES ");
    push_rows(&mut sql, columns, rows);
    sql.push(' ');
    sql.push_str(suffix);
    // Safe: made of two static texts and numbers.
    AssertSqlSafe(sql)
}

/// `PREFIX (VALUES ($1), ($2)) SUFFIX` for `keys` keys.
pub(super) fn keys_sql(prefix: &'static str, keys: usize, suffix: &'static str) -> AssertSqlSafe<String> {
    let mut sql = String::with_capacity(prefix.len() + suffix.len() + keys * 8 + 16);
    sql.push_str(prefix);
    sql.push_str(" (VALUES ");
    push_rows(&mut sql, 1, keys);
    sql.push_str(") ");
    sql.push_str(suffix);
    // Safe: made of two static texts and numbers.
    AssertSqlSafe(sql)
}

/// `PREFIX ($3, $4)` for a list of `items` parameters that begins at number `first`; an empty
/// list holds the empty text alone, so that `NOT IN` keeps its meaning.
pub(super) fn list_sql(prefix: &'static str, first: usize, items: usize) -> AssertSqlSafe<String> {
    let numbers: Vec<String> = (first..first + items).map(|n| format!("${n}")).collect();
    let list = if items == 0 { "''".to_owned() } else { numbers.join(", ") };
    // Safe: made of a static text and numbers.
    AssertSqlSafe(format!("{prefix} ({list})"))
}

fn push_rows(sql: &mut String, columns: usize, rows: usize) {
    use std::fmt::Write as _;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            let comma = if column == 1 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{comma}${}", row * columns + column);
        }
        sql.push(')');
    }
}

/// A statement that claims rows, in the words of each database: SQLite has one writer, so
/// nobody else can be claiming; PostgreSQL passes over what others have locked.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerDialect {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl PerDialect {
    pub fn pick_for(self, store: &super::Store) -> &'static str {
        match store.pool {
            super::Pool::Sqlite { .. } => self.sqlite,
            super::Pool::Postgres(_) => self.postgres,
        }
    }

    pub fn pick(self, tx: &super::Tx) -> &'static str {
        match tx.0 {
            super::TxKind::Sqlite(_) => self.sqlite,
            super::TxKind::Postgres(_) => self.postgres,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_powers_of_two_and_cover_every_row_in_order() {
        let rows: Vec<usize> = (0..1_300).collect();

        let sizes: Vec<usize> = batches(&rows, 3).map(<[usize]>::len).collect();
        let joined: Vec<usize> = batches(&rows, 3).flatten().copied().collect();

        assert_eq!(sizes, [512, 512, 256, 16, 4]);
        assert_eq!(joined, rows);
    }

    #[test]
    fn a_statement_never_has_more_parameters_than_sqlite_takes() {
        let rows = vec![0_u8; 2_000];

        assert!(batches(&rows, 100).all(|batch| batch.len() * 100 <= MAX_PARAMETERS));
        assert_eq!(batches(&rows[..0], 100).count(), 0);
    }

    #[test]
    fn placeholders_count_through() {
        let sql = values_sql("INSERT INTO t (a, b)", 2, 2, "ON CONFLICT DO NOTHING");

        assert_eq!(sql.0, "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING");
    }
}
