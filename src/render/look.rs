//! How severities look, the same in every medium.

use crate::domain::severity::Severity;

/// What stands for something that is over.
pub const RESOLVED_EMOJI: &str = "✅";

/// The colour of something that is over.
pub const RESOLVED_COLOR: &str = "#1a7f4b";

/// One emoji a severity.
pub const fn emoji(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "🔴",
        Severity::High => "🟠",
        Severity::Medium => "🟡",
        Severity::Low => "🔵",
        Severity::Info => "⚪",
    }
}

/// One colour a severity, `#rrggbb`; readable as text on white.
pub const fn color(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "#c4221f",
        Severity::High => "#c2570c",
        Severity::Medium => "#9a6b00",
        Severity::Low => "#1f6fb5",
        Severity::Info => "#5f6b76",
    }
}
