//! How one SQL text serves both databases: the dispatch macros, multi-row statements, and
//! the few fragments that differ.
//!
//! A macro expands its body once per driver, so each copy is type-checked against its own
//! without any trait bound. SQL is `const` with `$N`; only the number of rows in a
//! `VALUES` list is put in at run time, from numbers alone.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use parking_lot::RwLock;
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
        with_connection!($store, read, |$conn| $body)
    };
}

/// Runs a body on one of SQLite's connections for reading, or one of those of that pool of a
/// server.
macro_rules! with_connection {
    ($store:expr, $pool:ident, |$conn:ident| $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite { read, .. } => match read.acquire().await {
                Ok(mut acquired) => {
                    let $conn = &mut *acquired;
                    $body
                }
                Err(error) => Err(error),
            },
            $crate::store::Pool::Postgres(server) => match server.$pool.acquire().await {
                Ok(mut acquired) => {
                    let $conn = &mut *acquired;
                    $crate::store::dialect::in_time(async { $body }).await
                }
                Err(error) => Err(error),
            },
        }
    };
}

/// Runs a body on a connection for reading what the work depends on, not what somebody looks at.
/// Evaluates to the body's `Result<_, sqlx::Error>`.
macro_rules! with_worker {
    ($store:expr, |$conn:ident| $body:expr) => {
        with_connection!($store, write, |$conn| $body)
    };
}

/// Binds a batch of rows and runs `$body` with what was bound, on the connection of a
/// [`super::Tx`].
macro_rules! with_rows {
    ($tx:expr, $batch:expr, $columns:expr, |$query:ident, $row:ident| $bind:expr,
     |$conn:ident, $bound:ident| $body:expr) => {
        match &mut $tx.0 {
            $crate::store::TxKind::Sqlite(tx) => {
                let mut $query = $crate::store::bound::Places::default();
                for $row in $batch {
                    $query = $bind;
                }
                let ($conn, $bound) = (&mut **tx, $query.arguments()?);
                $body
            }
            $crate::store::TxKind::Postgres(tx) => {
                let mut $query = $crate::store::bound::Columns::of($columns);
                for $row in $batch {
                    $query = $bind;
                }
                let ($conn, $bound) = (&mut **tx, $query.arguments()?);
                $crate::store::dialect::in_time(async { $body }).await
            }
        }
    };
}

/// Runs one statement per batch of rows: `PREFIX ROWS SUFFIX`. The last argument binds one
/// row's columns, which the statement knows as `column1`, `column2` …; the first column is
/// never null. Evaluates to the number of rows affected.
macro_rules! write_rows {
    ($tx:expr, $rows:expr, $columns:expr, $prefix:expr, $suffix:expr, |$query:ident, $row:ident| $bind:expr) => {
        async {
            let mut affected = 0_u64;
            let dialect = $tx.dialect();
            for batch in dialect.batches($rows, $columns) {
                let sql = dialect.values_sql($prefix, $columns, batch.len(), $suffix);
                affected += with_rows!($tx, batch, $columns, |$query, $row| $bind, |conn, bound| {
                    let query = sqlx::query_with(sql, bound);
                    sqlx::Executor::execute(&mut *conn, query).await.map(|done| done.rows_affected())
                })?;
            }
            Ok::<u64, sqlx::Error>(affected)
        }
        .await
    };
}

/// [`write_rows`] with the statement of a kind of rows.
macro_rules! save {
    ($tx:expr, $rows:expr, $kind:expr, $bind:ident) => {
        write_rows!(*$tx, $rows, $kind.columns, $kind.prefix, $kind.suffix, |query, row| $bind!(query, row))
    };
}

/// Reads rows by others: as [`write_rows`], but evaluates to a `Vec` of `$row_type`.
macro_rules! read_rows {
    ($tx:expr, $row_type:ty, $rows:expr, $columns:expr, $prefix:expr, $suffix:expr,
     |$query:ident, $row:ident| $bind:expr) => {
        async {
            let mut found: Vec<$row_type> = Vec::new();
            let dialect = $tx.dialect();
            for batch in dialect.batches($rows, $columns) {
                let sql = dialect.values_sql($prefix, $columns, batch.len(), $suffix);
                found.extend(with_rows!($tx, batch, $columns, |$query, $row| $bind, |conn, bound| {
                    sqlx::query_as_with::<_, $row_type, _>(sql, bound).fetch_all(&mut *conn).await
                })?);
            }
            Ok::<Vec<$row_type>, sqlx::Error>(found)
        }
        .await
    };
}

