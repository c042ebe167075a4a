//! Who writes next on SQLite, which has one writer.
//!
//! A sender waits for the answer to what it posts, nobody waits for the rest: while bodies
//! come faster than they can be stored, intake goes first, and all other writes get a turn
//! now and then, so that they neither stop nor hold up many senders. Whether intake is behind
//! shows in its batches: an intake that keeps up has little to store, and nothing left once it
//! is stored. Needs no clock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// An intake batch of fewer events than this is small.
const SMALL: usize = 24;
/// After so many batches in a row the others have their turn.
const PATIENCE: u32 = 128;
/// Intake that stored nothing for this long is idle.
const IDLE: Duration = Duration::from_millis(3);

/// Sees to who goes first.
#[derive(Debug, Default)]
pub(super) struct Precedence {
    /// Intake batches since the others had their turn, while intake does not keep up.
    batches: AtomicU32,
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

    /// Intake stored so many events while so many more came.
    pub fn intake_stored(&self, events: usize, more: usize) {
        let keeps_up = events < SMALL && more == 0;
        if keeps_up {
            self.batches.store(0, Ordering::Relaxed);
        } else {
            self.batches.fetch_add(1, Ordering::Relaxed);
        }
        self.stored.notify_waiters();
    }

    /// Whether intake has more to store than it keeps up with.
    pub fn is_intake_behind(&self) -> bool {
        self.batches.load(Ordering::Relaxed) > 0
    }

    /// Waits until it is the turn of those that are not intake.
    pub async fn wait(&self) {
        loop {
            let stored = self.stored.notified();
            let batches = self.batches.load(Ordering::Relaxed);
            if batches == 0 || batches >= PATIENCE {
                break;
            }
            let is_silent = tokio::time::timeout(IDLE, stored).await.is_err();
            if is_silent && self.storing.load(Ordering::Relaxed) == 0 {
                break;
            }
        }
        self.batches.store(0, Ordering::Relaxed);
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
        precedence.intake_stored(SMALL - 1, 0);
        assert!(precedence.wait().now_or_never().is_some(), "nothing is left");
    }

    #[tokio::test]
    async fn others_wait_while_intake_is_behind_but_not_for_ever() {
        let precedence = Precedence::default();
        precedence.intake_stored(SMALL, 0);
        let _storing = precedence.intake_begins();
        let mut waiting = std::pin::pin!(precedence.wait());

        for batch in 1..PATIENCE {
            assert!(waiting.as_mut().now_or_never().is_none(), "intake goes first");
            precedence.intake_stored(1, usize::from(batch % 2 == 0) * 7 + 1);
        }
        assert!(waiting.now_or_never().is_some(), "after enough of its batches");

        precedence.intake_stored(1, 1);
        assert!(precedence.wait().now_or_never().is_none(), "and from the beginning again");
    }

    #[tokio::test]
    async fn an_intake_that_falls_silent_holds_nobody_up() {
        let precedence = Precedence::default();
        precedence.intake_stored(SMALL, SMALL);

        // Ends by the idle limit.
        precedence.wait().await;
    }
}
