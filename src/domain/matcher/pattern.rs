//! Patterns that need no regular expression, and what any pattern says of how a value
//! begins. Most patterns in use are alternations of literals or a literal and `.*`:
//! compiling these would cost thousands of times more than the comparison they stand for.

use std::sync::Arc;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, meta};

use super::re2::{self, Hir, RegexFault};

/// The greatest size of one compiled expression, in bytes.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;
/// The greatest size of one expression's table, in bytes.
const MAX_TABLE_BYTES: usize = 512 * 1024;

/// How expressions are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Nearly every expression fits, and some take long for a value.
    General,
    /// A table of states: the time for a value depends on the value's length alone, and nothing
    /// is set aside for a first use. For expressions of which thousands may be compared with one value.
    Table,
}

/// What a label's value must be for a matcher to hold. May be too wide, never too narrow;
/// never holds for a missing label. An index files matchers under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// One of these; none is empty.
    OneOf(Vec<String>),
    /// Something that begins so; not empty.
    Prefix(String),
}

/// A regular expression over a whole value, in its cheapest form.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// An alternation of literals.
    OneOf(Vec<String>),
    /// A literal and `.*`.
    StartsWith(String),
    /// Anything else, with the text every match begins with.
    Regex { regex: Compiled, prefix: String },
}

/// An expression, compiled.
#[derive(Clone, Debug)]
pub(super) enum Compiled {
    General(meta::Regex),
    /// With whether every match begins where the value does.
    Table(Arc<dense::DFA<Vec<u32>>>, Anchored),
}

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PatternFault {
    #[error(transparent)]
    Syntax(#[from] RegexFault),
    #[error(
        "takes more than {} KiB when compiled; write fewer or smaller repetitions, such as x+ for x{{1,1000}}",
        .0 / 1024
    )]
    TooLarge(usize),
    #[error("cannot be compiled: {0}")]
    Engine(String),
}

/// Signs with a meaning in a regular expression.
const META: &str = r"\.+*?()|[]{}^$";

impl Pattern {
    /// The pattern as plain comparisons, if it is that simple.
    pub(super) fn without_regex(pattern: &str) -> Option<Self> {
        if let Some(alternatives) = literals(pattern) {
            return Some(Self::OneOf(alternatives));
        }
        let (start, rest) = leading_literal(pattern);
        (rest == ".*").then_some(Self::StartsWith(start))
    }

    /// Reads and compiles a regular expression as Alertmanager does: the whole value must
    /// match. A parenthesis that is closed but never opened closes Alertmanager's own.
    pub(super) fn compile(pattern: &str, engine: Engine) -> Result<Self, PatternFault> {
        if let Some(simple) = Self::without_regex(pattern) {
            return Ok(simple);
        }
        let hir = re2::parse(&format!("^(?:{pattern})$"))?;
        let prefix = re2::leading_text(&hir);
        let regex = match engine {
            Engine::General => Compiled::general(&hir)?,
            Engine::Table => Compiled::table(&hir)?,
        };
        Ok(Self::Regex { regex, prefix })
    }

    /// How much memory it takes beyond its text.
    pub(super) fn compiled_bytes(&self) -> usize {
        match self {
            Self::OneOf(_) | Self::StartsWith(_) => 0,
            Self::Regex { regex: Compiled::General(regex), .. } => regex.memory_usage(),
            Self::Regex { regex: Compiled::Table(table, _), .. } => table.memory_usage(),
        }
    }

    /// What a value must be or begin with; `None` when it may be anything or missing.
    pub(super) fn anchor(&self) -> Option<Anchor> {
        match self {
            Self::OneOf(literals) => {
                let may_be_missing = literals.iter().any(String::is_empty);
                (!may_be_missing).then(|| Anchor::OneOf(literals.clone()))
            }
            Self::StartsWith(prefix) | Self::Regex { prefix, .. } => {
                (!prefix.is_empty()).then(|| Anchor::Prefix(prefix.clone()))
            }
        }
    }

