//! When a worker leases messages, and how many. Pure.
//!
//! Many per transaction, because a transaction costs more than a message; and a little ahead
//! of the sends, so that none waits for a transaction. Never further ahead than can be
//! started within [`WINDOW`] at the present rate: what is leased and not started when the
//! process dies counts as perhaps sent.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::priority::PRIORITIES;

/// How far ahead of the sends messages are leased, in time.
const WINDOW: Duration = Duration::from_millis(100);
/// And in messages.
const MAX_AHEAD: usize = 1_024;
/// With less than half of the room free, no sooner than this after the last leasing.
const GAP: Duration = Duration::from_millis(3);

/// Of so many leasings one begins further down the queue, so that nothing waits for ever
/// behind an endless stream of what is more urgent.
const TURN: u32 = 8;

/// What to do about leasing, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Lease up to that many.
    Lease(usize),
    /// Not before that moment, unless a send ends.
    NotBefore(Timestamp),
    /// There is no room until a send ends.
    Full,
}

/// How fast sends end, and when messages were leased last.
#[derive(Debug)]
pub(super) struct Pace {
    concurrency: usize,
    leased_at: Option<Timestamp>,
    leasings: u32,
    window_began: Timestamp,
    ended_in_window: usize,
    /// How many sends ended per [`WINDOW`], in the window before.
    rate: usize,
}

impl Pace {
    pub fn new(concurrency: usize, now: Timestamp) -> Self {
        Self { concurrency, leased_at: None, leasings: 0, window_began: now, ended_in_window: 0, rate: 0 }
    }

    /// Sends ended.
    pub fn ended(&mut self, count: usize, now: Timestamp) {
        self.turn_window(now);
        self.ended_in_window += count;
    }

    /// Messages are being leased; answers from which priority on: every one has its turn to
    /// be the first.
    pub fn lease(&mut self, now: Timestamp) -> u8 {
        self.leased_at = Some(now);
        self.leasings = self.leasings.wrapping_add(1);
        let turn = self.leasings / TURN;
        match self.leasings % TURN {
            0 => u8::try_from(turn % u32::from(PRIORITIES)).unwrap_or(0),
            _ => 0,
        }
    }

    /// What to do while `held` messages are being sent or wait for it.
    pub fn step(&mut self, held: usize, now: Timestamp) -> Step {
        self.turn_window(now);
        // The clock may have been set back.
        self.leased_at = self.leased_at.map(|at| at.min(now));
        let capacity = self.concurrency + self.rate.min(MAX_AHEAD);
        let room = capacity.saturating_sub(held);
        if room == 0 {
            return Step::Full;
        }
        let again_at = self.leased_at.map_or(now, |at| at.plus(GAP));
        if room * 2 < capacity && now < again_at {
            return Step::NotBefore(again_at);
        }
        Step::Lease(room)
    }

    fn turn_window(&mut self, now: Timestamp) {
        self.window_began = self.window_began.min(now);
        let elapsed = now.since(self.window_began);
        if elapsed < WINDOW {
            return;
        }
        let windows = usize::try_from(elapsed.as_millis() / WINDOW.as_millis()).unwrap_or(usize::MAX);
        self.rate = self.ended_in_window / windows;
        self.ended_in_window = 0;
        self.window_began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_787_220_000_000);

    fn after(millis: u64) -> Timestamp {
        NOW.plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_channel_that_has_sent_nothing_leases_what_it_can_start() {
        assert_eq!(Pace::new(16, NOW).step(0, NOW), Step::Lease(16));
    }

    #[test]
    fn a_busy_channel_leases_ahead_what_it_can_start_in_a_tenth_of_a_second() {
        let mut pace = Pace::new(16, NOW);
        pace.ended(500, after(10));

        assert_eq!(pace.step(16, after(100)), Step::Lease(500));
    }

    #[test]
    fn one_that_became_slow_leases_nothing_ahead() {
        let mut pace = Pace::new(16, NOW);
        pace.ended(500, after(10));

        assert_eq!(pace.step(16, after(60_000)), Step::Full);
        assert_eq!(pace.step(15, after(60_000)), Step::Lease(1));
    }

    #[test]
    fn small_room_is_filled_at_intervals_and_large_room_at_once() {
        let mut pace = Pace::new(16, NOW);
        pace.lease(NOW);

        assert_eq!(pace.step(9, NOW), Step::NotBefore(NOW.plus(GAP)));
        assert_eq!(pace.step(8, NOW), Step::Lease(8));
        assert_eq!(pace.step(9, NOW.plus(GAP)), Step::Lease(7));
        assert_eq!(pace.step(16, NOW.plus(GAP)), Step::Full);
    }

    #[test]
    fn every_priority_is_the_first_in_its_turn_and_most_turns_are_for_the_urgent() {
        let mut pace = Pace::new(1, NOW);
        let turns: Vec<u8> = (0..TURN * u32::from(PRIORITIES)).map(|_| pace.lease(NOW)).collect();

        assert!((0..PRIORITIES).all(|priority| turns.contains(&priority)), "{turns:?}");
        assert!(turns.iter().filter(|from| **from == 0).count() >= turns.len() * 7 / 8);
    }

    #[test]
    fn however_fast_a_channel_is_what_it_leases_ahead_is_bounded() {
        let mut pace = Pace::new(16, NOW);
        pace.ended(1_000_000, after(10));

        assert_eq!(pace.step(0, after(100)), Step::Lease(16 + MAX_AHEAD));
    }
}
