//! `retention`: how long the log is kept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::duration::{InvalidDuration, PromDuration};

const DAY: u64 = 24 * 3_600;
const FOREVER: &str = "forever";

/// `retention`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Inbound bodies, from the end of their triage on.
    pub events: Keep,
    /// Messages with their attempts, from their end on.
    pub notifications: Keep,
    /// Resolved incidents with members, timeline and decisions, from their end on.
    pub incidents: Keep,
    /// Who changed what.
    pub audit: Keep,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let days = |days| Keep(Some(Duration::from_secs(days * DAY)));
        Self { events: days(30), notifications: days(180), incidents: days(400), audit: days(400) }
    }
}

/// How long something is kept; `None` is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep(pub Option<Duration>);

impl Keep {
    /// Whether what is kept so long outlives what is kept as long as `other`.
    pub fn is_at_least(self, other: Self) -> bool {
        match (self.0, other.0) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => own >= other,
        }
    }
}

impl FromStr for Keep {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == FOREVER {
            return Ok(Self(None));
        }
        text.parse::<PromDuration>().map(|duration| Self(Some(duration.0)))
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(duration) => PromDuration(duration).fmt(f),
            None => f.write_str(FOREVER),
        }
    }
}

impl Serialize for Keep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Keep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Keep {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Keep".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "pattern": "^(forever|0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$",
            "description": "A Prometheus duration of at least 1d such as 30d or 2y, or forever."
        })
    }
}
