//! Severity: five words, and the table that maps every other word onto them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad it is. Ordered: `Critical` is the greatest.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    utoipa::ToSchema,
)]
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

/// What the words stand for that senders use most, unless a configuration says otherwise:
/// those of Prometheus, PagerDuty, Opsgenie, Zabbix, Jira and syslog. Folded, see [`fold`].
const BUILT_IN: [(&str, Severity); 58] = [
    ("page", Severity::Critical),
    ("p0", Severity::Critical),
    ("priority0", Severity::Critical),
    ("sev0", Severity::Critical),
    ("sev1", Severity::Critical),
    ("s0", Severity::Critical),
    ("s1", Severity::Critical),
    ("severity0", Severity::Critical),
    ("severity1", Severity::Critical),
    ("crit", Severity::Critical),
    ("fatal", Severity::Critical),
    ("emergency", Severity::Critical),
    ("emerg", Severity::Critical),
    ("panic", Severity::Critical),
    ("alert", Severity::Critical),
    ("disaster", Severity::Critical),
    ("blocker", Severity::Critical),
    ("p1", Severity::High),
    ("priority1", Severity::High),
    ("sev2", Severity::High),
    ("s2", Severity::High),
    ("severity2", Severity::High),
    ("error", Severity::High),
    ("err", Severity::High),
    ("major", Severity::High),
    ("urgent", Severity::High),
    ("p2", Severity::Medium),
    ("priority2", Severity::Medium),
    ("sev3", Severity::Medium),
    ("s3", Severity::Medium),
    ("severity3", Severity::Medium),
    ("warning", Severity::Medium),
    ("warn", Severity::Medium),
    ("moderate", Severity::Medium),
    ("average", Severity::Medium),
    ("minor", Severity::Medium),
    ("p3", Severity::Low),
    ("priority3", Severity::Low),
    ("sev4", Severity::Low),
    ("s4", Severity::Low),
    ("severity4", Severity::Low),
    ("trivial", Severity::Low),
    ("p4", Severity::Info),
    ("p5", Severity::Info),
    ("priority4", Severity::Info),
    ("priority5", Severity::Info),
    ("sev5", Severity::Info),
    ("s5", Severity::Info),
    ("severity5", Severity::Info),
    ("none", Severity::Info),
    ("notice", Severity::Info),
    ("debug", Severity::Info),
    ("trace", Severity::Info),
    ("verbose", Severity::Info),
    ("ok", Severity::Info),
    ("notclassified", Severity::Info),
    ("informational", Severity::Info),
    ("information", Severity::Info),
];

/// Maps the words that senders use onto severities. Case, white space and separators do not
/// matter (`SEV_1`, `sev-1` and `Sev 1` are one word); canonical words need no line in the
/// table.
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

    /// The built-in aliases, which `aliases` add to and override.
    pub fn with_builtin(aliases: impl IntoIterator<Item = (String, Severity)>, default: Severity) -> Self {
        let built_in = BUILT_IN.map(|(word, severity)| (word.to_owned(), severity));
        Self::new(built_in.into_iter().chain(aliases), default)
    }

    /// The severity that `word` stands for; `None` when it is not known.
    pub fn find(&self, word: &str) -> Option<Severity> {
        let word = fold(word);
        self.aliases.get(&word).copied().or_else(|| word.parse().ok())
    }

    /// The severity that `word` stands for; the default for none and for an unknown one.
    pub fn normalise(&self, word: Option<&str>) -> Severity {
        word.and_then(|word| self.find(word)).unwrap_or(self.default)
    }

    /// Whether `word` says something that the table does not know.
    pub fn is_unknown(&self, word: &str) -> bool {
        !word.trim().is_empty() && self.find(word).is_none()
    }

    /// Every word that is known, and what it stands for.
    pub fn words(&self) -> impl Iterator<Item = (&str, Severity)> {
        let canonical = Severity::ALL.into_iter().map(|severity| (severity.as_str(), severity));
        let aliases = self.aliases.iter().map(|(word, severity)| (word.as_str(), *severity));
        canonical.filter(|(word, _)| !self.aliases.contains_key(*word)).chain(aliases)
    }
}

