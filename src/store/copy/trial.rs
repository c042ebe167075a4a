//! Whether the target would take every row, found out without leaving anything in it: each batch
//! of rows is written into tables that are there for one transaction only, and taken back.

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::rows;
use super::schema::Table;
use super::{CopyError, Store, StoreError};
use crate::store::error::Doing as _;
use crate::store::{Pool, Tx, TxKind};

/// Tables made from here on are gone with the session at the latest.
const TEMPORARY: &str = "SET LOCAL search_path TO pg_temp";

/// Tries the rows on the target's kind of database.
pub(super) async fn try_on(from: &Store, to: &Store, tables: &[Table]) -> Result<(), CopyError> {
    let Pool::Postgres(server) = &to.pool else { return try_on_file(from, tables).await };
    let mut tx = to.transaction(TxKind::Postgres(server.write.begin().await.doing("begin a trial")?));
    rows::savepoint(&mut tx, TEMPORARY).await?;
    // Triggers take no part in it, and cannot find their functions among temporary things.
    let tables_only =
        |migration: &&sqlx::migrate::Migration| !migration.sql.as_str().contains("CREATE FUNCTION");
    for migration in sqlx::migrate!("migrations/postgres").iter().filter(tables_only) {
        let sql = sqlx::AssertSqlSafe(migration.sql.as_str().to_owned());
        with_tx!(tx, |conn| sqlx::raw_sql(sql).execute(&mut *conn).await.map(|_| ()))
            .doing("make tables for a trial")?;
    }
    let tried = try_all(from, tables, &mut tx).await;
    tx.rollback().await?;
    tried
}

/// Tries the rows on a file of SQLite's.
pub(super) async fn try_on_file(from: &Store, tables: &[Table]) -> Result<(), CopyError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(SqliteConnectOptions::new().in_memory(true))
        .await
        .doing("begin a trial")?;
    let made = sqlx::migrate!("migrations/sqlite").run(&pool).await;
    made.map_err(|error| StoreError::Open(error.to_string()))?;
    let mut tx = from.transaction(TxKind::Sqlite(pool.begin().await.doing("begin a trial")?));
    let tried = try_all(from, tables, &mut tx).await;
    tx.rollback().await?;
    tried
}

async fn try_all(from: &Store, tables: &[Table], tx: &mut Tx) -> Result<(), CopyError> {
    for table in tables {
        // Migrations put rows into some.
        rows::clear(tx, table).await?;
        let mut after = None;
        loop {
            let batch = rows::read(from, table, after.as_deref()).await?;
            let Some(last) = batch.last() else { break };
            rows::savepoint(tx, "SAVEPOINT batch").await?;
            rows::insert_or_name(tx, table, &batch).await?;
            rows::savepoint(tx, "ROLLBACK TO SAVEPOINT batch").await?;
            after = Some(table.key.iter().map(|n| last[*n].clone()).collect::<Vec<_>>());
        }
    }
    Ok(())
}
