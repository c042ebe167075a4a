//! Whether anything was stored since last asked, by whomever, for a fraction of a read's price.

use sqlx::{PgPool, SqliteConnection};

use super::error::Doing as _;
use super::{Pool, Store, StoreError, dialect};

/// Of this connection: another number once another connection has committed.
const SQLITE: &str = "PRAGMA data_version";
/// How far the server's log has been written; other databases of the server move it, too.
const POSTGRES: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";

/// Notices that something was committed.
pub struct Changes(Eye);

enum Eye {
    /// A connection of its own: the number means nothing on another.
    Sqlite(SqliteConnection),
    Postgres(PgPool),
}

impl Store {
    /// An eye on the database, for as long as somebody wants to know.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn watch_changes(&self) -> Result<Changes, StoreError> {
        let eye = match &self.pool {
            Pool::Sqlite { read, .. } => read.acquire().await.map(|conn| Eye::Sqlite(conn.detach())),
            Pool::Postgres(server) => Ok(Eye::Postgres(server.read.clone())),
        };
        eye.map(Changes).doing("watch for changes")
    }
}

impl Changes {
    /// A number that is another one after every commit.
    ///
    /// # Errors
    /// When the database does not answer; this eye is of no use any more.
    pub async fn number(&mut self) -> Result<i64, StoreError> {
        let found: Result<(i64,), _> = match &mut self.0 {
            Eye::Sqlite(conn) => sqlx::query_as(SQLITE).fetch_one(conn).await,
            Eye::Postgres(pool) => dialect::in_time(sqlx::query_as(POSTGRES).fetch_one(&*pool)).await,
        };
        found.map(|(number,)| number).doing("look for changes")
    }
}
