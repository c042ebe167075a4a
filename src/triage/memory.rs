//! What triage remembers of open incidents from one transaction to the next, so that a storm
//! over the same incidents does not read them again and again.
//!
//! Only what nobody else can have changed is remembered: on a database of our own, while no
//! other change of incidents came between, and only incidents whose most important members
//! are surely among those in memory. Bounded; what was not used lately is forgotten.

use std::collections::HashMap;

use super::case::Case;
use crate::domain::incident::{IncidentState, Member};
use crate::domain::notification::SNAPSHOT_ALERTS;

/// How many members are remembered at most, in all incidents together, per half.
const ROOM: usize = 8_192;

/// Remembered incidents by dedup key: those used lately, and those used before.
#[derive(Default)]
pub(super) struct Memory {
    young: HashMap<String, Case>,
    old: HashMap<String, Case>,
    young_members: usize,
    /// The change after which this was true.
    number: u64,
}

impl Memory {
    /// Takes the remembered incidents of these keys out; none of them if there was another
    /// change of incidents than those seen here before the change `number`, or may have been.
    pub fn recall<'k>(&mut self, number: Option<u64>, keys: impl Iterator<Item = &'k str>) -> Vec<Case> {
        let Some(number) = number else { return Vec::new() };
        if self.number + 1 != number {
            *self = Self::default();
        }
        self.number = number;
        keys.filter_map(|key| self.take(key)).collect()
    }

    /// Remembers incidents as the change just committed left them.
    pub fn keep(&mut self, cases: impl IntoIterator<Item = Case>) {
        for mut case in cases {
            if !case.may_be_remembered() {
                continue;
            }
            case.trim();
            self.young_members += case.members.len() + 1;
            self.young.insert(case.incident.dedup_key.clone(), case);
            if self.young_members > ROOM {
                self.old = std::mem::take(&mut self.young);
                self.young_members = 0;
            }
        }
    }

    /// Forgets these keys, which the change `number` is about to change without recalling them.
    pub fn forget<'k>(&mut self, number: Option<u64>, keys: impl Iterator<Item = &'k str>) {
        self.recall(number, keys);
    }

    fn take(&mut self, key: &str) -> Option<Case> {
        if let Some(case) = self.young.remove(key) {
            self.young_members = self.young_members.saturating_sub(case.members.len() + 1);
            return Some(case);
        }
        self.old.remove(key)
    }
}

impl Case {
    fn may_be_remembered(&self) -> bool {
        // What is over is nobody's to remember: it may be deleted.
        let knows_all = self.incident.members as usize <= self.members.len();
        // A member that is not in memory may matter more than one that has lost importance.
        let knows_the_first = knows_all || !self.has_fallen_member;
        self.is_current && self.incident.state == IncidentState::Open && knows_the_first
    }

