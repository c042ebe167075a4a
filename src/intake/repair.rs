//! JSON texts that hold half of a `\u` surrogate pair, as a sender writes that cuts texts in
//! the middle: no parser takes them, and no alert may be lost to them.

use std::borrow::Cow;

/// Stands for what cannot be read; as long as what it replaces, so that places stay.
const REPLACEMENT: &str = "\\ufffd";

/// The text with each half of a surrogate pair that stands alone replaced by U+FFFD.
pub(super) fn without_lone_surrogates(text: Cow<'_, str>) -> Cow<'_, str> {
    let lone = lone_surrogates(text.as_bytes());
    if lone.is_empty() {
        return text;
    }
    let mut text = text.into_owned();
    for at in lone {
        text.replace_range(at..at + REPLACEMENT.len(), REPLACEMENT);
    }
    Cow::Owned(text)
}

/// Where their escapes begin.
fn lone_surrogates(bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = bytes.get(at..).unwrap_or_default().iter().position(|byte| *byte == b'\\') {
        at += step;
        match (unit_at(bytes, at), unit_at(bytes, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                found.push(at);
                at += 6;
            }
            // Of any other escape the second byte may be a backslash that begins none.
            _ => at += 2,
        }
    }
    found
}

/// The UTF-16 unit that an escape at `at` writes.
fn unit_at(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit: u16, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repaired(text: &str) -> String {
        without_lone_surrogates(Cow::Borrowed(text)).into_owned()
    }

    #[test]
    fn only_halves_that_stand_alone_are_replaced() {
        let cases = [
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""\uDFFFx""#, r#""\ufffdx""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
            (r#""\\ud800""#, r#""\\ud800""#),
            (r#""\\\ud800""#, r#""\\\ufffd""#),
            (r#""\ud8""#, r#""\ud8""#),
            (r"\", r"\"),
            (r"\ud80é", r"\ud80é"),
        ];
        for (text, expected) in cases {
            assert_eq!(repaired(text), expected);
        }
    }

    proptest! {
        #[test]
        fn any_string_of_units_becomes_json(units in prop::collection::vec(
            prop_oneof![any::<u16>(), 0xD7F0_u16..0xE010], 0..20,
        )) {
            let text: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let repaired = repaired(&format!("\"{text}\""));
            let read: String = serde_json::from_str(&repaired).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }
    }
}
