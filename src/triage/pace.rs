//! How much one transaction of triage takes: as much as usual, and less after a failure, down
//! to a single alert. What spoils a transaction is found that way and costs nobody else.

use crate::store::pending::Share;

/// How many events share one transaction at most.
const EVENTS: u32 = 1_024;
/// And while more comes than intake can store.
const FEW_EVENTS: u32 = 64;
/// How many alerts of one event: so many that reading its body again costs little beside them,
/// so few that others wait for them no longer than a moment.
const PART: usize = 250;
/// How many alerts of all events that are small.
const ALERTS: usize = 2_000;
/// How many bytes of bodies share one transaction at most; a body of its own may be larger.
const BYTES: i64 = 16 * 1_024 * 1_024;
/// How often an alert is tried alone before it is set aside.
const RETRIES: u32 = 3;

/// The oldest event, and of it one alert.
pub(super) const LEAST: Share =
    Share { events: 1, part: 1, alerts: ALERTS, others_first: false, bytes: BYTES };

/// How much is taken at once.
#[derive(Debug)]
pub(super) struct Pace {
    events: u32,
    part: usize,
    others_first: bool,
    spoiled: Spoiled,
}

/// The alert that fails alone, and how often it did so in a row.
#[derive(Debug, Default)]
struct Spoiled {
    event_id: String,
    place: usize,
    times: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { events: EVENTS, part: PART, others_first: true, spoiled: Spoiled::default() }
    }
}

impl Pace {
    /// What to take now. A large event has every other turn.
    pub fn share(&mut self, is_intake_overtaxed: bool) -> Share {
        self.others_first = !self.others_first;
        let events = if is_intake_overtaxed { self.events.min(FEW_EVENTS) } else { self.events };
        let others_first = self.others_first && events > 1;
        Share { events, part: self.part, alerts: ALERTS, others_first, bytes: BYTES }
    }

    /// That much failed: the next time half of it is taken. Fewer events first, then less of one.
    pub fn halve(&mut self, failed: &Share) {
        self.events = (failed.events / 2).max(1);
        if failed.events == 1 {
            self.part = (failed.part / 2).max(1);
        }
    }

    /// It went well: the next time there may be twice as much.
    pub fn relax(&mut self) {
        if self.part < PART {
            self.part = (self.part * 2).min(PART);
        } else {
            self.events = (self.events * 2).min(EVENTS);
        }
    }

    /// Counts a failure of a single alert; whether it has had its last chance. Only if it was
    /// the same each time: another replica may have triaged it meanwhile, and what is the oldest
    /// now has done nothing wrong.
    pub fn counts_out(&mut self, event_id: &str, place: usize) -> bool {
        if self.spoiled.event_id != event_id || self.spoiled.place != place {
            self.spoiled = Spoiled { event_id: event_id.to_owned(), place, times: 0 };
        }
        self.spoiled.times += 1;
        self.spoiled.times > RETRIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_lead_to_a_single_alert_and_successes_back_to_the_usual() {
        let mut pace = Pace::default();
        let mut shares = vec![pace.share(false)];
        while *shares.last().unwrap() != LEAST {
            pace.halve(shares.last().unwrap());
            shares.push(pace.share(false));
        }
        assert_eq!(shares.len(), 1 + 10 + 7, "{shares:?}");
        pace.halve(&LEAST);
        assert_eq!(pace.share(false), LEAST);

        for _ in 0..20 {
            pace.relax();
        }
        assert_eq!(Share { others_first: false, ..pace.share(false) }, shares[0]);
    }

    #[test]
    fn half_of_what_failed_is_less_than_what_failed() {
        let mut pace = Pace::default();
        let failed = pace.share(true);
        pace.halve(&failed);
        assert!(pace.share(true).events < failed.events);
    }

    #[test]
    fn only_the_same_alert_again_and_again_has_its_last_chance() {
        let mut pace = Pace::default();
        let tried: Vec<bool> = ["a", "a", "b", "a", "a", "a", "a"].map(|id| pace.counts_out(id, 0)).into();
        assert_eq!(tried, [false, false, false, false, false, false, true]);
        assert!(!pace.counts_out("a", 1));
    }
}
