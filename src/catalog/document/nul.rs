//! NUL characters in what users write: no database stores them, so they are named as wrong.

use serde::Serialize;
use serde_json::Value;

use crate::catalog::validate::FieldProblem;

/// What is said of a text with a NUL character.
pub const NUL_MESSAGE: &str = "contains a NUL character (U+0000): take it out";

/// Every text of a document, and every key, that holds a NUL character.
pub(super) fn texts_with_nul(document: &impl Serialize) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    collect(&super::to_value(document), "", &mut problems);
    problems
}

fn collect(value: &Value, field: &str, problems: &mut Vec<FieldProblem>) {
    match value {
        Value::String(text) if text.contains('\0') => problems.push(FieldProblem::new(field, NUL_MESSAGE)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{field}[{index}]"), problems);
            }
        }
        Value::Object(map) => {
            for (key, member) in map {
                let dot = if field.is_empty() { "" } else { "." };
                let at = format!("{field}{dot}{key}");
                if key.contains('\0') {
                    problems.push(FieldProblem::new(&at, NUL_MESSAGE));
                }
                collect(member, &at, problems);
            }
        }
        _ => {}
    }
}
