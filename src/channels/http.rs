//! The only outgoing HTTP client. It follows no redirect, uses no proxy of the
//! environment, asks for no compression, reads a bounded part of the answer and ends
//! within its deadline. It says whether a failed request may have had an effect.
//!
//! Addresses may be secrets: no error of this module contains one.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::classify::{self, RetryHint};
use super::redact::Redactor;
use super::retry_after::{self, Hints, RateLimit};
use crate::domain::clock::Timestamp;
use crate::domain::connection;
use crate::domain::duration::PromDuration;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::domain::secret::Secret;

/// How much of an answer is read, in bytes.
pub const BODY_HEAD_BYTES: usize = 16 * 1024;

/// Setting up a connection takes at most this long, however long the whole may take.
const MAX_CONNECT: Duration = Duration::from_secs(5);

/// Shorter than the idle time-out of common servers and balancers, so that a request is
/// rarely written into a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(15);

/// Headers that a channel may not set: they are ours, or they frame the message.
const RESERVED_HEADERS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// An address to post to, checked. Its `Debug` shows only scheme and host.
#[derive(Clone)]
pub struct Endpoint(reqwest::Url);

impl Endpoint {
    /// An absolute http or https address without a user or password in it.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(url: &Secret) -> Result<Self, InvalidEndpoint> {
        let url: reqwest::Url = url.expose().trim().parse().map_err(|_| InvalidEndpoint::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(InvalidEndpoint::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidEndpoint::Credentials);
        }
        Ok(Self(url))
    }

    /// The address `path` (without a leading slash) below this one.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        Self(url)
    }

    /// The address itself; may be a secret.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme, host and port: enough to find the fault, and no secret.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.origin())
    }
}

/// Why a text cannot be posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not an absolute address.
    #[error("is not a URL such as https://example.org/hook")]
    NotAUrl,
    /// Some other scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// `https://user:password@…`
    #[error("must not contain a user or password; send them as an Authorization header")]
    Credentials,
}

/// Headers to send along, checked. Values are marked sensitive: no `Debug` shows them.
#[derive(Clone, Debug, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Sets a header that this program chose itself.
    ///
    /// # Errors
    /// When name or value cannot stand in a header.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidHeader::Name)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| InvalidHeader::Value)?;
        value.set_sensitive(true);
        self.0.insert(name, value);
        Ok(())
    }

    /// Sets a header that somebody configured.
    ///
    /// # Errors
    /// As [`Headers::set`], and when the name is reserved.
    pub fn set_configured(&mut self, name: &str, value: &Secret) -> Result<(), InvalidHeader> {
        if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(InvalidHeader::Reserved);
        }
        self.set(name, value.expose())
    }
}

/// Why a header cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// Not a token.
    #[error("is not a header name")]
    Name,
    /// Line breaks or other control characters.
    #[error("has a value with characters a header cannot hold")]
    Value,
    /// One of ours.
    #[error("is set by modelpager itself and cannot be configured")]
    Reserved,
}

/// The moment by which a send must have ended. Several requests may share one.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// The moment `limit` from now.
    pub fn after(limit: Duration) -> Self {
        // A limit beyond a day is as good as none and could overflow the clock.
        Self { at: Instant::now() + limit.min(Duration::from_secs(86_400)), limit }
    }

    /// As an instant.
    pub const fn instant(self) -> Instant {
        self.at
    }

    /// `timed out after 10s`
    pub fn exceeded(self) -> String {
        timed_out(self.limit)
    }
}

/// How much of the answer's body was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// All of it.
    Complete,
    /// It is longer than [`BODY_HEAD_BYTES`].
    Cut,
    /// The connection broke or the deadline passed.
    Broken,
}

/// A provider's answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The head of the body.
    pub body: Vec<u8>,
    /// Whether that is all.
    pub body_end: BodyEnd,
    waiting: WaitingHeaders,
}

/// What the headers of an answer say about coming again.
#[derive(Debug, Default)]
struct WaitingHeaders {
    retry_after: Option<String>,
    date: Option<String>,
    remaining: Option<String>,
    reset_after: Option<String>,
    reset: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may repeat secrets.
        write!(f, "Answer({}, {} bytes, {:?})", self.status, self.body.len(), self.body_end)
    }
}

impl Answer {
    /// The body as JSON, when it is complete and is JSON.
    pub fn json(&self) -> Option<Value> {
        (self.body_end == BodyEnd::Complete).then(|| serde_json::from_slice(&self.body).ok()).flatten()
    }

    /// The body as trimmed text, when it is complete and is UTF-8.
    pub fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.body).ok().map(str::trim);
        (self.body_end == BodyEnd::Complete).then_some(text).flatten()
    }

    /// The report that follows from the status alone.
    pub fn report(&self, redactor: &Redactor, now: Timestamp) -> SendReport {
        let body = self.json();
        let hints = self.waiting.hints(self.status, body.as_ref());
        let retry_after = retry_after::wait(hints, now);
        let hint = if retry_after.is_some() { RetryHint::Given } else { RetryHint::Absent };
        let outcome = classify::outcome(self.status, hint);
        let mut report = match outcome {
            SendOutcome::Accepted => SendReport::accepted(Some(self.status)),
            _ => SendReport::failed(outcome, Some(self.status), format!("answered HTTP {}", self.status)),
        };
        report.response = redactor.excerpt(&self.body, self.body_end == BodyEnd::Complete);
        report.retry_after = retry_after.filter(|_| outcome != SendOutcome::Accepted);
        report.slows_channel = classify::slows_channel(self.status, hint);
        report
    }
}

