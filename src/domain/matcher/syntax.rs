//! What both matcher syntaxes share: the operators, the parts of a matcher before its
//! regular expression is compiled, and a cursor that knows its column.

use std::fmt;

/// How a matcher compares a label's value with its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchOp {
    /// `=`: the same text.
    Equal,
    /// `!=`: another text.
    NotEqual,
    /// `=~`: the whole value matches the regular expression.
    Matches,
    /// `!~`: the whole value does not match the regular expression.
    NotMatches,
}

impl MatchOp {
    /// Every operator; the longer ones come before their own prefixes.
    pub const ALL: [Self; 4] = [Self::Matches, Self::Equal, Self::NotEqual, Self::NotMatches];

    /// The operator as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
        }
    }

    /// Whether the value is a regular expression.
    pub const fn is_regex(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }
}

impl fmt::Display for MatchOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A matcher as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawMatcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
}

/// Where a text stops being a matcher, and what should stand there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: expected {expected}, found {found}")]
pub struct SyntaxError {
    /// Counted in characters from 1.
    pub column: usize,
    /// What would have been right.
    pub expected: &'static str,
    /// What is there instead.
    pub found: String,
}

/// White space is what RE2's `\s` takes; a non-breaking space belongs to a value.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0C' | '\r' | ' ')
}

/// A position in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the next character.
    pub fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes `word` when it comes next.
    pub fn eat(&mut self, word: &str) -> bool {
        let is_next = self.rest().starts_with(word);
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    /// Takes characters as long as they are `wanted`.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !wanted(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    pub fn skip_space(&mut self) {
        self.take_while(is_space);
    }

    /// The operator that comes next, taken.
    pub fn operator(&mut self) -> Result<MatchOp, SyntaxError> {
        MatchOp::ALL
            .into_iter()
            .find(|op| self.eat(op.as_str()))
            .ok_or_else(|| self.expected("an operator (=, !=, =~ or !~)"))
    }

    /// The error that something else than what comes next was expected here.
    pub fn expected(&self, expected: &'static str) -> SyntaxError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(next) => format!("{next:?}"),
        };
        SyntaxError { column: self.text[..self.at].chars().count() + 1, expected, found }
    }
}
