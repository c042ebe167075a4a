//! Several statements run by SQLite in one call, for transactions that are so frequent that the
//! changes of threads in between cost more than the statements.

use sqlx::Sqlite;
use sqlx::SqlitePool;
use sqlx::pool::PoolConnection;

use super::bound::Places;

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
