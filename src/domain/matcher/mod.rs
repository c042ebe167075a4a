//! Alertmanager's matchers: `severity="critical"`, `entry.tier=~"1|2"`, `{a!="b",c!~"d.*"}`.
//!
//! Both of Alertmanager's syntaxes are read, as its default ("fallback") mode reads them:
//! where only one of them fits, that one; where both fit but mean different things
//! (`a=~"\bfoo"`), the classic one. Hence the classic one goes first here. A label that is
//! absent has the empty value. Regular expressions match whole values.

use std::collections::BTreeSet;
use std::fmt;

mod classic;
mod pattern;
mod re2;
mod syntax;
mod utf8;
mod values;

#[cfg(test)]
mod tests;

use pattern::Pattern;
pub use pattern::{Anchor, Engine};
use syntax::RawMatcher;
pub use syntax::{MatchOp, SyntaxError};
pub use values::Values;

/// How much of a faulty text an error repeats, in characters.
const SHOWN_CHARS: usize = 200;

/// One condition on one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    /// Present exactly when the operator takes a regular expression.
    pattern: Option<Pattern>,
}

impl Matcher {
    /// Reads exactly one matcher; braces are not taken.
    ///
    /// # Errors
    /// When the text holds no matcher, several, braces, a faulty one or a faulty regular
    /// expression.
    pub fn parse(text: &str) -> Result<Self, InvalidMatcher> {
        let trimmed = text.trim_matches(syntax::is_space);
        let problem = |problem| InvalidMatcher::new(text, problem);
        if trimmed.starts_with('{') || trimmed.ends_with('}') {
            return Err(problem(MatcherProblem::Braces));
        }
        let mut matchers = Matchers::parse(text)?.0;
        match (matchers.pop(), matchers.len()) {
            (Some(matcher), 0) => Ok(matcher),
            (Some(_), others) => Err(problem(MatcherProblem::Count(others + 1))),
            (None, _) => Err(problem(MatcherProblem::Count(0))),
        }
    }

    /// Makes a matcher of its parts.
    ///
    /// # Errors
    /// When the name is empty or the value is not a regular expression although the
    /// operator takes one.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Self, MatcherProblem> {
        Self::compile(name.into(), op, value.into(), Engine::General)
    }

    fn compile(name: String, op: MatchOp, value: String, engine: Engine) -> Result<Self, MatcherProblem> {
        if name.is_empty() {
            return Err(MatcherProblem::EmptyName);
        }
        let pattern = op.is_regex().then(|| compile(&name, &value, engine)).transpose()?;
        Ok(Self { name, op, value, pattern })
    }

    /// The label's name: any text that is not empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How values are compared.
    pub const fn op(&self) -> MatchOp {
        self.op
    }

    /// What the label's value is compared with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label of that value satisfies this; an absent one has the value `""`.
    pub fn matches_value(&self, value: &str) -> bool {
        match (self.op, &self.pattern) {
            (MatchOp::Equal, _) => value == self.value,
            (MatchOp::NotEqual, _) => value != self.value,
            (MatchOp::Matches, pattern) => pattern.as_ref().is_some_and(|pattern| pattern.matches(value)),
            (MatchOp::NotMatches, pattern) => !pattern.as_ref().is_some_and(|pattern| pattern.matches(value)),
        }
    }

    /// How much memory its regular expression takes when compiled.
    pub fn compiled_bytes(&self) -> usize {
        self.pattern.as_ref().map_or(0, Pattern::compiled_bytes)
    }

    /// Whether a label with these values satisfies this: `=` and `=~` hold when one of them
    /// does, `!=` and `!~` when all do, so that each operator stays the opposite of the other.
    pub fn matches_values(&self, values: Values<'_>) -> bool {
        match self.op {
            MatchOp::Equal | MatchOp::Matches => values.iter().any(|value| self.matches_value(value)),
            MatchOp::NotEqual | MatchOp::NotMatches => values.iter().all(|value| self.matches_value(value)),
        }
    }

    /// What the label must be or begin with for this to hold; `None` when it may be
    /// anything or missing.
    pub fn anchor(&self) -> Option<Anchor> {
        match self.op {
            MatchOp::Equal => Anchor::of_equality(&self.value),
            MatchOp::Matches => self.pattern.as_ref().and_then(Pattern::anchor),
            MatchOp::NotEqual | MatchOp::NotMatches => None,
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

/// The canonical form: the name quoted only where it must be, the value always.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(utf8::is_reserved) {
            write_quoted(f, &self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        f.write_str(self.op.as_str())?;
        write_quoted(f, &self.value)
    }
}

/// Writes only those escapes that both syntaxes read alike.
fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    write!(f, "\"{escaped}\"")
}

