//! What makes a message one: RFC 5321 for the lines, RFC 5322 and 2045 ff. for the rest.

use super::mail::Mail;
use crate::fakes::Violations;

/// The longest line without its end (RFC 5321 §4.5.3.1.6).
const MAX_LINE: usize = 998;
/// The longest encoded word (RFC 2047 §2).
const MAX_ENCODED_WORD: usize = 75;

/// A broken rule and what was seen.
pub(super) type Broken = (&'static str, String);

/// Undoes dot stuffing (RFC 5321 §4.5.2). A line with a single dot in front was not
/// stuffed by its sender, and would lose the dot.
pub(super) fn unstuff(stuffed: &[u8], violations: &Violations) -> Vec<u8> {
    let mut raw = Vec::with_capacity(stuffed.len());
    let mut rest = stuffed;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|window| window == b"\r\n").map_or(rest.len(), |at| at + 2);
        let (line, after) = rest.split_at(end);
        if line.first() == Some(&b'.') && line.get(1) != Some(&b'.') {
            violations.record("smtp.dot_stuffing", String::from_utf8_lossy(line));
        }
        raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = after;
    }
    raw
}

/// Every rule the mail breaks.
pub(super) fn check(mail: &Mail, eight_bit_declared: bool) -> Vec<Broken> {
    let mut broken = Vec::new();
    check_lines(&mail.raw, &mut broken);
    if !eight_bit_declared && !mail.raw.is_ascii() {
        broken.push(("smtp.eight_bit", "bytes above 127 without BODY=8BITMIME".to_owned()));
    }
    check_headers(mail, &mut broken);
    check_parts(mail, &mut broken);
    broken
}

fn check_lines(raw: &[u8], broken: &mut Vec<Broken>) {
    let text = String::from_utf8_lossy(raw);
    for line in text.split("\r\n") {
        if line.contains(['\r', '\n']) {
            broken.push(("smtp.bare_newline", format!("{line:?}")));
        }
        if line.len() > MAX_LINE {
            broken.push(("smtp.line_length", format!("{} bytes", line.len())));
        }
    }
    if raw.contains(&0) {
        broken.push(("smtp.nul", "a NUL byte".to_owned()));
    }
}

fn check_headers(mail: &Mail, broken: &mut Vec<Broken>) {
    for name in ["From", "Date", "Message-ID", "Subject", "MIME-Version", "To"] {
        let count = mail.all(name).len();
        if count != 1 {
            broken.push(("smtp.header_count", format!("{name} is there {count} times")));
        }
    }
    for (name, value) in &mail.headers {
        if !value.is_ascii() || name.contains(|c: char| !c.is_ascii_graphic()) {
            broken.push(("smtp.header_ascii", format!("{name}: {value}")));
        }
        let is_long = |word: &&str| word.starts_with("=?") && word.len() > MAX_ENCODED_WORD;
        broken.extend(
            value.split_whitespace().find(is_long).map(|word| ("smtp.encoded_word", word.to_owned())),
        );
    }
    let date = mail.header("Date").unwrap_or_default();
    if jiff::fmt::rfc2822::parse(&date).is_err() {
        broken.push(("smtp.date", date));
    }
    for name in ["Message-ID", "In-Reply-To", "References"] {
        let value = mail.header(name).unwrap_or_default();
        broken.extend(
            value
                .split_whitespace()
                .find(|id| !is_message_id(id))
                .map(|id| ("smtp.message_id", id.to_owned())),
        );
    }
}

/// `<left@right>` of printable characters.
fn is_message_id(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let Some((left, right)) = inner.and_then(|inner| inner.split_once('@')) else { return false };
    let is_clean = |side: &str| {
        !side.is_empty() && side.chars().all(|c| c.is_ascii_graphic() && !"<>@\"(),:;\\".contains(c))
    };
    is_clean(left) && is_clean(right)
}

fn check_parts(mail: &Mail, broken: &mut Vec<Broken>) {
    if mail.parts.is_empty() {
        broken.push(("smtp.parts", "no part at all: is the boundary right?".to_owned()));
    }
    for part in mail.parts.iter().filter(|part| part.text.is_none()) {
        broken.push(("smtp.encoding", format!("{} cannot be decoded to UTF-8", part.media_type)));
    }
    let position = |kind: &str| mail.parts.iter().position(|part| part.media_type == kind);
    if let (Some(plain), Some(html)) = (position("text/plain"), position("text/html"))
        && html < plain
    {
        broken.push(("smtp.part_order", "text/html stands before text/plain".to_owned()));
    }
}
