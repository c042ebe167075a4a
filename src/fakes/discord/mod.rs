//! A webhook of a Discord channel: messages are posted, edited and deleted as the API does it.

mod embed;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::Violations;
use super::engine::{Answer, HttpServer, Provider, Request};
use crate::domain::clock::{SharedClock, Timestamp};

/// The webhook's id.
pub const WEBHOOK: &str = "1012345678901234567";
/// The webhook's token.
pub const TOKEN: &str = "fake-discord-token_of-the-local-webhook-0123456789abcdefghijklmnopqr";
/// How many messages may be sent in [`RATE_WINDOW`] once the rate is limited.
const RATE_LIMIT: usize = 5;
const RATE_WINDOW: Duration = Duration::from_secs(2);

/// A channel with a webhook, on a loopback port.
pub struct DiscordFake {
    http: HttpServer,
    channel: Arc<Mutex<DiscordChannel>>,
    violations: Violations,
}

/// A message as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The thread it went to.
    pub thread: Option<String>,
    /// What was posted, or what the last edit made of it.
    pub body: Value,
    /// What it was before each edit, oldest first.
    pub earlier: Vec<Value>,
}

#[derive(Default)]
struct DiscordChannel {
    messages: Vec<Message>,
    count: u64,
    is_deleted: bool,
    is_limited: bool,
    taken: Vec<Timestamp>,
}

impl DiscordFake {
    /// Starts a channel with one webhook.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(clock: SharedClock) -> io::Result<Self> {
        let channel = Arc::new(Mutex::new(DiscordChannel::default()));
        let violations = Violations::default();
        let provider = Webhook { channel: Arc::clone(&channel), violations: violations.clone() };
        let http = HttpServer::start(clock, Box::new(provider)).await?;
        Ok(Self { http, channel, violations })
    }

    /// The server underneath: script, requests, stop and restart.
    pub fn http(&self) -> &HttpServer {
        &self.http
    }

    /// The webhook's address.
    pub fn webhook_url(&self) -> String {
        format!("{}{}", self.http.url(), path())
    }

    /// Every message, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.channel.lock().messages.clone()
    }

    /// Somebody deletes every message.
    pub fn delete_messages(&self) {
        self.channel.lock().messages.clear();
    }

    /// Somebody deletes the webhook.
    pub fn delete_webhook(&self) {
        self.channel.lock().is_deleted = true;
    }

    /// From now on the webhook takes 5 requests in 2 seconds and answers 429 to the others.
    pub fn limit_rate(&self) {
        self.channel.lock().is_limited = true;
    }

    /// The rules broken so far.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }
}

fn path() -> String {
    format!("/api/webhooks/{WEBHOOK}/{TOKEN}")
}

struct Webhook {
    channel: Arc<Mutex<DiscordChannel>>,
    violations: Violations,
}

impl Provider for Webhook {
    fn answer(&self, request: &Request) -> Answer {
        let mut channel = self.channel.lock();
        let webhook = path();
        let Some(below) = request.path.strip_prefix(webhook.as_str()).filter(|_| !channel.is_deleted) else {
            self.violations.record("discord.webhook", "a path of no known webhook");
            return refusal(404, 10_015, "Unknown Webhook");
        };
        if let Err(wait) = channel.take_token(request.received_at) {
            return throttled(wait);
        }
        match (request.method.as_str(), below.strip_prefix("/messages/")) {
            ("POST", None) if below.is_empty() => self.post(request, &mut channel),
            ("PATCH", Some(id)) => self.edit(request, id, &mut channel),
            _ => {
                self.violations.record("discord.path", format!("{} {}", request.method, request.path));
                refusal(405, 0, "405: Method Not Allowed")
            }
        }
    }
}

impl Webhook {
    fn post(&self, request: &Request, channel: &mut DiscordChannel) -> Answer {
        let body = match self.read(request) {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        channel.count += 1;
        let id = format!("11{:017}", channel.count);
        let thread = parameter(request, "thread_id").map(str::to_owned);
        channel.messages.push(Message { id: id.clone(), thread, body: body.clone(), earlier: Vec::new() });
        if parameter(request, "wait") != Some("true") {
            self.violations.record("discord.wait", "without wait=true a message that is lost is no error");
            return Answer::text(204, "");
        }
        Answer::json(200, &json!({"id": id, "type": 0, "channel_id": "99", "embeds": body["embeds"]}))
    }

    fn edit(&self, request: &Request, id: &str, channel: &mut DiscordChannel) -> Answer {
        let Some(message) = channel.messages.iter_mut().find(|message| message.id == id) else {
            return refusal(404, 10_008, "Unknown Message");
        };
        match self.read(request) {
            Ok(body) => {
                message.earlier.push(std::mem::replace(&mut message.body, body));
                Answer::json(200, &json!({"id": id, "embeds": message.body["embeds"]}))
            }
            Err(refused) => refused,
        }
    }

    /// A body that passed every check.
    fn read(&self, request: &Request) -> Result<Value, Answer> {
        let refuse = |rule, detail: String, answer: Answer| {
            self.violations.record(rule, detail);
            Err(answer)
        };
        let body = request.json().filter(Value::is_object);
        let Some(body) = body.filter(|_| request.media_type() == "application/json") else {
            let answer = refusal(400, 50_109, "The request body contains invalid JSON.");
            return refuse("discord.body", "no JSON object".to_owned(), answer);
        };
        if body["allowed_mentions"] != json!({"parse": []}) {
            self.violations.record("discord.mentions", format!("allowed: {}", body["allowed_mentions"]));
        }
        let is_empty = |key: &str| body[key].as_str().is_none_or(|text| text.trim().is_empty());
        if is_empty("content") && body["embeds"].as_array().is_none_or(Vec::is_empty) {
            let answer = refusal(400, 50_006, "Cannot send an empty message");
            return refuse("discord.empty", "neither content nor embeds".to_owned(), answer);
        }
        let errors = embed::errors(&body);
        if errors.is_empty() {
            return Ok(body);
        }
        let nested: Value = errors.iter().map(|(place, error)| (place.clone(), json!(error))).collect();
        let answer = json!({"code": 50_035, "message": "Invalid Form Body", "errors": nested});
        refuse("discord.form", format!("{errors:?}"), Answer::json(400, &answer))
    }
}

fn parameter<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find_map(|(key, value)| (key == name).then_some(value))
}

fn refusal(status: u16, code: u32, message: &str) -> Answer {
    Answer::json(status, &json!({"message": message, "code": code}))
}

/// `Retry-After` is in whole seconds, the body and the other header more exact.
fn throttled(wait: Duration) -> Answer {
    let seconds = wait.as_secs_f64();
    let body = json!({"message": "You are being rate limited.", "retry_after": seconds, "global": false});
    Answer::json(429, &body)
        .with_header("Retry-After", wait.as_millis().div_ceil(1000).to_string())
        .with_header("X-RateLimit-Remaining", "0")
        .with_header("X-RateLimit-Reset-After", format!("{seconds:.3}"))
        .with_header("X-RateLimit-Scope", "user")
}

impl DiscordChannel {
    fn take_token(&mut self, now: Timestamp) -> Result<(), Duration> {
        self.taken.retain(|at| now.since(*at) < RATE_WINDOW);
        match self.taken.first() {
            Some(oldest) if self.is_limited && self.taken.len() >= RATE_LIMIT => {
                Err(RATE_WINDOW - now.since(*oldest))
            }
            _ => {
                self.taken.push(now);
                Ok(())
            }
        }
    }
}
