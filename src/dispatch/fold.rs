//! One message that stands for many that wait. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Incident, IncidentState, Member, Tally};
use crate::domain::labels::{ALERTNAME, Labels};
use crate::domain::notification::{FOLDED_KEY, NotificationKind, SNAPSHOT_ALERTS, Snapshot};
use crate::domain::rate::RateLimit;
use crate::domain::severity::Severity;
use crate::store::limited::Waiting;

/// The message that stands for `waiting`, which are more than `limit` allows; there is at
/// least one. It counts them and shows the most severe.
pub(super) fn fold(waiting: &[Waiting], limit: RateLimit, now: Timestamp) -> Snapshot {
    let mut newest: BTreeMap<&str, &Waiting> = BTreeMap::new();
    for message in waiting {
        newest.insert(message.incident_id.as_deref().unwrap_or(&message.id), message);
    }
    let mut members: Vec<Member> = newest.values().map(|message| member(message)).collect();
    members.sort_by_key(rank);
    let count = |status| members.iter().filter(|m| m.status == status).count();
    let (total, firing) = (members.len(), count(AlertStatus::Firing));
    let incident = incident(waiting, &members, firing, now);
    members.truncate(SNAPSHOT_ALERTS);
    Snapshot {
        kind: NotificationKind::Folded,
        reason: reason(newest.into_values(), limit),
        at: now,
        status: incident.state.told_as(),
        previous_severity: None,
        incident,
        alerts_omitted: (total - members.len()) as u64,
        alerts: members,
        entry: None,
        route: Vec::new(),
        by_default_route: false,
        severity_unknown: false,
        stands_in: None,
        overtook: None,
    }
}

fn incident(waiting: &[Waiting], members: &[Member], firing: usize, now: Timestamp) -> Incident {
    let severity = members.iter().map(|member| member.severity).max().unwrap_or(Severity::Info);
    let state = if firing > 0 { IncidentState::Open } else { IncidentState::Resolved };
    let started_at = members.iter().map(|member| member.starts_at).min().unwrap_or(now);
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Incident {
        id: String::new(),
        dedup_key: FOLDED_KEY.to_owned(),
        state,
        severity,
        severity_raw: severity.as_str().to_owned(),
        entry: String::new(),
        version: String::new(),
        alertname: headline(waiting),
        source: String::new(),
        receiver: String::new(),
        external_url: String::new(),
        truncated: 0,
        started_at,
        opened_at: now,
        updated_at: now,
        last_seen_at: now,
        resolved_at: (firing == 0).then_some(now),
        resolve_reason: None,
        reopened: 0,
        firing: number(firing),
        members: number(members.len()),
        tally: Tally::default(),
    }
}

/// `37 more messages of 5 models`
fn headline(waiting: &[Waiting]) -> String {
    let models: BTreeSet<&str> =
        waiting.iter().map(|message| message.entry.as_str()).filter(|entry| !entry.is_empty()).collect();
    let of = match models.len() {
        0 => String::new(),
        1 => " of 1 model".to_owned(),
        several => format!(" of {several} models"),
    };
    format!("{} more messages{of}", waiting.len())
}

/// How many of each severity, and why they come together.
fn reason<'w>(messages: impl Iterator<Item = &'w Waiting>, limit: RateLimit) -> String {
    let mut counts: BTreeMap<std::cmp::Reverse<Severity>, usize> = BTreeMap::new();
    let mut over = 0;
    for message in messages {
        match status(message) {
            AlertStatus::Firing => *counts.entry(std::cmp::Reverse(severity(message))).or_default() += 1,
            AlertStatus::Resolved => over += 1,
        }
    }
    let firing = counts.into_iter().map(|(severity, count)| format!("{count} {}", severity.0));
    let over = (over > 0).then(|| format!("{over} resolved"));
    let counts: Vec<String> = firing.chain(over).collect();
    format!("{}; more waited than this channel may send ({limit})", counts.join(", "))
}

fn member(message: &Waiting) -> Member {
    let status = status(message);
    let named = [(ALERTNAME, &message.alertname), ("model", &message.entry)];
    let labels: Labels = named
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    Member {
        // By it the line is linked.
        fingerprint: message.incident_id.clone().unwrap_or_default(),
        status,
        severity: severity(message),
        severity_raw: message.severity.clone(),
        labels,
        annotations: Labels::new(),
        starts_at: Timestamp::from_millis(message.started_at.unwrap_or(message.created_at)),
        ends_at: (status == AlertStatus::Resolved)
            .then(|| Timestamp::from_millis(message.resolved_at.unwrap_or(message.created_at))),
        generator_url: String::new(),
        extras: crate::domain::alert::Extras::default(),
        event_id: String::new(),
    }
}

fn status(message: &Waiting) -> AlertStatus {
    if message.kind == NotificationKind::Resolved.as_str() {
        AlertStatus::Resolved
    } else {
        AlertStatus::Firing
    }
}

fn severity(message: &Waiting) -> Severity {
    message.severity.parse().unwrap_or(Severity::Medium)
}

/// Firing first, higher severity first, then oldest first.
fn rank(member: &Member) -> (bool, std::cmp::Reverse<Severity>, Timestamp) {
    (member.status == AlertStatus::Resolved, std::cmp::Reverse(member.severity), member.starts_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_787_220_000_000);

    fn waiting(n: usize, kind: NotificationKind, severity: Severity) -> Waiting {
        Waiting {
            id: format!("message-{n}"),
            kind: kind.as_str().to_owned(),
            severity: severity.as_str().to_owned(),
            entry: format!("model-{}", n % 5),
            alertname: "AccuracyDrop".to_owned(),
            created_at: NOW.as_millis(),
            expires_at: NOW.as_millis(),
            incident_id: Some(format!("incident-{n}")),
            started_at: Some(NOW.as_millis() - n as i64),
            resolved_at: None,
        }
    }

    #[test]
    fn everything_is_counted_and_the_most_severe_is_shown_first() {
        let mut all: Vec<Waiting> =
            (0..36).map(|n| waiting(n, NotificationKind::Firing, Severity::Low)).collect();
        all.push(waiting(36, NotificationKind::Repeated, Severity::Critical));
        all.extend((37..97).map(|n| waiting(n, NotificationKind::Resolved, Severity::High)));

        let snapshot = fold(&all, "1/s".parse().unwrap(), NOW);

        assert_eq!(snapshot.incident.alertname, "97 more messages of 5 models");
        assert_eq!(
            snapshot.reason,
            "1 critical, 36 low, 60 resolved; more waited than this channel may send (1/s)"
        );
        assert_eq!((snapshot.incident.firing, snapshot.incident.members), (37, 97));
        assert_eq!((snapshot.alerts.len(), snapshot.alerts_omitted), (SNAPSHOT_ALERTS, 47));
        assert_eq!(snapshot.alerts[0].severity, Severity::Critical);
        assert_eq!(snapshot.incident.severity, Severity::Critical);
    }

    #[test]
    fn of_one_incident_the_newest_state_is_shown() {
        let all = [
            waiting(1, NotificationKind::Firing, Severity::High),
            waiting(1, NotificationKind::Resolved, Severity::High),
        ];

        let snapshot = fold(&all, RateLimit::None, NOW);

        assert_eq!(snapshot.alerts.len(), 1);
        assert_eq!(snapshot.status, AlertStatus::Resolved);
        assert!(snapshot.incident.alertname.starts_with("2 more messages of 1 model"));
    }
}
