//! Several statements run by SQLite in one call, for transactions that are so frequent that the
//! changes of threads in between cost more than the statements.

use sqlx::Sqlite;
use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;

use super::bound::Places;
use super::dialect::Dialect;
use super::{Pool, Store};

/// The most rows of a kind that are written in one call.
const MOST: usize = 128;

/// The statement that writes rows of one kind: `PREFIX ROWS SUFFIX`.
pub(super) struct Rows {
    pub prefix: &'static str,
    /// How many values a row has.
    pub columns: usize,
    pub suffix: &'static str,
}

/// A transaction that writes rows of several kinds in one call: its texts by how many rows of
/// each kind they have room for, which is 1, 2, 4 … [`MOST`].
pub(super) struct Writing([&'static str; MOST.ilog2() as usize + 1]);

impl Writing {
    /// Writes the kinds in this order.
    pub fn of(kinds: &[&Rows]) -> Self {
        Self(std::array::from_fn(|power| text(kinds, 1 << power)))
    }

    const fn with_room(&self, room: usize) -> &'static str {
        self.0[room.ilog2() as usize]
    }
}

/// For how many rows of each kind there must be room; `None` when that is too much for one call.
pub(super) fn room(counts: impl IntoIterator<Item = usize>) -> Option<usize> {
    let room = counts.into_iter().max()?.next_power_of_two();
    (room <= MOST).then_some(room)
}

/// Binds the rows of a kind, and nulls in the place of those that are not there.
macro_rules! bind_rows {
    ($places:expr, $room:expr, $rows:expr, $kind:expr, $bind:ident) => {{
        let rows = $rows;
        let places = rows.iter().fold($places, |places, row| $bind!(places, row));
        places.leave(($room - rows.len()) * $kind.columns)
    }};
}
pub(super) use bind_rows;

fn text(kinds: &[&Rows], room: usize) -> &'static str {
    let statement = |rows: &&Rows| Dialect::Sqlite.values_sql(rows.prefix, rows.columns, room, rows.suffix);
    let statements: Vec<&str> = kinds.iter().map(statement).collect();
    Box::leak(format!("BEGIN IMMEDIATE; {}; COMMIT", statements.join("; ")).into_boxed_str())
}

impl Store {
    /// Where transactions may be written in one call: not on PostgreSQL, which prepares each
    /// statement by itself.
    pub(super) const fn takes_scripts(&self) -> Option<&SqlitePool> {
        match &self.pool {
            Pool::Sqlite { write, .. } => Some(write),
            Pool::Postgres(_) => None,
        }
    }

    /// Writes a transaction in one call, when it is its turn.
    pub(super) async fn write_at_once(
        &self,
        pool: &SqlitePool,
        writing: &Writing,
        room: usize,
        places: Places,
    ) -> Result<(), sqlx::Error> {
        self.precedence.wait().await;
        Script::begin(pool).await?.run(writing.with_room(room), places).await
    }
}

/// A connection for a text that begins a transaction and ends it. Whatever goes wrong on the
/// way, also that nobody waits for the end any more, undoes all of it.
pub(super) struct Script {
    connection: PoolConnection<Sqlite>,
    is_open: bool,
}

impl Script {
    /// Waits for the connection.
    pub async fn begin(pool: &SqlitePool) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: pool.acquire().await?, is_open: false })
    }

    /// Runs the text.
    pub async fn run(&mut self, sql: &'static str, places: Places) -> Result<(), sqlx::Error> {
        let query = sqlx::query_with(sql, places.arguments()?);
        self.is_open = true;
        sqlx::Executor::execute(&mut *self.connection, query).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.is_open {
            self.connection.close_on_drop();
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;

    #[tokio::test]
    async fn what_fails_in_the_middle_leaves_nothing_and_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file =
            SqliteConnectOptions::new().filename(folder.path().join("test.db")).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(file).await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (a INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
        let twice = "BEGIN IMMEDIATE; INSERT INTO t VALUES (?); INSERT INTO t VALUES (?); COMMIT";
        let run = async |first: i64, second: i64| {
            let mut script = Script::begin(&pool).await.unwrap();
            script.run(twice, Places::default().bind(first).bind(second)).await
        };

        assert!(run(1, 1).await.is_err());
        assert!(run(2, 3).await.is_ok());

        let kept: Vec<i64> = sqlx::query_scalar("SELECT a FROM t ORDER BY a").fetch_all(&pool).await.unwrap();
        assert_eq!(kept, [2, 3]);
    }
}
