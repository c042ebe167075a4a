//! Which of the messages that wait for a channel goes first.

use super::notification::NotificationKind;
use super::severity::Severity;

/// How many priorities there are.
pub const PRIORITIES: u8 = 16;
/// Where the priorities of what changes what a reader would do begin.
const NEWS: u8 = 1;
/// Where those of reminders begin.
const REMINDERS: u8 = 6;
/// Where those of one body's flood of alerts begin: it must not keep everybody else waiting.
const FLOOD: u8 = 11;

/// The place of a message in its channel's queue: 0 goes first. What changes what a reader
/// would do goes ahead of what only goes on, and within each the more severe goes first.
pub const fn priority(kind: NotificationKind, severity: Severity) -> u8 {
    let first = match kind {
        // It stands for messages that waited longer than itself, and there is one at a time.
        NotificationKind::Folded => return 0,
        NotificationKind::Firing
        | NotificationKind::SeverityRaised
        | NotificationKind::Reopened
        | NotificationKind::Resolved
        | NotificationKind::Other
        | NotificationKind::Test => NEWS,
        NotificationKind::Updated
        | NotificationKind::SeverityLowered
        | NotificationKind::Repeated
        | NotificationKind::Acknowledged => REMINDERS,
    };
    first + rank(severity)
}

/// The place of a message about one of the many alerts of a large body.
pub const fn flood_priority(severity: Severity) -> u8 {
    FLOOD + rank(severity)
}

const fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 0,
        Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Info => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_any_severity_goes_ahead_of_every_reminder() {
        for severity in Severity::ALL {
            assert!(
                priority(NotificationKind::Firing, severity)
                    < priority(NotificationKind::Repeated, Severity::Critical)
            );
        }
    }

    #[test]
    fn the_more_severe_goes_first_and_no_priority_is_beyond_the_last() {
        for kind in NotificationKind::ALL {
            let all = Severity::ALL.map(|severity| priority(kind, severity));
            assert!(all.is_sorted(), "{kind:?}: {all:?}");
            assert!(all[4] < PRIORITIES);
        }
    }

    #[test]
    fn a_flood_goes_behind_everything_else_and_the_more_severe_of_it_first() {
        let flood = Severity::ALL.map(flood_priority);
        assert!(flood.is_sorted() && flood[4] < PRIORITIES);
        assert!(flood[0] > priority(NotificationKind::Repeated, Severity::Info));
    }
}
