//! The rows that triage writes: the statements, and in which order their values are bound, for
//! either database and for one statement or many in one call.

use super::script::Rows;
use crate::domain::alert::AlertStatus;
use crate::domain::incident::Member;
use crate::domain::severity::Severity;

pub(super) const EVENTS: Rows = Rows {
    prefix: "UPDATE events SET state = v.column2, reason = v.column3, processed_at = v.column4 FROM (",
    columns: 4,
    suffix: ") AS v WHERE events.id = v.column1",
};
pub(super) const PROGRESS: Rows = Rows {
    prefix: "INSERT INTO event_progress (event_id, place)",
    columns: 2,
    suffix: "ON CONFLICT (event_id) DO UPDATE SET place = excluded.place",
};
pub(super) const INCIDENTS: Rows = Rows {
    prefix: concat!("INSERT INTO incidents (is_current, ", incident_columns!(), ")"),
    columns: 23,
    suffix: "ON CONFLICT (id) DO UPDATE SET \
     is_current = (incidents.is_current AND excluded.is_current), state = excluded.state, \
     severity = excluded.severity, severity_raw = excluded.severity_raw, version = excluded.version, \
     receiver = excluded.receiver, external_url = excluded.external_url, truncated = excluded.truncated, \
     started_at = excluded.started_at, updated_at = excluded.updated_at, last_seen_at = excluded.last_seen_at, \
     resolved_at = excluded.resolved_at, resolve_reason = excluded.resolve_reason, reopened = excluded.reopened, \
     firing = excluded.firing, members = excluded.members, tally = excluded.tally",
};
pub(super) const MEMBERS: Rows = Rows {
    prefix: concat!("INSERT INTO members (place, first_seen_at, last_seen_at, ", member_columns!(), ")"),
    columns: 15,
    suffix: "ON CONFLICT (incident_id, fingerprint) DO UPDATE SET status = excluded.status, \
     severity = excluded.severity, severity_raw = excluded.severity_raw, annotations = excluded.annotations, \
     starts_at = excluded.starts_at, ends_at = excluded.ends_at, generator_url = excluded.generator_url, extras = excluded.extras, \
     event_id = excluded.event_id, place = excluded.place, last_seen_at = excluded.last_seen_at",
};
pub(super) const TIMELINE: Rows = Rows {
    prefix: "INSERT INTO timeline (id, incident_id, at, kind, actor, detail)",
    columns: 6,
    suffix: "",
};
pub(super) const CONVERSATIONS: Rows = Rows {
    prefix: "INSERT INTO conversations (incident_id, channel, told, next_due_at, last_answer)",
    columns: 5,
    suffix: "ON CONFLICT (incident_id, channel) DO UPDATE SET told = excluded.told, \
     next_due_at = excluded.next_due_at, last_answer = excluded.last_answer",
};
pub(super) const DECISIONS: Rows = Rows {
    prefix: "INSERT INTO decisions (id, incident_id, channel, at, outcome, kind, until_at, reason, \
     notification_id, route)",
    columns: 10,
    suffix: "",
};
pub(super) const NOTIFICATIONS: Rows = Rows {
    prefix: "INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, \
     alertname, received_at, created_at, due_at, expires_at, attempts, series, reason, maybe_twice, snapshot, \
     priority)",
    columns: 18,
    suffix: "",
};
/// Which messages are about which incidents.
pub(super) const SUBJECTS: Rows = Rows {
    prefix: "INSERT INTO notification_incidents (notification_id, incident_id)",
    columns: 2,
    suffix: "ON CONFLICT DO NOTHING",
};
pub(super) const SOURCES: Rows = Rows {
    prefix: "INSERT INTO alert_sources (key, external_url, receiver, source, first_seen_at, last_seen_at, events)",
    columns: 7,
    suffix: "ON CONFLICT (key) DO UPDATE SET \
     last_seen_at = excluded.last_seen_at, events = alert_sources.events + excluded.events",
};

