//! What a schema says of the types of values, where a file leaves them open.

use serde_json::Value;

use super::marks::Marks;
use super::pointer;
use super::view::View;

/// Gives every scalar the type its place asks for: an unquoted number where a text is
/// meant, and a number or truth value that is written as text.
///
/// `is_loose` says of which texts, by their pointer, that they may have been meant as a number
/// or truth value.
pub fn settle_types(root: &Value, value: &mut Value, marks: &Marks, is_loose: &dyn Fn(&str) -> bool) {
    visit(&View::new(root, &[root], value), value, "", &mut |view, value, at| {
        let new = match value {
            Value::Number(_) if view.takes("integer") || view.takes("number") => None,
            Value::Bool(_) if view.takes("boolean") => None,
            Value::Number(_) | Value::Bool(_) if view.takes("string") => {
                marks.spelling(at).map(|text| Value::String(text.to_owned()))
            }
            Value::String(text) if is_loose(at) && !view.takes("string") => typed(view, text),
            _ => None,
        };
        if let Some(new) = new {
            *value = new;
        }
    });
}

fn typed(view: &View<'_>, text: &str) -> Option<Value> {
    let takes_number = view.takes("integer") || view.takes("number");
    match text.trim() {
        "true" | "false" if view.takes("boolean") => Some(Value::Bool(text.trim() == "true")),
        number if takes_number => number.parse::<serde_json::Number>().ok().map(Value::Number),
        _ => None,
    }
}

/// Calls `f` for every value of a document with what the schema says about it.
pub fn visit(view: &View<'_>, value: &mut Value, at: &str, f: &mut dyn FnMut(&View<'_>, &mut Value, &str)) {
    f(view, value, at);
    match value {
        Value::Object(map) => {
            for (key, member) in map {
                let below = view.member(key, member);
                visit(&below, member, &pointer::child(at, key), f);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let below = view.element(item);
                visit(&below, item, &pointer::child(at, index.to_string()), f);
            }
        }
        _ => {}
    }
}
