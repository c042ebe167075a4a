//! What the policy promises, by example and over random histories.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::incident::{ResolveReason, Tally};
use crate::domain::severity::Severity;

const MINUTE: Duration = Duration::from_secs(60);

fn at(minutes: u32) -> Timestamp {
    Timestamp::from_millis(1_787_220_000_000).plus(MINUTE * minutes)
}

fn policy() -> Policy {
    Policy {
        repeat_interval: Some(MINUTE * 240),
        group_interval: MINUTE,
        cooldown: MINUTE * 30,
        send_resolved: SendResolved::Yes,
    }
}

fn firing(severity: Severity, members: &[&str]) -> Incident {
    let mut tally = Tally::default();
    for member in members {
        tally.join(member, severity);
    }
    Incident {
        id: "i1".into(),
        dedup_key: "AccuracyDrop:fraud".into(),
        state: IncidentState::Open,
        severity,
        severity_raw: severity.to_string(),
        entry: "fraud".into(),
        version: String::new(),
        alertname: "AccuracyDrop".into(),
        source: "alertmanager".into(),
        receiver: "ml".into(),
        external_url: String::new(),
        truncated: 0,
        started_at: at(0),
        opened_at: at(0),
        updated_at: at(0),
        last_seen_at: at(0),
        resolved_at: None,
        resolve_reason: None,
        reopened: 0,
        firing: tally.total(),
        members: tally.total(),
        tally,
    }
}

fn over(mut incident: Incident, when: Timestamp) -> Incident {
    incident.state = IncidentState::Resolved;
    incident.resolved_at = Some(when);
    incident.resolve_reason = Some(ResolveReason::Alert);
    incident.tally = Tally { joins: incident.tally.joins, ..Tally::default() };
    incident
}

fn told(incident: &Incident, when: Timestamp) -> Told {
    Told {
        status: incident.state.told_as(),
        severity: incident.severity,
        digest: incident.tally.digest,
        joins: incident.tally.joins,
        reopened: incident.reopened,
        at: when,
        notification_id: "n1".into(),
        ended_untold: None,
    }
}

fn kind(decision: &Decision) -> Option<NotificationKind> {
    match decision {
        Decision::Send { kind, .. } => Some(*kind),
        _ => None,
    }
}

#[test]
fn the_first_word_is_told_at_once() {
    let decision = decide(&firing(Severity::High, &["a"]), None, &policy(), at(0));

    assert_eq!(kind(&decision), Some(NotificationKind::Firing));
}

#[test]
fn nothing_is_repeated_before_the_interval_and_exactly_at_it() {
    let incident = firing(Severity::High, &["a"]);
    let told = told(&incident, at(0));
    let due = at(240);

    assert_eq!(
        decide(&incident, Some(&told), &policy(), due.minus(Duration::from_millis(1))),
        Decision::Wait { until: due, reason: "already sent; waiting for repeat_interval".into() }
    );
    assert_eq!(kind(&decide(&incident, Some(&told), &policy(), due)), Some(NotificationKind::Repeated));
}

#[test]
fn a_rise_is_told_at_once_and_a_fall_waits_for_the_group_interval() {
    let before = told(&firing(Severity::High, &["a"]), at(10));
    let rise = firing(Severity::Critical, &["a"]);
    let fall = firing(Severity::Low, &["a"]);

    assert_eq!(
        kind(&decide(&rise, Some(&before), &policy(), at(10))),
        Some(NotificationKind::SeverityRaised)
    );
    assert!(
        matches!(decide(&fall, Some(&before), &policy(), at(10)), Decision::Wait { until, .. } if until == at(11))
    );
    assert_eq!(
        kind(&decide(&fall, Some(&before), &policy(), at(11))),
        Some(NotificationKind::SeverityLowered)
    );
}

