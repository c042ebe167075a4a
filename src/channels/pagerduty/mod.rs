//! The kind `pagerduty`: Events API v2. The dedup key carries over, so that PagerDuty
//! folds repeats and closes its incident when ours is over.

use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use super::settings::{self, Problems};
use super::{Built, Channel, Kind, Message, Preview};
use crate::config::{ChannelConfig, KindPolicy};
use crate::domain::outcome::SendReport;
use crate::domain::rate::RateLimit;
use crate::domain::secret::{REDACTED, Secret};
use crate::http::{Deadline, Endpoint, Headers, HttpClient, Proxies, Redactor};
use crate::render::{Escape, Limit, TemplateField};

mod event;
#[cfg(test)]
mod conformance;
mod message;

/// How long an integration key is.
const KEY_LENGTH: usize = 32;

/// The kind.
pub const KIND: Kind = Kind {
    name: "pagerduty",
    title: "Triggers and resolves PagerDuty incidents by Events API v2.",
    example: "\
- name: ml-oncall
  kind: pagerduty
  routing_key: \"${PD_KEY}\"
  # The EU region has https://events.eu.pagerduty.com/v2/enqueue.
  url: \"https://events.pagerduty.com/v2/enqueue\"
",
    schema: || schemars::schema_for!(Settings),
    templates: &[TemplateField {
        name: "summary",
        source: include_str!("../../../templates/pagerduty/summary.hbs"),
        escape: Escape::Plain,
        limit: Limit::chars(message::MAX_SUMMARY),
    }],
    idempotent: true,
    over_http: true,
    policy: KindPolicy {
        // 120 events a minute and integration key, counted over a sliding minute.
        rate_limit: RateLimit::per(120, Duration::from_secs(60), 10),
        // PagerDuty opens and closes incidents by our messages, and needs each of them.
        bundle: false,
        one_per_incident: true,
        ..KindPolicy::DEFAULT
    },
    blocks: |_| Vec::new(),
    build,
    #[cfg(test)]
    cases: conformance::cases,
};

/// The settings of a channel of kind `pagerduty`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The integration key of an Events API v2 integration, 32 characters.
    routing_key: Secret,
    /// Where events go; the EU region has `https://events.eu.pagerduty.com/v2/enqueue`.
    #[serde(default = "default_url")]
    url: Secret,
}

fn default_url() -> Secret {
    Secret::new("https://events.pagerduty.com/v2/enqueue")
}

struct PagerDutyChannel {
    routing_key: Secret,
    endpoint: Endpoint,
    client: HttpClient,
}

fn build(config: &ChannelConfig, proxies: &Proxies) -> Built {
    let settings: Settings = settings::parse(&config.settings)?;
    let mut problems = Problems::default();
    let routing_key = settings.routing_key.expose().trim();
    let is_key = routing_key.len() == KEY_LENGTH && routing_key.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_key {
        problems.add(
            "routing_key",
            format!("must be the {KEY_LENGTH} letters and digits of an Events API v2 integration key"),
        );
    }
    let endpoint = problems.endpoint("url", &settings.url);
    let client = problems.client(config, proxies, Redactor::new([&settings.routing_key]));
    match (endpoint, client) {
        (Some(endpoint), Some(client)) if problems.is_empty() => {
            Ok(Box::new(PagerDutyChannel { routing_key: Secret::new(routing_key), endpoint, client }))
        }
        _ => Err(problems.into_vec()),
    }
}

impl Channel for PagerDutyChannel {
    fn preview(&self, message: &Message<'_>) -> Preview {
        let composed = message::compose(message, REDACTED);
        Preview {
            channel_kind: KIND.name,
            title: composed.summary,
            text: composed.text,
            body: composed.body,
            content_type: "application/json".to_owned(),
        }
    }

    fn send<'a>(&'a self, message: &'a Message<'a>, time_limit: Duration) -> BoxFuture<'a, SendReport> {
        Box::pin(self.post(message, time_limit))
    }
}

impl PagerDutyChannel {
    /// One event; any 2xx (202, in fact) is a success.
    async fn post(&self, message: &Message<'_>, time_limit: Duration) -> SendReport {
        let deadline = Deadline::after(time_limit);
        let body = message::compose(message, self.routing_key.expose()).body;
        match self.client.post_json(&self.endpoint, &Headers::default(), body, deadline).await {
            Ok(answer) => answer.report(self.client.redactor(), message.now),
            Err(failure) => failure.report(self.client.redactor()),
        }
    }
}

#[cfg(test)]
mod tests;
