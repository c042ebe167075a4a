//! How one attempt to send ended: four outcomes, not two.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How much of a provider's text is kept, in bytes: room for what a mail server says of each of
/// several recipients.
const MOST_TEXT: usize = 8 * 1024;

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
    pub reference: Option<Value>,
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

    /// The report as it can be stored and shown in one line: what the provider wrote is without
    /// control characters, of which PostgreSQL refuses U+0000, and of bounded length.
    pub fn cleaned(self) -> Self {
        Self {
            error: self.error.as_deref().map(clean),
            response: self.response.as_deref().map(clean),
            reference: self.reference.map(clean_value),
            ..self
        }
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
                && matches!(status, Some(401 | 403 | 404 | 407 | 410)),
            reference: None,
        }
    }
}

/// A provider's text in one line; what is longer than [`MOST_TEXT`] is cut.
fn clean(text: &str) -> String {
    let head = &text[..text.floor_char_boundary(MOST_TEXT)];
    let ellipsis = if head.len() < text.len() { "…" } else { "" };
    let mut clean: String = head.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.push_str(ellipsis);
    clean
}

fn clean_value(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains(char::is_control) => Value::String(clean(&text)),
        Value::Array(items) => items.into_iter().map(clean_value).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (clean(&name), clean_value(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_provider_wrote_is_one_line_without_control_characters() {
        let mut report =
            SendReport::failed(SendOutcome::Rejected, Some(550), "550 mailbox\0gone\r\nfor good");
        report.response = Some("\u{1b}[31mred\u{7f}\u{85}".to_owned());
        report.reference = Some(json!({"ts\0": ["1\u{0}2", 3, {"a": "b\n"}], "kept": "Ü \u{202e}"}));

        let clean = report.cleaned();

        assert_eq!(clean.error.unwrap(), "550 mailbox gone  for good");
        assert_eq!(clean.response.unwrap(), " [31mred  ");
        assert_eq!(clean.reference.unwrap(), json!({"ts ": ["1 2", 3, {"a": "b "}], "kept": "Ü \u{202e}"}));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let report = SendReport::failed(SendOutcome::Rejected, None, "ü".repeat(MOST_TEXT)).cleaned();

        let error = report.error.unwrap();
        assert!(error.len() <= MOST_TEXT + "…".len() && error.ends_with("ü…"), "{}", error.len());
    }
}
