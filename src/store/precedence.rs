//! Who writes next on SQLite, which has one writer.
//!
//! A sender waits for the answer to what it posts, nobody waits for the rest: while bodies come
//! faster than they can be stored, intake has [`SHARE`] times as long as all others together.
//! Then these have a turn, so that they neither stop nor hold up many senders. Whether intake is
//! behind shows in its batches: one that keeps up has little to store, and nothing left once it
//! is stored.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// An intake batch of fewer events than this is small.
const SMALL: usize = 24;
/// Fewer events than this that came meanwhile are a matter of one small batch.
const FEW: usize = 8;
/// How many times as long as the others intake writes while it is behind …
const SHARE: u32 = 8;
/// … and how long at least.
const LEAST: Duration = Duration::from_millis(20);
/// Intake that stored nothing for this long is idle.
const IDLE: Duration = Duration::from_millis(3);
/// For how long others write little at a time after a turn that intake could not spare: now and
/// then one batch of a flood is small.
const FLOOD: Duration = Duration::from_millis(500);

/// Sees to who goes first.
#[derive(Debug, Default)]
pub(super) struct Precedence {
    /// Intake does not keep up, and the others had no turn since.
    is_behind: AtomicBool,
    /// Until when intake counts as overtaxed: the others had a turn although it was behind.
    overtaxed_until: Mutex<Option<Instant>>,
    /// When the others have their next turn.
    turn_at: Mutex<Option<Instant>>,
    stored: Notify,
    /// How many batches intake is storing.
    storing: AtomicU32,
}

/// Intake is storing a batch, until this is dropped.
pub(super) struct Storing<'a>(&'a Precedence);

impl Drop for Storing<'_> {
    fn drop(&mut self) {
        self.0.storing.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Precedence {
    /// Intake begins to store.
    pub fn intake_begins(&self) -> Storing<'_> {
        self.storing.fetch_add(1, Ordering::Relaxed);
        Storing(self)
    }

    /// Intake waited so long for others that wrote.
    pub fn intake_waited(&self, others: Duration) {
        self.plan_turn(others, Instant::now());
    }

    /// The others' turn that intake just waited for decides when they have the next one.
    fn plan_turn(&self, others: Duration, now: Instant) {
        self.turn_at.lock().get_or_insert_with(|| now + (others * SHARE).max(LEAST));
    }

    /// Intake stored so many events while so many more came.
    pub fn intake_stored(&self, events: usize, more: usize) {
        let is_behind = events >= SMALL || more >= FEW;
        self.is_behind.store(is_behind, Ordering::Relaxed);
        self.stored.notify_waiters();
    }

    /// Whether intake has more to store than it keeps up with, and for long.
    pub fn is_intake_overtaxed(&self) -> bool {
        self.is_overtaxed_at(Instant::now())
    }

    fn is_overtaxed_at(&self, now: Instant) -> bool {
        self.overtaxed_until.lock().is_some_and(|until| now < until)
    }

    /// Waits until it is the turn of those that are not intake.
    pub async fn wait(&self) {
        while self.is_behind.load(Ordering::Relaxed) {
            let stored = self.stored.notified();
            if self.is_due(Instant::now()) {
                *self.overtaxed_until.lock() = Some(Instant::now() + FLOOD);
                break;
            }
            let is_silent = tokio::time::timeout(IDLE, stored).await.is_err();
            if is_silent && self.storing.load(Ordering::Relaxed) == 0 {
                break;
            }
        }
        // All that wait have this turn together.
        self.is_behind.store(false, Ordering::Relaxed);
        *self.turn_at.lock() = None;
    }

    fn is_due(&self, now: Instant) -> bool {
        self.turn_at.lock().is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_while_intake_keeps_up() {
        let precedence = Precedence::default();
        assert!(precedence.wait().now_or_never().is_some(), "nothing was ever stored");

        precedence.intake_stored(SMALL, 0);
        precedence.intake_stored(SMALL - 1, FEW - 1);
        assert!(precedence.wait().now_or_never().is_some(), "nothing is left");
    }

    #[tokio::test]
    async fn others_wait_while_intake_is_behind_but_not_for_ever() {
        let precedence = Precedence::default();
        let now = Instant::now();
        let (others, share) = (2 * LEAST, 2 * LEAST * SHARE);
        for _ in 0..2 {
            precedence.plan_turn(others, now);
            assert!(!precedence.is_due(now + share - Duration::from_millis(1)), "intake has its share");
            precedence.plan_turn(Duration::ZERO, now + share);
            assert!(precedence.is_due(now + share), "and no more");
            precedence.wait().await;
            assert!(!precedence.is_due(now + share), "from the beginning again");
        }
    }

    #[tokio::test]
    async fn intake_is_overtaxed_from_a_turn_of_others_until_the_flood_is_over() {
        let precedence = Precedence::default();
        let _storing = precedence.intake_begins();
        precedence.intake_stored(1, FEW);
        precedence.plan_turn(Duration::from_secs(3_600), Instant::now());
        assert!(precedence.wait().now_or_never().is_none(), "intake goes first");

        *precedence.turn_at.lock() = Some(Instant::now());
        assert!(precedence.wait().now_or_never().is_some());
        precedence.intake_stored(1, 0);
        assert!(precedence.is_intake_overtaxed(), "one small batch does not end it");
        assert!(!precedence.is_overtaxed_at(Instant::now() + FLOOD));
    }

    #[tokio::test]
    async fn an_intake_that_falls_silent_holds_nobody_up() {
        let precedence = Precedence::default();
        precedence.intake_stored(SMALL, SMALL);

        // Ends by the idle limit.
        precedence.wait().await;
        assert!(!precedence.is_intake_overtaxed());
    }
}
