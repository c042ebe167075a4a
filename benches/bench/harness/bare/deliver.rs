//! The bare limit of delivering: claim, render, send, record, over one table, without
//! order, retries, health or a log of decisions.

use std::sync::Arc;

use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use handlebars::Handlebars;
use serde_json::Value;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tokio::sync::Mutex;

use super::writer;

/// How many messages one claim takes.
const CLAIM: usize = 256;
/// How many are sent at the same time.
const CONCURRENCY: usize = 64;
/// How many loops share the one connection: while one sends, another claims or records.
const LOOPS: usize = 2;

const TABLES: &str = "CREATE TABLE outbox (id TEXT PRIMARY KEY, state TEXT NOT NULL, snapshot TEXT NOT NULL); \
     CREATE INDEX outbox_pending ON outbox (id) WHERE state = 'pending'; \
     CREATE TABLE attempts (id INTEGER PRIMARY KEY, message TEXT NOT NULL, status BIGINT NOT NULL)";
const FILL: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
     INSERT INTO outbox (id, state, snapshot) SELECT printf('%032x', i), 'pending', $2 FROM n";
const CLAIM_SQL: &str = "UPDATE outbox SET state = 'sending' WHERE id IN \
     (SELECT id FROM outbox WHERE state = 'pending' ORDER BY id LIMIT $1) RETURNING id, snapshot";
const TEXT: &str = "{{severity}}: {{alertname}} on {{entry}} since {{started_at}}\n{{#each alerts}}- {{labels.instance}}: {{annotations.summary}}\n{{/each}}{{runbook}}";
const SNAPSHOT: &str = include_str!("snapshot.json");

/// The outgoing client both the product and the bare limit are built on.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    url: String,
}

impl HttpClient {
    /// A client for one address.
    ///
    /// # Errors
    /// When it cannot be built.
    #[expect(clippy::disallowed_methods, reason = "the limit of the library itself is measured")]
    pub fn new(url: &str) -> anyhow::Result<Self> {
        // Installed before is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// Posts a message under this id; answers the status.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, id: &str, body: Bytes) -> reqwest::Result<u16> {
        let request = self.client.post(&self.url).header("webhook-id", id).body(body);
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        answer.bytes().await?;
        Ok(status)
    }
}

/// Fills an outbox with `count` messages and delivers them all to `sink`.
///
/// # Errors
/// When anything fails.
pub async fn run(database: &str, sink: &str, count: usize) -> anyhow::Result<()> {
    let mut connection = writer::sqlite(database).await?;
    connection.execute(TABLES).await?;
    sqlx::query(FILL).bind(count as i64).bind(SNAPSHOT).execute(&mut connection).await?;
    let shared = Arc::new(Shared {
        connection: Mutex::new(connection),
        templates: templates()?,
        client: HttpClient::new(sink)?,
    });
    let loops: Vec<_> = (0..LOOPS).map(|_| tokio::spawn(deliver_all(shared.clone()))).collect();
    for one in loops {
        one.await??;
    }
    Ok(())
}

struct Shared {
    connection: Mutex<SqliteConnection>,
    templates: Handlebars<'static>,
    client: HttpClient,
}

fn templates() -> anyhow::Result<Handlebars<'static>> {
    let mut templates = Handlebars::new();
    templates.register_template_string("text", TEXT)?;
    Ok(templates)
}

async fn deliver_all(shared: Arc<Shared>) -> anyhow::Result<()> {
    loop {
        let claimed = claim(&mut *shared.connection.lock().await).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let sends = claimed.into_iter().map(|(id, snapshot)| {
            let shared = shared.clone();
            // A task of its own, so that both processors render and send.
            async move { tokio::spawn(async move { send(&shared, id, &snapshot).await }).await? }
        });
        let sent: Vec<anyhow::Result<(String, u16)>> =
            futures_util::stream::iter(sends).buffer_unordered(CONCURRENCY).collect().await;
        let sent = sent.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        record(&mut *shared.connection.lock().await, &sent).await?;
    }
}

async fn claim(connection: &mut SqliteConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query(CLAIM_SQL).bind(CLAIM as i64).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn send(shared: &Shared, id: String, snapshot: &str) -> anyhow::Result<(String, u16)> {
    let mut message: Value = serde_json::from_str(snapshot)?;
    let text = shared.templates.render("text", &message)?;
    message["text"] = Value::String(text);
    let status = shared.client.post(&id, serde_json::to_vec(&message)?.into()).await?;
    Ok((id, status))
}

async fn record(connection: &mut SqliteConnection, sent: &[(String, u16)]) -> sqlx::Result<()> {
    let list = |first: usize, each: &str| {
        (0..sent.len()).map(|at| each.replace('#', &(at + first).to_string())).collect::<Vec<_>>().join(",")
    };
    connection.execute("BEGIN IMMEDIATE").await?;
    let finish = format!("UPDATE outbox SET state = 'delivered' WHERE id IN ({})", list(1, "$#"));
    let mut query = sqlx::query(AssertSqlSafe(finish));
    for (id, _) in sent {
        query = query.bind(id);
    }
    query.execute(&mut *connection).await?;
    let attempts = format!("INSERT INTO attempts (message, status) VALUES {}", list(1, "($#, 200)"));
    let mut query = sqlx::query(AssertSqlSafe(attempts));
    for (id, _) in sent {
        query = query.bind(id);
    }
    query.execute(&mut *connection).await?;
    connection.execute("COMMIT").await?;
    Ok(())
}
