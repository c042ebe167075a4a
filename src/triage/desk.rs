//! The desk: the incidents of one transaction, laid out to be worked on. Pure once loaded.

use std::collections::{HashMap, HashSet};

use super::case::{Case, Surroundings};
use super::evaluate::{self, Cause};
use super::incidents::{self, Happening, Observation};
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::{
    Conversation, GRAFANA_TEST, Incident, IncidentState, Member, ResolveReason, TEST_LASTS,
};
use crate::store::triage::{Consequences, IncidentChange, MemberChange, TimelineRow};

/// All incidents under work, and what has been concluded so far.
#[derive(Default)]
pub(super) struct Desk {
    cases: HashMap<String, Case>,
    pub conclusions: Consequences,
}

impl Desk {
    /// Lays out loaded incidents with what belongs to them, beside those that were remembered.
    pub fn lay_out(
        remembered: Vec<Case>,
        incidents: Vec<Incident>,
        members: Vec<(String, Member)>,
        conversations: Vec<(String, Conversation)>,
    ) -> Self {
        let mut keys: HashMap<String, String> = HashMap::with_capacity(incidents.len());
        let mut cases: HashMap<String, Case> = HashMap::with_capacity(incidents.len() + remembered.len());
        for case in remembered {
            keys.insert(case.incident.id.clone(), case.incident.dedup_key.clone());
            cases.insert(case.incident.dedup_key.clone(), case);
        }
        for incident in incidents {
            keys.insert(incident.id.clone(), incident.dedup_key.clone());
            cases.insert(incident.dedup_key.clone(), Case::new(incident));
        }
        for (incident_id, member) in members {
            if let Some(case) = keys.get(&incident_id).and_then(|key| cases.get_mut(key)) {
                case.members.insert(member.fingerprint.clone(), member);
            }
        }
        for (incident_id, conversation) in conversations {
            if let Some(case) = keys.get(&incident_id).and_then(|key| cases.get_mut(key)) {
                case.conversations.insert(conversation.channel.clone(), conversation);
            }
        }
        Self { cases, conclusions: Consequences::default() }
    }

    /// Takes one body's observations in, then asks of each touched incident what it has to
    /// tell: body by body, so that the answers do not depend on how many share a transaction.
    /// `is_part` says that they are some of a large body's.
    pub fn take_in(&mut self, observations: &[Observation], is_part: bool, around: &Surroundings<'_>) {
        for seen in observations {
            self.observe(seen, around);
        }
        let received_at = observations.first().map(|seen| seen.origin.received_at);
        let cause = Cause { received_at, is_flood: is_part };
        let mut touched: HashSet<&str> = HashSet::with_capacity(observations.len());
        for key in observations.iter().map(|seen| seen.dedup_key.as_str()) {
            if touched.insert(key) {
                self.settle_word(key, around);
                self.evaluate(key, cause, around);
            }
        }
    }

    /// Asks every incident on the desk what it has to tell: for timers.
    pub fn evaluate_all(&mut self, around: &Surroundings<'_>) {
        let keys: Vec<String> = self.cases.keys().cloned().collect();
        for key in keys {
            self.evaluate(&key, Cause::default(), around);
        }
    }

    /// Ends as stale every open incident on the desk that was not heard of since `before`, and
    /// every one of Grafana's test alert sooner.
    pub fn end_stale(&mut self, before: Timestamp, around: &Surroundings<'_>) {
        let is_stale = |incident: &Incident| {
            let before = match incident.source.as_str() {
                GRAFANA_TEST => before.max(around.now.minus(TEST_LASTS)),
                _ => before,
            };
            incident.state == IncidentState::Open && incident.last_seen_at <= before
        };
        for case in self.cases.values_mut().filter(|case| is_stale(&case.incident)) {
            let happening = incidents::end(&mut case.incident, ResolveReason::Stale, around.now, around.now);
            for member in case.members.values_mut().filter(|m| m.status == AlertStatus::Firing) {
                member.status = AlertStatus::Resolved;
                member.ends_at = Some(around.now);
            }
            case.is_changed = true;
            self.conclusions.silenced.push((case.incident.id.clone(), around.now));
            self.conclusions.timeline.push(timeline_row(&case.incident.id, happening, "modelpager", around));
        }
    }

    /// Everything there is to write, and the incidents as they are once it is written.
    pub fn clear(mut self) -> (Consequences, Vec<Case>) {
        let mut cases: Vec<Case> = self.cases.into_values().collect();
        for case in &mut cases {
            put_away(&mut self.conclusions, case);
        }
        (self.conclusions, cases)
    }

