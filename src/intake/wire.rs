//! Alertmanager's webhook body as it stands on the wire (`notify/webhook`, version "4"),
//! read in one pass: each alert is judged as it passes, so that a bad one costs itself.

use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{Name, Text, head};
use super::twin::TwinKey;
use super::verdict::judge;
use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::clock::Timestamp;

/// How many rejected alerts are kept with their reason, and how many notes; the rest is only
/// counted.
pub const MAX_VERDICTS_KEPT: usize = 100;

/// How much of an alert is kept with its verdict, in bytes.
const HEAD_BYTES: usize = 2_048;

/// What became of an alert that is not simply taken as it is.
#[derive(serde::Serialize, Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// It could not be used.
    Rejected,
    /// It was taken; something stands in for what could not be read.
    Noted,
}

/// Why an alert could not be used, or what there is to say about one that was.
#[derive(serde::Serialize, Clone, Debug, PartialEq, Eq, utoipa::ToSchema)]
pub struct Verdict {
    /// Its place in the body, from 0.
    pub index: usize,
    /// Whether it was used.
    pub verdict: Judgement,
    /// Why: names the alert and the field; at most a few hundred bytes.
    pub reason: String,
    /// The beginning of its JSON.
    pub head: String,
}

/// The fields of a body; what is absent is empty.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    pub receiver: Text<'a>,
    pub status: Text<'a>,
    pub external_url: Text<'a>,
    pub version: Text<'a>,
    pub group_key: Text<'a>,
    pub notification_reason: Text<'a>,
    pub truncated_alerts: Text<'a>,
}

/// Which places of the list of alerts are looked at, and which of these are kept: a body may
/// hold more alerts than there is memory for at once.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub judged: Range<usize>,
    pub kept: Range<usize>,
}

/// The alerts of a body, judged.
#[derive(Default)]
pub(super) struct Alerts {
    /// Those to be kept.
    pub taken: Vec<Alert>,
    /// How many of those judged fire.
    pub firing: usize,
    /// How many of those judged are over.
    pub resolved: usize,
    /// How many places the list has.
    pub places: usize,
    /// How many of those judged are the one by which Grafana tests a contact point.
    pub grafana_tests: usize,
    /// At most [`MAX_VERDICTS_KEPT`].
    pub rejected: Vec<Verdict>,
    pub rejected_count: usize,
    /// At most [`MAX_VERDICTS_KEPT`].
    pub notes: Vec<Verdict>,
    /// How many alerts are dated by their receipt.
    pub dated_by_receipt: usize,
    pub twin_key: TwinKey,
}

/// Reads a JSON text. The alerts are `None` when there is no such key, and empty when it
/// is `null`.
///
/// # Errors
/// Of the category `Data` when it is another shape of JSON (no object, or `alerts` is no
/// list); of another category when it is no JSON.
pub(super) fn read(
    text: &str,
    received_at: Timestamp,
    scope: Scope,
) -> Result<(Envelope<'_>, Option<Alerts>), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let body = deserializer.deserialize_map(EnvelopeVisitor { received_at, scope })?;
    deserializer.end()?;
    Ok(body)
}

struct EnvelopeVisitor {
    received_at: Timestamp,
    scope: Scope,
}

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = (Envelope<'de>, Option<Alerts>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    // By hand, since a derived reader refuses a key that stands twice; here the last wins.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut envelope, mut alerts) = (Envelope::default(), None);
        while let Some(Name(key)) = map.next_key()? {
            match key.as_ref() {
                "receiver" => envelope.receiver = map.next_value()?,
                "status" => envelope.status = map.next_value()?,
                "externalURL" => envelope.external_url = map.next_value()?,
                "version" => envelope.version = map.next_value()?,
                "groupKey" => envelope.group_key = map.next_value()?,
                "notification_reason" => envelope.notification_reason = map.next_value()?,
                "truncatedAlerts" => envelope.truncated_alerts = map.next_value()?,
                "alerts" => {
                    let (received_at, scope) = (self.received_at, self.scope.clone());
                    alerts = Some(map.next_value_seed(AlertsReader { received_at, scope })?);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((envelope, alerts))
    }
}

struct AlertsReader {
    received_at: Timestamp,
    scope: Scope,
}

impl<'de> DeserializeSeed<'de> for AlertsReader {
    type Value = Alerts;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Alerts, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AlertsReader {
    type Value = Alerts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of alerts")
    }

    fn visit_unit<E: Error>(self) -> Result<Alerts, E> {
        Ok(Alerts::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Alerts, A::Error> {
        let mut alerts = Alerts::default();
        while let Some(json) = seq.next_element::<&'de RawValue>()? {
            if self.scope.judged.contains(&alerts.places) {
                alerts.add(json.get(), self.received_at, &self.scope);
            }
            alerts.places += 1;
        }
        Ok(alerts)
    }
}

impl Alerts {
    fn add(&mut self, json: &str, received_at: Timestamp, scope: &Scope) {
        let index = self.places;
        match judge(json, received_at) {
            Ok(taken) => {
                self.twin_key.add_taken(&taken);
                self.dated_by_receipt += usize::from(taken.received_at_counts);
                if !taken.note.is_empty() {
                    keep(&mut self.notes, Judgement::Noted, index, &taken.note, json);
                }
                self.grafana_tests += usize::from(is_grafana_test(&taken.alert));
                match taken.alert.status {
                    AlertStatus::Firing => self.firing += 1,
                    AlertStatus::Resolved => self.resolved += 1,
                }
                if scope.kept.contains(&index) {
                    self.taken.push(taken.alert);
                }
            }
            Err(reason) => {
                self.twin_key.add_rejected(json);
                self.rejected_count += 1;
                keep(&mut self.rejected, Judgement::Rejected, index, &reason, json);
            }
        }
    }
}

fn keep(kept: &mut Vec<Verdict>, verdict: Judgement, index: usize, reason: &str, json: &str) {
    if kept.len() < MAX_VERDICTS_KEPT {
        let reason = format!("alert {index}: {reason}");
        kept.push(Verdict { index, verdict, reason, head: head(json, HEAD_BYTES).to_owned() });
    }
}

fn is_grafana_test(alert: &Alert) -> bool {
    let names_grafana = alert.labels.get("instance").is_some_and(|instance| instance == "Grafana");
    alert.name() == "TestAlert"
        && (names_grafana || !alert.extras.is_empty() || alert.labels.contains_key("grafana_folder"))
}
