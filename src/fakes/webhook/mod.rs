//! A receiver of Standard Webhooks that believes nothing: signature, time, id and body
//! are all checked, with an implementation of its own.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;

use super::Violations;
use super::engine::{Answer, HttpServer, Provider, Request};
use crate::domain::clock::{SharedClock, Timestamp};

/// The path messages go to.
pub const PATH: &str = "/hook";
/// The secret that is expected unless another is given; base64 of 24 bytes.
pub const SECRET: &str = "whsec_ZmFrZS13ZWJob29rLXNlY3JldC0wMDAx";
/// How far the sender's clock may be off.
const TOLERANCE: Duration = Duration::from_secs(300);

/// A receiver on a loopback port.
pub struct WebhookFake {
    http: HttpServer,
    messages: Arc<Mutex<Vec<Message>>>,
    violations: Violations,
}

/// One message, however often it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `webhook-id`
    pub id: String,
    /// When it came first.
    pub first_at: Timestamp,
    /// How often it came.
    pub deliveries: u32,
    /// The body of the first delivery.
    pub body: Value,
    raw: Vec<u8>,
}

/// Whether messages must be signed.
#[derive(Clone, Debug)]
enum Expect {
    Signature(Vec<u8>),
    Nothing,
}

impl WebhookFake {
    /// Starts a receiver that expects signatures made with [`SECRET`].
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(clock: SharedClock) -> io::Result<Self> {
        Self::with_secret(clock, SECRET).await
    }

    /// Starts a receiver that expects signatures made with `secret` (`whsec_…`).
    ///
    /// # Errors
    /// When no port can be had, or the secret is not `whsec_` and 24 to 64 bytes in base64.
    pub async fn with_secret(clock: SharedClock, secret: &str) -> io::Result<Self> {
        let key = decode_secret(secret);
        let key = key.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a whsec_ secret"))?;
        Self::launch(clock, Expect::Signature(key)).await
    }

    /// Starts a receiver that expects no signature, but everything else.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn unsigned(clock: SharedClock) -> io::Result<Self> {
        Self::launch(clock, Expect::Nothing).await
    }

    async fn launch(clock: SharedClock, expect: Expect) -> io::Result<Self> {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let violations = Violations::default();
        let provider = Receiver { expect, messages: Arc::clone(&messages), violations: violations.clone() };
        let http = HttpServer::start(clock, Box::new(provider)).await?;
        Ok(Self { http, messages, violations })
    }

    /// The server underneath: script, requests, stop and restart.
    pub fn http(&self) -> &HttpServer {
        &self.http
    }

    /// Where messages go.
    pub fn url(&self) -> String {
        format!("{}{PATH}", self.http.url())
    }

    /// Every message, in the order of their first delivery.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().clone()
    }

    /// The rules broken so far.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }
}

struct Receiver {
    expect: Expect,
    messages: Arc<Mutex<Vec<Message>>>,
    violations: Violations,
}

impl Provider for Receiver {
    fn answer(&self, request: &Request) -> Answer {
        match self.take(request) {
            Ok(()) => Answer::text(204, ""),
            Err(refused) => {
                self.violations.record(refused.rule, refused.detail);
                Answer::text(refused.status, "refused")
            }
        }
    }
}

struct Refused {
    status: u16,
    rule: &'static str,
    detail: String,
}

fn refuse<T>(status: u16, rule: &'static str, detail: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { status, rule, detail: detail.into() })
}

impl Receiver {
    fn take(&self, request: &Request) -> Result<(), Refused> {
        if request.method != "POST" || request.path != PATH {
            return refuse(404, "webhook.path", format!("{} {}", request.method, request.path));
        }
        let id = header(request, "webhook-id")?;
        if id.contains('.') {
            return refuse(400, "webhook.id", format!("{id:?} contains a full stop"));
        }
        let timestamp = header(request, "webhook-timestamp")?;
        check_timestamp(timestamp, request.received_at)?;
        if let Expect::Signature(key) = &self.expect {
            let signatures = header(request, "webhook-signature")?;
            let expected = sign(key, id, timestamp, &request.body);
            if !signatures.split(' ').any(|signature| signature == expected) {
                return refuse(401, "webhook.signature", "no signature of the list is right");
            }
        }
        if request.media_type() != "application/json" {
            return refuse(415, "webhook.content_type", request.media_type());
        }
        let Some(body) = request.json().filter(is_event) else {
            return refuse(400, "webhook.body", "not a JSON object with type, timestamp and data");
        };
        self.keep(id, body, request);
        Ok(())
    }

    fn keep(&self, id: &str, body: Value, request: &Request) {
        let mut messages = self.messages.lock();
        if let Some(known) = messages.iter_mut().find(|message| message.id == id) {
            known.deliveries += 1;
            if known.raw != request.body {
                self.violations.record("webhook.id_reused", format!("{id} came with another body"));
            }
            return;
        }
        messages.push(Message {
            id: id.to_owned(),
            first_at: request.received_at,
            deliveries: 1,
            body,
            raw: request.body.clone(),
        });
    }
}

fn header<'a>(request: &'a Request, name: &'static str) -> Result<&'a str, Refused> {
    match request.header(name) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => refuse(400, "webhook.header", format!("{name} is missing")),
    }
}

fn check_timestamp(text: &str, now: Timestamp) -> Result<(), Refused> {
    let Some(sent) = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000)) else {
        return refuse(400, "webhook.timestamp", format!("{text:?} is not a number of seconds"));
    };
    let off = Duration::from_millis(now.as_millis().abs_diff(sent));
    // Whole seconds are sent, so up to one of them is lost on the way.
    if off >= TOLERANCE + Duration::from_secs(1) {
        return refuse(401, "webhook.timestamp", format!("off by {} s", off.as_secs()));
    }
    Ok(())
}

/// The payload's structure as the specification recommends it.
fn is_event(body: &Value) -> bool {
    let kind = body.get("type").and_then(Value::as_str).unwrap_or_default();
    let timestamp = body.get("timestamp").and_then(Value::as_str).unwrap_or_default();
    let named = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
    named && Timestamp::parse_rfc3339(timestamp).is_ok() && body.get("data").is_some_and(Value::is_object)
}

fn decode_secret(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

/// The symmetric scheme: `v1,` and base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`.
#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn sign(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
