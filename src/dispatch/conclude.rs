//! What follows from the end of an attempt. Pure.

use crate::config::OnAmbiguous;
use crate::domain::backoff::Backoff;
use crate::domain::clock::Timestamp;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::store::outbox::Next;

/// What the channel and the message say about trying again.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The bounds of waits.
    pub backoff: Backoff,
    /// The provider folds repeats of one message.
    pub idempotent: bool,
    /// What to do about an unknown end otherwise.
    pub on_ambiguous: OnAmbiguous,
    /// After this the message fails for good.
    pub expires_at: Timestamp,
}

/// What becomes of the message, and whether its reader may see it twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What becomes of it.
    pub next: Next,
    /// The provider may have it although it is tried again or given up.
    pub maybe_twice: bool,
    /// It waits for a person to say whether it is to be sent again.
    pub held: bool,
}

/// Concludes from a report on the `attempt`th attempt, ended at `now`; `fraction` in
/// `0.0..1.0` draws the wait.
pub fn conclude(
    report: &SendReport,
    terms: &Terms,
    attempt: u32,
    now: Timestamp,
    fraction: f64,
) -> Conclusion {
    let error = report.error.as_deref().unwrap_or("no reason was given");
    let held = report.outcome == SendOutcome::Ambiguous
        && !terms.idempotent
        && terms.on_ambiguous == OnAmbiguous::Hold;
    let next = match report.outcome {
        SendOutcome::Accepted => Next::Delivered,
        SendOutcome::Rejected => Next::Failed(format!("the provider refused it: {error}")),
        SendOutcome::Ambiguous if held => {
            Next::Failed(format!("it may have been sent and on_ambiguous is hold: {error}"))
        }
        SendOutcome::Ambiguous | SendOutcome::NotProcessed => {
            let due = now.plus(terms.backoff.wait(attempt, fraction, report.retry_after));
            if due > terms.expires_at {
                Next::Failed(format!("given up after delivery.max_age; the last attempt: {error}"))
            } else {
                Next::Retry(due)
            }
        }
    };
    Conclusion { next, maybe_twice: report.outcome == SendOutcome::Ambiguous && !terms.idempotent, held }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_787_220_000_000);

    fn terms() -> Terms {
        Terms {
            backoff: Backoff { min: Duration::from_secs(1), max: Duration::from_secs(60) },
            idempotent: false,
            on_ambiguous: OnAmbiguous::Retry,
            expires_at: NOW.plus(Duration::from_secs(3_600)),
        }
    }

    fn failed(outcome: SendOutcome) -> SendReport {
        SendReport::failed(outcome, None, "it broke")
    }

    #[test]
    fn the_four_outcomes_lead_to_three_ends() {
        let next = |report: &SendReport| conclude(report, &terms(), 1, NOW, 0.5).next;

        assert_eq!(next(&SendReport::accepted(Some(200))), Next::Delivered);
        assert_eq!(
            next(&failed(SendOutcome::Rejected)),
            Next::Failed("the provider refused it: it broke".into())
        );
        assert_eq!(
            next(&failed(SendOutcome::NotProcessed)),
            Next::Retry(NOW.plus(Duration::from_millis(500)))
        );
        assert_eq!(next(&failed(SendOutcome::Ambiguous)), Next::Retry(NOW.plus(Duration::from_millis(500))));
    }

    #[test]
    fn only_an_unknown_end_without_dedup_may_be_seen_twice() {
        let twice = |report: &SendReport, terms: &Terms| conclude(report, terms, 1, NOW, 0.5).maybe_twice;
        let folding = Terms { idempotent: true, ..terms() };

        assert!(twice(&failed(SendOutcome::Ambiguous), &terms()));
        assert!(!twice(&failed(SendOutcome::Ambiguous), &folding));
        assert!(!twice(&failed(SendOutcome::NotProcessed), &terms()));
    }

    #[test]
    fn hold_waits_for_a_person_only_where_a_repeat_would_show() {
        let hold = Terms { on_ambiguous: OnAmbiguous::Hold, ..terms() };
        let folding = Terms { idempotent: true, ..hold };

        assert!(matches!(
            conclude(&failed(SendOutcome::Ambiguous), &hold, 1, NOW, 0.5).next,
            Next::Failed(_)
        ));
        assert!(matches!(
            conclude(&failed(SendOutcome::Ambiguous), &folding, 1, NOW, 0.5).next,
            Next::Retry(_)
        ));
        assert!(matches!(
            conclude(&failed(SendOutcome::NotProcessed), &hold, 1, NOW, 0.5).next,
            Next::Retry(_)
        ));
    }

    #[test]
    fn a_hint_is_kept_and_a_retry_past_the_age_limit_is_the_end() {
        let mut report = failed(SendOutcome::NotProcessed);
        report.retry_after = Some(Duration::from_secs(90));
        assert_eq!(
            conclude(&report, &terms(), 1, NOW, 0.0).next,
            Next::Retry(NOW.plus(Duration::from_secs(90)))
        );

        report.retry_after = Some(Duration::from_secs(3_601));
        assert!(
            matches!(conclude(&report, &terms(), 1, NOW, 0.0).next, Next::Failed(reason) if reason.contains("max_age"))
        );
    }
}