/// Reads rows by a list of keys: `PREFIX (KEYS) SUFFIX`, one statement per batch. Evaluates to
/// a `Vec` of `$row_type`.
macro_rules! read_by_keys {
    ($tx:expr, $row_type:ty, $keys:expr, $prefix:expr, $suffix:expr) => {
        async {
            let mut found: Vec<$row_type> = Vec::new();
            let dialect = $tx.dialect();
            for batch in dialect.batches($keys, 1) {
                let sql = dialect.keys_sql($prefix, batch.len(), $suffix);
                found.extend(with_rows!($tx, batch, 1, |query, key| query.bind(key), |conn, bound| {
                    sqlx::query_as_with::<_, $row_type, _>(sql, bound).fetch_all(&mut *conn).await
                })?);
            }
            Ok::<Vec<$row_type>, sqlx::Error>(found)
        }
        .await
    };
}

/// Runs `PREFIX (KEYS)`, one statement per batch of keys. Evaluates to the number of rows
/// affected.
macro_rules! write_by_keys {
    ($tx:expr, $keys:expr, $prefix:expr) => {
        async {
            let mut affected = 0_u64;
            let dialect = $tx.dialect();
            for batch in dialect.batches($keys, 1) {
                let sql = dialect.keys_sql($prefix, batch.len(), "");
                affected += with_rows!($tx, batch, 1, |query, key| query.bind(key), |conn, bound| {
                    let query = sqlx::query_with(sql, bound);
                    sqlx::Executor::execute(&mut *conn, query).await.map(|done| done.rows_affected())
                })?;
            }
            Ok::<u64, sqlx::Error>(affected)
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

/// No statement for SQLite carries more rows than this: a prepared one holds a place for every
/// value.
const MAX_ROWS: usize = 256;
/// Nor more parameters: its limit is 32,766.
const MAX_PARAMETERS: usize = 30_000;
/// No statement for PostgreSQL carries more rows than this: their values are in memory twice.
const MAX_ARRAY: usize = 1_024;

/// Which database a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Everything a multi-row statement's text depends on.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    dialect: Dialect,
    prefix: &'static str,
    columns: usize,
    rows: usize,
    suffix: &'static str,
}

/// The texts of multi-row statements. They are kept for ever: there are as many as there are
/// statements in this house, for SQLite times the powers of two up to [`MAX_ROWS`].
static TEXTS: LazyLock<RwLock<HashMap<Shape, &'static str>>> = LazyLock::new(RwLock::default);

impl Dialect {
    /// Cuts rows into batches for one statement each. For SQLite, where every statement is a
    /// hand-over to another thread, statements have room for powers of two, so that each
    /// connection keeps a handful of prepared ones instead of one for every count; what is
    /// left of the room is filled up with nulls.
    pub fn batches<T>(self, rows: &[T], columns: usize) -> impl Iterator<Item = &[T]> {
        let largest = match self {
            Self::Sqlite => MAX_ROWS.min(previous_power_of_two(MAX_PARAMETERS / columns.max(1))),
            Self::Postgres => MAX_ARRAY,
        };
        rows.chunks(largest)
    }

    /// The statement that writes `rows` rows of `columns` columns, or joins them.
    pub fn values_sql(
        self,
        prefix: &'static str,
        columns: usize,
        rows: usize,
        suffix: &'static str,
    ) -> &'static str {
        let shape = Shape { dialect: self, prefix, columns, rows: self.places(rows), suffix };
        text_of(shape, |shape| {
            let rows = self.rows(shape);
            let inserts = prefix.starts_with("INSERT") || prefix.starts_with("BEGIN");
            if self == Self::Sqlite && inserts {
                // Places that are not bound are null: they are no rows.
                format!("{prefix} SELECT * FROM ({rows}) WHERE column1 IS NOT NULL {suffix}")
            } else {
                format!("{prefix} {rows} {suffix}")
            }
        })
    }

    /// `PREFIX (KEYS) SUFFIX` for `keys` keys.
    pub fn keys_sql(self, prefix: &'static str, keys: usize, suffix: &'static str) -> &'static str {
        let shape = Shape { dialect: self, prefix, columns: 1, rows: self.places(keys), suffix };
        text_of(shape, |shape| format!("{prefix} ({}) {suffix}", self.rows(shape)))
    }

    /// How many rows the statement for `rows` rows has room for; 0 when it takes any number.
    fn places(self, rows: usize) -> usize {
        match self {
            Self::Sqlite => rows.next_power_of_two(),
            Self::Postgres => 0,
        }
    }

    fn rows(self, shape: &Shape) -> String {
        match self {
            // Not numbered: SQLite looks a numbered place up by walking over all before it.
            Self::Sqlite => {
                let row = format!("({})", ["?"].repeat(shape.columns).join(", "));
                format!("VALUES {}", [row.as_str()].repeat(shape.rows).join(", "))
            }
            Self::Postgres => {
                let list = |of: &str| {
                    let items: Vec<String> = (1..=shape.columns).map(|n| format!("{of}{n}")).collect();
                    items.join(", ")
                };
                format!("SELECT * FROM UNNEST({}) AS u({})", list("$"), list("column"))
            }
        }
    }
}

