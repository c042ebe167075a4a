//! The open pages that want to hear of changes, and how they are told.
//!
//! Promises: while nobody looks, nobody need watch the database; telling costs the same however
//! many look.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// How many views there may be at a time.
pub const MOST_VIEWS: usize = 5_000;

/// Every open view of this process.
#[derive(Clone, Debug)]
pub struct LiveViews(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pulse: watch::Sender<Pulse>,
    opened: Notify,
}

/// What views hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// Counts the changes.
    Beat(u64),
    /// The service stops.
    End,
}

impl Default for LiveViews {
    fn default() -> Self {
        Self(Arc::new(Inner { pulse: watch::Sender::new(Pulse::Beat(0)), opened: Notify::new() }))
    }
}

impl LiveViews {
    /// How many are open.
    pub fn count(&self) -> usize {
        self.0.pulse.receiver_count()
    }

    /// Waits until one is open.
    pub async fn wait_for_one(&self) {
        while self.count() == 0 {
            self.0.opened.notified().await;
        }
    }

    /// Tells all of them that something changed.
    pub fn tell(&self) {
        self.0.pulse.send_modify(|pulse| {
            if let Pulse::Beat(number) = pulse {
                *number += 1;
            }
        });
    }

    /// Ends all of them, and every later one at once.
    pub fn end(&self) {
        self.0.pulse.send_replace(Pulse::End);
    }

    /// One more; `None` when there are as many as there may be.
    pub fn open(&self) -> Option<watch::Receiver<Pulse>> {
        if self.count() >= MOST_VIEWS {
            return None;
        }
        let view = self.0.pulse.subscribe();
        self.0.opened.notify_one();
        Some(view)
    }
}
