//! One alert of a body: read, judged by itself, and either taken, perhaps with a note about
//! what stands in for something unreadable, or refused with a reason. It is refused only when
//! it has no labels.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::extras;
use super::pairs::{read_pairs, text_of};
use super::text::{Name, Text, cut, head};
use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::clock::Timestamp;
use crate::domain::labels::{Labels, fingerprint};
use crate::domain::time_text::read_time;

/// The longest reason or note, in bytes.
const REASON_BYTES: usize = 300;

/// How much is kept of a label, an annotation or a link, in bytes. The body keeps all of it.
const MAX_VALUE_BYTES: usize = 16 * 1_024;
/// How much is kept of all labels or of all annotations of an alert together, in bytes, however many
/// there are of them; of each at least [`MIN_VALUE_BYTES`].
const MAX_PAIRS_BYTES: usize = 256 * 1_024;
/// What is shorter is kept whole, however many there are.
const MIN_VALUE_BYTES: usize = 64;

/// How much of an unreadable value is shown, in bytes.
const SHOWN_BYTES: usize = 64;

/// How far after its receipt an alert may say that it begins: clocks and zones differ.
const FUTURE: std::time::Duration = std::time::Duration::from_hours(24);

/// Where annotations go that are a text and no object.
const DESCRIPTION: &str = "description";

/// An alert that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub alert: Alert,
    /// What stands in for what could not be read; may be empty.
    pub note: String,
    /// The time of receipt stands in for a time.
    pub received_at_counts: bool,
    /// Begin and end as sent.
    pub sent: SentTimes,
}

/// What an alert says about its begin and its end, whenever it arrived.
#[derive(Debug, Default)]
pub(super) struct SentTimes {
    pub start: SentTime,
    pub end: SentTime,
}

/// One of its times.
#[derive(Debug, Default)]
pub(super) enum SentTime {
    /// Missing, or Go's or Unix's zero.
    #[default]
    None,
    /// A time.
    At(Timestamp),
    /// Something else.
    Unreadable(String),
}

/// Judges the JSON of one alert.
///
/// # Errors
/// The reason why it is unusable; is bounded.
pub(super) fn judge(json: &str, received_at: Timestamp) -> Result<Taken, String> {
    let wire: WireAlert<'_> = serde_json::from_str(json)
        .map_err(|_| format!("expected an object, found {}", super::sniff::name_kind(json)))?;
    let labels = read_labels(wire.labels).map_err(|reason| head(&reason, REASON_BYTES).to_owned())?;
    Ok(take(&wire, labels, received_at))
}

/// The fields of an alert as sent.
#[derive(Default)]
pub(super) struct WireAlert<'a> {
    status: Option<&'a RawValue>,
    labels: Option<&'a RawValue>,
    annotations: Option<&'a RawValue>,
    starts_at: Option<&'a RawValue>,
    ends_at: Option<&'a RawValue>,
    generator_url: Option<&'a RawValue>,
    extras: extras::Wire<'a>,
}

fn take(wire: &WireAlert<'_>, labels: Labels, received_at: Timestamp) -> Taken {
    let mut notes = Notes::default();
    let annotations = read_annotations(wire.annotations, &mut notes);
    let start = read_sent(wire.starts_at);
    let end = read_sent(wire.ends_at);
    let status = read_status(wire.status, &end, received_at, &mut notes);
    let starts_at = match (status, &end) {
        // What is over cannot have begun later.
        (AlertStatus::Resolved, SentTime::At(end)) => {
            begin(&start, received_at, received_at.min(*end), &mut notes)
        }
        _ => begin(&start, received_at, received_at, &mut notes),
    };
    let (ends_at, sent_end) = match status {
        // What a firing alert says about its end is a forecast at best.
        AlertStatus::Firing => (None, SentTime::None),
        AlertStatus::Resolved => (self::end(&end, starts_at, received_at, &mut notes), end),
    };
    let alert = Alert {
        // Of all of it: what is cut may be what tells two alerts apart.
        fingerprint: fingerprint(&labels),
        status,
        labels: cut_values(labels),
        annotations: cut_values(annotations),
        starts_at,
        ends_at,
        generator_url: cut(text_of(wire.generator_url).into_string(), MAX_VALUE_BYTES),
        extras: wire.extras.read(),
    };
    Taken {
        alert,
        note: head(&notes.said.join("; "), REASON_BYTES).to_owned(),
        received_at_counts: notes.received_at_counts,
        sent: SentTimes { start, end: sent_end },
    }
}

/// Without the ends of values that are beyond all use: they would be copied into every message
/// and shown on every page. Names are kept whole as far as they are shorter.
fn cut_values(pairs: Labels) -> Labels {
    let all: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let limit = if all <= MAX_PAIRS_BYTES {
        MAX_VALUE_BYTES
    } else {
        (MAX_PAIRS_BYTES / (2 * pairs.len())).clamp(MIN_VALUE_BYTES, MAX_VALUE_BYTES)
    };
    let is_long = |(name, value): (&String, &String)| name.len().max(value.len()) > limit;
    if !pairs.iter().any(is_long) {
        return pairs;
    }
    pairs.into_iter().map(|(name, value)| (cut(name, limit), cut(value, limit))).collect()
}

