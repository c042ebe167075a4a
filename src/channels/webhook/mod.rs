//! The kind `webhook`: the whole message as JSON to an address of your own, signed in the
//! manner of Standard Webhooks. Retries repeat `webhook-id`, by which a receiver knows
//! that it has seen the message.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use self::sign::SigningKey;
use super::settings::{self, Problems};
use super::{Built, Channel, Kind, Message, Preview};
use crate::config::{ChannelConfig, KindPolicy};
use crate::domain::outcome::SendReport;
use crate::domain::secret::Secret;
use crate::http::{Endpoint, Headers, HttpClient, Proxies, Redactor};
use crate::render::{Escape, Limit, TemplateField};

mod body;
#[cfg(test)]
mod conformance;
mod message;
mod send;
pub mod sign;

/// The kind.
pub const KIND: Kind = Kind {
    name: "webhook",
    title: "Posts each message as JSON, signed in the manner of Standard Webhooks.",
    example: "\
- name: audit
  kind: webhook
  url: \"${AUDIT_URL}\"
  # whsec_ and base64; without it messages are not signed.
  secret: \"${AUDIT_SECRET}\"
  # The one before, while receivers change over.
  previous_secret: \"${AUDIT_SECRET_OLD}\"
  headers:
    Authorization: \"Bearer ${AUDIT_TOKEN}\"
  # The forward proxy for this channel's requests, with or without user and password.
  # Default: HTTP_PROXY, HTTPS_PROXY and NO_PROXY; `none` uses none.
  proxy_url: \"http://modelpager:${PROXY_PASSWORD}@proxy.example:3128\"
",
    schema: || schemars::schema_for!(Settings),
    templates: &[TemplateField {
        name: "text",
        source: include_str!("../../../templates/webhook/text.hbs"),
        escape: Escape::Plain,
        limit: Limit::chars(message::MAX_TEXT),
    }],
    idempotent: true,
    over_http: true,
    policy: KindPolicy::DEFAULT,
    blocks: |_| Vec::new(),
    build,
    #[cfg(test)]
    cases: conformance::cases,
};

/// The settings of a channel of kind `webhook`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where to post to. Treated as a secret, since such addresses often hold a token.
    url: Secret,
    /// `whsec_…`: signs each message; without it messages are not signed.
    #[serde(default)]
    secret: Option<Secret>,
    /// `whsec_…`: signs each message too, while receivers change over to a new `secret`.
    #[serde(default)]
    previous_secret: Option<Secret>,
    /// Further headers, for instance `Authorization`.
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
}

struct WebhookChannel {
    endpoint: Endpoint,
    keys: Vec<SigningKey>,
    headers: Headers,
    client: HttpClient,
}

fn build(config: &ChannelConfig, proxies: &Proxies) -> Built {
    let settings: Settings = settings::parse(&config.settings)?;
    let mut problems = Problems::default();
    let endpoint = problems.endpoint("url", &settings.url);
    let mut keys = Vec::new();
    for (key, secret) in [("secret", &settings.secret), ("previous_secret", &settings.previous_secret)] {
        keys.extend(secret.as_ref().and_then(|secret| problems.take(key, SigningKey::parse(secret))));
    }
    let mut headers = Headers::default();
    for (name, value) in &settings.headers {
        problems.take(&format!("headers.{name}"), headers.set_configured(name, value));
    }
    let client = problems.client(config, proxies, redactor(&settings));
    match (endpoint, client) {
        (Some(endpoint), Some(client)) if problems.is_empty() => {
            Ok(Box::new(WebhookChannel { endpoint, keys, headers, client }))
        }
        _ => Err(problems.into_vec()),
    }
}

fn redactor(settings: &Settings) -> Redactor {
    let mut redactor = Redactor::new(settings.secret.iter().chain(&settings.previous_secret));
    redactor.add_url(settings.url.expose());
    for value in settings.headers.values() {
        redactor.add(value.expose());
        // `Bearer TOKEN`: a server may repeat the token alone.
        redactor.add(value.expose().split_whitespace().last().unwrap_or_default());
    }
    redactor
}

impl Channel for WebhookChannel {
    fn preview(&self, message: &Message<'_>) -> Preview {
        let composed = message::compose(message);
        Preview {
            channel_kind: KIND.name,
            title: composed.kind,
            text: composed.text,
            body: composed.body,
            content_type: "application/json".to_owned(),
        }
    }

    fn send<'a>(&'a self, message: &'a Message<'a>, time_limit: Duration) -> BoxFuture<'a, SendReport> {
        Box::pin(send::send(self, message, time_limit))
    }
}

#[cfg(test)]
mod tests;
