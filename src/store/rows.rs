//! Rows of incidents, members and conversations, and their conversion to domain types. A
//! stored value that means nothing to this version is named by table, column and id.

use serde::de::DeserializeOwned;

use super::StoreError;
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Conversation, Incident, Member, ResolveReason};
use crate::domain::severity::Severity;

#[derive(sqlx::FromRow)]
pub(super) struct IncidentRow {
    pub id: String,
    dedup_key: String,
    state: String,
    severity: String,
    severity_raw: String,
    entry: String,
    version: String,
    alertname: String,
    source: String,
    receiver: String,
    external_url: String,
    truncated: i64,
    started_at: i64,
    opened_at: i64,
    updated_at: i64,
    last_seen_at: i64,
    resolved_at: Option<i64>,
    resolve_reason: Option<String>,
    reopened: i64,
    firing: i64,
    members: i64,
    tally: String,
}

/// The columns of [`IncidentRow`], for every statement that reads incidents.
macro_rules! incident_columns {
    () => {
        "id, dedup_key, state, severity, severity_raw, entry, version, alertname, source, receiver, external_url, \
         truncated, started_at, opened_at, updated_at, last_seen_at, resolved_at, resolve_reason, reopened, firing, \
         members, tally"
    };
}

impl IncidentRow {
    pub fn into_incident(self) -> Result<Incident, StoreError> {
        let key = self.id.clone();
        let corrupt = |column| {
            let key = &key;
            move |detail| corrupt("incidents", column, key, detail)
        };
        Ok(Incident {
            state: word(&self.state).map_err(corrupt("state"))?,
            severity: word(&self.severity).map_err(corrupt("severity"))?,
            resolve_reason: self
                .resolve_reason
                .as_deref()
                .map(word::<ResolveReason>)
                .transpose()
                .map_err(corrupt("resolve_reason"))?,
            tally: json(&self.tally).map_err(corrupt("tally"))?,
            truncated: unsigned(self.truncated),
            started_at: Timestamp::from_millis(self.started_at),
            opened_at: Timestamp::from_millis(self.opened_at),
            updated_at: Timestamp::from_millis(self.updated_at),
            last_seen_at: Timestamp::from_millis(self.last_seen_at),
            resolved_at: self.resolved_at.map(Timestamp::from_millis),
            reopened: u32::try_from(self.reopened).unwrap_or(u32::MAX),
            firing: u32::try_from(self.firing).unwrap_or(u32::MAX),
            members: u32::try_from(self.members).unwrap_or(u32::MAX),
            dedup_key: self.dedup_key,
            severity_raw: self.severity_raw,
            entry: self.entry,
            version: self.version,
            alertname: self.alertname,
            source: self.source,
            receiver: self.receiver,
            external_url: self.external_url,
            id: self.id,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct MemberRow {
    pub incident_id: String,
    fingerprint: String,
    status: String,
    severity: String,
    severity_raw: String,
    labels: String,
    annotations: String,
    starts_at: i64,
    ends_at: Option<i64>,
    generator_url: String,
    extras: String,
    event_id: String,
}

/// The columns of [`MemberRow`].
macro_rules! member_columns {
    () => {
        "incident_id, fingerprint, status, severity, severity_raw, labels, annotations, starts_at, ends_at, \
         generator_url, extras, event_id"
    };
}

impl MemberRow {
    pub fn into_member(self) -> Result<(String, Member), StoreError> {
        let key = self.fingerprint.clone();
        let corrupt = |column| {
            let key = &key;
            move |detail| corrupt("members", column, key, detail)
        };
        let member = Member {
            status: word::<AlertStatus>(&self.status).map_err(corrupt("status"))?,
            severity: word::<Severity>(&self.severity).map_err(corrupt("severity"))?,
            labels: json(&self.labels).map_err(corrupt("labels"))?,
            annotations: json(&self.annotations).map_err(corrupt("annotations"))?,
            extras: json(&self.extras).map_err(corrupt("extras"))?,
            starts_at: Timestamp::from_millis(self.starts_at),
            ends_at: self.ends_at.map(Timestamp::from_millis),
            fingerprint: self.fingerprint,
            severity_raw: self.severity_raw,
            generator_url: self.generator_url,
            event_id: self.event_id,
        };
        Ok((self.incident_id, member))
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct ConversationRow {
    pub incident_id: String,
    channel: String,
    told: Option<String>,
    next_due_at: Option<i64>,
    last_answer: String,
}

impl ConversationRow {
    pub fn into_conversation(self) -> Result<(String, Conversation), StoreError> {
        let key = self.incident_id.clone();
        let corrupt = |column| {
            let key = &key;
            move |detail| corrupt("conversations", column, key, detail)
        };
        let conversation = Conversation {
            told: self.told.as_deref().map(json).transpose().map_err(corrupt("told"))?,
            next_due_at: self.next_due_at.map(Timestamp::from_millis),
            channel: self.channel,
            last_answer: self.last_answer,
        };
        Ok((self.incident_id, conversation))
    }
}

fn corrupt(table: &'static str, column: &'static str, id: &str, detail: String) -> StoreError {
    StoreError::Corrupt { table, column, id: id.to_owned(), detail }
}

/// A stored word as the enum that serialises to it.
pub(super) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    use serde::de::IntoDeserializer as _;
    use serde::de::value::{Error, StrDeserializer};
    let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|e| e.to_string())
}

/// Stored JSON as a domain type.
pub(super) fn json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}

/// A domain type as JSON to store.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> String {
    // The domain's types have text keys and finite numbers: they always serialise.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
