//! What is read of a YAML text, and what is said of one that cannot be read.

use serde_json::Value;
use serde_saphyr::{Error, Location};

use super::marks::{Marks, Position};

/// What is said where there are no better words.
pub const NOT_YAML: &str = "not valid YAML";

/// A parsed file, or a part of one.
#[derive(Default)]
pub struct Document {
    /// The content.
    pub value: Value,
    /// Where everything stands.
    pub marks: Marks,
    /// Keys that stand in a mapping already, as JSON pointers, with their own place: the last
    /// one counts.
    pub duplicates: Vec<(String, Position)>,
}

/// Why a text is not acceptable, and where.
pub type Fault = (Option<Position>, String);

/// Why and where the reader gave up.
pub fn fault(error: &Error) -> Fault {
    (error.location().and_then(position), words(error))
}

pub(super) fn position(location: Location) -> Option<Position> {
    let known = location.line() > 0;
    known.then(|| Position { line: location.line(), column: location.column() })
}

/// Own words for what happens, so that no text of the file slips into a message.
fn words(error: &Error) -> String {
    let text = match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => return format!("duplicate key `{key}`"),
        Error::DuplicateMappingKey { .. } => "duplicate key",
        Error::MultipleDocuments { .. } => "only one document is allowed: remove the line `---`",
        Error::UnknownAnchor { .. } => "alias of an unknown anchor; quote a value that begins with `*`",
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias may not contain itself",
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => "aliases expand to too much",
        Error::Budget { .. } => "too large or too deeply nested",
        Error::NonFiniteFloat { .. } => "a number must be finite",
        Error::UnsupportedTag { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            "tags are not supported; quote a value that begins with `!`"
        }
        Error::SerdeInvalidType { .. } => "keys must be text",
        Error::AliasError { error, .. } => return words(error),
        Error::Eof { .. } => "the file ends too early",
        Error::ExternalMessage { msg, .. } if is_harmless(msg) => return format!("not valid YAML: {msg}"),
        _ => NOT_YAML,
    };
    text.to_owned()
}

/// The scanner's messages are constant sentences, but for a few that cite a name in
/// quotes; those stay out.
fn is_harmless(message: &str) -> bool {
    !message.contains(['"', '`', '*', '&']) && message.len() < 120
}
