//! Severity: five words, and the table that maps every other word onto them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad it is. Ordered: `Critical` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Look when convenient.
    Info,
    /// Look on the next working day.
    Low,
    /// Look within hours.
    Medium,
    /// Look within the hour.
    High,
    /// Look now.
    Critical,
}

impl Severity {
    /// All severities, most severe first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// The canonical word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == word).ok_or_else(|| UnknownSeverity(word.to_owned()))
    }
}

/// A word that is not a canonical severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of critical, high, medium, low, info")]
pub struct UnknownSeverity(String);

/// Maps the words that senders use onto severities; case and surrounding white space
/// do not matter, canonical words need no line in the table.
#[derive(Clone, Debug)]
pub struct SeverityTable {
    aliases: BTreeMap<String, Severity>,
    default: Severity,
}

impl SeverityTable {
    /// A table of aliases, and what stands for a missing or unknown word.
    pub fn new(aliases: impl IntoIterator<Item = (String, Severity)>, default: Severity) -> Self {
        let aliases = aliases.into_iter().map(|(word, severity)| (fold(&word), severity)).collect();
        Self { aliases, default }
    }

    /// The severity that `word` stands for.
    pub fn normalise(&self, word: Option<&str>) -> Severity {
        let Some(word) = word.map(fold) else { return self.default };
        self.aliases.get(&word).copied().or_else(|| word.parse().ok()).unwrap_or(self.default)
    }
}

fn fold(word: &str) -> String {
    word.trim().to_lowercase()
}
