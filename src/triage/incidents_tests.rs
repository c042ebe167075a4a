//! The life of an incident, step by step.

use std::time::Duration;

use super::*;
use crate::domain::labels::Labels;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_787_220_000_000).plus(Duration::from_secs(seconds))
}

fn seen(fingerprint: &str, status: AlertStatus, severity: Severity) -> Observation {
    let labels =
        Labels::from([("alertname".into(), "AccuracyDrop".into()), ("instance".into(), fingerprint.into())]);
    Observation {
        alert: Alert {
            fingerprint: fingerprint.into(),
            status,
            labels,
            annotations: Labels::from([("summary".into(), "accuracy fell".into())]),
            starts_at: at(0),
            ends_at: (status == AlertStatus::Resolved).then(|| at(60)),
            generator_url: String::new(),
            extras: crate::domain::alert::Extras::default(),
        },
        dedup_key: "AccuracyDrop:fraud".into(),
        entry: "fraud".into(),
        matched_by: "label model".into(),
        version: None,
        severity,
        severity_raw: severity.to_string(),
        origin: Origin::default(),
    }
}

/// An incident with its members, as triage keeps them.
struct Life {
    incident: Incident,
    members: std::collections::BTreeMap<String, Member>,
}

impl Life {
    fn begin(first: &Observation) -> Self {
        let mut life = Self { incident: open("i1".into(), first, at(0)), members: Default::default() };
        life.see(first, at(0));
        life
    }

    fn see(&mut self, seen: &Observation, now: Timestamp) -> Vec<&'static str> {
        let known = self.members.get(&seen.alert.fingerprint).cloned();
        let (member, timeline) = observe(&mut self.incident, known.as_ref(), seen, now);
        self.members.insert(member.fingerprint.clone(), member);
        timeline.iter().map(|h| h.kind).collect()
    }
}

#[test]
fn the_severity_is_that_of_the_highest_firing_member() {
    let mut life = Life::begin(&seen("a", AlertStatus::Firing, Severity::Medium));

    assert_eq!(
        life.see(&seen("b", AlertStatus::Firing, Severity::Critical), at(1)),
        ["alert_joined", "severity_raised"]
    );
    assert_eq!(life.incident.severity, Severity::Critical);

    assert_eq!(
        life.see(&seen("b", AlertStatus::Resolved, Severity::Critical), at(2)),
        ["alert_resolved", "severity_lowered"]
    );
    assert_eq!(life.incident.severity, Severity::Medium);
    assert_eq!((life.incident.firing, life.incident.members), (1, 2));
}

#[test]
fn it_ends_with_its_last_firing_member_and_keeps_the_severity() {
    let mut life = Life::begin(&seen("a", AlertStatus::Firing, Severity::High));
    life.see(&seen("b", AlertStatus::Firing, Severity::High), at(1));

    assert_eq!(life.see(&seen("a", AlertStatus::Resolved, Severity::High), at(2)), ["alert_resolved"]);
    assert_eq!(
        life.see(&seen("b", AlertStatus::Resolved, Severity::High), at(3)),
        ["alert_resolved", "resolved"]
    );
    assert_eq!(life.incident.state, IncidentState::Resolved);
    assert_eq!(life.incident.resolve_reason, Some(ResolveReason::Alert));
    assert_eq!(life.incident.severity, Severity::High);
}

#[test]
fn hearing_the_same_again_changes_nothing_but_when_it_was_heard() {
    let alert = seen("a", AlertStatus::Firing, Severity::High);
    let mut life = Life::begin(&alert);
    let before = life.incident.clone();

    assert!(life.see(&alert, at(30)).is_empty());
    assert_eq!(life.incident, Incident { last_seen_at: at(30), ..before });
}

#[test]
fn a_resolved_alert_without_annotations_keeps_what_was_said_while_firing() {
    let mut life = Life::begin(&seen("a", AlertStatus::Firing, Severity::High));
    let mut bare = seen("a", AlertStatus::Resolved, Severity::High);
    bare.alert.annotations.clear();

    life.see(&bare, at(60));

    assert_eq!(life.members["a"].annotations["summary"], "accuracy fell");
    assert_eq!(life.members["a"].ends_at, Some(at(60)));
}

#[test]
fn it_reopens_when_a_member_fires_again() {
    let mut life = Life::begin(&seen("a", AlertStatus::Firing, Severity::High));
    life.see(&seen("a", AlertStatus::Resolved, Severity::High), at(60));

    assert_eq!(
        life.see(&seen("a", AlertStatus::Firing, Severity::High), at(90)),
        ["reopened", "alert_joined"]
    );
    assert_eq!((life.incident.state, life.incident.reopened), (IncidentState::Open, 1));
    assert_eq!(life.incident.resolved_at, None);
}

#[test]
fn a_resolved_alert_of_an_unknown_problem_opens_and_ends_at_once() {
    let life = Life::begin(&seen("a", AlertStatus::Resolved, Severity::High));

    assert_eq!(life.incident.state, IncidentState::Resolved);
    assert_eq!((life.incident.firing, life.incident.members), (0, 1));
}

#[test]
fn ended_as_stale_no_member_counts_as_firing_any_more() {
    let mut life = Life::begin(&seen("a", AlertStatus::Firing, Severity::High));
    life.see(&seen("b", AlertStatus::Firing, Severity::High), at(1));

    end(&mut life.incident, ResolveReason::Stale, at(500), at(500));
    for member in life.members.values_mut() {
        member.status = AlertStatus::Resolved;
    }
    assert_eq!(life.incident.firing, 0);

    life.see(&seen("a", AlertStatus::Firing, Severity::High), at(600));
    assert_eq!(life.incident.firing, 1);
    assert_eq!(life.see(&seen("b", AlertStatus::Resolved, Severity::High), at(601)), Vec::<&str>::new());
    assert_eq!(life.incident.state, IncidentState::Open);
}

#[test]
fn a_huge_annotation_is_cut_on_a_whole_character() {
    let mut huge = seen("a", AlertStatus::Firing, Severity::High);
    huge.alert.annotations.insert("description".into(), "é".repeat(400_000));

    let life = Life::begin(&huge);

    let kept = &life.members["a"].annotations["description"];
    assert!(kept.len() <= MAX_ANNOTATION_BYTES + "…".len());
    assert!(kept.ends_with("é…"));
    assert_eq!(life.members["a"].annotations["summary"], "accuracy fell");
}

#[test]
fn an_end_from_before_what_fires_now_ends_nothing() {
    let mut fires_again = seen("a", AlertStatus::Firing, Severity::High);
    fires_again.alert.starts_at = at(61);
    let late = seen("a", AlertStatus::Resolved, Severity::High);
    let mut life = Life::begin(&fires_again);

    assert_eq!(life.see(&late, at(70)), [""; 0]);
    assert_eq!((life.incident.state, life.incident.firing), (IncidentState::Open, 1));
    assert_eq!(life.members["a"].status, AlertStatus::Firing);

    // Its own end may be told in whatever way: with a beginning that moved, or without any end.
    let mut its_own = late.clone();
    its_own.alert.ends_at = None;
    assert_eq!(Life::begin(&fires_again).see(&its_own, at(70)), ["alert_resolved", "resolved"]);
    let mut moved = late;
    moved.alert.starts_at = at(61);
    assert_eq!(life.see(&moved, at(70)), ["alert_resolved", "resolved"]);
}
