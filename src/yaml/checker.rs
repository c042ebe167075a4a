//! Compares a document with a JSON Schema and says in plain words what does not fit.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use super::marks::Part;
use super::nearest::did_you_mean;
use super::pointer;
use super::problem::Report;
use super::view::{View, twin_of};
use crate::domain::clock::Timestamp;

/// Longer values are cut in messages.
const SHOWN_CHARS: usize = 60;

/// What to write instead of an unknown key at a JSON pointer, for keys that belong elsewhere.
type Answer = fn(at: &str, key: &str) -> Option<String>;

/// A schema, ready to be compared with documents.
pub struct Checker {
    root: Value,
    validator: Result<Validator, String>,
    answer: Answer,
}

impl Checker {
    /// Prepares a schema (draft 2020-12).
    pub fn new(root: Value) -> Self {
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .with_format("date-time", |text: &str| Timestamp::parse_rfc3339(text).is_ok())
            .build(&root)
            .map_err(|error| format!("the built-in schema is broken: {error}"));
        Self { root, validator, answer: |_, _| None }
    }

    /// Answers some unknown keys by what to write instead.
    #[must_use]
    pub fn answering(self, answer: Answer) -> Self {
        Self { answer, ..self }
    }

    /// The schema.
    pub const fn root(&self) -> &Value {
        &self.root
    }

    /// The places of `document` that do not fit, as JSON pointers.
    pub fn misfits(&self, document: &Value) -> Vec<String> {
        let Ok(validator) = &self.validator else { return vec![String::new()] };
        validator.iter_errors(document).map(|error| error.instance_path().as_str().to_owned()).collect()
    }

    /// Reports what of `document` does not fit.
    pub fn check(&self, document: &Value, report: &mut Report) {
        let validator = match &self.validator {
            Ok(validator) => validator,
            Err(message) => return report.add("", message),
        };
        let mut words = Words { root: &self.root, document, report, answer: self.answer };
        for error in validator.iter_errors(document) {
            words.say(&error);
        }
    }
}

struct Words<'a> {
    root: &'a Value,
    document: &'a Value,
    report: &'a mut Report,
    answer: Answer,
}