/// Conditions all of which must hold; none at all holds for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

impl Matchers {
    /// Reads a list of matchers, with or without braces; may be empty.
    ///
    /// # Errors
    /// At the first faulty matcher.
    pub fn parse(text: &str) -> Result<Self, InvalidMatcher> {
        Self::parse_with(text, Engine::General)
    }

    fn parse_with(text: &str, engine: Engine) -> Result<Self, InvalidMatcher> {
        parse_either(text, engine).map(Self).map_err(|problem| InvalidMatcher::new(text, problem))
    }

    /// Reads texts each of which may hold several matchers; all of all must hold.
    ///
    /// # Errors
    /// Every faulty text with its index.
    pub fn parse_all(texts: &[String]) -> Result<Self, Vec<(usize, InvalidMatcher)>> {
        Self::parse_all_with(texts, Engine::General)
    }

    /// [`Self::parse_all`] with expressions compiled that way.
    ///
    /// # Errors
    /// Every faulty text with its index; also one whose expression does not fit the engine.
    pub fn parse_all_with(texts: &[String], engine: Engine) -> Result<Self, Vec<(usize, InvalidMatcher)>> {
        let mut matchers = Vec::new();
        let mut problems = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match Self::parse_with(text, engine) {
                Ok(parsed) => matchers.extend(parsed.0),
                Err(problem) => problems.push((index, problem)),
            }
        }
        if problems.is_empty() { Ok(Self(matchers)) } else { Err(problems) }
    }

    /// Whether all hold for what `lookup` says of each label; `None` stands for `""`.
    pub fn matches<'v, V: Into<Values<'v>>>(&self, lookup: impl Fn(&str) -> V) -> bool {
        self.0.iter().all(|matcher| matcher.matches_values(lookup(&matcher.name).into()))
    }

    /// The names of all labels looked at.
    pub fn label_names(&self) -> BTreeSet<&str> {
        self.0.iter().map(Matcher::name).collect()
    }

    /// The single conditions, in the order written.
    pub fn iter(&self) -> std::slice::Iter<'_, Matcher> {
        self.0.iter()
    }

    /// Whether there is no condition.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `{a="b",c=~"d"}`; `{}` when there is no condition.
impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, matcher) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{matcher}")?;
        }
        f.write_str("}")
    }
}

fn parse_either(text: &str, engine: Engine) -> Result<Vec<Matcher>, MatcherProblem> {
    let build_all = |raw: Vec<RawMatcher>| -> Result<Vec<Matcher>, MatcherProblem> {
        raw.into_iter().map(|raw| Matcher::compile(raw.name, raw.op, raw.value, engine)).collect()
    };
    let classic = match classic::parse(text).map(build_all) {
        Ok(Ok(matchers)) => return Ok(matchers),
        Ok(Err(problem)) => Some(problem),
        Err(_) => None,
    };
    // When neither fits, a faulty expression says most, then the newer syntax.
    let modern = utf8::parse(text).map_err(MatcherProblem::from).and_then(build_all);
    modern.map_err(|problem| classic.unwrap_or(problem))
}

fn compile(name: &str, pattern: &str, engine: Engine) -> Result<Pattern, MatcherProblem> {
    Pattern::compile(pattern, engine)
        .map_err(|fault| MatcherProblem::Regex { name: name.to_owned(), message: fault.to_string() })
}

/// A text that is not what was asked for, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("matcher {text:?}: {problem}")]
pub struct InvalidMatcher {
    text: String,
    #[source]
    problem: MatcherProblem,
}

impl InvalidMatcher {
    fn new(text: &str, problem: MatcherProblem) -> Self {
        Self { text: text.chars().take(SHOWN_CHARS).collect(), problem }
    }

    /// What is wrong with it.
    pub const fn problem(&self) -> &MatcherProblem {
        &self.problem
    }
}

/// What can be wrong with a matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherProblem {
    /// It is not written as a matcher.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// One matcher was asked for, not a list in braces.
    #[error("expected one matcher without braces")]
    Braces,
    /// One matcher was asked for.
    #[error("expected one matcher, found {0}")]
    Count(usize),
    /// A label has a name.
    #[error("expected a label name that is not empty")]
    EmptyName,
    /// The value is not a regular expression (RE2 syntax).
    #[error("the regular expression for {name:?}: {message}")]
    Regex {
        /// The label's name.
        name: String,
        /// What is wrong, and what to write instead.
        message: String,
    },
}
