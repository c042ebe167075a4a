//! One alert of an event, as Alertmanager told it.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::labels::{ALERTNAME, Labels};

/// Whether an alert says that something is wrong or that it is over.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    /// The condition holds.
    Firing,
    /// The condition no longer holds, or its data vanished.
    Resolved,
}

impl AlertStatus {
    /// The word Alertmanager uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert. Its identity is the fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Sixteen hexadecimal digits over the labels, always computed here: senders may say another.
    pub fingerprint: String,
    /// What this alert itself says; the status of the body around it is not trusted.
    pub status: AlertStatus,
    /// At least one.
    pub labels: Labels,
    /// May be empty.
    pub annotations: Labels,
    /// When the condition began to hold.
    pub starts_at: Timestamp,
    /// When it ceased to hold; `None` while firing (Alertmanager sends the year 1).
    pub ends_at: Option<Timestamp>,
    /// The link to the expression; may be empty, need not be a URL.
    pub generator_url: String,
    /// What Grafana adds.
    pub extras: Extras,
}

/// What Grafana says about an alert beyond Alertmanager's format; all of it may be empty, and
/// no URL need be one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Extras {
    /// The rule's values, `B=22.1, C=1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub values: String,
    /// The same in Grafana's own notation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value_string: String,
    /// Where to silence the alert.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub silence_url: String,
    /// The dashboard that belongs to the rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dashboard_url: String,
    /// The panel that belongs to the rule.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub panel_url: String,
    /// A picture of the panel.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image_url: String,
}

impl Extras {
    /// Whether nothing was added, as by every sender but Grafana.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The values in one line; empty without any.
    pub fn measured(&self) -> &str {
        if self.values.is_empty() { &self.value_string } else { &self.values }
    }
}

impl Alert {
    /// The rule's name, or an empty text: `alertname` is not guaranteed.
    pub fn name(&self) -> &str {
        self.labels.get(ALERTNAME).map_or("", String::as_str)
    }
}