impl WaitingHeaders {
    fn hints<'a>(&'a self, status: u16, body: Option<&'a Value>) -> Hints<'a> {
        Hints {
            retry_after: self.retry_after.as_deref(),
            date: self.date.as_deref(),
            body,
            limit: RateLimit {
                remaining: self.remaining.as_deref(),
                reset_after: self.reset_after.as_deref(),
                reset: self.reset.as_deref(),
            },
            is_throttled: status == 429,
        }
    }
}

/// A request that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Never `Accepted`.
    pub outcome: SendOutcome,
    /// What happened; no secret, no address beyond scheme and host.
    pub message: String,
}

impl Failure {
    /// As a report.
    pub fn report(self, redactor: &Redactor) -> SendReport {
        SendReport::failed(self.outcome, None, redactor.redact(&self.message))
    }
}

/// The client of one channel. Nothing is built or opened before the first request.
pub struct HttpClient {
    connect_limit: Duration,
    answer_limit: usize,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl HttpClient {
    /// A client for sends that may take up to `time_limit` each.
    ///
    /// Half of it, at most five seconds, is granted to setting up the connection: what
    /// fails there had no effect, and only a limit of its own tells that apart.
    pub fn new(time_limit: Duration) -> Self {
        let connect_limit = (time_limit / 2).min(MAX_CONNECT);
        Self { connect_limit, answer_limit: BODY_HEAD_BYTES, client: OnceLock::new() }
    }

    /// The same client, for answers of up to so many bytes in place of [`BODY_HEAD_BYTES`].
    #[must_use]
    pub fn reading_up_to(self, bytes: usize) -> Self {
        Self { answer_limit: bytes, ..self }
    }

    /// Gets what is there and reads the head of the answer.
    ///
    /// # Errors
    /// When no answer's head arrived in time.
    pub async fn get(
        &self,
        endpoint: &Endpoint,
        headers: &Headers,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        let request = self.client()?.get(endpoint.0.clone()).headers(headers.0.clone());
        self.exchange(request, endpoint, deadline).await
    }

    /// Posts a JSON body and reads the head of the answer.
    ///
    /// # Errors
    /// When no answer's head arrived in time, and whether that may have had an effect.
    pub async fn post_json(
        &self,
        endpoint: &Endpoint,
        headers: &Headers,
        body: impl Into<Bytes>,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        let request = self
            .client()?
            .post(endpoint.0.clone())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .headers(headers.0.clone())
            .body(body.into());
        self.exchange(request, endpoint, deadline).await
    }

    fn client(&self) -> Result<&reqwest::Client, Failure> {
        let client = self.client.get_or_init(|| build_client(self.connect_limit)).as_ref();
        client.map_err(|error| Failure {
            outcome: SendOutcome::NotProcessed,
            message: format!("cannot set up TLS: {error}"),
        })
    }

    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        endpoint: &Endpoint,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        match timeout_at(deadline.at, request.send()).await {
            Err(_) => Err(Failure {
                outcome: SendOutcome::Ambiguous,
                message: format!("no answer from {}: {}", endpoint.origin(), deadline.exceeded()),
            }),
            Ok(Err(error)) => Err(describe(error, endpoint, self.connect_limit)),
            Ok(Ok(response)) => Ok(read_answer(response, self.answer_limit, deadline).await),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds the outgoing client")]
fn build_client(connect_limit: Duration) -> Result<reqwest::Client, String> {
    // A provider that is already installed stays; the error says only that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Modelpager/", env!("CARGO_PKG_VERSION"))));
    reqwest::Client::builder()
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(connect_limit)
        .pool_idle_timeout(IDLE)
        .build()
        .map_err(|error| connection::reason(&error.without_url()))
}

async fn read_answer(mut response: reqwest::Response, limit: usize, deadline: Deadline) -> Answer {
    let header = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
    };
    let mut answer = Answer {
        status: response.status().as_u16(),
        waiting: WaitingHeaders {
            retry_after: header("retry-after"),
            date: header("date"),
            remaining: header("x-ratelimit-remaining"),
            reset_after: header("x-ratelimit-reset-after"),
            reset: header("x-ratelimit-reset"),
        },
        body: Vec::new(),
        body_end: BodyEnd::Broken,
    };
    while let Ok(Ok(chunk)) = timeout_at(deadline.at, response.chunk()).await {
        let Some(chunk) = chunk else {
            answer.body_end = BodyEnd::Complete;
            break;
        };
        let room = limit - answer.body.len();
        answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            answer.body_end = BodyEnd::Cut;
            break;
        }
    }
    answer
}

fn describe(error: reqwest::Error, endpoint: &Endpoint, connect_limit: Duration) -> Failure {
    let error = error.without_url();
    let origin = endpoint.origin();
    let (outcome, what) = if error.is_connect() || error.is_dns() {
        (SendOutcome::NotProcessed, format!("cannot connect to {origin}"))
    } else if error.is_builder() {
        (SendOutcome::Rejected, format!("cannot make a request to {origin}"))
    } else {
        (SendOutcome::Ambiguous, format!("the exchange with {origin} broke off"))
    };
    let why = match connection::plain_words(&error) {
        Some(words) => words.to_owned(),
        None if error.is_dns() => "host not found".to_owned(),
        None if error.is_timeout() => timed_out(connect_limit),
        None => connection::reason(&error),
    };
    Failure { outcome, message: format!("{what}: {why}") }
}

fn timed_out(limit: Duration) -> String {
    format!("timed out after {}", PromDuration(limit))
}

#[cfg(test)]
mod tests;