    /// Whether the whole value matches.
    pub(super) fn matches(&self, value: &str) -> bool {
        match self {
            Self::OneOf(literals) => literals.iter().any(|literal| literal == value),
            // The dot is any character but a line feed.
            Self::StartsWith(start) => {
                value.strip_prefix(start.as_str()).is_some_and(|rest| !rest.contains('\n'))
            }
            Self::Regex { regex, .. } => regex.is_match(value),
        }
    }
}

impl Anchor {
    /// The anchor of `label = value`; an empty value also matches a missing label.
    pub(super) fn of_equality(value: &str) -> Option<Self> {
        (!value.is_empty()).then(|| Self::OneOf(vec![value.to_owned()]))
    }
}

impl Compiled {
    fn general(hir: &Hir) -> Result<Self, PatternFault> {
        let built = meta::Builder::new().configure(general()).build_from_hir(hir);
        built.map(Self::General).map_err(|error| match error.size_limit() {
            Some(_) => PatternFault::TooLarge(MAX_COMPILED_BYTES),
            None => PatternFault::Engine(error.to_string()),
        })
    }

    fn table(hir: &Hir) -> Result<Self, PatternFault> {
        let is_anchored = re2::is_anchored(hir);
        let (start, anchored) = if is_anchored {
            (StartKind::Anchored, Anchored::Yes)
        } else {
            (StartKind::Unanchored, Anchored::No)
        };
        let states = thompson::Config::new()
            .which_captures(thompson::WhichCaptures::None)
            .nfa_size_limit(Some(MAX_COMPILED_BYTES));
        let states = thompson::Compiler::new().configure(states).build_from_hir(hir).map_err(|error| {
            match error.size_limit() {
                Some(_) => PatternFault::TooLarge(MAX_TABLE_BYTES),
                None => PatternFault::Engine(error.to_string()),
            }
        })?;
        let table = dense::Config::new()
            .start_kind(start)
            .accelerate(false)
            .dfa_size_limit(Some(MAX_TABLE_BYTES))
            .determinize_size_limit(Some(MAX_TABLE_BYTES));
        let built = dense::Builder::new().configure(table).build_from_nfa(&states);
        built.map(|table| Self::Table(Arc::new(table), anchored)).map_err(|error| {
            if error.is_size_limit_exceeded() {
                PatternFault::TooLarge(MAX_TABLE_BYTES)
            } else {
                PatternFault::Engine(error.to_string())
            }
        })
    }

    fn is_match(&self, value: &str) -> bool {
        match self {
            Self::General(regex) => regex.is_match(value),
            Self::Table(table, anchored) => {
                let input = Input::new(value).anchored(*anchored).earliest(true);
                // It fails for tables that give up on some bytes, which these do not.
                table.try_search_fwd(&input).is_ok_and(|found| found.is_some())
            }
        }
    }
}

/// Label values are short and expressions many: without the engine's tables for long texts
/// an expression takes half of the memory, and its first use a tenth of the time.
fn general() -> meta::Config {
    meta::Config::new().hybrid(false).dfa(false).nfa_size_limit(Some(MAX_COMPILED_BYTES))
}

/// The alternatives of a pattern that consists of literals only.
fn literals(pattern: &str) -> Option<Vec<String>> {
    let whole = |alternative| match leading_literal(alternative) {
        (literal, "") => Some(literal),
        _ => None,
    };
    pattern.split('|').map(whole).collect()
}

/// The literal text with which every match begins, and what follows it in the pattern.
fn leading_literal(pattern: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut rest = pattern.strip_prefix('^').unwrap_or(pattern);
    while let Some((character, after)) = next_literal(rest) {
        // The last character before `*`, `?` or `{…}` need not be there.
        if after.starts_with(['*', '?', '{']) {
            break;
        }
        literal.push(character);
        rest = after;
    }
    (literal, rest)
}

