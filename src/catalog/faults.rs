//! Wrong fields, as they are told: with their place, and no more of them than somebody reads.

use serde::Serialize;

use crate::yaml::Position;

/// How many wrong fields are listed at most.
pub const MAX_LISTED: usize = 100;

/// One wrong field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field as a path (`matchers[0].priority`), or the name of a parameter or header.
    pub field: String,
    /// The line of the document, counted from 1; only where a document was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The character in the line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// The wrong fields of a document: the first ones, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    listed: Vec<FieldError>,
    omitted: usize,
}

impl FieldError {
    /// A problem of that field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), ..Self::default() }
    }

    /// The problem with its place in the document.
    #[must_use]
    pub fn at(self, position: Option<Position>) -> Self {
        let (line, column) = position.map(|Position { line, column }| (line, column)).unzip();
        Self { line, column, ..self }
    }

    /// The problem, its field seen from outside of `place`, which holds it.
    #[must_use]
    pub fn inside(self, place: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        Self { field: format!("{place}{dot}{}", self.field), ..self }
    }
}

impl Faults {
    /// Notes one more.
    pub fn push(&mut self, problem: FieldError) {
        if self.room() > 0 {
            self.listed.push(problem);
        } else {
            self.omitted += 1;
        }
    }

    /// Notes one that must be told, in the place of another if need be.
    pub fn insist(&mut self, problem: FieldError) {
        if self.room() == 0 {
            self.listed.pop();
            self.omitted += 1;
        }
        self.listed.push(problem);
    }

    /// Counts some that cannot be listed.
    pub fn omit(&mut self, count: usize) {
        self.omitted += count;
    }

    /// How many can still be listed.
    pub fn room(&self) -> usize {
        MAX_LISTED.saturating_sub(self.listed.len())
    }

    /// The wrong fields that are listed.
    pub fn listed(&self) -> &[FieldError] {
        &self.listed
    }

    /// How many more there are.
    pub const fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// In the order of the document.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.listed.sort_by_key(|problem| (problem.line, problem.column));
        self
    }

    /// Each listed one changed.
    #[must_use]
    pub fn map(self, change: impl FnMut(FieldError) -> FieldError) -> Self {
        Self { listed: self.listed.into_iter().map(change).collect(), ..self }
    }

    /// The listed ones, and how many more there are.
    pub fn into_parts(self) -> (Vec<FieldError>, usize) {
        (self.listed, self.omitted)
    }
}

impl From<Vec<FieldError>> for Faults {
    fn from(mut problems: Vec<FieldError>) -> Self {
        let omitted = problems.len().saturating_sub(MAX_LISTED);
        problems.truncate(MAX_LISTED);
        Self { listed: problems, omitted }
    }
}
