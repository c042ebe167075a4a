//! Words with a colour: severities, states, outcomes. The word says it all; the colour helps.

use maud::{Markup, html};

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody must act now.
    Critical,
    /// Something is wrong.
    High,
    /// Something may be wrong.
    Medium,
    /// Under way.
    Low,
    /// Nothing to do.
    Info,
    /// All is well.
    Good,
}

impl Tone {
    /// The class of the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Critical => "tone-critical",
            Self::High => "tone-high",
            Self::Medium => "tone-medium",
            Self::Low => "tone-low",
            Self::Info => "tone-info",
            Self::Good => "tone-good",
        }
    }

    /// Of a severity, by its word.
    pub fn of_severity(severity: &str) -> Self {
        match severity {
            "critical" => Self::Critical,
            "high" => Self::High,
            "medium" => Self::Medium,
            "low" => Self::Low,
            _ => Self::Info,
        }
    }

    /// Of a state or an outcome, by its word, whatever it is of.
    pub fn of_state(state: &str) -> Self {
        match state {
            "failed" | "rejected" | "failing" | "open" | "firing" => Self::Critical,
            "not_processed" | "half_open" | "probing" => Self::High,
            "ambiguous" | "paused" | "wait" => Self::Medium,
            "pending" | "sending" | "send" => Self::Low,
            "delivered" | "accepted" | "healthy" | "resolved" | "processed" => Self::Good,
            _ => Self::Info,
        }
    }
}

/// A severity.
pub fn severity(word: &str) -> Markup {
    of(word, Tone::of_severity(word))
}

/// A state or an outcome.
pub fn state(word: &str) -> Markup {
    of(&word.replace('_', " "), Tone::of_state(word))
}

/// A word with a colour.
pub fn of(word: &str, tone: Tone) -> Markup {
    html! { span.badge.(tone.class()) { (word) } }
}

/// A word without one.
pub fn plain(word: &str) -> Markup {
    html! { span.badge.plain { (word) } }
}
