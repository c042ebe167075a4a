//! `channels`: the destinations.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::kind::KindPolicy;
use crate::domain::duration::PromDuration;
use crate::domain::rate::RateLimit;
use crate::domain::secret::{REDACTED, Secret};

/// One of `channels`. Keys beyond these belong to the kind and are in `settings`.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub struct ChannelConfig {
    /// The name routes use.
    pub name: String,
    /// What sort of destination it is.
    pub kind: String,
    /// `false` keeps it in the file but sends nothing through it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How long one attempt may take.
    #[serde(default = "default_timeout")]
    pub timeout: PromDuration,
    /// Whether to tell when an incident is over.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// What to do when nobody knows whether the provider has a message, on a channel whose
    /// provider does not fold repeats: send again, or hold it for a person to redeliver.
    #[serde(default)]
    pub on_ambiguous: OnAmbiguous,
    /// The channel that stands in: what this one failed to deliver for good, or could not
    /// deliver for `fallback_after`, is sent there instead, with a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// How long the channel may be out before its waiting messages go through `fallback`.
    #[serde(default = "default_fallback_after")]
    pub fallback_after: PromDuration,
    /// How many messages may be sent: `1/s`, `120/m`, `30/5m burst 10`, `none`. What exceeds it
    /// becomes one message, on kinds that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Whether a newer message takes the place of an older one of the same incident of which
    /// nothing was sent yet; it then tells the whole story.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersede: Option<bool>,
    /// The forward proxy for this channel's requests: `http://user:password@proxy.example:3128`, or
    /// `https://…`. `none` sends them directly. By default those of `HTTP_PROXY`, `HTTPS_PROXY`
    /// and `NO_PROXY` in the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<Secret>,
    /// Template overrides for this channel: field → Handlebars text.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
    /// What is special of its kind; filled in when a configuration is read.
    #[serde(skip)]
    pub policy: KindPolicy,
    /// The kind's own keys. They may hold secrets in clear: serialised, every text among
    /// them is a placeholder.
    #[serde(flatten, serialize_with = "without_texts")]
    pub settings: Map<String, Value>,
}

/// `on_ambiguous`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnAmbiguous {
    /// Better twice than never.
    #[default]
    Retry,
    /// Better to ask.
    Hold,
}

fn yes() -> bool {
    true
}

fn without_texts<S: Serializer>(settings: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let blotted: Map<String, Value> =
        settings.iter().map(|(key, value)| (key.clone(), blot(value))).collect();
    blotted.serialize(serializer)
}

fn blot(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::String(REDACTED.to_owned()),
        Value::Array(items) => items.iter().map(blot).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), blot(value))).collect())
        }
        other => other.clone(),
    }
}

fn default_timeout() -> PromDuration {
    PromDuration(std::time::Duration::from_secs(15))
}

/// Long enough for a provider's restart, short enough for a page.
fn default_fallback_after() -> PromDuration {
    PromDuration(std::time::Duration::from_secs(300))
}

impl ChannelConfig {
    /// A channel with every default and no settings of its kind.
    pub fn new(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            enabled: true,
            timeout: default_timeout(),
            send_resolved: true,
            on_ambiguous: OnAmbiguous::Retry,
            fallback: None,
            fallback_after: default_fallback_after(),
            rate_limit: None,
            supersede: None,
            proxy_url: None,
            templates: BTreeMap::new(),
            policy: KindPolicy::DEFAULT,
            settings: Map::new(),
        }
    }
}

impl ChannelConfig {
    /// Whether newer messages take the place of older ones that were never sent.
    pub fn supersedes(&self) -> bool {
        self.supersede.unwrap_or(self.policy.supersede)
    }
}

impl fmt::Debug for ChannelConfig {
    /// The settings may hold secrets in clear: only their keys are shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelConfig")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("enabled", &self.enabled)
            .field("timeout", &self.timeout)
            .field("send_resolved", &self.send_resolved)
            .field("fallback", &self.fallback)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
