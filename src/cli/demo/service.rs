//! The running service as its users meet it: over HTTP and nothing else.

use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::secret::Secret;
use crate::http::{Answer, Deadline, Endpoint, Headers, HttpClient};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Larger answers are not expected, in bytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The service under its address.
pub struct Service {
    base: String,
    client: HttpClient,
}

/// A line of the delivery log, as far as the demo looks at it.
#[derive(Clone, Debug, Deserialize)]
pub struct Logged {
    /// The notification's id.
    pub id: String,
    /// Where to.
    pub channel: String,
    /// Why.
    pub kind: String,
    /// How it stands.
    pub state: String,
    /// The name of the problem.
    pub dedup_key: String,
    /// How often it was tried.
    pub attempt_count: u64,
    /// Why it stands so.
    pub reason: String,
}

#[derive(Deserialize)]
struct Log {
    items: Vec<Logged>,
}

impl Service {
    /// The service at `http://ADDRESS`.
    pub fn at(base: String) -> Self {
        Self { base, client: HttpClient::new(LIMIT).reading_up_to(MOST_BYTES) }
    }

    /// Its address, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// When it cannot be reached or does not take it; with what it said.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let endpoint = self.endpoint(path)?;
        let answer = self
            .client
            .post_json(&endpoint, &Headers::default(), body.to_string(), Deadline::after(LIMIT))
            .await
            .with_context(|| format!("could not post to {path}"))?;
        understood("POST", path, &answer)
    }

    /// Gets JSON.
    ///
    /// # Errors
    /// When it cannot be reached or has nothing there; with what it said.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let endpoint = self.endpoint(path)?;
        let answer = self.client.get(&endpoint, &Headers::default(), Deadline::after(LIMIT)).await;
        understood("GET", path, &answer.with_context(|| format!("could not get {path}"))?)
    }

    /// The delivery log; the story is far shorter than one page.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn log(&self) -> anyhow::Result<Vec<Logged>> {
        let answer = self.get("/api/v1/notifications?limit=500").await?;
        let log = Log::deserialize(answer).context("the delivery log has an unknown shape")?;
        Ok(log.items)
    }

    fn endpoint(&self, path: &str) -> anyhow::Result<Endpoint> {
        Ok(Endpoint::parse(&Secret::new(format!("{}{path}", self.base)))?)
    }
}

fn understood(method: &str, path: &str, answer: &Answer) -> anyhow::Result<Value> {
    let said = String::from_utf8_lossy(&answer.body);
    anyhow::ensure!(
        (200..300).contains(&answer.status),
        "{method} {path} was answered {}: {said}",
        answer.status
    );
    answer.json().with_context(|| format!("{method} {path} was not answered with JSON: {said}"))
}
