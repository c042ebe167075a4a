//! The encodings of mail, undone: quoted-printable, base64 and encoded words.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a base64 body; `None` when it is none.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    LENIENT.decode(packed).ok()
}

/// The bytes of a quoted-printable body (RFC 2045 §6.7); `None` when an escape is broken.
pub(super) fn quoted_printable(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for line in text.split_inclusive("\r\n") {
        let (content, end) = line.strip_suffix("\r\n").map_or((line, ""), |content| (content, "\r\n"));
        let content = content.trim_end_matches([' ', '\t']);
        let soft = content.strip_suffix('=');
        unescape(soft.unwrap_or(content), &mut bytes)?;
        if soft.is_none() {
            bytes.extend_from_slice(end.as_bytes());
        }
    }
    Some(bytes)
}

/// Puts `text` with its `=XX` undone at the end of `bytes`.
fn unescape(text: &str, bytes: &mut Vec<u8>) -> Option<()> {
    let mut parts = text.split('=');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(())
}

/// A header value with its encoded words (RFC 2047) read; UTF-8 only.
pub(super) fn header(value: &str) -> String {
    let mut text = String::new();
    let mut after_word = false;
    let mut pending_space = "";
    for token in tokens(value) {
        if token.trim().is_empty() {
            pending_space = token;
            continue;
        }
        let word = encoded_word(token);
        // White space between two encoded words is part of the encoding.
        if !(after_word && word.is_some()) {
            text += pending_space;
        }
        pending_space = "";
        after_word = word.is_some();
        text += &word.unwrap_or_else(|| token.to_owned());
    }
    text + pending_space
}

/// Runs of white space and runs of anything else, in turn.
fn tokens(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let is_space = first.is_whitespace();
        let end = rest.find(|c: char| c.is_whitespace() != is_space).unwrap_or(rest.len());
        let (token, tail) = rest.split_at(end);
        rest = tail;
        Some(token)
    })
}

fn encoded_word(token: &str) -> Option<String> {
    let inner = token.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut fields = inner.splitn(3, '?');
    let (charset, encoding, text) = (fields.next()?, fields.next()?, fields.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => base64(text)?,
        "Q" | "q" => {
            let mut bytes = Vec::new();
            unescape(&text.replace('_', " "), &mut bytes)?;
            bytes
        }
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_is_read_with_soft_line_ends_and_trailing_space() {
        let text = "Gr=C3=BC=C3=9Fe,=\r\n die Dr=\r\nift  \r\nend=20\r\n";
        let bytes = quoted_printable(text).unwrap();

        assert_eq!(String::from_utf8(bytes).unwrap(), "Grüße, die Drift\r\nend \r\n");
        assert!(quoted_printable("a=ZZ").is_none());
        assert!(quoted_printable("a=C").is_none());
    }

    #[test]
    fn encoded_words_are_joined_and_the_rest_left_alone() {
        assert_eq!(header("=?utf-8?B?R3LDvMOf?= =?UTF-8?Q?e_=E2=9C=93?= plain"), "Grüße ✓ plain");
        assert_eq!(header("[FIRING]  drift"), "[FIRING]  drift");
        assert_eq!(header("=?utf-8?B?broken"), "=?utf-8?B?broken");
        assert_eq!(header("=?latin1?Q?=FC?="), "=?latin1?Q?=FC?=");
    }

    #[test]
    fn base64_ignores_line_ends_and_padding() {
        assert_eq!(base64("aGVs\r\nbG8=").unwrap(), b"hello");
        assert_eq!(base64("aGVsbG8").unwrap(), b"hello");
        assert!(base64("a?b").is_none());
    }
}
