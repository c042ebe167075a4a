//! Lists and maps as text, and parts of lists.

use handlebars::JsonValue;

use super::{Args, shown};

/// `{{join list ", "}}`
pub(super) fn join(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let separator = args.text_or(1, ", ")?;
    Ok(args.list(0)?.iter().map(shown).collect::<Vec<_>>().join(&separator).into())
}

/// `{{pairs labels ", "}}`: `name=value` of a map, in the order of the names.
pub(super) fn pairs(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let separator = args.text_or(1, ", ")?;
    let map = args.value(0)?.as_object().ok_or("argument 1 must be a map such as labels")?;
    let pairs: Vec<String> = map.iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
    Ok(pairs.join(&separator).into())
}

/// `{{json value}}`: compact JSON.
pub(super) fn json(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(args.value(0)?.to_string().into())
}

/// `(take list 10)`: the first ten.
pub(super) fn take(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let count = args.count_of(1)?;
    Ok(JsonValue::Array(args.list(0)?.iter().take(count).cloned().collect()))
}

/// `{{more list 10 extra}}`: how many there are beyond the first ten, plus `extra`.
pub(super) fn more(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let left = args.list(0)?.len().saturating_sub(args.count_of(1)?);
    let extra = if args.count() > 2 { args.count_of(2)? } else { 0 };
    Ok(left.saturating_add(extra).into())
}
