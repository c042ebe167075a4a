//! One task that stores what waits in one multi-row statement and one commit.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// How many bodies share one commit at most.
const BATCH: usize = 512;
/// A statement for every power of two up to this many rows stays prepared.
const ROWS: usize = 128;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS bodies (id TEXT PRIMARY KEY, received_at BIGINT NOT NULL, body BLOB NOT NULL)";
const INSERT: &str = "INSERT INTO bodies (id, received_at, body) VALUES ";

/// A body to store, and who wants to know that it is.
pub struct Order {
    pub body: actix_web::web::Bytes,
    pub stored: oneshot::Sender<Uuid>,
}

/// Opens the database and makes the one table.
///
/// # Errors
/// When that does not work.
pub async fn open(url: &str) -> anyhow::Result<SqliteConnection> {
    let mut connection = sqlite(url).await?;
    connection.execute(TABLE).await?;
    Ok(connection)
}

/// A connection set up as durably as the product's.
///
/// # Errors
/// When the file cannot be opened.
pub async fn sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    let options: SqliteConnectOptions = url.parse()?;
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    Ok(options.connect().await?)
}

/// Stores until nobody can order any more.
///
/// # Errors
/// When the database refuses.
pub async fn run(mut database: SqliteConnection, mut orders: mpsc::Receiver<Order>) -> sqlx::Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while orders.recv_many(&mut batch, BATCH).await > 0 {
        let ids: Vec<Uuid> =
            batch.iter().map(|_| Uuid::new_v7(uuid::Timestamp::now(uuid::NoContext))).collect();
        store(&mut database, &ids, &batch).await?;
        for (id, order) in ids.into_iter().zip(batch.drain(..)) {
            // Who hung up does not care.
            let _ = order.stored.send(id);
        }
    }
    Ok(())
}

async fn store(connection: &mut SqliteConnection, ids: &[Uuid], orders: &[Order]) -> sqlx::Result<()> {
    connection.execute("BEGIN IMMEDIATE").await?;
    let mut at = 0;
    while at < ids.len() {
        let rows = chunk(ids.len() - at);
        let mut query = sqlx::query(AssertSqlSafe(format!("{INSERT}{}", values(rows))));
        for (id, order) in ids[at..at + rows].iter().zip(&orders[at..]) {
            query = query.bind(id.to_string()).bind(0_i64).bind(order.body.as_ref());
        }
        query.execute(&mut *connection).await?;
        at += rows;
    }
    connection.execute("COMMIT").await?;
    Ok(())
}

/// The greatest power of two that fits.
fn chunk(left: usize) -> usize {
    let left = left.min(ROWS);
    if left.is_power_of_two() { left } else { left.next_power_of_two() / 2 }
}

/// `($1,$2,$3),($4,…`
fn values(rows: usize) -> String {
    let row = |at: usize| format!("(${},${},${})", at * 3 + 1, at * 3 + 2, at * 3 + 3);
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_powers_of_two_and_use_everything_up() {
        let sizes: Vec<usize> = [1, 2, 3, 64, 100, 500].into_iter().map(chunk).collect();

        assert_eq!(sizes, [1, 2, 2, 64, 64, 128]);
        assert_eq!(values(2), "($1,$2,$3),($4,$5,$6)");
    }
}
