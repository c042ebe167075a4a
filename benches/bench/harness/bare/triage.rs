//! The bare limit of processing: read stored bodies in batches, parse them, keep one
//! incident and one member a row, write one decision for each, mark the bodies done; one
//! commit a batch, no catalog, no rules, no templates.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use super::super::body::{Identity, Request};
use super::writer;

/// How many alerts one batch holds.
const BATCH: usize = 512;

const TABLES: &str = "CREATE TABLE bodies (id INTEGER PRIMARY KEY, done BOOLEAN NOT NULL, body BLOB NOT NULL); \
     CREATE INDEX bodies_waiting ON bodies (id) WHERE NOT done; \
     CREATE TABLE incidents (key TEXT PRIMARY KEY, seen BIGINT NOT NULL); \
     CREATE TABLE members (key TEXT NOT NULL, fingerprint TEXT NOT NULL, labels TEXT NOT NULL, \
         annotations TEXT NOT NULL, PRIMARY KEY (key, fingerprint)); \
     CREATE TABLE decisions (id INTEGER PRIMARY KEY, key TEXT NOT NULL, answer TEXT NOT NULL)";
const NEXT: &str = "SELECT id, body FROM bodies WHERE NOT done ORDER BY id LIMIT $1";
const DONE: &str = "UPDATE bodies SET done = TRUE WHERE NOT done AND id <= $1";

#[derive(Deserialize)]
struct Body {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    labels: HashMap<String, String>,
    annotations: HashMap<String, String>,
    fingerprint: String,
}

/// Alerts a second, over about `length`.
///
/// # Errors
/// When the database fails.
pub fn measure(url: &str, length: Duration, alerts: usize) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = writer::sqlite(url).await?;
        connection.execute(TABLES).await?;
        let (mut number, mut processed, mut took) = (0, 0, Duration::ZERO);
        while took < length {
            // Bodies are laid out outside of the measured time.
            fill(&mut connection, &mut number, alerts).await?;
            let begun = Instant::now();
            processed += process_all(&mut connection, alerts).await?;
            took += begun.elapsed();
        }
        Ok(processed as f64 / took.as_secs_f64())
    })
}

async fn fill(connection: &mut SqliteConnection, number: &mut u64, alerts: usize) -> anyhow::Result<()> {
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let mut request = Request::new(target, Identity::Fleet, alerts);
    let body_len = request.body_len();
    connection.execute("BEGIN IMMEDIATE").await?;
    for _ in 0..(20 * BATCH).div_ceil(alerts) {
        let bytes = request.number(*number);
        *number += 1;
        sqlx::query("INSERT INTO bodies (done, body) VALUES (FALSE, $1)")
            .bind(&bytes[bytes.len() - body_len..])
            .execute(&mut *connection)
            .await?;
    }
    connection.execute("COMMIT").await?;
    Ok(())
}

async fn process_all(connection: &mut SqliteConnection, alerts: usize) -> anyhow::Result<usize> {
    let mut processed = 0;
    loop {
        let rows = sqlx::query(NEXT).bind(BATCH.div_ceil(alerts) as i64).fetch_all(&mut *connection).await?;
        let Some(last) = rows.last() else { return Ok(processed) };
        let last: i64 = last.try_get(0)?;
        let mut batch = Vec::with_capacity(BATCH);
        for row in &rows {
            let body: &[u8] = row.try_get(1)?;
            batch.extend(serde_json::from_slice::<Body>(body)?.alerts);
        }
        processed += batch.len();
        write(connection, &batch, last).await?;
    }
}

async fn write(connection: &mut SqliteConnection, batch: &[Alert], last: i64) -> anyhow::Result<()> {
    let word = |alert: &Alert, label: &str| alert.labels.get(label).cloned().unwrap_or_default();
    let keys: Vec<String> =
        batch.iter().map(|alert| format!("{}:{}", word(alert, "alertname"), word(alert, "model"))).collect();
    connection.execute("BEGIN IMMEDIATE").await?;
    let upsert = "ON CONFLICT (key) DO UPDATE SET seen = seen + 1";
    let mut query = rows("INSERT INTO incidents (key, seen) VALUES", "(?, 1)", batch.len(), upsert);
    for key in &keys {
        query = query.bind(key);
    }
    query.execute(&mut *connection).await?;
    let upsert = "ON CONFLICT DO UPDATE SET labels = excluded.labels, annotations = excluded.annotations";
    let head = "INSERT INTO members (key, fingerprint, labels, annotations) VALUES";
    let mut query = rows(head, "(?, ?, ?, ?)", batch.len(), upsert);
    for (key, alert) in keys.iter().zip(batch) {
        query = query
            .bind(key)
            .bind(&alert.fingerprint)
            .bind(serde_json::to_string(&alert.labels)?)
            .bind(serde_json::to_string(&alert.annotations)?);
    }
    query.execute(&mut *connection).await?;
    let mut query = rows("INSERT INTO decisions (key, answer) VALUES", "(?, 'nothing')", batch.len(), "");
    for key in &keys {
        query = query.bind(key);
    }
    query.execute(&mut *connection).await?;
    sqlx::query(DONE).bind(last).execute(&mut *connection).await?;
    connection.execute("COMMIT").await?;
    Ok(())
}

fn rows<'a>(
    head: &str,
    row: &str,
    count: usize,
    tail: &str,
) -> sqlx::query::Query<'a, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query(AssertSqlSafe(format!("{head} {} {tail}", vec![row; count].join(","))))
}