    /// The incident of that dedup key, if it is on the desk.
    pub fn case(&self, dedup_key: &str) -> Option<&Case> {
        self.cases.get(dedup_key)
    }

    /// The dedup keys of what is on the desk.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.cases.keys().map(String::as_str)
    }

    fn observe(&mut self, seen: &Observation, around: &Surroundings<'_>) {
        if self.is_outdated(seen) {
            return;
        }
        self.make_room(seen, around);
        let now = around.now;
        let case = self.cases.entry(seen.dedup_key.clone()).or_insert_with(|| {
            let incident = incidents::open(around.ids.next_id(), seen, now);
            let opened = Happening {
                kind: "opened",
                detail: serde_json::json!({"severity": seen.severity, "entry": seen.entry, "matched_by": seen.matched_by}),
            };
            self.conclusions.timeline.push(timeline_row(&incident.id, opened, &seen.origin.source, around));
            Case::new(incident)
        });
        case.matched_by.clone_from(&seen.matched_by);
        let known = case.members.get(&seen.alert.fingerprint);
        let (member, happenings) = incidents::observe(&mut case.incident, known, seen, now);
        case.is_changed = true;
        case.has_fallen_member |=
            known.is_some_and(|known| incidents::rank(&member) > incidents::rank(known));
        for happening in happenings {
            self.conclusions.timeline.push(timeline_row(
                &case.incident.id,
                happening,
                &seen.origin.source,
                around,
            ));
        }
        let change = MemberChange { incident_id: case.incident.id.clone(), at: now, member: member.clone() };
        case.member_changes.insert(member.fingerprint.clone(), change);
        case.members.insert(member.fingerprint.clone(), member);
    }

    /// Whether a later event told of the alert already: this part of a large one had to wait.
    fn is_outdated(&self, seen: &Observation) -> bool {
        let known =
            self.cases.get(&seen.dedup_key).and_then(|case| case.members.get(&seen.alert.fingerprint));
        known.is_some_and(|known| known.event_id > seen.origin.event_id)
    }

    /// A problem that fires again later than its cooldown is a new incident.
    fn make_room(&mut self, seen: &Observation, around: &Surroundings<'_>) {
        let Some(case) = self.cases.get(&seen.dedup_key) else { return };
        let Some(heard_at) = case.incident.end_heard_at() else { return };
        let fires = seen.alert.status == AlertStatus::Firing;
        let folds = || around.now < heard_at.plus(evaluate::longest_cooldown(case, seen, around));
        if !fires || folds() {
            return;
        }
        if let Some(mut case) = self.cases.remove(&seen.dedup_key) {
            case.is_current = false;
            case.is_changed = true;
            put_away(&mut self.conclusions, &mut case);
        }
    }

    fn settle_word(&mut self, key: &str, around: &Surroundings<'_>) {
        let Some(case) = self.cases.get_mut(key) else { return };
        let severity = case.incident.severity;
        let fits = |word: &str| around.rules.severity.normalise(Some(word)) == severity;
        incidents::settle_word(&mut case.incident, case.members.values(), fits);
    }

    fn evaluate(&mut self, key: &str, cause: Cause, around: &Surroundings<'_>) {
        if let Some(case) = self.cases.get_mut(key) {
            evaluate::evaluate(case, cause, around, &mut self.conclusions);
        }
    }
}

fn put_away(conclusions: &mut Consequences, case: &mut Case) {
    conclusions.members.extend(std::mem::take(&mut case.member_changes).into_values());
    if case.is_changed {
        let incident = case.incident.clone();
        conclusions.incidents.push(IncidentChange { incident, is_current: case.is_current });
    }
    for channel in std::mem::take(&mut case.changed_conversations) {
        let changed = case.conversations.get(&channel).cloned();
        conclusions.conversations.extend(changed.map(|c| (case.incident.id.clone(), c)));
    }
}

pub(super) fn timeline_row(
    incident_id: &str,
    happening: Happening,
    actor: &str,
    around: &Surroundings<'_>,
) -> TimelineRow {
    TimelineRow {
        id: around.ids.next_id(),
        incident_id: incident_id.to_owned(),
        at: around.now,
        kind: happening.kind.to_owned(),
        actor: actor.to_owned(),
        detail: happening.detail,
    }
}
