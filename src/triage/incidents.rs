//! The life of an incident: how one observed alert changes it. Pure.
//!
//! open → (severity rises or falls, alerts join and leave) → resolved → reopened. Every
//! change leaves a line for the timeline. An incident resolves only because its last firing
//! member was reported resolved, somebody said so, or nothing was heard for too long.

use serde_json::{Value, json};

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Incident, IncidentState, Member, ResolveReason, Tally};
use crate::domain::severity::Severity;

/// How much of an annotation a member keeps; no channel shows as much.
const MAX_ANNOTATION_BYTES: usize = 16 * 1_024;

/// One alert of an event with what triage found out about it.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The alert.
    pub alert: Alert,
    /// The name of the problem.
    pub dedup_key: String,
    /// The catalog entry's slug; empty when none matched.
    pub entry: String,
    /// How the entry was found; empty when none matched.
    pub matched_by: String,
    /// The version a label named.
    pub version: Option<String>,
    /// The severity, normalised.
    pub severity: Severity,
    /// The word the alert used.
    pub severity_raw: String,
    /// What the body context it said.
    pub origin: Origin,
}

/// What a body says about all of its alerts.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The stored event.
    pub event_id: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// `alertmanager`.
    pub source: String,
    /// The sender's receiver name.
    pub receiver: String,
    /// The sender's address.
    pub external_url: String,
    /// How many alerts the sender cut.
    pub truncated: u64,
}

/// A line of an incident's timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineEvent {
    /// `opened`, `alert_joined`, `alert_resolved`, `severity_raised`, `severity_lowered`,
    /// `resolved`, `reopened`.
    pub kind: &'static str,
    /// What there is to say about it.
    pub detail: Value,
}

/// A new incident, opened by its first alert. It has no member yet: [`observe`] adds it.
pub fn open(id: String, seen: &Observation, now: Timestamp) -> Incident {
    Incident {
        id,
        dedup_key: seen.dedup_key.clone(),
        state: IncidentState::Open,
        severity: seen.severity,
        severity_raw: seen.severity_raw.clone(),
        entry: seen.entry.clone(),
        version: seen.version.clone().unwrap_or_default(),
        alertname: seen.alert.name().to_owned(),
        source: seen.origin.source.clone(),
        receiver: seen.origin.receiver.clone(),
        external_url: seen.origin.external_url.clone(),
        truncated: seen.origin.truncated,
        started_at: seen.alert.starts_at,
        opened_at: now,
        updated_at: now,
        last_seen_at: now,
        resolved_at: None,
        resolve_reason: None,
        reopened: 0,
        firing: 0,
        members: 0,
        tally: Tally::default(),
    }
}

/// Whether an observation says anything that is not known yet. The time at which something was
/// heard last is no news.
pub fn is_news(incident: &Incident, known: Option<&Member>, seen: &Observation) -> bool {
    let Some(known) = known else { return true };
    if was_resolved_later(incident, known, seen) || is_outlived(known, &seen.alert) {
        return false;
    }
    let origin = &seen.origin;
    let is_same_sender = incident.truncated == origin.truncated
        && incident.receiver == origin.receiver
        && incident.external_url == origin.external_url;
    let is_same_version = seen.version.as_ref().is_none_or(|version| *version == incident.version);
    let renewed = renewed_member(Some(known), seen, known.ends_at.unwrap_or(origin.received_at));
    let is_same_alert = Member { event_id: known.event_id.clone(), ..renewed } == *known;
    !(is_same_sender && is_same_version && is_same_alert)
}

/// Whether a person resolved the incident after this alert was received, and knew all that it says:
/// a body that waited for triage meanwhile does not open it again. An alert that is new or more
/// severe does.
pub fn was_resolved_later(incident: &Incident, known: &Member, seen: &Observation) -> bool {
    incident.resolve_reason == Some(ResolveReason::Person)
        && seen.alert.status == AlertStatus::Firing
        && seen.severity <= known.severity
        && incident.resolved_at.is_some_and(|resolved| seen.origin.received_at <= resolved)
}