fn next_literal(pattern: &str) -> Option<(char, &str)> {
    let mut characters = pattern.chars();
    let first = characters.next()?;
    if first != '\\' {
        return (!META.contains(first)).then_some((first, characters.as_str()));
    }
    // `\.` is a dot; `\d` is a class.
    let escaped = characters.next()?;
    let is_plain = META.contains(escaped) || matches!(escaped, '-' | '/');
    is_plain.then_some((escaped, characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of(values: &[&str]) -> Option<Anchor> {
        Some(Anchor::OneOf(values.iter().map(|v| (*v).to_owned()).collect()))
    }

    fn prefix(text: &str) -> Option<Anchor> {
        Some(Anchor::Prefix(text.to_owned()))
    }

    fn anchor(pattern: &str) -> Option<Anchor> {
        Pattern::compile(pattern, Engine::General).unwrap().anchor()
    }

    #[test]
    fn literals_and_alternations_of_literals_are_exact() {
        assert_eq!(Anchor::of_equality("ml"), one_of(&["ml"]));
        assert_eq!(anchor("fraud"), one_of(&["fraud"]));
        assert_eq!(anchor("fraud|churn-v2"), one_of(&["fraud", "churn-v2"]));
        assert_eq!(anchor(r"a\.b"), one_of(&["a.b"]));
    }

    #[test]
    fn a_leading_literal_is_a_prefix() {
        assert_eq!(anchor("fraud-.*"), prefix("fraud-"));
        assert_eq!(anchor("^fraud-[a-z]+$"), prefix("fraud-"));
        assert_eq!(anchor(r"ml\-pods?"), prefix("ml-pod"));
        assert_eq!(anchor("ab+"), prefix("a"));
        assert_eq!(anchor(r"\Qa.b\E[0-9]"), prefix("a.b"));
        assert_eq!(anchor("fraud-a+|fraud-b+"), prefix("fraud-"));
    }

    #[test]
    fn what_could_be_missing_or_begin_otherwise_anchors_nothing() {
        for pattern in [
            "",
            ".*",
            "a?",
            "a*b",
            "a{0,1}",
            "a|",
            "a.*|b",
            "(?i)fraud",
            "[ab]c",
            r"\d+",
            "^",
            r"abc\Q\E*x|y",
            "a(?i)*",
            "abc)?(d",
            "(a?)",
        ] {
            assert_eq!(anchor(pattern), None, "{pattern:?}");
        }
        assert_eq!(Anchor::of_equality(""), None);
    }

    #[test]
    fn simple_patterns_need_no_regular_expression() {
        let matches = |pattern: &str, value: &str| Pattern::without_regex(pattern).map(|p| p.matches(value));

        assert_eq!(matches("1|2", "2"), Some(true));
        assert_eq!(matches("1|2", "12"), Some(false));
        assert_eq!(matches("fraud-.*", "fraud-"), Some(true));
        assert_eq!(matches("fraud-.*", "fraud-a\nb"), Some(false));
        assert_eq!(matches("", ""), Some(true));
        assert_eq!(matches("fraud-.+", "fraud-1"), None);
        assert_eq!(matches("a.*|b", "b"), None);
    }

    proptest::proptest! {
        #[test]
        fn simple_forms_and_anchors_agree_with_the_regular_expression(
            pattern in r"([ab.\\|*?+(){}^$\[\]QE-]{0,8})|([ab]{1,3}\.\*)",
            value in r"[ab.\n-]{0,6}",
        ) {
            let Ok(hir) = re2::parse(&format!("^(?:{pattern})$")) else { return Ok(()) };
            let matches = meta::Builder::new().build_from_hir(&hir).unwrap().is_match(&value);
            let table = Pattern::compile(&pattern, Engine::Table).unwrap();
            proptest::prop_assert_eq!(table.matches(&value), matches);
            let pattern = Pattern::compile(&pattern, Engine::General).unwrap();
            proptest::prop_assert_eq!(pattern.matches(&value), matches);
            proptest::prop_assume!(matches);
            let holds = match pattern.anchor() {
                None => true,
                Some(Anchor::OneOf(values)) => values.contains(&value),
                Some(Anchor::Prefix(prefix)) => value.starts_with(&prefix),
            };
            proptest::prop_assert!(holds, "{pattern:?} matches {value:?}");
        }
    }
}
