//! Where the values of a file stand, so that a problem can be told with its line.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use super::pointer;

/// A place in the file; both numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The character in the line.
    pub column: u64,
}

/// Which part of an entry a problem points at.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// Where the values of a document stand, by JSON pointer.
#[derive(Clone, Default)]
pub struct Marks(HashMap<String, Mark>);

/// The spelling of a number may be that of a secret.
impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").finish_non_exhaustive()
    }
}

/// Where one value stands.
#[derive(Clone)]
pub struct Mark {
    /// Its key, when it is the member of a mapping.
    pub key: Option<Position>,
    /// The value itself.
    pub value: Position,
    /// How a number or a truth value is spelled in the file.
    pub spelling: Option<String>,
}

impl Marks {
    /// The value at `pointer` stands there.
    pub fn insert(&mut self, pointer: &str, mark: Mark) {
        self.0.insert(pointer.to_owned(), mark);
    }

    /// Where the value at `pointer`, or the nearest one around it, stands.
    pub fn position(&self, part: Part, pointer: &str) -> Option<Position> {
        let Some(mark) = self.0.get(pointer) else {
            return self.position(Part::Value, pointer::parent(pointer)?);
        };
        match part {
            Part::Key => Some(mark.key.unwrap_or(mark.value)),
            Part::Value => Some(mark.value),
        }
    }

    /// How the number or truth value at `pointer` is spelled in the file.
    pub fn spelling(&self, pointer: &str) -> Option<&str> {
        self.0.get(pointer)?.spelling.as_deref()
    }

    /// The pointer as people read it: `/links/2024` is `links.2024`, unless it is an element
    /// of a list.
    pub fn dotted(&self, pointer: &str) -> String {
        let mut path = String::new();
        for (end, _) in pointer.match_indices('/').skip(1).chain([(pointer.len(), "")]) {
            let Some((_, part)) = pointer[..end].rsplit_once('/') else { break };
            let is_key = self.0.get(&pointer[..end]).is_some_and(|mark| mark.key.is_some());
            pointer::push(&mut path, part, is_key);
        }
        path
    }

    /// The value at `from` now is (also) the one at `to`.
    pub fn copy(&mut self, from: &str, to: &str) {
        if let Some(mark) = self.0.get(from).cloned() {
            self.0.insert(to.to_owned(), mark);
        }
    }
}