/// Takes one observation in. `known` is the member of that fingerprint as it was; the
/// answer is the member as it is now and what happened.
pub fn observe(
    incident: &mut Incident,
    known: Option<&Member>,
    seen: &Observation,
    now: Timestamp,
) -> (Member, Vec<TimelineEvent>) {
    let mut timeline = Vec::new();
    note_origin(incident, seen, now);
    if let Some(known) = known.filter(|known| is_outlived(known, &seen.alert)) {
        return (known.clone(), timeline);
    }
    if incident.state == IncidentState::Resolved && seen.alert.status == AlertStatus::Firing {
        reopen(incident, seen, &mut timeline);
    }
    let before = incident.severity;
    let member = renewed_member(known, seen, now);
    if known.is_none() {
        incident.members += 1;
    }
    move_member(incident, known, &member, &mut timeline);
    settle(incident, before, now, &mut timeline);
    if !timeline.is_empty() {
        incident.updated_at = now;
    }
    (member, timeline)
}

/// Takes over the word for the severity from a member that has it: the word that is there
/// already if one of them uses it, else that of the member that matters most. `fits` says
/// whether a word stands for the severity, for when no such member is at hand.
pub fn settle_word<'m>(
    incident: &mut Incident,
    members: impl Iterator<Item = &'m Member>,
    fits: impl Fn(&str) -> bool,
) {
    let (severity, is_over) = (incident.severity, incident.state == IncidentState::Resolved);
    let speaks =
        |member: &&Member| member.severity == severity && (is_over || member.status == AlertStatus::Firing);
    let mut speakers = members.filter(speaks).peekable();
    if speakers.peek().is_none() {
        if !fits(&incident.severity_raw) {
            incident.severity_raw = severity.as_str().to_owned();
        }
        return;
    }
    let is_other = |member: &Member| member.severity_raw != incident.severity_raw;
    let first = speakers.min_by(|a, b| (is_other(a), rank(a)).cmp(&(is_other(b), rank(b))));
    if let Some(first) = first {
        incident.severity_raw = first.severity_raw.clone();
    }
}

/// Firing first, higher severity first, then oldest first.
pub(super) fn rank(member: &Member) -> (bool, std::cmp::Reverse<Severity>, Timestamp, &str) {
    let over = member.status == AlertStatus::Resolved;
    (over, std::cmp::Reverse(member.severity), member.starts_at, &member.fingerprint)
}

/// Ends an incident at `ended`, which is heard now. Ended for another reason than its alerts' own word, its firing members
/// count as resolved from then on: the caller stores them so.
pub fn end(
    incident: &mut Incident,
    reason: ResolveReason,
    ended: Timestamp,
    now: Timestamp,
) -> TimelineEvent {
    incident.tally = Tally { joins: incident.tally.joins, ..Tally::default() };
    incident.firing = 0;
    incident.state = IncidentState::Resolved;
    incident.resolved_at = Some(ended);
    incident.resolve_reason = Some(reason);
    incident.updated_at = now;
    TimelineEvent { kind: "resolved", detail: json!({"reason": reason.as_str()}) }
}

/// Whether `alert` tells of what began and ended before that began which fires now: a late
/// copy, as the second of a pair of Alertmanagers may deliver it.
fn is_outlived(known: &Member, alert: &Alert) -> bool {
    let ended_before = alert.ends_at.is_some_and(|end| end < known.starts_at);
    let fires_now = known.status == AlertStatus::Firing && alert.status == AlertStatus::Resolved;
    fires_now && ended_before && alert.starts_at < known.starts_at
}

fn note_origin(incident: &mut Incident, seen: &Observation, now: Timestamp) {
    incident.last_seen_at = incident.last_seen_at.max(now);
    incident.truncated = seen.origin.truncated;
    incident.receiver.clone_from(&seen.origin.receiver);
    incident.external_url.clone_from(&seen.origin.external_url);
    if let Some(version) = &seen.version {
        incident.version.clone_from(version);
    }
}

fn reopen(incident: &mut Incident, seen: &Observation, timeline: &mut Vec<TimelineEvent>) {
    let ended = incident.resolved_at.map(Timestamp::to_rfc3339);
    incident.state = IncidentState::Open;
    incident.resolved_at = None;
    incident.resolve_reason = None;
    incident.reopened += 1;
    incident.started_at = seen.alert.starts_at;
    incident.severity = seen.severity;
    timeline.push(TimelineEvent { kind: "reopened", detail: json!({"ended_at": ended}) });
}