fn previous_power_of_two(n: usize) -> usize {
    n.checked_ilog2().map_or(0, |bits| 1 << bits)
}

fn text_of(shape: Shape, build: impl FnOnce(&Shape) -> String) -> &'static str {
    if let Some(text) = TEXTS.read().get(&shape) {
        return text;
    }
    let text: &'static str = Box::leak(build(&shape).into_boxed_str());
    TEXTS.write().entry(shape).or_insert(text)
}

/// `PREFIX ($3, $4)` for a list of `items` parameters that begins at number `first`; an empty
/// list holds the empty text alone, so that `NOT IN` keeps its meaning.
pub(super) fn list_sql(prefix: &'static str, first: usize, items: usize) -> AssertSqlSafe<String> {
    let numbers: Vec<String> = (first..first + items).map(|n| format!("${n}")).collect();
    let list = if items == 0 { "''".to_owned() } else { numbers.join(", ") };
    // Safe: made of a static text and numbers.
    AssertSqlSafe(format!("{prefix} ({list})"))
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

    fn sizes(dialect: Dialect, rows: usize) -> Vec<usize> {
        let rows: Vec<usize> = (0..rows).collect();
        let batches: Vec<&[usize]> = dialect.batches(&rows, 3).collect();
        assert_eq!(batches.concat(), rows, "every row once, in order");
        batches.into_iter().map(<[usize]>::len).collect()
    }

    #[test]
    fn batches_for_postgresql_are_as_few_as_can_be() {
        assert_eq!(sizes(Dialect::Postgres, 2_500), [1_024, 1_024, 452]);
    }

    #[test]
    fn batches_for_sqlite_are_as_few_as_can_be() {
        assert_eq!(sizes(Dialect::Sqlite, 533), [256, 256, 21]);
    }

    #[test]
    fn a_statement_never_has_more_parameters_than_sqlite_takes() {
        let rows = vec![0_u8; 2_000];

        assert!(
            Dialect::Sqlite
                .batches(&rows, 100)
                .all(|batch| batch.len().next_power_of_two() * 100 <= MAX_PARAMETERS)
        );
        assert_eq!(Dialect::Sqlite.batches(&rows[..0], 100).count(), 0);
    }

    #[test]
    fn a_statement_for_postgresql_takes_an_array_per_column_whatever_the_number_of_rows() {
        let sql =
            |rows| Dialect::Postgres.values_sql("INSERT INTO t (a, b)", 2, rows, "ON CONFLICT DO NOTHING");

        let rows = "SELECT * FROM UNNEST($1, $2) AS u(column1, column2)";
        assert_eq!(sql(2), format!("INSERT INTO t (a, b) {rows} ON CONFLICT DO NOTHING"));
        assert_eq!(sql(300), sql(2));
        let keys = Dialect::Postgres.keys_sql("SELECT a FROM t WHERE b IN", 7, "");
        assert_eq!(keys, "SELECT a FROM t WHERE b IN (SELECT * FROM UNNEST($1) AS u(column1)) ");
    }

    #[test]
    fn statements_for_sqlite_have_room_for_more_rows_than_are_bound() {
        let sql = Dialect::Sqlite.values_sql("INSERT INTO t (a, b)", 2, 3, "");

        let places = "(?, ?), (?, ?), (?, ?), (?, ?)";
        assert_eq!(
            sql,
            format!("INSERT INTO t (a, b) SELECT * FROM (VALUES {places}) WHERE column1 IS NOT NULL ")
        );
    }
}