/// A word as it is compared: lower case, without white space and separators, unless it
/// consists of nothing else.
fn fold(word: &str) -> String {
    let word = word.trim().to_lowercase();
    let bare: String = word
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '.' | ':' | '/' | '#'))
        .collect();
    if bare.is_empty() { word } else { bare }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> SeverityTable {
        SeverityTable::with_builtin([("P1".to_owned(), Severity::Critical)], Severity::Medium)
    }

    #[test]
    fn the_order_is_that_of_urgency() {
        assert!(Severity::ALL.windows(2).all(|pair| pair[0] > pair[1]));
        assert_eq!([Severity::Low, Severity::High, Severity::Info].iter().max(), Some(&Severity::High));
    }

    #[test]
    fn common_words_are_understood_whatever_their_case() {
        let cases = [
            ("critical", Severity::Critical),
            ("page", Severity::Critical),
            ("P0", Severity::Critical),
            (" Error ", Severity::High),
            ("SEV1", Severity::Critical),
            ("fatal", Severity::Critical),
            ("sev4", Severity::Low),
            ("WARNING", Severity::Medium),
            ("warn", Severity::Medium),
            ("p3", Severity::Low),
            ("none", Severity::Info),
            ("Info", Severity::Info),
            ("SEV_1", Severity::Critical),
            ("SEV-1", Severity::Critical),
            ("sev 1", Severity::Critical),
            ("Sev\u{a0}1", Severity::Critical),
            ("Severity: 2", Severity::High),
            ("S1", Severity::Critical),
            ("s2", Severity::High),
            ("emerg", Severity::Critical),
            ("alert", Severity::Critical),
            ("disaster", Severity::Critical),
            ("blocker", Severity::Critical),
            ("crit", Severity::Critical),
            ("err", Severity::High),
            ("notice", Severity::Info),
            ("P-5", Severity::Info),
            ("Not classified", Severity::Info),
        ];
        for (word, severity) in cases {
            assert_eq!(table().normalise(Some(word)), severity, "{word:?}");
        }
    }

    #[test]
    fn configured_aliases_override_the_built_in_ones() {
        assert_eq!(table().normalise(Some("p1")), Severity::Critical);
        assert_eq!(SeverityTable::with_builtin([], Severity::Low).normalise(Some("p1")), Severity::High);
    }

    #[test]
    fn a_configured_alias_wins_however_it_is_written() {
        let table = SeverityTable::with_builtin([("Sev_1".to_owned(), Severity::Low)], Severity::Medium);
        for word in ["sev1", "SEV-1", "sev 1", "Sev_1"] {
            assert_eq!(table.normalise(Some(word)), Severity::Low, "{word:?}");
        }
        let table = SeverityTable::with_builtin([("critical".to_owned(), Severity::Info)], Severity::Medium);
        assert_eq!(table.normalise(Some("CRITICAL")), Severity::Info);
    }

    #[test]
    fn missing_and_unknown_words_stand_for_the_default() {
        for word in [None, Some(""), Some(" "), Some("🔥"), Some("critical!"), Some("--"), Some("严重")] {
            assert_eq!(table().normalise(word), Severity::Medium, "{word:?}");
        }
        for word in ["🔥", "critical!", "--", "1"] {
            assert!(table().is_unknown(word), "{word:?}");
        }
        for word in ["", " \t", "sev 1", "info"] {
            assert!(!table().is_unknown(word), "{word:?}");
        }
    }

    #[test]
    fn every_built_in_word_is_written_as_it_is_compared_and_stands_once() {
        let words: std::collections::BTreeSet<&str> = BUILT_IN.iter().map(|(word, _)| *word).collect();
        assert_eq!(words.len(), BUILT_IN.len());
        for word in words {
            assert_eq!(fold(word), word);
        }
    }

    proptest! {
        #[test]
        fn case_and_white_space_never_matter(word in "\\PC{0,8}", severity in prop::sample::select(Severity::ALL.to_vec())) {
            let table = SeverityTable::with_builtin([(word.clone(), severity)], Severity::Medium);

            prop_assert_eq!(table.normalise(Some(&word)), severity);
            prop_assert_eq!(table.normalise(Some(&format!(" {word}\t"))), severity);
            prop_assert_eq!(table.normalise(Some(&word.to_lowercase())), severity);
        }

        #[test]
        fn canonical_words_stand_for_themselves(severity in prop::sample::select(Severity::ALL.to_vec())) {
            prop_assert_eq!(table().normalise(Some(severity.as_str())), severity);
            prop_assert_eq!(table().normalise(Some(&severity.as_str().to_uppercase())), severity);
        }
    }
}