/// What there is to say about an alert that was taken.
#[derive(Default)]
struct Notes {
    said: Vec<String>,
    received_at_counts: bool,
}

impl Notes {
    fn received_at_counts(&mut self, field: &str, what: &str) {
        self.said.push(format!("{field} {what}: the time of receipt counts"));
        self.received_at_counts = true;
    }
}

/// The begin told, or what stands in for it.
fn begin(sent: &SentTime, received_at: Timestamp, stand_in: Timestamp, notes: &mut Notes) -> Timestamp {
    match sent {
        SentTime::At(at) if *at <= received_at.plus(FUTURE) => return *at,
        SentTime::At(at) => notes.received_at_counts("startsAt", &format!("{at} is in the future")),
        SentTime::None => notes.received_at_counts("startsAt", "is missing"),
        SentTime::Unreadable(text) => notes.received_at_counts("startsAt", &unreadable(text)),
    }
    stand_in
}

/// The end of a resolved alert; a missing one stays missing.
fn end(
    sent: &SentTime,
    starts_at: Timestamp,
    received_at: Timestamp,
    notes: &mut Notes,
) -> Option<Timestamp> {
    match sent {
        SentTime::None => return None,
        SentTime::At(at) if *at < starts_at => {
            notes.received_at_counts("endsAt", &format!("{at} is before startsAt"));
        }
        SentTime::At(at) if *at <= received_at.plus(FUTURE) => return Some(*at),
        SentTime::At(at) => notes.received_at_counts("endsAt", &format!("{at} is in the future")),
        SentTime::Unreadable(text) => notes.received_at_counts("endsAt", &unreadable(text)),
    }
    Some(received_at.max(starts_at))
}

fn unreadable(text: &str) -> String {
    format!("{:?} is no time", head(text, SHOWN_BYTES))
}

fn read_sent(value: Option<&RawValue>) -> SentTime {
    let text = text_of(value);
    match read_time(&text.0) {
        _ if text.0.trim().is_empty() => SentTime::None,
        Some(time) if time.as_millis() <= 0 => SentTime::None,
        Some(time) => SentTime::At(time),
        None => SentTime::Unreadable(text.into_string()),
    }
}

/// The status told, or what the end says where none or an unknown one is told, as
/// Alertmanager does.
fn read_status(
    told: Option<&RawValue>,
    end: &SentTime,
    received_at: Timestamp,
    notes: &mut Notes,
) -> AlertStatus {
    let told = text_of(told);
    let word = told.0.trim();
    if let Some(known) = [AlertStatus::Firing, AlertStatus::Resolved]
        .into_iter()
        .find(|s| word.eq_ignore_ascii_case(s.as_str()))
    {
        return known;
    }
    let status = match end {
        SentTime::At(end) if *end <= received_at => AlertStatus::Resolved,
        _ => AlertStatus::Firing,
    };
    if !word.is_empty() {
        let shown = head(word, SHOWN_BYTES);
        let status = status.as_str();
        notes.said.push(format!(
            "status {shown:?} is neither \"firing\" nor \"resolved\": by endsAt the alert counts as {status}"
        ));
    }
    status
}

/// The labels, of which there must be one.
fn read_labels(value: Option<&RawValue>) -> Result<Labels, String> {
    let mut labels = match value.map(|value| read_pairs(value).ok_or(value)) {
        None => Labels::new(),
        Some(Ok(labels)) => labels,
        Some(Err(value)) => {
            let kind = super::sniff::name_kind(value.get());
            return Err(format!("labels: expected an object of names and texts, found {kind}"));
        }
    };
    // Alertmanager drops empty values: to a matcher they are the same as none.
    labels.retain(|name, value| !name.is_empty() && !value.is_empty());
    if labels.is_empty() {
        return Err("labels: none, and an alert needs at least one".to_owned());
    }
    Ok(labels)
}

/// The annotations; what is no object is the description.
fn read_annotations(value: Option<&RawValue>, notes: &mut Notes) -> Labels {
    let Some(value) = value else { return Labels::new() };
    if let Some(annotations) = read_pairs(value) {
        return annotations;
    }
    notes.said.push("annotations are no object: taken as the description".to_owned());
    Labels::from([(DESCRIPTION.to_owned(), Text::of(value).into_string())])
}

impl<'de> Deserialize<'de> for WireAlert<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AlertVisitor)
    }
}

struct AlertVisitor;

impl<'de> Visitor<'de> for AlertVisitor {
    type Value = WireAlert<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    // By hand, since a derived reader refuses a key that stands twice; here the last wins.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireAlert<'de>, A::Error> {
        let mut alert = WireAlert::default();
        while let Some(Name(key)) = map.next_key()? {
            let field = match key.as_ref() {
                "status" => Some(&mut alert.status),
                "labels" => Some(&mut alert.labels),
                "annotations" => Some(&mut alert.annotations),
                "startsAt" => Some(&mut alert.starts_at),
                "endsAt" => Some(&mut alert.ends_at),
                "generatorURL" => Some(&mut alert.generator_url),
                other => alert.extras.field(other),
            };
            match field {
                Some(field) => *field = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(alert)
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
