//! What a server answered, as far as it is read.

use std::fmt;

use serde_json::Value;
use tokio::time::timeout_at;

use super::classify::{self, RetryHint};
use super::deadline::Deadline;
use super::redact::Redactor;
use super::retry_after::{self, Hints, RateLimit};
use crate::domain::clock::Timestamp;
use crate::domain::outcome::{SendOutcome, SendReport};

/// How much of the answer's body was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// All of it.
    Complete,
    /// It is longer than the client reads.
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
    pub(super) waiting: WaitingHeaders,
    /// The proxy through which it came, when that could read and answer the request itself.
    pub(super) proxy: Option<String>,
}

/// What the headers of an answer say about coming again.
#[derive(Debug, Default)]
pub(super) struct WaitingHeaders {
    pub retry_after: Option<String>,
    pub date: Option<String>,
    pub remaining: Option<String>,
    pub reset_after: Option<String>,
    pub reset: Option<String>,
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
            _ => SendReport::failed(outcome, Some(self.status), self.refusal()),
        };
        report.response = redactor.excerpt(&self.body, self.body_end == BodyEnd::Complete);
        report.retry_after = retry_after.filter(|_| outcome != SendOutcome::Accepted);
        report.slows_channel = classify::slows_channel(self.status, hint);
        report
    }
}

impl Answer {
    fn refusal(&self) -> String {
        match (&self.proxy, self.status) {
            (Some(proxy), 407) => {
                format!("the proxy {proxy} does not accept the user and password in its address (407)")
            }
            (Some(proxy), status) => format!("answered HTTP {status} through the proxy {proxy}"),
            (None, status) => format!("answered HTTP {status}"),
        }
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

/// Reads an answer up to `limit` bytes of its body.
pub(super) async fn read(
    mut response: reqwest::Response,
    proxy: Option<String>,
    limit: usize,
    deadline: Deadline,
) -> Answer {
    // Through a tunnel nobody but the server itself can answer.
    let proxy = proxy.filter(|_| response.url().scheme() == "http");
    let header = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
    };
    let mut answer = Answer {
        status: response.status().as_u16(),
        proxy,
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
    while let Ok(Ok(chunk)) = timeout_at(deadline.instant(), response.chunk()).await {
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
