//! Alertmanager's webhook body, read tolerantly: what real senders do is accepted, what is
//! unusable is refused with a reason that says what to do.
//!
//! Pure: no clock, no store. Each alert has its own verdict, so a bad one never costs its
//! neighbours. Anything a sender leaves out or adds is fine as long as there is a list of
//! alerts and each alert has a label.

use std::ops::Range;

use crate::domain::alert::Alert;
use crate::domain::clock::Timestamp;

use super::depth::{MAX_DEPTH, find_too_deep};
use super::repair::without_lone_surrogates;
use super::sniff::sniff;
use super::text::{bounded, head};
use super::twin::Keys;
use super::wire::{self, Alerts, Envelope, Scope};
pub use super::wire::{Judgement, MAX_VERDICTS_KEPT, Verdict};

#[cfg(test)]
mod tests;

/// Every place of a list of alerts.
const ALL: Range<usize> = 0..usize::MAX;
/// The longest explanation why a body is not JSON, in bytes.
const MESSAGE_BYTES: usize = 300;

/// How many reasons an answer names.
const SHOWN_REASONS: usize = 5;

/// How much is kept of a text that stands beside the alerts, in characters: lists and pages
/// show it. The body keeps all of it.
pub const MAX_ENVELOPE_CHARS: usize = 1_024;

/// What a body told. Texts beside the alerts have at most [`MAX_ENVELOPE_CHARS`] characters.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The receiver's name as the configuration has it (on the wire it is regex-quoted).
    pub receiver: String,
    /// The status of the whole, not to be trusted: a truncated body may lie.
    pub raw_status: String,
    /// Alertmanager's group; opaque, not unique; may be empty.
    pub group_key: String,
    /// The sender's own address; may be empty.
    pub external_url: String,
    /// `4`, or whatever the sender says.
    pub version: String,
    /// Why it was sent, in the sender's words; may be empty.
    pub notification_reason: String,
    /// How many alerts the sender cut off.
    pub truncated: u64,
    /// The usable alerts, in the order of the body: those of the places asked for.
    pub alerts: Vec<Alert>,
    /// How many usable alerts fire, of the places judged.
    pub firing: usize,
    /// How many usable alerts are over, of the places judged.
    pub resolved: usize,
    /// How many places the body's list of alerts has.
    pub places: usize,
    /// How many usable alerts are the one by which Grafana tests a contact point.
    grafana_tests: usize,
    /// The first [`MAX_VERDICTS_KEPT`] unusable ones.
    pub rejected: Vec<Verdict>,
    /// How many were unusable in all.
    pub rejected_count: usize,
    /// What there is to say about usable ones, of the first [`MAX_VERDICTS_KEPT`].
    pub notes: Vec<Verdict>,
    /// In how many usable ones the time of receipt stands in for one that is missing or
    /// unreadable.
    pub dated_by_receipt: usize,
    keys: Keys,
}

impl Delivery {
    /// What a second delivery of the same state has in common with this one: SHA-256 over
    /// receiver, group key and the set of (fingerprint, status, begin, end), in hexadecimal
    /// digits. The sender's address, the reason and annotations take no part.
    pub fn twin_key(&self) -> &str {
        &self.keys.delivery
    }

    /// What all deliveries of one group to one receiver have in common, in the same manner.
    pub fn group_digest(&self) -> &str {
        &self.keys.group
    }

    /// Whether it is the alert by which Grafana tests a contact point.
    pub fn is_grafana_test(&self) -> bool {
        self.taken() > 0 && self.grafana_tests == self.taken()
    }

    /// Why it is of no use: it has alerts, and none of them is usable.
    pub fn uselessness(&self) -> Option<Refusal> {
        if self.taken() > 0 || self.rejected_count == 0 {
            return None;
        }
        let reasons = self.rejected.iter().take(SHOWN_REASONS).map(|rejected| rejected.reason.as_str());
        let reasons = head(&reasons.collect::<Vec<_>>().join("; "), MESSAGE_BYTES).to_owned();
        Some(Refusal::NothingUsable { count: self.rejected_count, reasons })
    }

    /// The verdicts to keep with the event: on unusable alerts first, then notes.
    pub fn verdicts(&self) -> String {
        let all: Vec<&Verdict> = self.rejected.iter().chain(&self.notes).collect();
        serde_json::to_string(&all).unwrap_or_else(|_| "[]".to_owned())
    }

    /// Whether it tells that an alert ended.
    pub fn tells_end(&self) -> bool {
        self.resolved > 0
    }

    /// How many alerts are usable, of the places judged.
    pub fn taken(&self) -> usize {
        self.firing + self.resolved
    }
}