#[test]
fn a_refire_within_the_cooldown_is_held_until_its_end_unless_it_is_worse() {
    let end = told(&over(firing(Severity::High, &["a"]), at(5)), at(5));
    let mut again = firing(Severity::High, &["a"]);
    again.reopened = 1;
    let mut worse = firing(Severity::Critical, &["a"]);
    worse.reopened = 1;

    assert!(
        matches!(decide(&again, Some(&end), &policy(), at(6)), Decision::Wait { until, .. } if until == at(35))
    );
    assert_eq!(kind(&decide(&again, Some(&end), &policy(), at(35))), Some(NotificationKind::Reopened));
    assert_eq!(kind(&decide(&worse, Some(&end), &policy(), at(6))), Some(NotificationKind::Reopened));
}

#[test]
fn the_end_is_told_only_where_firing_was_told() {
    let incident = firing(Severity::High, &["a"]);
    let ended = over(incident.clone(), at(9));
    let quiet = Policy { send_resolved: SendResolved::No, ..policy() };

    assert_eq!(kind(&decide(&ended, None, &policy(), at(9))), None);
    assert_eq!(
        kind(&decide(&ended, Some(&told(&incident, at(0))), &policy(), at(9))),
        Some(NotificationKind::Resolved)
    );
    assert_eq!(kind(&decide(&ended, Some(&told(&incident, at(0))), &quiet, at(9))), None);
    assert_eq!(kind(&decide(&ended, Some(&told(&ended, at(9))), &policy(), at(99))), None);
}

#[test]
fn members_that_leave_are_told_only_to_who_wants_to_hear_of_ends() {
    let before = told(&firing(Severity::High, &["a", "b"]), at(0));
    let mut fewer = firing(Severity::High, &["a", "b"]);
    fewer.tally.leave("b", Severity::High);
    let quiet = Policy { send_resolved: SendResolved::No, ..policy() };

    assert_eq!(kind(&decide(&fewer, Some(&before), &policy(), at(2))), Some(NotificationKind::Updated));
    assert_eq!(kind(&decide(&fewer, Some(&before), &quiet, at(2))), None);
}

#[test]
fn a_channel_no_longer_routed_hears_changes_and_the_end_but_no_repeats() {
    let incident = firing(Severity::Critical, &["a"]);
    let told = told(&incident, at(0));
    let unrouted = Policy { repeat_interval: None, ..policy() };

    assert!(matches!(decide(&incident, Some(&told), &unrouted, at(10_000)), Decision::Nothing { .. }));
    assert_eq!(
        kind(&decide(&over(incident, at(1)), Some(&told), &unrouted, at(1))),
        Some(NotificationKind::Resolved)
    );
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Pass(u32),
    Become(Severity),
    Join(u8),
    Leave(u8),
    End,
    FireAgain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let step = prop_oneof![
        4 => (0_u32..90).prop_map(Step::Pass),
        1 => severity.prop_map(Step::Become),
        2 => (0_u8..4).prop_map(Step::Join),
        1 => (0_u8..4).prop_map(Step::Leave),
        1 => Just(Step::End),
        1 => Just(Step::FireAgain),
    ];
    prop::collection::vec(step, 1..60)
}

/// An incident, its one conversation, and a clock, played through a history.
struct Play {
    incident: Incident,
    members: Vec<u8>,
    told: Option<Told>,
    now: Timestamp,
    sent: Vec<(Timestamp, NotificationKind)>,
}

impl Play {
    fn new() -> Self {
        let mut play = Self {
            incident: firing(Severity::Medium, &[]),
            members: vec![],
            told: None,
            now: at(0),
            sent: vec![],
        };
        play.apply(&Step::Join(0));
        play
    }