impl Words<'_> {
    fn say(&mut self, error: &ValidationError<'_>) {
        use ValidationErrorKind as Kind;
        let at = error.instance_path().as_str();
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                for key in unexpected {
                    self.say_unknown(at, key);
                }
            }
            Kind::Required { property } => self.say_missing(at, property.as_str().unwrap_or_default()),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.say_alternatives(at, error, context);
            }
            _ => {
                if self.report.is_full() {
                    return self.report.count(at);
                }
                let message = self.describe(at, error);
                self.report.add(at, message);
            }
        }
    }

    fn say_unknown(&mut self, at: &str, key: &str) {
        if self.report.is_full() {
            return self.report.count(&pointer::child(at, key));
        }
        if let Some(answer) = (self.answer)(at, key) {
            let message = format!("a key of Alertmanager: {answer}");
            self.report.add_at(Part::Key, &pointer::child(at, key), message);
            return self.say_within(&pointer::child(at, key));
        }
        let view = self.view(at);
        let keys = view.keys();
        let twins: Vec<String> = keys
            .iter()
            .filter(|key| view.member(key, &Value::Null).is_secret())
            .map(|key| twin_of(key))
            .collect();
        let known = keys.iter().copied().chain(twins.iter().map(String::as_str));
        let hint = did_you_mean(key, known).unwrap_or_else(|| list(&keys));
        self.report.add_at(Part::Key, &pointer::child(at, key), format!("unknown key; {hint}"));
    }

    /// What `global` and the like hold is not looked at otherwise.
    fn say_within(&mut self, at: &str) {
        let Some(Value::Object(members)) = self.document.pointer(at) else { return };
        for key in members.keys() {
            if let Some(answer) = (self.answer)(at, key) {
                let message = format!("a key of Alertmanager: {answer}");
                self.report.add_at(Part::Key, &pointer::child(at, key), message);
            }
        }
    }

    fn say_missing(&mut self, at: &str, key: &str) {
        let twin = match self.view(at).member(key, &Value::Null).is_secret() {
            true => format!(" (or `{}`)", twin_of(key)),
            false => String::new(),
        };
        self.report.add_missing(at, key, format!("the key `{key}`{twin} is missing"));
    }

    /// Alternatives are either words to choose from, or a type that may be left out; for
    /// the latter the most promising alternative tells what is wrong.
    fn say_alternatives(
        &mut self,
        at: &str,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'static>>],
    ) {
        let choices: Option<Vec<&Value>> = context.iter().map(|errors| choice(errors)).collect();
        if let Some(choices) = choices {
            if self.report.is_full() {
                return self.report.count(at);
            }
            let message = self.describe_choice(at, error.instance(), &choices);
            return self.report.add(at, message);
        }
        let depth = |errors: &Vec<ValidationError<'_>>| {
            errors.iter().map(|error| error.instance_path().as_str().len()).max().unwrap_or_default()
        };
        let best = context.iter().filter(|errors| !is_null_branch(errors)).max_by_key(|errors| depth(errors));
        match best {
            Some(errors) => errors.iter().for_each(|error| self.say(error)),
            None => self.report.add(at, "fits none of the allowed forms"),
        }
    }

    fn describe(&self, at: &str, error: &ValidationError<'_>) -> String {
        use ValidationErrorKind as Kind;
        let value = error.instance();
        match error.kind() {
            Kind::Type { kind: TypeKind::Single(kind @ (JsonType::Array | JsonType::Object)) } => {
                // A lone text in the place of a mapping may be the secret meant to be in it.
                let example = self.view(at).example().map(|example| format!(" such as {example}"));
                let (wanted, got) = (type_name(*kind), type_name(JsonType::from(&**value)));
                format!("expected {wanted}{}, got {got}", example.unwrap_or_default())
            }
            Kind::Type { kind } => format!("expected {}, got {}", expected(kind), self.seen(at, value)),
            Kind::Enum { options: Value::Array(options) } => {
                self.describe_choice(at, value, &options.iter().collect::<Vec<_>>())
            }
            Kind::Constant { expected_value } => self.describe_choice(at, value, &[expected_value]),
            Kind::Minimum { limit } => format!("must be at least {limit}"),
            Kind::Maximum { limit } => format!("must be at most {limit}"),
            Kind::ExclusiveMinimum { limit } => format!("must be greater than {limit}"),
            Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
            Kind::MinItems { limit: 1 } | Kind::MinLength { limit: 1 } | Kind::MinProperties { limit: 1 } => {
                "must not be empty".to_owned()
            }
            Kind::MinItems { limit } => format!("must have at least {limit} elements"),
            Kind::MaxItems { limit } => format!("must have at most {limit} elements"),
            Kind::MinLength { limit } => format!("must have at least {limit} characters"),
            Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
            Kind::UniqueItems => "must not hold anything twice".to_owned(),
            Kind::Pattern { pattern } => self.describe_pattern(at, value, pattern),
            Kind::Format { format } if format == "date-time" => {
                format!("expected an RFC 3339 time such as 2026-08-20T10:00:03Z{}", self.but_got(at, value))
            }
            Kind::Format { format } => format!("not a valid {format}{}", self.but_got(at, value)),
            _ => format!("not allowed here (rule `{}`)", error.kind().keyword()),
        }
    }

    fn describe_pattern(&self, at: &str, value: &Value, pattern: &str) -> String {
        let got = self.but_got(at, value);
        let form = self.view(at).description().map_or_else(|| format!("the form {pattern}"), as_phrase);
        format!("expected {form}{got}")
    }

    fn describe_choice(&self, at: &str, value: &Value, choices: &[&Value]) -> String {
        let words: Vec<&str> = choices.iter().filter_map(|choice| choice.as_str()).collect();
        let got = self.but_got(at, value);
        let hint = match value.as_str() {
            Some(text) if !self.report.is_private(at) => did_you_mean(text, words.iter().copied()),
            _ => None,
        };
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("must be one of {}{got}{hint}", quoted(&words))
    }

    fn but_got(&self, at: &str, value: &Value) -> String {
        format!(", got {}", self.seen(at, value))
    }

    /// What stands there: its type and, for a scalar that is nobody's secret, its value.
    fn seen(&self, at: &str, value: &Value) -> String {
        let kind = type_name(JsonType::from(value));
        if self.report.is_private(at) || matches!(value, Value::Array(_) | Value::Object(_) | Value::Null) {
            return kind.to_owned();
        }
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        let cut: String = one_line.take(SHOWN_CHARS).collect();
        let dots = if cut.len() < text.len() { "…" } else { "" };
        format!("{kind} `{cut}{dots}`")
    }

    fn view(&self, at: &str) -> View<'_> {
        View::at(self.root, self.document, at)
    }
}

/// A sentence of documentation as part of another.
fn as_phrase(sentence: &str) -> String {
    let mut chars = sentence.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The only word an alternative would have taken.
fn choice<'e>(errors: &'e [ValidationError<'static>]) -> Option<&'e Value> {
    errors.iter().find_map(|error| match error.kind() {
        ValidationErrorKind::Constant { expected_value } => Some(expected_value),
        _ => None,
    })
}

fn is_null_branch(errors: &[ValidationError<'_>]) -> bool {
    errors.iter().any(|error| {
        matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::Null) })
    })
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(single) => type_name(*single).to_owned(),
        TypeKind::Multiple(set) => {
            let names: Vec<&str> = set.iter().filter(|t| *t != JsonType::Null).map(type_name).collect();
            names.join(" or ")
        }
    }
}

fn type_name(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Null => "nothing",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn list(keys: &[&str]) -> String {
    match keys {
        [] => "no keys are known here".to_owned(),
        keys => format!("known keys: {}", quoted(keys)),
    }
}
