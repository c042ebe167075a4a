//! A JSON value taken as text: senders with a `payload` of their own write numbers and
//! flags where Alertmanager writes strings.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Any JSON value as text: strings as they are, `null` as the empty text, numbers and
/// flags as they are written, lists and objects as JSON. Borrows where nothing was escaped.
///
/// U+0000 becomes U+FFFD, since PostgreSQL's texts cannot hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl Text<'_> {
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        // An unescaped JSON string cannot hold U+0000.
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text })))
    }

    fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Text<'de>, E> {
        Ok(owned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Text<'de>, E> {
        Ok(owned(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Text<'de>, E> {
        Ok(owned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Text<'de>, E> {
        Ok(owned(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Text<'de>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq)).map(owned)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text<'de>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(owned)
    }
}

fn owned(value: impl fmt::Display) -> Text<'static> {
    Text(Cow::Owned(value.to_string()))
}

/// At most `limit` bytes of a text, cut between characters.
pub(super) fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// What the parser has to say, with its riddles explained.
pub(super) fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // What it says of `\ud800` depends on what follows.
    let is_lone_surrogate = text.contains("surrogate") || text.contains("end of hex escape");
    let note = if is_lone_surrogate { " (half of a \\u surrogate pair without the other half)" } else { "" };
    text + note
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> String {
        serde_json::from_str::<Text<'_>>(json).unwrap().into_string()
    }

    #[test]
    fn every_kind_of_value_has_a_text() {
        assert_eq!(text(r#""a\"b""#), "a\"b");
        assert_eq!(text("null"), "");
        assert_eq!(text("true"), "true");
        assert_eq!(text("-3"), "-3");
        assert_eq!(text("18446744073709551615"), "18446744073709551615");
        assert_eq!(text("0.25"), "0.25");
        assert_eq!(text(r#"[1,{"a":null}]"#), r#"[1,{"a":null}]"#);
        assert_eq!(text(r#"{"b":"c","a":[]}"#), r#"{"b":"c","a":[]}"#);
        assert_eq!(text(r#""a\u0000b""#), "a\u{FFFD}b");
    }

    #[test]
    fn a_lone_surrogate_is_called_one() {
        for json in [r#""\ud800""#, r#""\ud800x""#, r#""\udc00""#, r#""\ud800\ud800""#] {
            let error = serde_json::from_str::<Text<'_>>(json).unwrap_err();
            assert!(
                explain(&error).ends_with("(half of a \\u surrogate pair without the other half)"),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn a_head_ends_between_characters() {
        assert_eq!(head("aé", 2), "a");
        assert_eq!(head("aé", 3), "aé");
        assert_eq!(head("aé", 9), "aé");
    }
}
