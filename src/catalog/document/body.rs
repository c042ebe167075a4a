//! An entry, a version or a deployment from a request's body, which is JSON.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Format;
use super::shape::{Fit, Shape};
use crate::catalog::checks::NUL_MESSAGE;
use crate::catalog::faults::FieldError;
use crate::catalog::validate::check_entry;
use crate::domain::entry::Entry;
use crate::yaml::Marks;

/// Keys of an answer that may come back in a request and mean nothing there.
const READ_ONLY: [&str; 3] = ["revision", "created_at", "updated_at"];

/// Reads an entry from a request's body. `slug` is the path's, which the body may repeat.
///
/// # Errors
/// When a key is unknown, missing or of the wrong type: everything that is wrong, values
/// that fit their type but break a rule of [`check_entry`] included.
pub fn read_entry(body: Value, slug: Option<&str>) -> Result<Entry, Vec<FieldError>> {
    let mut map = object(body)?;
    map.retain(|key, _| !READ_ONLY.contains(&key.as_str()));
    let moved = slug.and_then(|slug| settle_slug(&mut map, slug));
    let (read, mut fit) = read::<Entry>(map);
    let mut problems: Vec<FieldError> = moved.into_iter().collect();
    problems.append(&mut fit.problems);
    let Some(entry) = read else { return Err(problems) };
    let checked = check_entry(&entry);
    // Other rules are applied again beside what the store knows; it cannot be asked about NUL.
    if problems.is_empty() && !checked.iter().any(|problem| problem.message == NUL_MESSAGE) {
        return Ok(entry);
    }
    problems.extend(checked.into_iter().filter(|problem| !fit.knows(&problem.field)));
    Err(problems)
}

/// Puts the path's slug in the place of the body's, and says if that was another.
fn settle_slug(map: &mut Map<String, Value>, slug: &str) -> Option<FieldError> {
    let is_other = map.insert("slug".to_owned(), slug.into()).is_some_and(|named| named != slug);
    let message = || format!("must be {slug:?} as in the path: an entry keeps its slug");
    is_other.then(|| FieldError::new("slug", message()))
}

/// Reads a version or a deployment from a request's body.
///
/// # Errors
/// Every key that is unknown or of the wrong type.
pub fn read_record<T: JsonSchema + DeserializeOwned + Default>(body: Value) -> Result<T, Vec<FieldError>> {
    match read::<T>(object(body)?) {
        (Some(record), fit) if fit.problems.is_empty() => Ok(record),
        (_, fit) => Err(fit.problems),
    }
}

fn read<T: JsonSchema + DeserializeOwned + Default>(body: Map<String, Value>) -> (Option<T>, Fit) {
    let shape = Shape::of::<T>();
    let mut fit = shape.fit(Value::Object(body), Marks::default(), Format::Json, usize::MAX);
    (fit.read(), fit)
}

fn object(body: Value) -> Result<Map<String, Value>, Vec<FieldError>> {
    match body {
        Value::Object(map) => Ok(map),
        _ => Err(vec![FieldError::new("", "the body must be a JSON object")]),
    }
}
