//! The arguments of a helper, with checks that say what was wrong.

use handlebars::{Context, Helper, JsonValue};

use super::shown;
use crate::render::budget::spend_on;

/// What stands where a number is expected.
pub(super) enum Number {
    /// One that can be put into words.
    Finite(f64),
    /// One that cannot: as Prometheus prints it.
    Special(&'static str),
    /// None at all: the text as it is.
    Other(String),
}

impl Number {
    /// What `number` is.
    pub(super) fn of(number: f64) -> Self {
        if number.is_nan() {
            Self::Special("NaN")
        } else if number == f64::INFINITY {
            Self::Special("+Inf")
        } else if number == f64::NEG_INFINITY {
            Self::Special("-Inf")
        } else {
            Self::Finite(number)
        }
    }

    /// The text: `words` for a finite number, `unit` after any.
    pub(super) fn text(self, unit: &str, words: impl FnOnce(f64) -> String) -> JsonValue {
        match self {
            Self::Finite(number) => format!("{}{unit}", words(number)).into(),
            Self::Special(name) => format!("{name}{unit}").into(),
            Self::Other(text) => text.into(),
        }
    }
}

/// The arguments of one call.
pub(in crate::render) struct Args<'a, 'rc> {
    pub(super) helper: &'a Helper<'rc>,
    pub(super) context: &'rc Context,
    pub(super) is_strict: bool,
}

impl Args<'_, '_> {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.helper.params().len()
    }

    /// The value of argument `index`; `None` when it was not written.
    pub(super) fn optional(&self, index: usize) -> Option<&JsonValue> {
        self.helper.param(index).map(handlebars::PathAndJson::value)
    }

    /// The value of argument `index`, which must have been written and, in strict mode,
    /// must exist.
    pub(super) fn value(&self, index: usize) -> Result<&JsonValue, String> {
        let argument =
            self.helper.param(index).ok_or_else(|| format!("argument {} is missing", index + 1))?;
        if self.is_strict && argument.is_value_missing() {
            let name = argument.relative_path().map_or("", String::as_str);
            return Err(format!("argument {} is {name:?}, which does not exist", index + 1));
        }
        Ok(argument.value())
    }

    /// Argument `index` as text; numbers and truth values are written out.
    pub(super) fn text(&self, index: usize) -> Result<String, String> {
        match self.value(index)? {
            JsonValue::Array(_) => Err(wrong(index, "text", "a list")),
            JsonValue::Object(_) => Err(wrong(index, "text", "a map")),
            value => Ok(shown(value)),
        }
    }

    /// Argument `index` as text, or `fallback` when it was not written.
    pub(super) fn text_or(&self, index: usize, fallback: &str) -> Result<String, String> {
        if self.count() > index { self.text(index) } else { Ok(fallback.to_owned()) }
    }

    /// The value of argument `index`, copied and paid for.
    pub(super) fn copied(&self, index: usize) -> Result<JsonValue, String> {
        let value = self.value(index)?;
        spend_on(value)?;
        Ok(value.clone())
    }

    /// Argument `index` as a number; a text that holds one counts, since labels and
    /// annotations are always texts, and any other text is taken as it is.
    pub(super) fn number(&self, index: usize) -> Result<Number, String> {
        let value = self.value(index)?;
        let number = match value {
            JsonValue::Number(number) => number.as_f64(),
            JsonValue::String(text) => text.trim().parse().ok(),
            JsonValue::Null | JsonValue::Bool(_) => None,
            JsonValue::Array(_) | JsonValue::Object(_) => {
                return Err(wrong(index, "a number", &describe(value)));
            }
        };
        Ok(number.map_or_else(|| Number::Other(shown(value)), Number::of))
    }

    /// Argument `index` as a number of things.
    pub(super) fn count_of(&self, index: usize) -> Result<usize, String> {
        let value = self.value(index)?;
        let count = match value {
            JsonValue::Number(number) => number.as_u64(),
            JsonValue::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        count
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| wrong(index, "a whole number that is not negative", &describe(value)))
    }

    /// Argument `index` as a list.
    pub(super) fn list(&self, index: usize) -> Result<&Vec<JsonValue>, String> {
        let value = self.value(index)?;
        value.as_array().ok_or_else(|| wrong(index, "a list", &describe(value)))
    }

    /// A value of the message, whatever block the helper stands in.
    pub(super) fn of_message(&self, pointer: &str) -> Option<&JsonValue> {
        self.context.data().pointer(pointer)
    }
}

fn wrong(index: usize, expected: &str, found: &str) -> String {
    format!("argument {} must be {expected}, not {found}", index + 1)
}

fn describe(value: &JsonValue) -> String {
    match value {
        JsonValue::Null => "nothing".to_owned(),
        JsonValue::Bool(flag) => flag.to_string(),
        JsonValue::Number(number) => number.to_string(),
        JsonValue::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        JsonValue::Array(_) => "a list".to_owned(),
        JsonValue::Object(_) => "a map".to_owned(),
    }
}
