//! JSON values as text, and objects as names with texts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{Name, Text};
use crate::domain::labels::Labels;

/// The text of a value; empty for none.
pub(super) fn text_of(value: Option<&RawValue>) -> Text<'_> {
    value.map(Text::of).unwrap_or_default()
}

/// Names and texts of an object, or of what stands for an empty one (`null`, an empty text,
/// and `[]` as PHP writes it).
pub(super) fn read_pairs(value: &RawValue) -> Option<Labels> {
    match value.get().as_bytes() {
        [b'{', ..] => serde_json::from_str(value.get()).ok().map(|Pairs(pairs)| pairs),
        [b'n', ..] | b"\"\"" => Some(Labels::new()),
        [b'[', inner @ .., b']'] if inner.trim_ascii().is_empty() => Some(Labels::new()),
        _ => None,
    }
}

/// An object of names and any values.
struct Pairs(Labels);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Labels::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, Text<'de>>()? {
            pairs.insert(name.into_owned(), value.into_string());
        }
        Ok(Pairs(pairs))
    }
}
