//! Warnings that repeat: the first is said at once, the same again once a minute with how
//! often it was kept back. A database that is away for an hour does not fill the log.

use std::time::Duration;

use crate::domain::clock::Timestamp;

/// How often the same is said again.
const EVERY: Duration = Duration::from_secs(60);

/// What was said last, and how often it was not.
#[derive(Debug, Default)]
pub struct Repeats {
    said: Option<(String, Timestamp)>,
    kept_back: u64,
}

impl Repeats {
    /// Whether to say `text` now: how often it was kept back since it was said last.
    pub fn say(&mut self, text: &str, now: Timestamp) -> Option<u64> {
        let is_repeat = self.said.as_ref().is_some_and(|(said, at)| said == text && now < at.plus(EVERY));
        if is_repeat {
            self.kept_back += 1;
            return None;
        }
        self.said = Some((text.to_owned(), now));
        Some(std::mem::take(&mut self.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_and_anything_else_at_once() {
        let mut repeats = Repeats::default();
        let at = |seconds| Timestamp::from_millis(1_787_220_000_000).plus(Duration::from_secs(seconds));

        assert_eq!(repeats.say("the disk is full", at(0)), Some(0));
        assert_eq!(repeats.say("the disk is full", at(1)), None);
        assert_eq!(repeats.say("the disk is full", at(59)), None);
        assert_eq!(repeats.say("the disk is full", at(60)), Some(2));
        assert_eq!(repeats.say("the file is read-only", at(61)), Some(0));
        assert_eq!(repeats.say("the disk is full", at(62)), Some(0));
    }
}
