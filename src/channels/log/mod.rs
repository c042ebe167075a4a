//! The kind `log`: every message is a line of the program's own log. It needs nothing
//! and cannot fail, which makes it the channel of a program without a configuration.

use std::time::Duration;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Built, Channel, Kind, Message, Preview, settings};
use crate::config::{ChannelConfig, KindPolicy};
use crate::domain::outcome::SendReport;
use crate::domain::severity::Severity;
use crate::http::Proxies;
use crate::render::{Escape, Limit, TemplateField};

#[cfg(test)]
mod conformance;
mod message;

/// The kind.
pub const KIND: Kind = Kind {
    name: "log",
    title: "Writes each message to the program's own log.",
    example: "\
- name: console # letters, digits, _ . -
  kind: log
",
    schema: || schemars::schema_for!(Settings),
    templates: &[
        TemplateField {
            name: "title",
            source: include_str!("../../../templates/log/title.hbs"),
            escape: Escape::Plain,
            limit: Limit::chars(message::MAX_TITLE),
        },
        TemplateField {
            name: "body",
            source: include_str!("../../../templates/log/body.hbs"),
            escape: Escape::Plain,
            limit: Limit { max: message::MAX_TEXT, length: |text| message::joined(text).chars().count() },
        },
    ],
    // A repeat is one more line of a log: nobody is woken twice.
    idempotent: true,
    over_http: false,
    policy: KindPolicy { own_log: true, ..KindPolicy::DEFAULT },
    blocks: |_| Vec::new(),
    build,
    #[cfg(test)]
    cases: conformance::cases,
};

/// It has no settings of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

struct LogChannel {
    name: String,
}

fn build(config: &ChannelConfig, _: &Proxies) -> Built {
    settings::parse::<Settings>(&config.settings)?;
    Ok(Box::new(LogChannel { name: config.name.clone() }))
}

impl Channel for LogChannel {
    fn preview(&self, message: &Message<'_>) -> Preview {
        let line = message::compose(message);
        Preview {
            channel_kind: KIND.name,
            body: format!("{} | {}", line.title, line.text),
            title: line.title,
            text: line.text,
            content_type: "text/plain; charset=utf-8".to_owned(),
        }
    }

    fn send<'a>(&'a self, message: &'a Message<'a>, _: Duration) -> BoxFuture<'a, SendReport> {
        self.write(message);
        Box::pin(std::future::ready(SendReport::accepted(None)))
    }
}

impl LogChannel {
    fn write(&self, message: &Message<'_>) {
        let message::Line { title, text } = message::compose(message);
        let snapshot = message.snapshot;
        let (severity, kind) = (snapshot.incident.severity.as_str(), snapshot.kind.as_str());
        let (channel, notification, dedup_key) =
            (self.name.as_str(), message.notification_id, message.dedup_key);
        // The level of an event is fixed where it stands, hence two of them.
        if snapshot.incident.severity >= Severity::Medium {
            tracing::warn!(target: "modelpager::message", channel, notification, dedup_key, severity, kind, text, "{title}");
        } else {
            tracing::info!(target: "modelpager::message", channel, notification, dedup_key, severity, kind, text, "{title}");
        }
    }
}

#[cfg(test)]
mod tests;
