//! What holds the mails of one incident together, and who still has to get one of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a mail leaves for the next one of its incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The `Message-ID` of the incident's first mail.
    #[serde(default)]
    pub first: String,
    /// The notification that `taken` is about.
    #[serde(default)]
    pub notification: String,
    /// The recipients that have this notification's mail already, while others of it were
    /// asked to come back later.
    #[serde(default)]
    pub taken: Vec<String>,
}

impl Reference {
    /// As it was left, or empty.
    pub fn read(value: Option<&Value>) -> Self {
        value.and_then(|value| Self::deserialize(value).ok()).unwrap_or_default()
    }

    /// Whether `address` has the mail of `notification` already.
    pub fn has(&self, notification: &str, address: &str) -> bool {
        self.notification == notification && self.taken.iter().any(|taken| taken == address)
    }

    /// For the conversation.
    pub fn to_value(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}