    fn apply(&mut self, step: &Step) {
        let name = |n: u8| format!("member-{n}");
        let open = self.incident.state == IncidentState::Open;
        match *step {
            Step::Pass(minutes) => self.now = self.now.plus(MINUTE * minutes),
            Step::Become(severity) if open => self.incident.severity = severity,
            Step::Join(n) if open && !self.members.contains(&n) => {
                self.members.push(n);
                self.incident.tally.join(&name(n), Severity::Medium);
            }
            Step::Leave(n) if open && self.members.len() > 1 && self.members.contains(&n) => {
                self.members.retain(|m| *m != n);
                self.incident.tally.leave(&name(n), Severity::Medium);
            }
            Step::End if open => {
                self.incident = over(self.incident.clone(), self.now);
                self.members.clear();
            }
            Step::FireAgain if !open => {
                self.incident.state = IncidentState::Open;
                self.incident.reopened += 1;
                self.members = vec![0];
                self.incident.tally.join(&name(0), Severity::Medium);
            }
            _ => {}
        }
        self.decide();
    }

    /// As triage does: a message that is sent becomes what was told.
    fn decide(&mut self) -> Decision {
        let decision = decide(&self.incident, self.told.as_ref(), &policy(), self.now);
        if let Decision::Send { kind, .. } = &decision {
            self.sent.push((self.now, *kind));
            self.told = Some(told(&self.incident, self.now));
        }
        decision
    }

    fn told_is_true(&self) -> bool {
        let Some(told) = &self.told else { return self.incident.state == IncidentState::Resolved };
        match self.incident.state {
            IncidentState::Resolved => told.status == AlertStatus::Resolved,
            IncidentState::Open => {
                told.status == AlertStatus::Firing
                    && told.severity == self.incident.severity
                    && told.digest == self.incident.tally.digest
                    && told.reopened == self.incident.reopened
            }
        }
    }
}

proptest! {
    /// Following the promised moments, every history ends with the channel knowing the truth.
    #[test]
    fn no_change_is_hidden_for_ever(history in steps()) {
        let mut play = Play::new();
        for step in &history {
            play.apply(step);
        }
        for _ in 0..4 {
            match play.decide() {
                Decision::Wait { until, .. } if !play.told_is_true() => play.now = play.now.max(until),
                _ => {}
            }
        }
        prop_assert!(play.told_is_true(), "{:?} was told {:?}", play.incident, play.told);
    }

    /// A wait never ends in the past, and asking twice at one moment never sends twice.
    #[test]
    fn deciding_again_changes_nothing(history in steps()) {
        let mut play = Play::new();
        for step in &history {
            play.apply(step);
            let before = play.sent.len();
            let again = play.decide();
            prop_assert_eq!(play.sent.len(), before, "sent again: {:?}", again);
            if let Decision::Wait { until, .. } = again {
                prop_assert!(until > play.now);
            }
        }
    }

    /// Repeats keep their distance from the message before.
    #[test]
    fn nothing_repeats_early(history in steps()) {
        let mut play = Play::new();
        for step in &history {
            play.apply(step);
        }
        for pair in play.sent.windows(2) {
            if pair[1].1 == NotificationKind::Repeated {
                prop_assert!(pair[1].0.since(pair[0].0) >= MINUTE * 240);
            }
        }
    }

    /// A rise is told at the moment it is true.
    #[test]
    fn a_rise_is_never_held(history in steps()) {
        let mut play = Play::new();
        for step in &history {
            play.apply(step);
            if let (IncidentState::Open, Some(told)) = (play.incident.state, &play.told) {
                prop_assert!(told.severity >= play.incident.severity);
            }
        }
    }
}

#[test]
fn a_cooldown_counts_from_an_end_that_was_not_told() {
    let policy = Policy { send_resolved: SendResolved::No, ..policy() };
    let mut again = firing(Severity::High, &["a"]);
    let told = Told { ended_untold: Some(at(60)), ..told(&again, at(0)) };
    again.reopened = 1;

    assert!(
        matches!(decide(&again, Some(&told), &policy, at(65)), Decision::Wait { until, .. } if until == at(90))
    );
    assert_eq!(kind(&decide(&again, Some(&told), &policy, at(90))), Some(NotificationKind::Reopened));
}
