//! The list of rules a sender broke.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's short name, as in `CONTRACTS.md`: `slack.mention`.
    pub rule: &'static str,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}

/// Everything a fake had to complain about. Clones share one list.
#[derive(Clone, Debug, Default)]
pub struct Violations(Arc<Mutex<Vec<Violation>>>);

impl Violations {
    /// Notes a broken rule.
    pub fn record(&self, rule: &'static str, detail: impl Into<String>) {
        self.0.lock().push(Violation { rule, detail: detail.into() });
    }

    /// The rules broken so far, oldest first.
    pub fn list(&self) -> Vec<Violation> {
        self.0.lock().clone()
    }

    /// Takes the list and leaves it empty: for a test that broke a rule on purpose.
    pub fn take(&self) -> Vec<Violation> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Ends a test.
    ///
    /// # Panics
    /// When a rule was broken, naming all of them.
    pub fn assert_clean(&self) {
        let broken = self.list();
        let lines: Vec<String> = broken.iter().map(ToString::to_string).collect();
        assert!(broken.is_empty(), "the fake provider's rules were broken:\n  {}", lines.join("\n  "));
    }
}