/// Why a body as a whole can never be accepted. Texts are short and hold no values of the
/// body beyond a few characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not JSON, or nests too deep.
    #[error("the body is not JSON: {message}")]
    NotJson {
        /// What is wrong, with line and column.
        message: String,
    },
    /// It is Alertmanager's, and none of its alerts can be used.
    #[error("none of the {count} alerts can be used; {reasons}")]
    NothingUsable {
        /// How many there are.
        count: usize,
        /// Why the first of them cannot be used.
        reasons: String,
    },
    /// It is JSON of another shape.
    #[error("the body is JSON but not Alertmanager's: it is {seen}; {hint}")]
    NotAlertBody {
        /// What was seen: shape and names of keys.
        seen: String,
        /// What to do about it.
        hint: String,
    },
}

/// Reads a body. A leading byte order mark is skipped; bytes that are not UTF-8 and halves of
/// surrogate pairs become U+FFFD. `received_at` stands in for a time that cannot be read.
///
/// # Errors
/// When nothing of the body can ever be used. A body all of whose alerts are rejected is
/// still a delivery.
pub fn parse(body: &[u8], received_at: Timestamp) -> Result<Delivery, Refusal> {
    read(body, received_at, Scope { judged: ALL, kept: ALL })
}

/// [`parse`], but no alert is kept: only what there is to say about all of them.
///
/// # Errors
/// As [`parse`].
pub fn weigh(body: &[u8], received_at: Timestamp) -> Result<Delivery, Refusal> {
    read(body, received_at, Scope { judged: ALL, kept: 0..0 })
}

/// [`parse`], but of the list of alerts only these places are judged. The twin key is not that
/// of the whole.
///
/// # Errors
/// As [`parse`].
pub fn parse_part(body: &[u8], received_at: Timestamp, places: Range<usize>) -> Result<Delivery, Refusal> {
    read(body, received_at, Scope { judged: places.clone(), kept: places })
}

fn read(body: &[u8], received_at: Timestamp, scope: Scope) -> Result<Delivery, Refusal> {
    let text = String::from_utf8_lossy(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body));
    let text = without_lone_surrogates(text);
    if let Some(at) = find_too_deep(&text) {
        return Err(too_deep(&text, at));
    }
    match wire::read(&text, received_at, scope) {
        Ok((envelope, Some(alerts))) => Ok(assemble(&envelope, alerts)),
        Ok((_, None)) => Err(other_shape(&text)),
        Err(error) if error.is_data() => Err(other_shape(&text)),
        Err(error) => Err(not_json(&text, &error)),
    }
}

fn assemble(envelope: &Envelope<'_>, alerts: Alerts) -> Delivery {
    // Twins are told apart by all of it.
    let keys = alerts.twin_key.finish(&unquote_regex(&envelope.receiver.0), &envelope.group_key.0);
    let kept = |text: &str| bounded(text, MAX_ENVELOPE_CHARS);
    Delivery {
        keys,
        receiver: kept(&unquote_regex(&envelope.receiver.0)),
        raw_status: kept(&envelope.status.0),
        group_key: kept(&envelope.group_key.0),
        external_url: kept(&envelope.external_url.0),
        version: kept(&envelope.version.0),
        notification_reason: kept(&envelope.notification_reason.0),
        truncated: envelope.truncated_alerts.0.parse().unwrap_or(0),
        alerts: alerts.taken,
        firing: alerts.firing,
        resolved: alerts.resolved,
        places: alerts.places,
        grafana_tests: alerts.grafana_tests,
        rejected: alerts.rejected,
        rejected_count: alerts.rejected_count,
        notes: alerts.notes,
        dated_by_receipt: alerts.dated_by_receipt,
    }
}

/// Undoes Go's `regexp.QuoteMeta`, through which Alertmanager sends receiver names.
fn unquote_regex(quoted: &str) -> String {
    let mut name = String::with_capacity(quoted.len());
    let mut chars = quoted.chars().peekable();
    while let Some(c) = chars.next() {
        let quoted_next = chars.next_if(|next| c == '\\' && r"\.+*?()|[]{}^$".contains(*next));
        name.push(quoted_next.unwrap_or(c));
    }
    name
}

fn other_shape(text: &str) -> Refusal {
    match sniff(text) {
        Ok(sniffed) => Refusal::NotAlertBody { seen: sniffed.seen, hint: sniffed.hint },
        Err(error) => not_json(text, &error),
    }
}

fn not_json(text: &str, error: &serde_json::Error) -> Refusal {
    if text.trim().is_empty() {
        return Refusal::NotJson { message: "it is empty".to_owned() };
    }
    Refusal::NotJson { message: head(&error.to_string(), MESSAGE_BYTES).to_owned() }
}

fn too_deep(text: &str, at: usize) -> Refusal {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
    Refusal::NotJson {
        message: format!("nested deeper than {MAX_DEPTH} levels at line {line} column {column}"),
    }
}
