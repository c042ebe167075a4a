//! Everything that is wrong with the keys of a document that could not be read: its reader
//! stops at the first, and whoever mends it wants to know all.

use serde_json::{Map, Value};

use super::{DeploymentDocument, VersionDocument, wrong_keys};
use crate::catalog::validate::FieldProblem;
use crate::domain::entry::Entry;

/// Keys that are unknown or hold what they cannot, by their place in the document. `first`
/// is the reader's complaint; it names the line.
pub(super) fn wrong_places(document: &Value, first: &str) -> Vec<FieldProblem> {
    let Value::Object(map) = document else { return Vec::new() };
    let unknown = map.keys().filter(|key| *key != "entries");
    let mut problems: Vec<FieldProblem> =
        unknown.map(|key| FieldProblem::new(key, "unknown field, expected `entries`")).collect();
    for (i, entry) in map.get("entries").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let place = |problem: FieldProblem| FieldProblem {
            field: format!("entries[{i}].{}", problem.field),
            message: problem.message,
        };
        problems.extend(wrong_in_entry(entry).into_iter().map(place));
    }
    tell_line(&mut problems, first);
    problems
}

/// The reader's complaint, which names the line, takes the place of the same one here.
fn tell_line(problems: &mut Vec<FieldProblem>, first: &str) {
    let is_same = |problem: &FieldProblem| {
        let key = problem.field.rsplit('.').next().unwrap_or_default();
        first.contains(&problem.message) || first.contains(&format!("`{key}`"))
    };
    match problems.iter().position(is_same).or((problems.len() == 1).then_some(0)) {
        Some(same) => first.clone_into(&mut problems[same].message),
        None if problems.is_empty() => {}
        None => problems.insert(0, FieldProblem::new("", first)),
    }
}

fn wrong_in_entry(entry: &Value) -> Vec<FieldProblem> {
    let Value::Object(entry) = entry else {
        return vec![FieldProblem::new("", "must be a map of keys and values")];
    };
    let mut keys = entry.clone();
    let (versions, deployments) = (keys.shift_remove("versions"), keys.shift_remove("deployments"));
    let base = Map::from_iter([("slug".to_owned(), Value::from(""))]);
    let mut problems = wrong::<Entry>(&keys, &base);
    if !entry.contains_key("slug") {
        problems.push(FieldProblem::new("slug", "must be given"));
    }
    problems.extend(wrong_in_list::<VersionDocument>("versions", versions));
    problems.extend(wrong_in_list::<DeploymentDocument>("deployments", deployments));
    problems
}

fn wrong_in_list<T: for<'de> serde::Deserialize<'de>>(name: &str, list: Option<Value>) -> Vec<FieldProblem> {
    let items = match list {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return vec![FieldProblem::new(name, "must be a list")],
    };
    let mut problems = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let Value::Object(map) = item else {
            problems.push(FieldProblem::new(format!("{name}[{i}]"), "must be a map of keys and values"));
            continue;
        };
        let found = wrong::<T>(map, &Map::new()).into_iter();
        problems.extend(found.map(|problem| FieldProblem {
            field: format!("{name}[{i}].{}", problem.field),
            message: problem.message,
        }));
    }
    problems
}

/// Plain scalars of YAML may be texts as well as what they look like: a key is wrong only
/// when neither will do.
fn wrong<T: for<'de> serde::Deserialize<'de>>(
    map: &Map<String, Value>,
    base: &Map<String, Value>,
) -> Vec<FieldProblem> {
    let mut problems = wrong_keys::<T>(map, base);
    problems.retain(|problem| {
        let texts = map.get(&problem.field).map(as_texts);
        let probe = Map::from_iter(texts.map(|texts| (problem.field.clone(), texts)));
        !wrong_keys::<T>(&probe, base).is_empty()
    });
    problems
}

fn as_texts(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
        Value::Array(items) => items.iter().map(as_texts).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), as_texts(value))).collect(),
        other => other.clone(),
    }
}
