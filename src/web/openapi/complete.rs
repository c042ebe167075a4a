//! What the description says of every operation by the same rules: its summary in one sentence,
//! and the errors it may answer, by status.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::web::problem::{Kind, PROBLEM_JSON};

/// What a doc comment tells programmers below this heading are the errors.
const ERRORS: &str = "# Errors";
/// Methods of a path item; its other keys are no operations.
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Completes a description.
pub(super) fn complete(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        let operations = item.as_object_mut().into_iter().flatten();
        for (_, operation) in operations.filter(|(method, _)| METHODS.contains(&method.as_str())) {
            if let Value::Object(operation) = operation {
                complete_operation(path, operation);
            }
        }
    }
}

fn complete_operation(path: &str, operation: &mut Map<String, Value>) {
    let comment = [text(operation, "summary"), text(operation, "description")].join("\n\n");
    let (told, errors) = comment.split_once(ERRORS).unwrap_or((&comment, ""));
    let (summary, rest) = split_sentence(told.trim());
    operation.insert("summary".to_owned(), summary.into());
    operation.shift_remove("description");
    if !rest.is_empty() {
        operation.insert("description".to_owned(), rest.into());
    }
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
    parameters.for_each(drop_null);
    add_errors(path, operation, &told_errors(errors));
}

fn text(operation: &Map<String, Value>, key: &str) -> String {
    operation.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The first sentence in one line, and what follows it.
fn split_sentence(text: &str) -> (String, String) {
    let is_end = |(at, _): &(usize, &str)| text[at + 1..].starts_with(char::is_whitespace);
    let end = text.match_indices('.').find(is_end).map_or(text.len(), |(at, _)| at + 1);
    let (sentence, rest) = text.split_at(end);
    (sentence.split_whitespace().collect::<Vec<_>>().join(" "), rest.trim().to_owned())
}

/// A parameter that need not be given is left out; it is never null.
fn drop_null(parameter: &mut Value) {
    let Some(schema) = parameter.get_mut("schema") else { return };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("oneOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [only] = choices.as_slice() {
            *schema = only.clone();
        }
    }
}

/// The statuses a doc comment tells of, each with what it says: `404 for an unknown id`.
fn told_errors(errors: &str) -> BTreeMap<u16, String> {
    let line = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    let status_at = |at: usize| {
        let digits = line.get(at..at + 4).filter(|part| part.ends_with(' '))?;
        digits.trim_end().parse::<u16>().ok().filter(|status| (400..600).contains(status))
    };
    let starts_word = |at: usize| at == 0 || line[..at].ends_with(' ');
    let places: Vec<(usize, u16)> = line
        .char_indices()
        .filter(|(at, _)| starts_word(*at))
        .filter_map(|(at, _)| Some((at, status_at(at)?)))
        .collect();
    let ends = places.iter().skip(1).map(|(at, _)| *at).chain([line.len()]);
    let said = |(at, status): &(usize, u16), end: usize| {
        let words = line[at + 4..end].trim().trim_end_matches(" and").trim_end_matches([',', ';', '.']);
        (*status, words.to_owned())
    };
    places.iter().zip(ends).map(|(place, end)| said(place, end)).collect()
}

/// Errors by what an operation takes, and those that its doc comment tells of.
fn add_errors(path: &str, operation: &mut Map<String, Value>, told: &BTreeMap<u16, String>) {
    let mut errors: BTreeMap<u16, String> = BTreeMap::new();
    let mut add = |kind: Kind, words: &str| errors.insert(kind.facts().1.as_u16(), words.to_owned());
    // Where nothing is said the requirements of the whole description hold.
    let needs_token = operation.get("security").is_none_or(|schemes| *schemes != json!([{}]));
    if needs_token {
        add(Kind::Unauthorized, "No token, or an invalid one");
        add(Kind::Forbidden, "The token lacks the scope for this");
    }
    if operation.contains_key("parameters") {
        add(Kind::Validation, "Invalid parameters; `errors` lists each");
    }
    if operation.contains_key("requestBody") {
        add(Kind::BadRequest, "The body cannot be parsed");
        add(Kind::RequestTimeout, "The body took too long to arrive");
        add(Kind::PayloadTooLarge, "The body is larger than the limit");
        add(Kind::UnsupportedMediaType, "The content type or encoding of the body is not supported");
        add(Kind::Validation, "Invalid fields or parameters; `errors` lists each");
    }
    if needs_token && path.starts_with("/api/") {
        add(Kind::Unavailable, "The database is unavailable; try again later");
    }
    for (status, words) in told {
        let kind = StatusCode::from_u16(*status).map(Kind::from_status).unwrap_or(Kind::BadRequest);
        errors.insert(*status, format!("{}: {words}", kind.facts().2));
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, words) in errors {
        responses.insert(status.to_string(), problem(&words));
    }
    responses.insert("default".to_owned(), problem("Any other error; `/problems/{name}` explains each type"));
}

fn problem(description: &str) -> Value {
    json!({
        "description": description,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence_in_one_line() {
        assert_eq!(
            split_sentence("Reads v1.2 of\nit. And more.\n\nAnd more."),
            ("Reads v1.2 of it.".to_owned(), "And more.\n\nAnd more.".to_owned())
        );
        assert_eq!(split_sentence("One"), ("One".to_owned(), String::new()));
    }

    #[test]
    fn statuses_are_read_from_what_a_comment_says_of_errors() {
        let told = told_errors(
            "404 for an unknown slug, 412 when it is not at the revision of\n`If-Match`, and 422 with all.",
        );

        let expected = [
            (404, "for an unknown slug"),
            (412, "when it is not at the revision of `If-Match`"),
            (422, "with all"),
        ];
        assert_eq!(told, expected.map(|(status, words)| (status, words.to_owned())).into());
        assert!(told_errors("When the database does not answer.").is_empty());
    }
}
