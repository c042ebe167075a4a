//! A document whose bulk is one list, read item by item: each is handed on and forgotten, so
//! that a large document takes little memory beside its text.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{Options, Spanned};

use super::document::{Document, Fault, fault, position};
use super::marks::{Mark, Position};
use super::node::{self, Collector, Node};
use super::pointer;
use super::read::on_a_large_stack;

/// What of a document is to be read.
pub struct Listing<'a> {
    /// The key whose list is handed on.
    pub key: &'static str,
    /// The reader's limits.
    pub options: &'a (dyn Fn() -> Options + Sync),
    /// The most values of one item; what is beyond is dropped.
    pub room: usize,
    /// Which items, by their index; the others are skipped.
    pub is_wanted: &'a (dyn Fn(usize) -> bool + Sync),
}

/// Who takes the items.
pub trait Items: Send {
    /// Takes an item; `is_whole` unless some of its values were dropped.
    fn take(&mut self, index: usize, item: Document, is_whole: bool);
}

/// Reads a document and hands on the items of its list. Answers the rest: the list without its
/// items, other members without their content; and why reading ended early, if it did.
pub fn read_items(text: &str, listing: &Listing<'_>, items: &mut dyn Items) -> (Document, Option<Fault>) {
    let mut rest = Document::default();
    let mut head = Head { text, listing, rest: &mut rest, items };
    let end = on_a_large_stack(move || {
        let options = (listing.options)();
        serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| {
            head.rest.value = Level::Top(&mut head).deserialize(reader)?;
            Ok(())
        })
        .map_err(|error| fault(&error))
    });
    (rest, end.err())
}

struct Head<'a> {
    text: &'a str,
    listing: &'a Listing<'a>,
    rest: &'a mut Document,
    items: &'a mut dyn Items,
}

/// Where in the document the reader is.
enum Level<'a, 'h> {
    /// At its top.
    Top(&'a mut Head<'h>),
    /// At the list, or what stands in its place.
    List(&'a mut Head<'h>),
}

impl Head<'_> {
    fn read_members<'de, A: MapAccess<'de>>(&mut self, mut map: A) -> Result<Value, A::Error> {
        self.rest.value = Value::Object(Map::new());
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let (place, key) = (position(key.referenced), key.value);
            let at = pointer::child("", &key);
            if self.rest.value.get(&key).is_some() {
                self.rest.duplicates.extend(place.map(|place| (at, place)));
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.mark(&at, place);
            let value = if key == self.listing.key {
                self.rest.value[&key] = Value::Array(Vec::new());
                map.next_value_seed(Level::List(self))?
            } else {
                map.next_value::<IgnoredAny>()?;
                Value::Null
            };
            // Kept at once: what follows may be where reading ends.
            self.rest.value[key] = value;
        }
        Ok(self.rest.value.take())
    }

    fn read_list<'de, A: SeqAccess<'de>>(&mut self, mut list: A) -> Result<Value, A::Error> {
        let Listing { room, is_wanted, .. } = self.listing;
        for index in 0.. {
            if !is_wanted(index) {
                match list.next_element::<IgnoredAny>()? {
                    Some(_) => continue,
                    None => break,
                }
            }
            node::make_room(*room);
            let Some(item) = list.next_element::<Spanned<Node>>()? else { break };
            let mut document = Document::default();
            Collector::with_nulls(self.text, &mut document).take(item);
            self.items.take(index, document, !node::is_full());
        }
        Ok(Value::Array(Vec::new()))
    }

    fn mark(&mut self, at: &str, place: Option<Position>) {
        if let Some(value) = place {
            self.rest.marks.insert(at, Mark { key: place, value, spelling: None });
        }
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        match self {
            Self::Top(head) => head.read_members(map),
            Self::List(_) => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Object(Map::new()))
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        match self {
            Self::List(head) => head.read_list(seq),
            Self::Top(_) => {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Array(Vec::new()))
            }
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}
