//! What can be wrong with a document, and where. Problems are collected, not thrown:
//! the reader gets them all at once, in the order of the file, and none shows a secret.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::domain::secret::{REDACTED, Secret};

use super::marks::{Marks, Part, Position};
use super::pointer;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, when it is another one than that of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
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
            f.write_str(&problem.line(&self.source_name))?;
        }
        Ok(())
    }
}

impl Problem {
    /// All of it in one line: `modelpager.yml:3:5: route.channels: what is wrong`.
    pub fn line(&self, source_name: &str) -> String {
        let file = self.file.as_deref().unwrap_or(source_name);
        let position = self.position.map(|Position { line, column }| format!(":{line}:{column}"));
        let path = if self.path.is_empty() { String::new() } else { format!(": {}", self.path) };
        format!("{file}{}{path}: {}", position.unwrap_or_default(), self.message)
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub struct Report {
    /// Where the values stand.
    pub marks: Marks,
    problems: Vec<Problem>,
    /// Values that cannot be used as they are.
    wrong: BTreeSet<String>,
    spoiled: BTreeSet<String>,
    private: BTreeSet<String>,
    /// How many problems are told at most.
    room: usize,
    omitted: usize,
    names_missing_keys: bool,
}

impl Report {
    /// An empty report about a document whose values stand there.
    pub fn new(marks: Marks) -> Self {
        Self {
            marks,
            problems: Vec::new(),
            wrong: BTreeSet::new(),
            spoiled: BTreeSet::new(),
            private: BTreeSet::new(),
            room: usize::MAX,
            omitted: 0,
            names_missing_keys: false,
        }
    }

    /// For a reader of fields: a missing key is told under its own path, and only the first
    /// `room` problems are told, the others counted.
    pub fn of_fields(marks: Marks, room: usize) -> Self {
        Self { room, names_missing_keys: true, ..Self::new(marks) }
    }

    /// Whether further problems are only counted.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= self.room
    }

    /// Something is wrong with the value at a JSON pointer, and there is no room to say what.
    pub fn count(&mut self, at: &str) {
        self.wrong.insert(at.to_owned());
        self.omitted += 1;
    }

    /// Something is wrong with the value at a JSON pointer; a value that is not written
    /// in the file is placed at the nearest one around it that is.
    pub fn add(&mut self, at: &str, message: impl Into<String>) {
        self.add_at(Part::Value, at, message);
    }

    /// Something is wrong with a part of the entry at a JSON pointer.
    pub fn add_at(&mut self, part: Part, at: &str, message: impl Into<String>) {
        self.wrong.insert(at.to_owned());
        self.note(part, at, message);
    }

    /// As [`Self::add`], unless something was found wrong with the value or within it already.
    pub fn add_unless_known(&mut self, at: &str, message: impl Into<String>) {
        if self.is_clean(at) {
            self.add(at, message);
        }
    }

    /// A key is missing in the mapping at a JSON pointer, which holds nothing wrong else.
    pub fn add_missing(&mut self, at: &str, key: &str, message: impl Into<String>) {
        if self.names_missing_keys {
            self.add(&pointer::child(at, key), message);
        } else {
            self.note(Part::Value, at, message);
        }
    }

    /// The values that cannot be used as they are, as JSON pointers.
    pub fn wrong(&self) -> impl Iterator<Item = &str> {
        self.wrong.iter().map(String::as_str)
    }

    fn note(&mut self, part: Part, at: &str, message: impl Into<String>) {
        // A misspelt key is worth telling whatever became of its value.
        if matches!(part, Part::Value) && self.spoiled.contains(at) {
            return;
        }
        let problem = Problem {
            file: None,
            position: self.marks.position(part, at),
            path: self.marks.dotted(at),
            message: message.into(),
        };
        if self.is_full() {
            self.omitted += 1;
        } else if !self.problems.contains(&problem) {
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
    pub fn finish(mut self, source_name: &str, secrets: &[Secret]) -> Result<(), Problems> {
        if self.problems.is_empty() {
            return Ok(());
        }
        for problem in &mut self.problems {
            for secret in secrets {
                problem.message = problem.message.replace(secret.expose(), REDACTED);
            }
        }
        self.problems.sort_by(|a, b| (a.position, &a.path).cmp(&(b.position, &b.path)));
        Err(Problems { source_name: source_name.to_owned(), problems: self.problems })
    }

    /// The problems as they were found, and how many more were counted.
    pub fn into_found(self) -> (Vec<Problem>, usize) {
        (self.problems, self.omitted)
    }
}

impl Problems {
    /// A single problem.
    pub fn one(source_name: &str, position: Option<Position>, message: impl Into<String>) -> Self {
        let problem = Problem { file: None, position, path: String::new(), message: message.into() };
        Self { source_name: source_name.to_owned(), problems: vec![problem] }
    }
}
