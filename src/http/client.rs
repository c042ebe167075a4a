//! One request, one answer.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use tokio::time::timeout_at;

use super::answer::{self, Answer};
use super::deadline::{Deadline, timed_out};
use super::endpoint::Endpoint;
use super::headers::Headers;
use super::proxy::Proxies;
use super::redact::Redactor;
use crate::domain::connection;
use crate::domain::outcome::{SendOutcome, SendReport};

/// How much of an answer is read, in bytes.
pub const BODY_HEAD_BYTES: usize = 16 * 1024;

/// Setting up a connection takes at most this long, however long the whole may take.
const MAX_CONNECT: Duration = Duration::from_secs(5);

/// Shorter than the idle time-out of common servers and balancers, so that a request is
/// rarely written into a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(15);

/// A request that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Never `Accepted`.
    pub outcome: SendOutcome,
    /// The status with which a proxy refused to pass the request on.
    pub status: Option<u16>,
    /// What happened; no secret, no address beyond scheme and host.
    pub message: String,
}

impl Failure {
    /// As a report.
    pub fn report(self, redactor: &Redactor) -> SendReport {
        SendReport::failed(self.outcome, self.status, redactor.redact(&self.message))
    }
}

/// The client of one channel. Nothing is built or opened before the first request.
pub struct HttpClient {
    connect_limit: Duration,
    answer_limit: usize,
    proxies: Proxies,
    redactor: Redactor,
    pub(super) client: OnceLock<Result<reqwest::Client, String>>,
}

impl HttpClient {
    /// A client for sends that may take up to `time_limit` each.
    ///
    /// Half of it, at most five seconds, is granted to setting up the connection: what
    /// fails there had no effect, and only a limit of its own tells that apart.
    pub fn new(time_limit: Duration) -> Self {
        let connect_limit = (time_limit / 2).min(MAX_CONNECT);
        Self {
            connect_limit,
            answer_limit: BODY_HEAD_BYTES,
            proxies: Proxies::default(),
            redactor: Redactor::default(),
            client: OnceLock::new(),
        }
    }

    /// The same client, with these secrets to be struck out of what it reports.
    #[must_use]
    pub fn hiding(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// The same client, through these proxies; their passwords are struck out, too.
    #[must_use]
    pub fn through(mut self, proxies: Proxies) -> Self {
        proxies.hide_in(&mut self.redactor);
        Self { proxies, ..self }
    }

    /// Strikes out what nobody may see of an exchange.
    pub const fn redactor(&self) -> &Redactor {
        &self.redactor
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
        self.send_json(reqwest::Method::POST, endpoint, headers, body.into(), deadline).await
    }

    /// Changes what is there with a JSON body and reads the head of the answer.
    ///
    /// # Errors
    /// As [`HttpClient::post_json`].
    pub async fn patch_json(
        &self,
        endpoint: &Endpoint,
        headers: &Headers,
        body: impl Into<Bytes>,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        self.send_json(reqwest::Method::PATCH, endpoint, headers, body.into(), deadline).await
    }

    async fn send_json(
        &self,
        method: reqwest::Method,
        endpoint: &Endpoint,
        headers: &Headers,
        body: Bytes,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        let request = self
            .client()?
            .request(method, endpoint.0.clone())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .headers(headers.0.clone())
            .body(body);
        self.exchange(request, endpoint, deadline).await
    }

    fn client(&self) -> Result<&reqwest::Client, Failure> {
        let client = self.client.get_or_init(|| self.build()).as_ref();
        client.map_err(|error| Failure {
            outcome: SendOutcome::NotProcessed,
            status: None,
            message: format!("cannot set up TLS: {error}"),
        })
    }

    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        endpoint: &Endpoint,
        deadline: Deadline,
    ) -> Result<Answer, Failure> {
        let proxy = self.proxies.origin_for(&endpoint.0);
        match timeout_at(deadline.instant(), request.send()).await {
            Err(_) => Err(Failure {
                outcome: SendOutcome::Ambiguous,
                status: None,
                message: format!(
                    "no answer from {}: {}",
                    way(endpoint, proxy.as_deref()),
                    deadline.exceeded()
                ),
            }),
            Ok(Err(error)) => Err(describe(error, endpoint, proxy.as_deref(), self.connect_limit)),
            Ok(Ok(response)) => Ok(answer::read(response, proxy, self.answer_limit, deadline).await),
        }
    }

    fn build(&self) -> Result<reqwest::Client, String> {
        self.builder().build().map_err(|error| connection::reason(&error.without_url()))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that builds the outgoing client")]
    pub(super) fn builder(&self) -> reqwest::ClientBuilder {
        // A provider that is already installed stays; the error says only that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("Modelpager/", env!("CARGO_PKG_VERSION"))));
        let builder = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_limit)
            .pool_idle_timeout(IDLE);
        match self.proxies.for_client() {
            Some(proxy) => builder.proxy(proxy),
            None => builder,
        }
    }
}

/// Where a request goes: `https://example.org through the proxy http://proxy:3128`.
fn way(endpoint: &Endpoint, proxy: Option<&str>) -> String {
    let origin = endpoint.origin();
    proxy.map_or(origin.clone(), |proxy| format!("{origin} through the proxy {proxy}"))
}

fn describe(
    error: reqwest::Error,
    endpoint: &Endpoint,
    proxy: Option<&str>,
    connect_limit: Duration,
) -> Failure {
    let error = error.without_url();
    let origin = way(endpoint, proxy);
    if let Some(refusal) = Refusal::of(&error) {
        return refusal.describe(&origin);
    }
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
    Failure { outcome, status: None, message: format!("{what}: {why}") }
}

/// How a proxy refused to open a tunnel. Nothing was sent through it then.
enum Refusal {
    Login,
    Other,
}

impl Refusal {
    /// The library gives it no type of its own that could be named here, only these words.
    fn of(error: &reqwest::Error) -> Option<Self> {
        match connection::root(error).to_string().strip_prefix("tunnel error: ")? {
            "proxy authorization required" => Some(Self::Login),
            "unsuccessful" => Some(Self::Other),
            _ => None,
        }
    }

    fn describe(self, way: &str) -> Failure {
        let (outcome, status, why) = match self {
            // As a provider's 401: another attempt would say the same.
            Self::Login => {
                let why = "the proxy does not accept the user and password in its address (407)";
                (SendOutcome::Rejected, Some(407), why)
            }
            Self::Other => (SendOutcome::NotProcessed, None, "the proxy refused to connect to it"),
        };
        Failure { outcome, status, message: format!("cannot connect to {way}: {why}") }
    }
}
