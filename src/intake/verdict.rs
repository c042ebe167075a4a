//! One alert of a body: read, judged by itself, and either taken or refused with a reason.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::text::{Text, explain, head};
use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::clock::Timestamp;
use crate::domain::labels::{Labels, fingerprint};

/// The longest reason, in bytes.
const REASON_BYTES: usize = 300;

/// An alert that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub alert: Alert,
    /// `startsAt` as sent; absent when our own clock stands in for it.
    pub sent_start: Option<Timestamp>,
}

/// Judges the JSON of one alert.
///
/// # Errors
/// The reason why it is unusable; begins with the field's name, is bounded.
pub(super) fn judge(json: &str, received_at: Timestamp) -> Result<Taken, String> {
    serde_json::from_str(json)
        .map_err(|error| explain(&error))
        .and_then(|wire: WireAlert<'_>| take(wire, received_at))
        .map_err(|reason| head(&reason, REASON_BYTES).to_owned())
}

/// The fields of an alert as sent; what is absent is empty.
#[derive(Default)]
struct WireAlert<'a> {
    status: Text<'a>,
    labels: Pairs,
    annotations: Pairs,
    starts_at: Text<'a>,
    ends_at: Text<'a>,
    generator_url: Text<'a>,
    fingerprint: Text<'a>,
}

fn take(wire: WireAlert<'_>, received_at: Timestamp) -> Result<Taken, String> {
    let mut labels = wire.labels.0;
    // Alertmanager drops empty values: to a matcher they are the same as none.
    labels.retain(|name, value| !name.is_empty() && !value.is_empty());
    if labels.is_empty() {
        return Err("labels: none, and an alert needs at least one".to_owned());
    }
    let sent_start = read_time("startsAt", &wire.starts_at)?;
    let sent_end = read_time("endsAt", &wire.ends_at)?;
    let status = read_status(&wire.status, sent_end, received_at)?;
    let alert = Alert {
        fingerprint: read_fingerprint(wire.fingerprint).unwrap_or_else(|| fingerprint(&labels)),
        status,
        labels,
        annotations: wire.annotations.0,
        starts_at: sent_start.unwrap_or(received_at),
        ends_at: sent_end.filter(|_| status == AlertStatus::Resolved),
        generator_url: wire.generator_url.into_string(),
    };
    Ok(Taken { alert, sent_start })
}

/// The time of a field; `None` when it is empty or a zero (Go's year 1, Unix's 1970).
fn read_time(field: &str, text: &Text<'_>) -> Result<Option<Timestamp>, String> {
    if text.0.is_empty() {
        return Ok(None);
    }
    let time = Timestamp::parse_rfc3339(&text.0).map_err(|error| format!("{field}: {error}"))?;
    Ok(Some(time).filter(|time| time.as_millis() > 0))
}

/// The status told, or what the end says where none is told, as Alertmanager does.
fn read_status(told: &Text<'_>, ends_at: Option<Timestamp>, now: Timestamp) -> Result<AlertStatus, String> {
    let is_over = ends_at.is_some_and(|end| end <= now);
    match told.0.trim() {
        word if word.eq_ignore_ascii_case("firing") => Ok(AlertStatus::Firing),
        word if word.eq_ignore_ascii_case("resolved") => Ok(AlertStatus::Resolved),
        "" if is_over => Ok(AlertStatus::Resolved),
        "" => Ok(AlertStatus::Firing),
        other => Err(format!("status: {:?} is neither \"firing\" nor \"resolved\"", head(other, 64))),
    }
}

/// The fingerprint told, when it is one.
fn read_fingerprint(told: Text<'_>) -> Option<String> {
    let is_one = told.0.len() == 16 && told.0.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| {
        let mut text = told.into_string();
        text.make_ascii_lowercase();
        text
    })
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
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match key.0.as_ref() {
                "status" => alert.status = read_value(&mut map, "status")?,
                "labels" => alert.labels = read_value(&mut map, "labels")?,
                "annotations" => alert.annotations = read_value(&mut map, "annotations")?,
                "startsAt" => alert.starts_at = read_value(&mut map, "startsAt")?,
                "endsAt" => alert.ends_at = read_value(&mut map, "endsAt")?,
                "generatorURL" => alert.generator_url = read_value(&mut map, "generatorURL")?,
                "fingerprint" => alert.fingerprint = read_value(&mut map, "fingerprint")?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(alert)
    }
}

fn read_value<'de, A: MapAccess<'de>, T: Deserialize<'de>>(map: &mut A, field: &str) -> Result<T, A::Error> {
    map.next_value().map_err(|error| A::Error::custom(format_args!("{field}: {error}")))
}

/// Labels or annotations: an object, or what stands for an empty one (`null`, and `[]` as
/// PHP writes it).
#[derive(Default)]
struct Pairs(Labels);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Labels::new();
        while let Some((name, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
            pairs.insert(name.into_string(), value.into_string());
        }
        Ok(Pairs(pairs))
    }

    fn visit_unit<E: Error>(self) -> Result<Pairs, E> {
        Ok(Pairs::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pairs, A::Error> {
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(Pairs::default()),
            Some(_) => Err(A::Error::custom("expected an object of names and texts, found a list")),
        }
    }
}
