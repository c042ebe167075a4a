//! Ids: UUIDv7 text, so that they sort by the time they were made.

use std::sync::Arc;

use parking_lot::Mutex;

use super::clock::SharedClock;
use super::random::SharedRandom;

/// Makes ids that rise strictly within one process, even within a millisecond.
#[derive(Debug, Clone)]
pub struct IdMaker {
    clock: SharedClock,
    random: SharedRandom,
    last: Arc<Mutex<(u64, u64)>>,
}

impl IdMaker {
    /// An id maker on the given clock and randomness.
    pub fn new(clock: SharedClock, random: SharedRandom) -> Self {
        Self { clock, random, last: Arc::default() }
    }

    /// A new id in the hyphenated lower-case form (36 characters).
    pub fn next_id(&self) -> String {
        let (millis, counter) = self.next_position();
        // rand_a (12 bits) and the top of rand_b carry the counter, the rest is random:
        // RFC 9562 section 6.2, method 1.
        let mut bytes = [0_u8; 10];
        bytes[..4].copy_from_slice(&(counter as u32).to_be_bytes());
        bytes[4..].copy_from_slice(&self.random.bits().to_be_bytes()[..6]);
        // The two variant bits take the top of byte 2: keep the counter clear of them.
        let high = (counter >> 14) as u16 & 0x0FFF;
        let low = (counter & 0x3FFF) as u16;
        bytes[..2].copy_from_slice(&high.to_be_bytes());
        bytes[2..4].copy_from_slice(&low.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().to_string()
    }

    /// Makes ids that sort after `id` from now on: after one that another process made, or this
    /// one before a restart, whatever the clocks say. What is no such id says nothing.
    pub fn rise_above(&self, id: &str) {
        let Some(position) = position_of(id) else { return };
        let mut last = self.last.lock();
        *last = position.max(*last);
    }

    fn next_position(&self) -> (u64, u64) {
        let now = u64::try_from(self.clock.now().as_millis()).unwrap_or(0);
        let mut last = self.last.lock();
        *last = if now > last.0 { (now, 0) } else { (last.0, last.1 + 1) };
        if last.1 >= 1 << 26 {
            *last = (last.0 + 1, 0);
        }
        *last
    }
}

/// Milliseconds and counter of an id of ours.
fn position_of(id: &str) -> Option<(u64, u64)> {
    let id = uuid::Uuid::parse_str(id).ok().filter(|id| id.get_version_num() == 7)?;
    let number = id.as_u128();
    let bits = |shift: u32, mask: u64| (number >> shift) as u64 & mask;
    let position = (bits(80, (1 << 48) - 1), bits(64, 0x0FFF) << 14 | bits(48, 0x3FFF));
    // The last moments there are would leave no room for what follows.
    (position.0 < (1 << 48) - 1_000_000).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::{ManualClock, Timestamp};
    use crate::domain::random::SeededRandom;

    #[test]
    fn ids_rise_strictly_even_while_the_clock_stands_still() {
        let clock = ManualClock::at(Timestamp::from_millis(1_787_220_003_125));
        let ids = IdMaker::new(Arc::new(clock), Arc::new(SeededRandom::new(7)));

        let made: Vec<String> = (0..40_000).map(|_| ids.next_id()).collect();

        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(uuid::Uuid::parse_str(&made[0]).unwrap().get_version_num(), 7);
    }

    #[test]
    fn ids_rise_above_those_made_before_the_clock_was_set_back() {
        let maker = |millis| {
            let clock = ManualClock::at(Timestamp::from_millis(millis));
            IdMaker::new(Arc::new(clock), Arc::new(SeededRandom::new(7)))
        };
        let earlier = maker(1_787_220_003_125);
        let made: Vec<String> = (0..1_000).map(|_| earlier.next_id()).collect();
        let later = maker(1_787_216_403_125);
        assert!(later.next_id() < made[0]);

        later.rise_above(made.last().unwrap());
        later.rise_above("not an id");
        assert!(later.next_id() > *made.last().unwrap());
    }

    #[test]
    fn ids_rise_above_those_of_a_clock_that_was_ahead() {
        let at = |millis, seed| {
            let clock = ManualClock::at(Timestamp::from_millis(millis));
            IdMaker::new(Arc::new(clock), Arc::new(SeededRandom::new(seed)))
        };
        let (ahead, behind) = (at(1_787_220_003_125, 7), at(1_787_220_000_000, 8));
        for _ in 0..20_000 {
            let theirs = ahead.next_id();
            behind.rise_above(&theirs);
            let ours = behind.next_id();
            assert!(ours > theirs, "{ours} {theirs}");
            ahead.rise_above(&ours);
        }

        behind.rise_above("no id at all");
        behind.rise_above("ffffffff-ffff-7fff-bfff-ffffffffffff");
        let next = behind.next_id();
        assert!(next.starts_with("01a01e9d"), "{next}");
    }
}
