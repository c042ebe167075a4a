//! The kind `discord`: an embed by a webhook of a Discord channel. What an incident's readers need
//! not look at again is told by an edit of its message; anything else is a message of its own.

use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use super::settings::{self, Problems};
use super::{Built, Channel, Kind, Message, Preview, block, shrink};
use crate::config::{ChannelConfig, KindPolicy};
use crate::domain::outcome::SendReport;
use crate::domain::rate::RateLimit;
use crate::domain::secret::Secret;
use crate::http::{Endpoint, HttpClient, Proxies, Redactor};
use crate::render::{Escape, Limit, TemplateField};

#[cfg(test)]
mod conformance;
mod markdown;
mod message;
mod send;

/// The kind.
pub const KIND: Kind = Kind {
    name: "discord",
    title: "Posts to a Discord channel by a webhook.",
    example: "\
- name: ml-discord
  kind: discord
  webhook_url: \"${DISCORD_URL}\"
  thread_id: \"1234567890123456789\" # a thread of the channel; default: the channel itself
",
    schema: || schemars::schema_for!(Settings),
    templates: &[
        TemplateField {
            name: "title",
            source: include_str!("../../../templates/discord/title.hbs"),
            escape: Escape::Markdown,
            limit: Limit { max: message::MAX_TITLE, length: message::length },
        },
        TemplateField {
            name: "body",
            source: include_str!("../../../templates/discord/body.hbs"),
            escape: Escape::Markdown,
            limit: Limit { max: message::MAX_DESCRIPTION, length: message::length },
        },
    ],
    idempotent: false,
    over_http: true,
    policy: KindPolicy {
        // Discord publishes no limit of a webhook; a channel takes about 30 messages a minute.
        rate_limit: RateLimit::per(30, Duration::from_secs(60), 5),
        supersede: true,
        ..KindPolicy::DEFAULT
    },
    blocks: markdown::blocks,
    build,
    #[cfg(test)]
    cases: conformance::cases,
};

/// The settings of a channel of kind `discord`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The address of a webhook, as Discord shows it. It is a secret.
    webhook_url: Secret,
    /// The id of a thread of the webhook's channel; without it messages go to the channel itself.
    #[serde(default)]
    thread_id: Option<String>,
}

struct DiscordChannel {
    /// The webhook; messages that were sent are below it.
    webhook: Endpoint,
    client: HttpClient,
}

fn build(config: &ChannelConfig, proxies: &Proxies) -> Built {
    let settings: Settings = settings::parse(&config.settings)?;
    let mut problems = Problems::default();
    let mut webhook = problems.endpoint("webhook_url", &settings.webhook_url);
    let address = settings.webhook_url.expose().trim_end();
    if ["/slack", "/github"].iter().any(|end| address.ends_with(end)) {
        problems.add("webhook_url", "is for messages of another program: take off its last part");
    }
    if let Some(thread) = &settings.thread_id {
        if thread.is_empty() || !thread.chars().all(|c| c.is_ascii_digit()) {
            problems.add("thread_id", "must be the digits of a thread's id");
        }
        webhook = webhook.map(|webhook| webhook.with_query("thread_id", thread));
    }
    let mut redactor = Redactor::default();
    redactor.add_url(settings.webhook_url.expose());
    let client = problems.client(config, proxies, redactor);
    match (webhook, client) {
        (Some(webhook), Some(client)) if problems.is_empty() => {
            Ok(Box::new(DiscordChannel { webhook, client }))
        }
        _ => Err(problems.into_vec()),
    }
}

impl Channel for DiscordChannel {
    fn preview(&self, message: &Message<'_>) -> Preview {
        let body = shrink::json(&message::compose(message));
        let blocks = markdown::blocks(&body);
        Preview {
            channel_kind: KIND.name,
            title: markdown::plain(&message::title(message)),
            text: block::plain(&blocks),
            body,
            content_type: "application/json".to_owned(),
        }
    }

    fn send<'a>(&'a self, message: &'a Message<'a>, time_limit: Duration) -> BoxFuture<'a, SendReport> {
        Box::pin(send::send(self, message, time_limit))
    }
}

#[cfg(test)]
mod tests;