macro_rules! bind_triaged_event {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.id)
            .bind(if $row.failure.is_some() { "failed" } else { "processed" })
            .bind($row.failure.as_deref().unwrap_or_default())
            .bind($row.at.as_millis())
    };
}
macro_rules! bind_progress {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.event_id)
            .bind($row.next.map_or(0, |place| i64::try_from(place).unwrap_or(i64::MAX)))
    };
}
macro_rules! bind_incident {
    ($query:expr, $row:expr) => {
        $query
            .bind($row.is_current)
            .bind(&$row.incident.id)
            .bind(&$row.incident.dedup_key)
            .bind($row.incident.state.as_str())
            .bind($row.incident.severity.as_str())
            .bind(&$row.incident.severity_raw)
            .bind(&$row.incident.entry)
            .bind(&$row.incident.version)
            .bind(&$row.incident.alertname)
            .bind(&$row.incident.source)
            .bind(&$row.incident.receiver)
            .bind(&$row.incident.external_url)
            .bind($crate::store::rows::signed($row.incident.truncated))
            .bind($row.incident.started_at.as_millis())
            .bind($row.incident.opened_at.as_millis())
            .bind($row.incident.updated_at.as_millis())
            .bind($row.incident.last_seen_at.as_millis())
            .bind($row.incident.resolved_at.map($crate::domain::clock::Timestamp::as_millis))
            .bind($row.incident.resolve_reason.map($crate::domain::incident::ResolveReason::as_str))
            .bind(i64::from($row.incident.reopened))
            .bind(i64::from($row.incident.firing))
            .bind(i64::from($row.incident.members))
            .bind($crate::store::rows::to_json(&$row.incident.tally))
    };
}
macro_rules! bind_member {
    ($query:expr, $row:expr) => {
        $query
            .bind($crate::store::triage_rows::place(&$row.member))
            .bind($row.at.as_millis())
            .bind($row.at.as_millis())
            .bind(&$row.incident_id)
            .bind(&$row.member.fingerprint)
            .bind($row.member.status.as_str())
            .bind($row.member.severity.as_str())
            .bind(&$row.member.severity_raw)
            .bind($crate::store::rows::to_json(&$row.member.labels))
            .bind($crate::store::rows::to_json(&$row.member.annotations))
            .bind($row.member.starts_at.as_millis())
            .bind($row.member.ends_at.map($crate::domain::clock::Timestamp::as_millis))
            .bind(&$row.member.generator_url)
            .bind($crate::store::rows::to_json(&$row.member.extras))
            .bind(&$row.member.event_id)
    };
}
macro_rules! bind_timeline {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.id)
            .bind(&$row.incident_id)
            .bind($row.at.as_millis())
            .bind(&$row.kind)
            .bind(&$row.actor)
            .bind($row.detail.to_string())
    };
}
macro_rules! bind_conversation {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.0)
            .bind(&$row.1.channel)
            .bind($row.1.told.as_ref().map($crate::store::rows::to_json))
            .bind($row.1.next_due_at.map($crate::domain::clock::Timestamp::as_millis))
            .bind(&$row.1.last_answer)
    };
}
macro_rules! bind_decision {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.id)
            .bind(&$row.incident_id)
            .bind(&$row.channel)
            .bind($row.at.as_millis())
            .bind($row.outcome)
            .bind($row.kind)
            .bind($row.until.map($crate::domain::clock::Timestamp::as_millis))
            .bind(&$row.reason)
            .bind(&$row.notification_id)
            .bind($crate::store::rows::to_json(&$row.route))
    };
}
macro_rules! bind_notification {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.id)
            .bind(&$row.channel)
            .bind(&$row.snapshot.incident.dedup_key)
            .bind($row.snapshot.kind.as_str())
            .bind("pending")
            .bind($row.snapshot.incident.severity.as_str())
            .bind(&$row.snapshot.incident.entry)
            .bind(&$row.snapshot.incident.alertname)
            .bind($row.received_at.map($crate::domain::clock::Timestamp::as_millis))
            .bind($row.snapshot.at.as_millis())
            .bind($row.snapshot.at.as_millis())
            .bind($row.expires_at.as_millis())
            .bind(0_i64)
            .bind(1_i64)
            .bind("")
            .bind(false)
            .bind($crate::store::rows::to_json(&$row.snapshot))
            .bind(i64::from($row.priority()))
    };
}
macro_rules! bind_subject {
    ($query:expr, $row:expr) => {
        $query.bind($row.0).bind($row.1)
    };
}
macro_rules! bind_source {
    ($query:expr, $row:expr) => {
        $query
            .bind($row.key())
            .bind(&$row.external_url)
            .bind(&$row.receiver)
            .bind(&$row.source)
            .bind($row.at.as_millis())
            .bind($row.at.as_millis())
            .bind($crate::store::rows::signed($row.events))
    };
}
pub(super) use {
    bind_conversation, bind_decision, bind_incident, bind_member, bind_notification, bind_progress,
    bind_source, bind_subject, bind_timeline, bind_triaged_event,
};

/// The order in which members matter: firing ones first, then by severity.
pub(super) fn place(member: &Member) -> i64 {
    let severity = Severity::ALL.iter().position(|severity| *severity == member.severity).unwrap_or(0);
    let over = match member.status {
        AlertStatus::Firing => 0,
        AlertStatus::Resolved => Severity::ALL.len(),
    };
    i64::try_from(over + severity).unwrap_or(i64::MAX)
}
