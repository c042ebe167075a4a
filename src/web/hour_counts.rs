//! Messages counted by the hour, kept for a while: hours that are over hardly change.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::clock::Timestamp;
use crate::store::overview::MessageCount;

/// Counts by the hour's beginning.
#[derive(Clone, Debug, Default)]
pub struct HourCounts(Arc<Mutex<HashMap<i64, (MessageCount, Instant)>>>);

impl HourCounts {
    /// What was counted last of the hour that begins then, and how long ago.
    pub fn get(&self, hour: Timestamp) -> Option<(MessageCount, Duration)> {
        self.0.lock().get(&hour.as_millis()).map(|(count, at)| (*count, at.elapsed()))
    }

    /// Keeps a count just made.
    pub fn keep(&self, hour: Timestamp, count: MessageCount) {
        self.0.lock().insert(hour.as_millis(), (count, Instant::now()));
    }

    /// Forgets the hours before `oldest`.
    pub fn forget_before(&self, oldest: Timestamp) {
        self.0.lock().retain(|hour, _| *hour >= oldest.as_millis());
    }
}
