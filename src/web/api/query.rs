//! Query parameters: read as text, then checked, so that every wrong one is named at once.

use crate::catalog::faults::FieldError;
use crate::domain::clock::Timestamp;
use crate::web::problem::Problem;

/// The longest text a filter may have, in characters.
const LONGEST: usize = 300;

/// What a filter asks for that wants what has no value; an empty one asks for nothing.
pub const NONE: &str = "(none)";

/// Collects what is wrong while parameters are read.
#[derive(Debug, Default)]
pub struct Checked {
    errors: Vec<FieldError>,
}

impl Checked {
    /// A value that must be had exactly: the empty text where [`NONE`] is asked for.
    pub fn value(&mut self, field: &str, value: Option<String>) -> Option<String> {
        let value = self.text(field, value)?;
        Some(if value == NONE { String::new() } else { value })
    }

    /// Any text that is not too long.
    pub fn text(&mut self, field: &str, value: Option<String>) -> Option<String> {
        let value = given(value)?;
        if value.chars().count() > LONGEST {
            return self.wrong(field, format!("is longer than {LONGEST} characters"));
        }
        Some(value)
    }

    /// One of `words`.
    pub fn word(&mut self, field: &str, value: Option<String>, words: &[&str]) -> Option<String> {
        let value = given(value)?;
        if words.contains(&value.as_str()) {
            return Some(value);
        }
        self.wrong(field, format!("must be one of {}", words.join(", ")))
    }

    /// Whether it is asked for: `true` or `false`, by default not.
    pub fn flag(&mut self, field: &str, value: Option<String>) -> bool {
        self.word(field, value, &["true", "false"]).is_some_and(|word| word == "true")
    }

    /// An RFC 3339 time. A `+` that became a space on its way is understood.
    pub fn time(&mut self, field: &str, value: Option<String>) -> Option<Timestamp> {
        let value = given(value)?;
        let parsed =
            Timestamp::parse_rfc3339(&value).or_else(|_| Timestamp::parse_rfc3339(&value.replace(' ', "+")));
        match parsed {
            Ok(at) => Some(at),
            Err(error) => self.wrong(field, error.to_string()),
        }
    }

    fn wrong<T>(&mut self, field: &str, message: String) -> Option<T> {
        self.errors.push(FieldError::new(field, message));
        None
    }

    /// The end of reading.
    ///
    /// # Errors
    /// 422 with every wrong parameter.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::validation(self.errors)) }
    }
}

/// What is empty was not given.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

/// An id from a path: anything that cannot be one is simply not found.
///
/// # Errors
/// 404 for what is no id.
pub fn checked_id<'a>(what: &str, id: &'a str) -> Result<&'a str, Problem> {
    if id.len() <= LONGEST { Ok(id) } else { Err(Problem::not_found(what, "…")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_parameter_is_named_at_once() {
        let mut checked = Checked::default();
        checked.text("q", Some("x".repeat(10_000)));
        checked.word("state", Some("delivred".to_owned()), &["delivered", "failed"]);
        checked.time("since", Some("yesterday".to_owned()));

        let problem = checked.finish().unwrap_err();

        assert_eq!(problem.to_string(), "3 fields are wrong");
    }

    #[test]
    fn a_plus_that_became_a_space_is_understood() {
        let mut checked = Checked::default();

        let at = checked.time("since", Some("2026-08-20T12:00:00 02:00".to_owned()));

        assert_eq!(at, Timestamp::parse_rfc3339("2026-08-20T10:00:00Z").ok());
        assert!(checked.finish().is_ok());
    }
}
