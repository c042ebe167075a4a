//! A JSON value taken as text: senders with a `payload` of their own write numbers and
//! flags where Alertmanager writes strings.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Any JSON value as text: strings as they are, `null` as the empty text, numbers and
/// flags as they are written, lists and objects as JSON. Borrows where nothing was escaped.
/// No JSON value is refused: not even a number beyond all bounds.
///
/// U+0000 becomes U+FFFD, since PostgreSQL's texts cannot hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

/// A string, such as the name of a field; otherwise as [`Text`].
pub(super) struct Name<'a>(pub Cow<'a, str>);

impl<'a> Text<'a> {
    /// Reads a value.
    pub fn of(value: &'a RawValue) -> Self {
        let json = value.get();
        Self(match json.as_bytes().first() {
            Some(b'n') => Cow::Borrowed(""),
            Some(b'"') => serde_json::from_str(json).map_or(Cow::Borrowed(json), |Name(text)| text),
            Some(b'{' | b'[') => compact(json),
            _ => Cow::Borrowed(json),
        })
    }

    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// A list or an object without white space; one with a number beyond all bounds as it is.
fn compact(json: &str) -> Cow<'_, str> {
    serde_json::from_str::<Value>(json).map_or(Cow::Borrowed(json), |value| Cow::Owned(value.to_string()))
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Self::of)
    }
}

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
        // An unescaped JSON string cannot hold U+0000.
        Ok(Name(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(text.replace('\0', "\u{FFFD}"))))
    }
}

/// At most `limit` bytes of a text, cut between characters.
pub(super) fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// A text of at most `limit` bytes, in the same manner as [`bounded`].
pub(super) fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub('…'.len_utf8())));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

/// A text of at most `limit` characters; of a longer one the beginning and a sign that it was
/// cut.
pub(super) fn bounded(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
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
        assert_eq!(text("18446744073709551616"), "18446744073709551616");
        assert_eq!(text("0.250"), "0.250");
        assert_eq!(text("-1e999"), "-1e999");
        assert_eq!(text(r#"[1, {"a": null}]"#), r#"[1,{"a":null}]"#);
        assert_eq!(text(r#"{"b":"c","a":[]}"#), r#"{"b":"c","a":[]}"#);
        assert_eq!(text(r#"[1e999, 2]"#), r#"[1e999, 2]"#);
        assert_eq!(text(r#""a\u0000b""#), "a\u{FFFD}b");
    }

    #[test]
    fn a_head_ends_between_characters() {
        assert_eq!(head("aé", 2), "a");
        assert_eq!(head("aé", 3), "aé");
        assert_eq!(head("aé", 9), "aé");
    }

    #[test]
    fn a_bounded_text_says_that_it_was_cut() {
        assert_eq!(bounded("éé", 2), "éé");
        assert_eq!(bounded("ééé", 2), "é…");
        assert_eq!(cut("abcd".to_owned(), 4), "abcd");
        assert_eq!(cut("abcdé".to_owned(), 5), "ab…");
    }
}
