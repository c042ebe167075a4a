//! The forms in which a secret comes back: written in base64 or hexadecimal, or escaped for
//! a URL, for JSON or for HTML.

use std::ops::Range;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

/// A shorter piece of base64 would hit ordinary words.
const MIN_BASE64: usize = 6;

/// What to look for.
pub(super) struct Needle {
    pub text: String,
    /// Whether the word of base64 around it may hold the rest of the secret.
    pub is_base64: bool,
}

/// A secret in every form that does not depend on the text around it.
pub(super) fn needles(secret: &str) -> Vec<Needle> {
    let plain = |text: String| Needle { text, is_base64: false };
    let lower: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut needles = vec![plain(secret.to_owned()), plain(lower.to_ascii_uppercase()), plain(lower)];
    // What stands before the secret in the encoded text shifts its digits by up to two bytes.
    for shift in 0..3 {
        let mut bytes = vec![0; shift];
        bytes.extend_from_slice(secret.as_bytes());
        // The digits that belong to the secret alone, whatever comes before and after.
        let own = (shift * 8).div_ceil(6)..bytes.len() * 8 / 6;
        for encoded in [BASE64_STANDARD.encode(&bytes), BASE64_URL_SAFE.encode(&bytes)] {
            let text = encoded.get(own.clone()).unwrap_or_default();
            if text.len() >= MIN_BASE64 {
                needles.push(Needle { text: text.to_owned(), is_base64: true });
            }
        }
    }
    needles
}

/// The whole word of base64 around a part of it.
pub(super) fn word_around(text: &[u8], found: &Range<usize>) -> Range<usize> {
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let before = text[..found.start].iter().rev().take_while(is_digit).count();
    let after = text[found.end..].iter().take_while(is_digit).count();
    found.start - before..found.end + after
}

/// What one escape at the begin of a text stands for, and its length.
type Escape = fn(&str) -> Option<(Vec<u8>, usize)>;

/// A text without its escapes, which knows where each byte stood.
pub(super) struct Unescaped {
    pub bytes: Vec<u8>,
    /// Where each byte begins in the text, and where the text ends.
    starts: Vec<usize>,
}

impl Unescaped {
    /// The text in every reading: as it is, and without the escapes of URLs, forms, JSON and
    /// HTML.
    pub fn all(text: &str) -> impl Iterator<Item = Self> {
        let escapes: [Escape; 5] = [as_is, percent, form, json, html];
        escapes.into_iter().map(|escape| Self::read(text, escape))
    }

    fn read(text: &str, escape: Escape) -> Self {
        let (mut bytes, mut starts) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let as_written = || (first.to_string().into_bytes(), first.len_utf8());
            let (read, length) = escape(&text[at..]).unwrap_or_else(as_written);
            starts.extend(std::iter::repeat_n(at, read.len()));
            bytes.extend(read);
            at += length;
        }
        starts.push(at);
        Self { bytes, starts }
    }

    /// Where in the original text these bytes stand: whole escapes. `range` is not empty.
    pub fn place(&self, range: &Range<usize>) -> Range<usize> {
        let last = self.starts[range.end - 1];
        let end = self.starts[range.end..].iter().find(|start| **start > last);
        self.starts[range.start]..end.copied().unwrap_or(last)
    }
}

fn as_is(_: &str) -> Option<(Vec<u8>, usize)> {
    None
}

fn percent(text: &str) -> Option<(Vec<u8>, usize)> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok()?;
    is_number.then(|| (vec![byte], 3))
}

fn form(text: &str) -> Option<(Vec<u8>, usize)> {
    if text.starts_with('+') { Some((vec![b' '], 1)) } else { percent(text) }
}

fn json(text: &str) -> Option<(Vec<u8>, usize)> {
    let escaped = text.strip_prefix('\\')?.chars().next()?;
    let character = match escaped {
        '"' | '\\' | '/' | '\'' => escaped,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => return json_unicode(text),
        _ => return None,
    };
    Some((character.to_string().into_bytes(), 2))
}

/// `\u00e9`, or the two halves of a character beyond the first 65,536.
fn json_unicode(text: &str) -> Option<(Vec<u8>, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (first, second) = (unit(0)?, unit(6));
    if let Some(Ok(character)) = char::decode_utf16([first]).next() {
        return Some((character.to_string().into_bytes(), 6));
    }
    let character = char::decode_utf16([first, second?]).next()?.ok()?;
    Some((character.to_string().into_bytes(), 12))
}

fn html(text: &str) -> Option<(Vec<u8>, usize)> {
    /// No escape of one character is longer.
    const LONGEST: usize = 10;
    let rest = text.strip_prefix('&')?;
    let end = rest.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let character = match rest.get(..end)? {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        name => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((character.to_string().into_bytes(), end + 2))
}
