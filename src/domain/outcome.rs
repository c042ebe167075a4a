//! How one attempt to send ended: four outcomes, not two.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The four ways a send can end, as the provider defines success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// The provider has it.
    Accepted,
    /// The provider said never: the message goes to the dead letters.
    Rejected,
    /// The provider surely did nothing: a retry cannot duplicate.
    NotProcessed,
    /// Nobody knows: a retry may tell it twice.
    Ambiguous,
}

impl SendOutcome {
    /// The word used in the log, the API and the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NotProcessed => "not_processed",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// The outcome named by `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Rejected, Self::NotProcessed, Self::Ambiguous]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
    }
}

/// What an attempt brought back.
#[derive(Clone, Debug)]
#[must_use]
pub struct SendReport {
    /// How it ended.
    pub outcome: SendOutcome,
    /// The provider's status code (HTTP status or SMTP reply), when it answered.
    pub status: Option<u16>,
    /// Why it did not end well: lower case, without any secret. `None` when accepted, but
    /// for a mail that some of its recipients were refused: they are named.
    pub error: Option<String>,
    /// The head of the provider's answer, bounded and redacted.
    pub response: Option<String>,
    /// Do not try again sooner than this.
    pub retry_after: Option<Duration>,
    /// The hint speaks for the whole channel (429, throttling), not for this message alone.
    pub slows_channel: bool,
    /// The refusal is about the channel, not about this message: wrong or revoked
    /// credentials, a destination that is gone. Nothing else would get through either.
    pub refuses_channel: bool,
    /// How to refer to the message later (Slack's `channel` and `ts`, a mail's message id):
    /// kept with the conversation and handed to the next message of the incident, even
    /// when this attempt did not end well.
    pub reference: Option<serde_json::Value>,
}

impl SendReport {
    /// The provider has the message.
    pub fn accepted(status: Option<u16>) -> Self {
        Self::new(SendOutcome::Accepted, status, None)
    }

    /// An end other than acceptance, and why.
    pub fn failed(outcome: SendOutcome, status: Option<u16>, error: impl Into<String>) -> Self {
        Self::new(outcome, status, Some(error.into()))
    }

    fn new(outcome: SendOutcome, status: Option<u16>, error: Option<String>) -> Self {
        Self {
            outcome,
            status,
            error,
            response: None,
            retry_after: None,
            slows_channel: false,
            refuses_channel: outcome == SendOutcome::Rejected
                && matches!(status, Some(401 | 403 | 404 | 410)),
            reference: None,
        }
    }
}