fn renewed_member(known: Option<&Member>, seen: &Observation, now: Timestamp) -> Member {
    let alert = &seen.alert;
    let resolved = alert.status == AlertStatus::Resolved;
    // A resolved body may come without annotations: what was said while firing stays.
    let annotations = match known {
        Some(known) if resolved && alert.annotations.is_empty() => known.annotations.clone(),
        _ => alert.annotations.iter().map(|(name, text)| (name.clone(), bounded(text))).collect(),
    };
    Member {
        fingerprint: alert.fingerprint.clone(),
        status: alert.status,
        severity: seen.severity,
        severity_raw: seen.severity_raw.clone(),
        labels: alert.labels.clone(),
        annotations,
        starts_at: alert.starts_at,
        ends_at: resolved.then(|| end_of(alert, known, now)),
        generator_url: alert.generator_url.clone(),
        extras: match known {
            // Nor with values.
            Some(known) if resolved && alert.extras.is_empty() => known.extras.clone(),
            _ => alert.extras.clone(),
        },
        event_id: seen.origin.event_id.clone(),
    }
}

/// When a resolved alert ended: what it says, if that can be; else when its end was first heard.
fn end_of(alert: &Alert, known: Option<&Member>, now: Timestamp) -> Timestamp {
    let told = alert.ends_at.filter(|end| *end >= alert.starts_at);
    let known = known.and_then(|known| known.ends_at);
    told.or(known).unwrap_or(now).min(now)
}

/// A text as members and messages carry it: a stack trace of megabytes stays whole in the
/// stored event alone, since a copy of it goes into every message.
fn bounded(text: &str) -> String {
    if text.len() <= MAX_ANNOTATION_BYTES {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_ANNOTATION_BYTES);
    format!("{}…", &text[..end])
}

/// Moves the sums from the member as it was to the member as it is.
fn move_member(
    incident: &mut Incident,
    known: Option<&Member>,
    member: &Member,
    timeline: &mut Vec<TimelineEvent>,
) {
    let fired = known.filter(|known| known.status == AlertStatus::Firing);
    match (fired, member.status) {
        (None, AlertStatus::Firing) => {
            incident.tally.join(&member.fingerprint, member.severity);
            incident.started_at = incident.started_at.min(member.starts_at);
            timeline.push(about("alert_joined", member));
        }
        (Some(known), AlertStatus::Resolved) => {
            incident.tally.leave(&known.fingerprint, known.severity);
            member.ends_at.into_iter().for_each(|end| incident.tally.note_end(end));
            timeline.push(about("alert_resolved", member));
        }
        (Some(known), AlertStatus::Firing) if known.severity != member.severity => {
            incident.tally.leave(&known.fingerprint, known.severity);
            let joins = incident.tally.joins;
            incident.tally.join(&member.fingerprint, member.severity);
            incident.tally.joins = joins;
        }
        (None, AlertStatus::Resolved) if known.is_none() => {
            member.ends_at.into_iter().for_each(|end| incident.tally.note_end(end));
        }
        (Some(_), AlertStatus::Firing) | (None, AlertStatus::Resolved) => {}
    }
    incident.firing = incident.tally.total();
}

fn about(kind: &'static str, member: &Member) -> TimelineEvent {
    let detail = json!({
        "fingerprint": member.fingerprint,
        "alertname": member.labels.get(crate::domain::labels::ALERTNAME),
        "severity": member.severity,
    });
    TimelineEvent { kind, detail }
}

/// Draws the consequences for the incident as a whole.
fn settle(incident: &mut Incident, before: Severity, now: Timestamp, timeline: &mut Vec<TimelineEvent>) {
    let Some(highest) = incident.tally.highest() else {
        if incident.state == IncidentState::Open {
            let ended = incident.tally.latest_end.unwrap_or(now);
            timeline.push(end(incident, ResolveReason::Alert, ended, now));
        }
        return;
    };
    incident.severity = highest;
    let change = match highest.cmp(&before) {
        std::cmp::Ordering::Greater => "severity_raised",
        std::cmp::Ordering::Less => "severity_lowered",
        std::cmp::Ordering::Equal => return,
    };
    timeline.push(TimelineEvent { kind: change, detail: json!({"from": before, "to": highest}) });
}

#[cfg(test)]
#[path = "incidents_tests.rs"]
mod tests;
