//! The kind `slack`: through an incoming webhook, where each change is a new message, or
//! through the Web API, where an incident has one message that is kept up to date and
//! answered in its thread.

use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use self::target::Target;
use super::settings::{self, Problems};
use super::{Built, Channel, Kind, Message, Preview, block, shrink};
use crate::config::{ChannelConfig, KindPolicy};
use crate::domain::outcome::SendReport;
use crate::domain::rate::RateLimit;
use crate::domain::secret::Secret;
use crate::http::{HttpClient, Proxies, Redactor};
use crate::render::{Escape, Limit, TemplateField};

mod answer;
mod api;
#[cfg(test)]
mod conformance;
mod message;
mod mrkdwn;
mod target;
mod webhook;

/// The kind.
pub const KIND: Kind = Kind {
    name: "slack",
    title: "Posts to a Slack channel, by an incoming webhook or with a bot's token.",
    example: "\
# An incoming webhook …
- name: ml-alerts
  kind: slack
  webhook_url: \"${SLACK_URL}\"
# … or a bot's token: messages are updated in place and answered in their thread.
- name: ml-threads
  kind: slack
  token: \"${SLACK_TOKEN}\" # xoxb-…, scope chat:write
  channel: C0123456789 # the id; the bot must be a member
  api_url: \"https://slack.com/api\"
",
    schema: || schemars::schema_for!(Settings),
    templates: &[
        TemplateField {
            name: "title",
            source: include_str!("../../../templates/slack/title.hbs"),
            escape: Escape::Mrkdwn,
            limit: Limit::chars(message::MAX_HEADER),
        },
        TemplateField {
            name: "body",
            source: include_str!("../../../templates/slack/body.hbs"),
            escape: Escape::Mrkdwn,
            limit: Limit::chars(message::MAX_SECTION),
        },
        TemplateField {
            name: "thread",
            source: include_str!("../../../templates/slack/thread.hbs"),
            escape: Escape::Mrkdwn,
            limit: Limit::chars(message::MAX_TEXT),
        },
    ],
    idempotent: false,
    over_http: true,
    policy: KindPolicy {
        // One message a second and channel; short bursts are tolerated.
        rate_limit: RateLimit::per(1, Duration::from_secs(1), 10),
        supersede: true,
        ..KindPolicy::DEFAULT
    },
    blocks: mrkdwn::blocks,
    build,
    #[cfg(test)]
    cases: conformance::cases,
};

/// The settings of a channel of kind `slack`: `webhook_url`, or `token` and `channel`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The address of an incoming webhook. It is a secret.
    #[serde(default)]
    webhook_url: Option<Secret>,
    /// A bot's token (`xoxb-…`) with the scope `chat:write`.
    #[serde(default)]
    token: Option<Secret>,
    /// The channel's id (`C…`); the bot must be a member.
    #[serde(default)]
    channel: Option<String>,
    /// The Web API's address; default `https://slack.com/api`.
    #[serde(default)]
    api_url: Option<Secret>,
}

struct SlackChannel {
    target: Target,
    client: HttpClient,
}

fn build(config: &ChannelConfig, proxies: &Proxies) -> Built {
    let settings: Settings = settings::parse(&config.settings)?;
    let mut problems = Problems::default();
    let mut redactor = Redactor::new(&settings.token);
    for url in settings.webhook_url.iter().chain(&settings.api_url) {
        redactor.add_url(url.expose());
    }
    let target = Target::from_settings(&settings, &mut problems);
    let client = problems.client(config, proxies, redactor);
    match (target, client) {
        (Some(target), Some(client)) if problems.is_empty() => Ok(Box::new(SlackChannel { target, client })),
        _ => Err(problems.into_vec()),
    }
}

impl Channel for SlackChannel {
    fn preview(&self, message: &Message<'_>) -> Preview {
        let content = message::compose(message);
        let body = shrink::json(&content);
        Preview {
            channel_kind: KIND.name,
            title: mrkdwn::unescape(&content.text),
            text: block::plain(&mrkdwn::blocks(&body)),
            body,
            content_type: "application/json".to_owned(),
        }
    }

    fn send<'a>(&'a self, message: &'a Message<'a>, time_limit: Duration) -> BoxFuture<'a, SendReport> {
        match &self.target {
            Target::Webhook(endpoint) => Box::pin(webhook::send(self, endpoint, message, time_limit)),
            Target::Api(api) => Box::pin(api::send(self, api, message, time_limit)),
        }
    }
}

#[cfg(test)]
mod tests;
