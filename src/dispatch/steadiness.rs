//! Whether this process has given its signs of life without a gap, and so may judge others by
//! their silence: after an outage of the database everybody has been silent.

use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::clock::Timestamp;
use crate::store::replicas::ALIVE;

/// How often a sign of life is given.
pub(super) const EVERY: Duration = Duration::from_secs(3);

/// Since when this process has given its signs of life without a gap.
#[derive(Debug, Default)]
pub(super) struct Steadiness(Mutex<Option<Unbroken>>);

#[derive(Clone, Copy, Debug)]
struct Unbroken {
    since: Timestamp,
    last: Timestamp,
}

impl Steadiness {
    /// Takes down that a sign was given.
    pub fn note(&self, now: Timestamp) {
        let mut unbroken = self.0.lock();
        let since = unbroken.filter(|before| before.goes_on(now)).map_or(now, |before| before.since);
        *unbroken = Some(Unbroken { since, last: now });
    }

    /// Whether this process may judge by the silence of others that they are dead.
    pub fn can_judge(&self, now: Timestamp) -> bool {
        self.0.lock().is_some_and(|unbroken| unbroken.goes_on(now) && now.since(unbroken.since) >= ALIVE)
    }
}

impl Unbroken {
    fn goes_on(&self, now: Timestamp) -> bool {
        now.since(self.last) <= 2 * EVERY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_silent_itself_does_not_judge_others_by_their_silence() {
        let at = |seconds: u64| Timestamp::from_millis(0).plus(Duration::from_secs(seconds));
        let steadiness = Steadiness::default();
        assert!(!steadiness.can_judge(at(0)));

        (0..=4).for_each(|n| steadiness.note(at(3 * n)));
        assert!(steadiness.can_judge(at(13)));
        assert!(!steadiness.can_judge(at(30)), "its own last sign is old");

        steadiness.note(at(30));
        assert!(!steadiness.can_judge(at(31)), "the others had no chance, either");
        (11..=14).for_each(|n| steadiness.note(at(3 * n)));
        assert!(steadiness.can_judge(at(42)));
    }
}
