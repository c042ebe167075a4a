//! The texts of documents: YAML or JSON, read into types. Readers stop at the first fault; who
//! wants all of them reads again.

use serde::Serialize;
use serde_json::Value;

use super::{Document, Format};
use crate::catalog::faults::FieldError;
use crate::yaml::{self, MAX_DEPTH, NOT_YAML, Position};

/// The first fault of a document.
pub(in crate::catalog) struct Refusal {
    /// What and where it is.
    pub problem: FieldError,
    /// As what the document is to be read again; `None` where that would be no use.
    pub again: Option<Format>,
}

/// Reads YAML or JSON into types. Plain YAML scalars are texts where texts are wanted, so that
/// `version: 1.10` is the version `1.10`.
pub(in crate::catalog) fn parse(text: &str) -> Result<Document, Refusal> {
    if text.trim_start().starts_with('{') {
        // JSON is YAML as well, but its own reader is faster and says more.
        match serde_json::from_str(text) {
            Ok(document) => return Ok(document),
            Err(error) if error.is_data() => {
                return Err(Refusal { problem: json_problem(&error), again: Some(Format::Json) });
            }
            Err(error) if is_lone_surrogate(&error) => {
                let problem = FieldError::new("", json_fault(&error));
                return Err(Refusal { problem, again: None });
            }
            Err(_) => {}
        }
    }
    serde_saphyr::from_str_with_options(text, yaml_options(text)).map_err(|error| yaml_refusal(&error))
}

fn json_problem(error: &serde_json::Error) -> FieldError {
    let text = error.to_string();
    let message = without_place(&text);
    let position = Position { line: error.line() as u64, column: error.column() as u64 };
    FieldError::new("", message).at(Some(position))
}

/// A reader's words up to where they name the place.
fn without_place(words: &str) -> &str {
    words.rsplit_once(" at line ").map_or(words, |(words, _)| words)
}

fn yaml_refusal(error: &serde_saphyr::Error) -> Refusal {
    use serde_saphyr::Error as E;
    let (position, words) = yaml::fault(error);
    let is_too_much = matches!(
        error,
        E::Budget { .. }
            | E::AliasReplayLimitExceeded { .. }
            | E::AliasExpansionLimitExceeded { .. }
            | E::AliasReplayStackDepthExceeded { .. }
            | E::AliasReplayCounterOverflow { .. }
    );
    let own_words = error.without_snippet().to_string();
    // What types refuse is YAML all the same.
    let message = if words == NOT_YAML { without_place(&own_words) } else { &words };
    let problem = FieldError::new("", message).at(position);
    Refusal { problem, again: (!is_too_much).then_some(Format::Yaml) }
}

/// A value written as YAML (or JSON), for instance in one field of a form.
///
/// # Errors
/// What is not understood, with line and column.
pub fn read_yaml(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str_with_options(text, yaml_options(text)).map_err(|error| error.to_string())
}

/// The same value as YAML.
pub fn write_yaml(value: &impl Serialize) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}

/// Why a text is not JSON, in words that say what to do.
pub fn json_fault(error: &serde_json::Error) -> String {
    if !is_lone_surrogate(error) {
        return error.to_string();
    }
    let (line, column) = (error.line(), error.column());
    format!(
        "an escape such as \\ud83d stands for half a character (a lone surrogate) at line {line} column {column}: \
         write both halves, or the character itself"
    )
}

/// The JSON reader's two complaints about half of a pair of escapes.
fn is_lone_surrogate(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    text.contains("lone leading surrogate") || text.contains("unexpected end of hex escape")
}

/// The most that aliases may repeat: a document of so many entries that share their links and
/// contacts is still read, one that is mostly aliases is not.
const MAX_REPEATED_EVENTS: usize = 100_000;
/// The most text that aliases may repeat, in bytes.
const MAX_REPEATED_BYTES: usize = 8 * 1024 * 1024;

/// The size of the text is bounded by who hands it in; what is bounded here is what aliases
/// make of it.
fn yaml_options(text: &str) -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    options.alias_limits.max_total_replayed_events = MAX_REPEATED_EVENTS;
    if let Some(budget) = &mut options.budget {
        // Many entries may share one thing: what counts is how much is repeated.
        budget.enforce_alias_anchor_ratio = false;
        // No event takes less than one byte of the text.
        budget.max_events = text.len() + MAX_REPEATED_EVENTS;
        budget.max_nodes = text.len() + MAX_REPEATED_EVENTS;
        budget.max_total_scalar_bytes = text.len() + MAX_REPEATED_BYTES;
    }
    options
}

/// The same limits for a reading that goes on behind a fault.
pub(in crate::catalog) fn tolerant_yaml_options(text: &str) -> serde_saphyr::Options {
    let mut options = yaml_options(text);
    options.duplicate_keys = serde_saphyr::DuplicateKeyPolicy::LastWins;
    options.non_finite_float_policy = serde_saphyr::options::NonFiniteFloatPolicy::AsString;
    if let Some(budget) = &mut options.budget {
        budget.max_depth = MAX_DEPTH;
    }
    options
}
