//! One alert of an event, as Alertmanager told it.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::labels::{ALERTNAME, Labels};

/// Whether an alert says that something is wrong or that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// Sixteen hexadecimal digits over the labels.
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
}

impl Alert {
    /// The rule's name, or an empty text: `alertname` is not guaranteed.
    pub fn name(&self) -> &str {
        self.labels.get(ALERTNAME).map_or("", String::as_str)
    }
}
