//! What can be wrong with a configuration, and where. Problems are collected, not thrown:
//! the reader gets them all at once, in the order of the file, and none shows a secret.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::domain::secret::REDACTED;

use super::marks::{Marks, Part, Position};
use super::pointer;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, when it has a place in the file.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// The key, as in `channels[2].webhook_url`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Everything that is wrong with one file, sorted by place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Problems {
    /// The file's name.
    pub source_name: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.source_name)?;
            if let Some(Position { line, column }) = problem.position {
                write!(f, ":{line}:{column}")?;
            }
            if !problem.path.is_empty() {
                write!(f, ": {}", problem.path)?;
            }
            write!(f, ": {}", problem.message)?;
        }
        Ok(())
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(super) struct Report {
    /// Where the values stand.
    pub marks: Marks,
    problems: Vec<Problem>,
    spoiled: BTreeSet<String>,
    private: BTreeSet<String>,
}

impl Report {
    pub fn new(marks: Marks) -> Self {
        Self { marks, problems: Vec::new(), spoiled: BTreeSet::new(), private: BTreeSet::new() }
    }

    /// Something is wrong with the value at a JSON pointer; a value that is not written
    /// in the file is placed at the nearest one around it that is.
    pub fn add(&mut self, at: &str, message: impl Into<String>) {
        self.add_at(Part::Value, at, message);
    }

    /// Something is wrong with a part of the entry at a JSON pointer.
    pub fn add_at(&mut self, part: Part, at: &str, message: impl Into<String>) {
        // A misspelt key is worth telling whatever became of its value.
        if matches!(part, Part::Value) && self.spoiled.contains(at) {
            return;
        }
        let problem = Problem {
            position: self.marks.position(part, at),
            path: pointer::dotted(at),
            message: message.into(),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// The value at a JSON pointer could not be had at all: whatever else is found wrong
    /// with it is not worth telling.
    pub fn spoil(&mut self, at: &str, message: impl Into<String>) {
        self.add(at, message);
        self.ignore(at);
    }

    /// Nothing more is to be said about the value at a JSON pointer.
    pub fn ignore(&mut self, at: &str) {
        self.spoiled.insert(at.to_owned());
    }

    /// The value at a JSON pointer is not to be shown.
    pub fn hide(&mut self, at: &str) {
        self.private.insert(at.to_owned());
    }

    /// Whether the value at a JSON pointer is not to be shown.
    pub fn is_private(&self, at: &str) -> bool {
        self.private.contains(at)
    }

    /// Whether nothing was found wrong with the value at a JSON pointer or within it.
    pub fn is_clean(&self, at: &str) -> bool {
        let path = pointer::dotted(at);
        let is_within = |other: &str| {
            other.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        !self.problems.iter().any(|problem| is_within(&problem.path))
    }

    /// The problems found so far, if any, in the order of the file. The last net under
    /// the rule that no message shows a secret: known ones are blotted out.
    pub fn finish(mut self, source_name: &str, secrets: &[String]) -> Result<Marks, Problems> {
        if self.problems.is_empty() {
            return Ok(self.marks);
        }
        for problem in &mut self.problems {
            for secret in secrets {
                problem.message = problem.message.replace(secret.as_str(), REDACTED);
            }
        }
        self.problems.sort_by(|a, b| (a.position, &a.path).cmp(&(b.position, &b.path)));
        Err(Problems { source_name: source_name.to_owned(), problems: self.problems })
    }
}

impl Problems {
    /// A single problem.
    pub(super) fn one(source_name: &str, position: Option<Position>, message: impl Into<String>) -> Self {
        let problem = Problem { position, path: String::new(), message: message.into() };
        Self { source_name: source_name.to_owned(), problems: vec![problem] }
    }
}
