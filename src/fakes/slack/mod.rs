//! Slack: the incoming webhook and the Web API over one workspace with its channels,
//! messages, edits and threads.

mod api;
mod blocks;
mod content;
mod form;
mod mentions;
#[cfg(test)]
mod tests;
mod visible;
mod webhook;
mod workspace;

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

pub use workspace::{ChannelState, Content, Message};

use super::Violations;
use super::engine::{Answer, HttpServer, Provider, Request};
use crate::domain::clock::SharedClock;
use workspace::Workspace;

/// The channel there is from the start.
pub const CHANNEL: &str = "C0FAKE00001";
/// The bot token that is known from the start.
pub const TOKEN: &str = "xoxb-fake-token-of-the-local-workspace";
/// The path of the incoming webhook into [`CHANNEL`].
pub const WEBHOOK_PATH: &str = "/services/T0FAKE001/B0FAKE001/fakeWebhookSecret0001";

/// A workspace on a loopback port.
pub struct SlackFake {
    http: HttpServer,
    workspace: Arc<Mutex<Workspace>>,
    violations: Violations,
}

impl SlackFake {
    /// Starts a workspace with one channel, one token and one webhook.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(clock: SharedClock) -> io::Result<Self> {
        let workspace = Arc::new(Mutex::new(Workspace::new(CHANNEL)));
        let violations = Violations::default();
        let provider = SlackProvider { workspace: Arc::clone(&workspace), violations: violations.clone() };
        let http = HttpServer::start(clock, Box::new(provider)).await?;
        Ok(Self { http, workspace, violations })
    }

    /// The server underneath: script, requests, stop and restart.
    pub fn http(&self) -> &HttpServer {
        &self.http
    }

    /// The incoming webhook into [`CHANNEL`].
    pub fn webhook_url(&self) -> String {
        format!("{}{WEBHOOK_PATH}", self.http.url())
    }

    /// The Web API, without a slash at the end: `http://127.0.0.1:PORT/api`.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.http.url())
    }

    /// Adds a channel, or changes the state of one.
    pub fn set_channel(&self, id: &str, state: ChannelState) {
        self.workspace.lock().set_channel(id, state);
    }

    /// From now on a channel takes one message a second after a burst of `burst`, and
    /// answers the others with 429 and `Retry-After`.
    pub fn limit_rate(&self, burst: u32) {
        self.workspace.lock().limit_rate(burst);
    }

    /// Every message as it stands now, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.workspace.lock().messages().to_vec()
    }

    /// The replies in the thread under `ts`, oldest first.
    pub fn thread(&self, channel: &str, ts: &str) -> Vec<Message> {
        let in_thread =
            |message: &Message| message.channel == channel && message.thread_ts.as_deref() == Some(ts);
        self.messages().into_iter().filter(in_thread).collect()
    }

    /// The rules broken so far.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }
}

struct SlackProvider {
    workspace: Arc<Mutex<Workspace>>,
    violations: Violations,
}

impl Provider for SlackProvider {
    fn answer(&self, request: &Request) -> Answer {
        let mut workspace = self.workspace.lock();
        match request.path.strip_prefix("/api/") {
            Some(method) => api::answer(method, request, &mut workspace, &self.violations),
            None => webhook::answer(request, &mut workspace, &self.violations),
        }
    }
}
