//! A running server, as commands reach it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::app::configuration;
use crate::catalog::faults::FieldError;
use crate::config::{Config, Scope};
use crate::domain::secret::Secret;
use crate::http::{Answer, BodyEnd, Deadline, Endpoint, Failure, Headers, HttpClient, Proxies};

/// A large import takes its time.
const TIME_LIMIT: Duration = Duration::from_secs(300);
/// The greatest answer read, in bytes.
const ANSWER_LIMIT: usize = 1 << 30;

/// Where the server is and who asks.
#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    #[command(flatten)]
    config: crate::cli::ConfigArg,
    /// The server's address; by default `server.external_url` of the configuration.
    #[arg(long, value_name = "URL", env = "MODELPAGER_SERVER")]
    server: Option<String>,
    /// A token of the server; by default the first of the configuration that may do this.
    #[arg(long, value_name = "TOKEN", env = "MODELPAGER_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A server to talk to.
pub(in crate::cli) struct Remote {
    base: String,
    headers: Headers,
    client: HttpClient,
}

/// What an error answer says.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    #[serde(default)]
    errors: Vec<Wrong>,
    #[serde(default)]
    errors_omitted: usize,
}

#[derive(Deserialize)]
struct Wrong {
    field: String,
    message: String,
}

/// Why the server did not do it.
pub(super) enum Refusal {
    /// Fields are wrong: these, and so many more.
    Fields(Vec<FieldError>, usize),
    /// Anything else.
    Other(anyhow::Error),
}

impl ServerArgs {
    /// The server, with a token for which `needed` is enough.
    pub(super) fn connect(&self, needed: Scope) -> anyhow::Result<Remote> {
        // What is given need not be read: the file may mention variables that only the
        // server knows.
        let is_needed = self.server.is_none() || self.token.is_none();
        let config = match &self.config.config {
            Some(file) if is_needed => configuration::load(Some(file))?.loaded.config,
            _ => Config::default(),
        };
        let base = self.server.as_ref().unwrap_or(&config.server.external_url);
        Remote::new(base, self.token.as_deref(), &config, needed)
    }
}

/// The first token of the configuration that may do this.
fn token_for(config: &Config, needed: Scope) -> Option<Secret> {
    let may = |scope: &Scope| match scope {
        Scope::Admin => true,
        Scope::Write => matches!(needed, Scope::Write | Scope::Read),
        other => *other == needed,
    };
    config.auth.tokens.iter().find(|token| token.scopes.iter().any(may)).map(|token| token.token.clone())
}

impl Remote {
    /// The server at that address; without a token the first of the configuration for which
    /// `needed` is enough.
    pub(in crate::cli) fn new(
        base: &str,
        token: Option<&str>,
        config: &Config,
        needed: Scope,
    ) -> anyhow::Result<Self> {
        let token = token.map(Secret::new).or_else(|| token_for(config, needed));
        let mut headers = Headers::default();
        if let Some(token) = token {
            let value = format!("Bearer {}", token.expose());
            headers.set("authorization", &value).context("the token cannot be sent")?;
        }
        let proxies = Proxies::from_env(&|name| std::env::var(name).ok()).map_err(anyhow::Error::msg)?;
        let client = HttpClient::new(TIME_LIMIT).reading_up_to(ANSWER_LIMIT).through(proxies);
        Ok(Self { base: base.trim_end_matches('/').to_owned(), headers, client })
    }

    /// Gets a path.
    pub(in crate::cli) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let endpoint = self.endpoint(path)?;
        let answer = block_on(self.client.get(&endpoint, &self.headers, Deadline::after(TIME_LIMIT)))?;
        self.body(answer).map_err(Refusal::into_error)
    }

    /// Posts JSON to a path.
    pub(super) fn post(&self, path: &str, body: String) -> Result<Vec<u8>, Refusal> {
        let endpoint = self.endpoint(path).map_err(Refusal::Other)?;
        let exchange = self.client.post_json(&endpoint, &self.headers, body, Deadline::after(TIME_LIMIT));
        self.body(block_on(exchange).map_err(Refusal::Other)?)
    }

    fn endpoint(&self, path: &str) -> anyhow::Result<Endpoint> {
        let url = Secret::new(format!("{}{path}", self.base));
        Endpoint::parse(&url).map_err(|error| anyhow::anyhow!("the server's address {error}"))
    }

    fn body(&self, answer: Answer) -> Result<Vec<u8>, Refusal> {
        let other = |message: String| Refusal::Other(anyhow::Error::msg(message));
        if answer.body_end != BodyEnd::Complete {
            return Err(other(format!("the response of {} was cut off", self.base)));
        }
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        let Ok(problem) = serde_json::from_slice::<Problem>(&answer.body) else {
            return Err(other(format!("{} answered {}", self.base, answer.status)));
        };
        if problem.errors.is_empty() {
            return Err(other(format!("{} answered {}: {}", self.base, answer.status, problem.detail)));
        }
        let wrong = |wrong: Wrong| FieldError::new(wrong.field, wrong.message);
        Err(Refusal::Fields(problem.errors.into_iter().map(wrong).collect(), problem.errors_omitted))
    }
}

impl Refusal {
    fn into_error(self) -> anyhow::Error {
        match self {
            Self::Other(error) => error,
            Self::Fields(problems, _) => {
                let lines: Vec<String> = problems
                    .iter()
                    .map(|problem| format!("{}: {}", problem.field, problem.message))
                    .collect();
                anyhow::Error::msg(lines.join("\n"))
            }
        }
    }
}

fn block_on(exchange: impl Future<Output = Result<Answer, Failure>>) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(exchange) {
        Ok(answer) => Ok(answer),
        Err(failure) => bail!("{failure}; is the server running? set its address with --server"),
    }
}
