//! YAML as a plain value plus where each part of it stands. Refuses what a configuration
//! never needs and an attacker might send: several documents, duplicate keys, deep
//! nesting, aliases that explode.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Error, Location, Spanned};

use super::marks::{Mark, Marks, Position};
use super::pointer;

const MAX_DEPTH: usize = 64;
const STACK_BYTES: usize = 16 * 1024 * 1024;
const MAX_NODES: usize = 100_000;
const MAX_REPLAYED_EVENTS: usize = 20_000;

/// A parsed file.
pub(super) struct Document {
    /// The content; an empty file is an empty mapping. Members without a value are left
    /// out, as if they had not been written.
    pub value: Value,
    /// Where everything stands.
    pub marks: Marks,
}

/// Reads one YAML document.
///
/// # Errors
/// Where and why the text is not acceptable; never cites a value.
pub(super) fn read(text: &str) -> Result<Document, (Option<Position>, String)> {
    let options = || {
        serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED_EVENTS },
            strict_booleans: true,
            reject_unsupported_tags: true,
            with_snippet: false,
        }
    };
    let node = on_a_large_stack(|| {
        serde_saphyr::from_str_with_options::<Option<Spanned<Node>>>(text, options())
            .map_err(|error| (error.location().and_then(position), words(&error)))
    })?;

    let mut marks = Marks::default();
    let value = match node {
        Some(node) => Collector { text, marks: &mut marks }.take(node, None, ""),
        None => Value::Object(Map::new()),
    };
    let value = if value.is_null() { Value::Object(Map::new()) } else { value };
    Ok(Document { value, marks })
}

/// The parser takes some 35 KiB of stack for each level in a debug build; a small thread
/// of a runtime would not do for the depth that is allowed.
fn on_a_large_stack<T: Send>(
    read: impl FnOnce() -> Result<T, (Option<Position>, String)> + Send,
) -> Result<T, (Option<Position>, String)> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("config".to_owned()).stack_size(STACK_BYTES);
        let thread = builder
            .spawn_scoped(scope, read)
            .map_err(|error| (None, format!("starting a thread to read the file: {error}")))?;
        thread.join().unwrap_or_else(|_| Err((None, "not valid YAML".to_owned())))
    })
}

fn position(location: Location) -> Option<Position> {
    let known = location.line() > 0;
    known.then(|| Position { line: location.line(), column: location.column() })
}

/// Own words for what happens, so that no text of the file slips into a message.
fn words(error: &Error) -> String {
    let text = match error {
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
        _ => "not valid YAML",
    };
    text.to_owned()
}

/// The scanner's messages are constant sentences, but for a few that cite a name in
/// quotes; those stay out.
fn is_harmless(message: &str) -> bool {
    !message.contains(['"', '`', '*', '&']) && message.len() < 120
}

/// A node as it is written.
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

struct Collector<'a> {
    text: &'a str,
    marks: &'a mut Marks,
}

impl Collector<'_> {
    fn take(&mut self, node: Spanned<Node>, key: Option<Location>, at: &str) -> Value {
        if let Some(value) = position(node.referenced) {
            let spelling = match node.value {
                Node::Bool(_) | Node::Number(_) => self.spelling(node.defined),
                _ => None,
            };
            let mark = Mark { key: key.and_then(position), value, spelling };
            self.marks.insert(at, mark);
        }
        match node.value {
            Node::Null => Value::Null,
            Node::Bool(truth) => Value::Bool(truth),
            Node::Number(number) => Value::Number(number),
            Node::Text(text) => Value::String(text),
            Node::List(items) => self.take_list(items, at),
            Node::Map(entries) => self.take_map(entries, at),
        }
    }

    fn take_list(&mut self, items: Vec<Spanned<Node>>, at: &str) -> Value {
        let values = items.into_iter().enumerate();
        values.map(|(i, item)| self.take(item, None, &pointer::child(at, i.to_string()))).collect()
    }

    fn take_map(&mut self, entries: Vec<(Spanned<String>, Spanned<Node>)>, at: &str) -> Value {
        let mut map = Map::new();
        for (key, node) in entries {
            let value = self.take(node, Some(key.referenced), &pointer::child(at, &key.value));
            if !value.is_null() {
                map.insert(key.value, value);
            }
        }
        Value::Object(map)
    }

    fn spelling(&self, location: Location) -> Option<String> {
        let span = location.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        self.text.get(start..start.checked_add(length)?).map(|text| text.trim().to_owned())
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Node, E> {
        Ok(Node::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Node, E> {
        Number::from_f64(number).map(Node::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}
