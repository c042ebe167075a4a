//! The destinations. One folder a kind; adding a kind is a folder and a line in
//! [`REGISTRY`]. A channel turns a rendered message into one provider's request and the
//! provider's answer into one of four outcomes. It never retries, stores or routes.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::config::{ChannelConfig, KindPolicy};
use crate::domain::clock::Timestamp;
use crate::domain::notification::Snapshot;
use crate::domain::outcome::SendReport;
use crate::http::Proxies;
use crate::render::{Rendered, TemplateField};
use block::Block;

pub mod block;
#[cfg(test)]
mod conformance;
mod discord;
mod email;
mod marks;
mod log;
mod pagerduty;
mod settings;
mod shrink;
mod slack;
mod text;
mod webhook;

/// Everything the program knows about one kind of channel.
pub struct Kind {
    /// The word in `channels[].kind`.
    pub name: &'static str,
    /// One line for documentation.
    pub title: &'static str,
    /// Channels for `modelpager.example.yml`: a YAML list in which every key of the kind stands,
    /// secrets as `${NAME}`.
    pub example: &'static str,
    /// JSON Schema of the kind's own keys (`additionalProperties` is decided by the
    /// configuration, which adds the common keys).
    pub schema: fn() -> schemars::Schema,
    /// The fields of its messages.
    pub templates: &'static [TemplateField],
    /// Whether the provider folds repeats of one dedup key or message id, so that an
    /// ambiguous send may be retried freely.
    pub idempotent: bool,
    /// Whether it talks HTTP, so that `proxy_url` is one of its keys.
    pub over_http: bool,
    /// How it is sent to unless the configuration says otherwise.
    pub policy: KindPolicy,
    /// What a reader sees of a body that was sent; nothing when that is the title and the text.
    pub blocks: fn(&str) -> Vec<Block>,
    /// Builds a channel from its configuration and the proxies of the environment: checks
    /// everything, touches nothing.
    pub build: fn(&ChannelConfig, &Proxies) -> Built,
    /// The ways in which it can be set up, each with the fake of its provider.
    #[cfg(test)]
    cases: conformance::Cases,
}

/// A channel ready to send, or everything that is wrong with its settings.
pub type Built = Result<Box<dyn Channel>, Vec<SettingProblem>>;

/// Something wrong with a channel's settings that a schema cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// The key, dotted below the channel: `smtp.port`; empty for the channel as a whole.
    pub key: String,
    /// What is wrong and what to write instead; no secret.
    pub message: String,
}

/// Every kind of channel there is.
pub const REGISTRY: &[&Kind] =
    &[&log::KIND, &webhook::KIND, &slack::KIND, &pagerduty::KIND, &email::KIND, &discord::KIND];

/// The kind of that name.
pub fn find_kind(name: &str) -> Option<&'static Kind> {
    REGISTRY.iter().copied().find(|kind| kind.name == name)
}

/// One message on its way to one channel.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The notification's id: stable over retries (`webhook-id`, mail `Message-ID`).
    pub notification_id: &'a str,
    /// The incident's dedup key.
    pub dedup_key: &'a str,
    /// What is told.
    pub snapshot: &'a Snapshot,
    /// How it is put.
    pub rendered: &'a Rendered,
    /// What the last message of this incident on this channel left to refer to.
    pub reference: Option<&'a Value>,
    /// The moment of this attempt.
    pub now: Timestamp,
}

/// A message as its reader will see it and as the wire will carry it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Preview {
    /// The kind of channel, whose [`Kind::blocks`] show the body.
    pub channel_kind: &'static str,
    /// The subject or headline.
    pub title: String,
    /// What a person reads, as plain text.
    pub text: String,
    /// The exact body, secrets redacted.
    pub body: String,
    /// The body's media type.
    pub content_type: String,
}

/// A configured destination.
pub trait Channel: Send + Sync {
    /// The message without sending it. Pure.
    fn preview(&self, message: &Message<'_>) -> Preview;

    /// One attempt to send. Ends within `time_limit`; never panics; the report and all
    /// it holds is free of secrets.
    fn send<'a>(&'a self, message: &'a Message<'a>, time_limit: Duration) -> BoxFuture<'a, SendReport>;
}
