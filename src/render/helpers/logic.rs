//! Conditions. A value that does not exist counts as nothing here, so that a template can
//! ask for a label that only some alerts have.

use handlebars::{JsonTruthy, JsonValue};

use super::Args;
use crate::render::budget::spend_on;

/// `(and a b …)`: whether all are truthy.
pub(super) fn and(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(all_values(args).all(|value| value.is_truthy(false)).into())
}

/// `(or a b …)`: whether any is truthy.
pub(super) fn or(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(all_values(args).any(|value| value.is_truthy(false)).into())
}

/// `(not a)`
pub(super) fn not(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let value = args.optional(0).ok_or("argument 1 is missing")?;
    Ok((!value.is_truthy(false)).into())
}

/// `(eq a b)`
pub(super) fn eq(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    equal(args).map(JsonValue::from)
}

/// `(ne a b)`
pub(super) fn ne(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    equal(args).map(|equal| (!equal).into())
}

/// `{{default value fallback}}`: the fallback when the value is missing or empty.
pub(super) fn default(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    match args.optional(0) {
        None => Err("argument 1 is missing".to_owned()),
        Some(JsonValue::Null) => args.copied(1),
        Some(JsonValue::String(text)) if text.is_empty() => args.copied(1),
        Some(value) => {
            spend_on(value)?;
            Ok(value.clone())
        }
    }
}

fn equal(args: &Args<'_, '_>) -> Result<bool, String> {
    match (args.optional(0), args.optional(1)) {
        (Some(left), Some(right)) => {
            if left.is_array() || left.is_object() {
                spend_on(left)?;
            }
            Ok(left == right)
        }
        _ => Err("two arguments are needed".to_owned()),
    }
}

fn all_values<'a>(args: &'a Args<'_, '_>) -> impl Iterator<Item = &'a JsonValue> {
    (0..args.count()).filter_map(|index| args.optional(index))
}