    fn trim(&mut self) {
        self.is_changed = false;
        self.has_fallen_member = false;
        if self.members.len() <= SNAPSHOT_ALERTS {
            return;
        }
        let mut members: Vec<Member> = std::mem::take(&mut self.members).into_values().collect();
        members.sort_by(|a, b| super::incidents::rank(a).cmp(&super::incidents::rank(b)));
        members.truncate(SNAPSHOT_ALERTS);
        self.members = members.into_iter().map(|member| (member.fingerprint.clone(), member)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::AlertStatus;
    use crate::domain::clock::Timestamp;
    use crate::domain::incident::{Incident, Tally};
    use crate::domain::labels::Labels;
    use crate::domain::severity::Severity;

    const NOW: Timestamp = Timestamp::from_millis(1_787_220_000_000);

    fn case(key: &str, members: usize) -> Case {
        let mut case = Case::new(Incident {
            id: format!("id of {key}"),
            dedup_key: key.to_owned(),
            state: IncidentState::Open,
            severity: Severity::High,
            severity_raw: String::new(),
            entry: String::new(),
            version: String::new(),
            alertname: String::new(),
            source: String::new(),
            receiver: String::new(),
            external_url: String::new(),
            truncated: 0,
            started_at: NOW,
            opened_at: NOW,
            updated_at: NOW,
            last_seen_at: NOW,
            resolved_at: None,
            resolve_reason: None,
            reopened: 0,
            firing: 0,
            members: u32::try_from(members).unwrap(),
            tally: Tally::default(),
        });
        case.members = (0..members).map(|n| (n.to_string(), member(n))).collect();
        case
    }

    fn member(n: usize) -> Member {
        Member {
            fingerprint: n.to_string(),
            status: AlertStatus::Firing,
            severity: Severity::High,
            severity_raw: String::new(),
            labels: Labels::default(),
            annotations: Labels::default(),
            starts_at: NOW.plus(std::time::Duration::from_secs(n as u64)),
            ends_at: None,
            generator_url: String::new(),
            extras: crate::domain::alert::Extras::default(),
            event_id: String::new(),
        }
    }

    fn recalled(memory: &mut Memory, number: u64, keys: &[&str]) -> Vec<String> {
        memory
            .recall(Some(number), keys.iter().copied())
            .into_iter()
            .map(|case| case.incident.dedup_key)
            .collect()
    }

    #[test]
    fn what_one_change_left_the_next_recalls() {
        let mut memory = Memory::default();
        memory.recall(Some(1), std::iter::empty());
        memory.keep([case("a", 1), case("b", 1)]);

        assert_eq!(recalled(&mut memory, 2, &["a", "c"]), ["a"]);
        assert_eq!(recalled(&mut memory, 3, &["a", "b"]), ["b"], "what was taken and not kept is gone");
    }

    #[test]
    fn a_change_by_others_in_between_makes_it_forget_everything() {
        let mut memory = Memory::default();
        memory.recall(Some(1), std::iter::empty());
        memory.keep([case("a", 1)]);

        assert_eq!(recalled(&mut memory, 3, &["a"]), [""; 0]);
    }

    #[test]
    fn a_change_that_names_its_keys_makes_it_forget_only_those() {
        let mut memory = Memory::default();
        memory.recall(Some(1), std::iter::empty());
        memory.keep([case("a", 1), case("b", 1)]);

        memory.forget(Some(2), ["a"].into_iter());

        assert_eq!(recalled(&mut memory, 3, &["a", "b"]), ["b"]);
    }

    #[test]
    fn what_is_over_is_not_remembered() {
        let mut memory = Memory::default();
        memory.recall(Some(1), std::iter::empty());
        let mut over = case("a", 1);
        over.incident.state = IncidentState::Resolved;
        memory.keep([over]);

        assert_eq!(recalled(&mut memory, 2, &["a"]), [""; 0]);
    }

    #[test]
    fn of_a_large_incident_the_members_that_matter_most_are_remembered() {
        let mut memory = Memory::default();
        memory.recall(Some(1), std::iter::empty());
        memory.keep([case("a", SNAPSHOT_ALERTS + 3)]);

        let cases = memory.recall(Some(2), ["a"].into_iter());

        let mut kept: Vec<usize> = cases[0].members.keys().map(|name| name.parse().unwrap()).collect();
        kept.sort_unstable();
        assert_eq!(kept, (0..SNAPSHOT_ALERTS).collect::<Vec<_>>());
    }

    #[test]
    fn a_large_incident_of_which_a_member_fell_is_read_again() {
        let mut memory = Memory::default();
        memory.recall(Some(1), std::iter::empty());
        let mut large = case("a", 2);
        large.incident.members = 3;
        large.has_fallen_member = true;
        memory.keep([large]);

        assert_eq!(recalled(&mut memory, 2, &["a"]), [""; 0]);
    }

    #[test]
    fn what_was_not_used_lately_is_forgotten() {
        let mut memory = Memory::default();
        memory.recall(Some(1), std::iter::empty());
        memory.keep((0..3 * ROOM).map(|n| case(&n.to_string(), 1)));

        assert!(memory.young.len() + memory.old.len() <= ROOM + 1);
        assert_eq!(recalled(&mut memory, 2, &["0"]), [""; 0]);
        assert_eq!(recalled(&mut memory, 3, &[&(3 * ROOM - 1).to_string()]).len(), 1);
    }
}
