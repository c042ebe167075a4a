//! Until when an exchange may take.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::duration::PromDuration;

/// The moment by which a send must have ended. Several requests may share one.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// The moment `limit` from now.
    pub fn after(limit: Duration) -> Self {
        // A limit beyond a day is as good as none and could overflow the clock.
        Self { at: Instant::now() + limit.min(Duration::from_secs(86_400)), limit }
    }

    /// As an instant.
    pub const fn instant(self) -> Instant {
        self.at
    }

    /// `timed out after 10s`
    pub fn exceeded(self) -> String {
        timed_out(self.limit)
    }
}

pub(super) fn timed_out(limit: Duration) -> String {
    format!("timed out after {}", PromDuration(limit))
}
