//! What an HTTP status means for the message: the four outcomes, for every provider that
//! has no rule of its own. A success still has to pass the provider's own test of the
//! body, where it has one.

use crate::domain::outcome::SendOutcome;

/// Whether the answer said when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryHint {
    /// It did, understandably.
    Given,
    /// It did not.
    Absent,
}

/// The outcome that `status` stands for.
///
/// Redirects are refused, never followed: they would carry the message and its secrets to
/// an address nobody configured. A server error may come after the message was taken in;
/// only a 503 that names a time to come back says that it was not. A 403 that names one is
/// GitHub's way of saying 429.
pub const fn outcome(status: u16, hint: RetryHint) -> SendOutcome {
    match status {
        200..=299 => SendOutcome::Accepted,
        408 | 425 | 429 => SendOutcome::NotProcessed,
        403 if matches!(hint, RetryHint::Given) => SendOutcome::NotProcessed,
        300..=499 => SendOutcome::Rejected,
        503 if matches!(hint, RetryHint::Given) => SendOutcome::NotProcessed,
        _ => SendOutcome::Ambiguous,
    }
}

/// Whether `status` speaks for the whole channel rather than for one message.
pub const fn slows_channel(status: u16, hint: RetryHint) -> bool {
    match status {
        429 => true,
        403 | 503 => matches!(hint, RetryHint::Given),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matrix once more, as a list of ranges: whoever changes one must change both.
    const MATRIX: &[(u16, u16, SendOutcome, SendOutcome)] = &[
        (100, 199, SendOutcome::Ambiguous, SendOutcome::Ambiguous),
        (200, 299, SendOutcome::Accepted, SendOutcome::Accepted),
        (300, 402, SendOutcome::Rejected, SendOutcome::Rejected),
        (403, 403, SendOutcome::NotProcessed, SendOutcome::Rejected),
        (404, 407, SendOutcome::Rejected, SendOutcome::Rejected),
        (408, 408, SendOutcome::NotProcessed, SendOutcome::NotProcessed),
        (409, 424, SendOutcome::Rejected, SendOutcome::Rejected),
        (425, 425, SendOutcome::NotProcessed, SendOutcome::NotProcessed),
        (426, 428, SendOutcome::Rejected, SendOutcome::Rejected),
        (429, 429, SendOutcome::NotProcessed, SendOutcome::NotProcessed),
        (430, 499, SendOutcome::Rejected, SendOutcome::Rejected),
        (500, 502, SendOutcome::Ambiguous, SendOutcome::Ambiguous),
        (503, 503, SendOutcome::NotProcessed, SendOutcome::Ambiguous),
        (504, 599, SendOutcome::Ambiguous, SendOutcome::Ambiguous),
    ];

    #[test]
    fn every_status_has_its_outcome() {
        let mut seen = 0;
        for &(from, to, with_hint, without) in MATRIX {
            for status in from..=to {
                assert_eq!(outcome(status, RetryHint::Given), with_hint, "{status} with a hint");
                assert_eq!(outcome(status, RetryHint::Absent), without, "{status} without");
                seen += 1;
            }
        }
        assert_eq!(seen, 500, "100..=599, each once");
    }

    #[test]
    fn only_throttling_slows_the_whole_channel() {
        let slow: Vec<u16> = (100..=599).filter(|status| slows_channel(*status, RetryHint::Given)).collect();

        assert_eq!(slow, [403, 429, 503]);
        assert!(!slows_channel(503, RetryHint::Absent) && !slows_channel(403, RetryHint::Absent));
    }
}
