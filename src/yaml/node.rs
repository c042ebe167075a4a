//! A value as it is written, before it becomes a plain one with marks beside it.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};

use super::document::{Document, position};
use super::marks::Mark;
use super::pointer;

thread_local! {
    /// How many nodes may still be kept: what is read into has no room for a count of its own.
    static ROOM: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Lets this thread keep so many nodes from now on; more are read and dropped.
pub(super) fn make_room(nodes: usize) {
    ROOM.set(nodes);
}

/// Whether nodes had to be dropped since.
pub(super) fn is_full() -> bool {
    ROOM.get() == 0
}

/// A node as it is written.
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// Takes nodes apart into a document.
pub(super) struct Collector<'a> {
    text: &'a str,
    document: &'a mut Document,
    keeps_nulls: bool,
}

impl<'a> Collector<'a> {
    /// Members without a value stay.
    pub fn with_nulls(text: &'a str, document: &'a mut Document) -> Self {
        Self { text, document, keeps_nulls: true }
    }

    /// Members without a value are left out.
    pub fn without_nulls(text: &'a str, document: &'a mut Document) -> Self {
        Self { text, document, keeps_nulls: false }
    }

    /// Makes the node the document's.
    pub fn take(mut self, node: Spanned<Node>) {
        self.document.value = self.take_node(node, None, "");
    }

    fn take_node(&mut self, node: Spanned<Node>, key: Option<Location>, at: &str) -> Value {
        if let Some(value) = position(node.referenced) {
            let spelling = match node.value {
                Node::Bool(_) | Node::Number(_) => self.spelling(node.defined),
                _ => None,
            };
            let mark = Mark { key: key.and_then(position), value, spelling };
            self.document.marks.insert(at, mark);
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
        values.map(|(i, item)| self.take_node(item, None, &pointer::child(at, i.to_string()))).collect()
    }

    fn take_map(&mut self, entries: Vec<(Spanned<String>, Spanned<Node>)>, at: &str) -> Value {
        let mut map = Map::new();
        for (key, node) in entries {
            let place = pointer::child(at, &key.value);
            let value = self.take_node(node, Some(key.referenced), &place);
            if value.is_null() && !self.keeps_nulls {
                continue;
            }
            if map.insert(key.value, value).is_some()
                && let Some(second) = position(key.referenced)
            {
                self.document.duplicates.push((place, second));
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
        ROOM.set(ROOM.get().saturating_sub(1));
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
        while !is_full() {
            let Some(item) = seq.next_element()? else { return Ok(Node::List(items)) };
            items.push(item);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while !is_full() {
            let Some(entry) = map.next_entry()? else { return Ok(Node::Map(entries)) };
            entries.push(entry);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Node::Map(entries))
    }
}
