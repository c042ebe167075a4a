//! Alertmanager's classic matcher syntax: names `[a-zA-Z_:][a-zA-Z0-9_:]*`; the quotes of
//! a value are optional and the value may be missing; only `\"`, `\\` and `\n` are
//! escapes, any other backslash stands for itself; each brace is optional by itself; a
//! trailing comma is allowed.

use super::syntax::{Cursor, RawMatcher, SyntaxError, is_space};

/// Reads a list of matchers.
pub(super) fn parse(text: &str) -> Result<Vec<RawMatcher>, SyntaxError> {
    let body_start = usize::from(text.starts_with('{'));
    let body_end = text.len() - usize::from(text.len() > body_start && text.ends_with('}'));
    let pieces = split_list(&text[body_start..body_end]);
    let last = pieces.len() - 1;
    let mut matchers = Vec::new();
    for (index, (offset, piece)) in pieces.into_iter().enumerate() {
        let is_trailing_comma = index == last && piece.chars().all(is_space);
        if is_trailing_comma {
            break;
        }
        let before = text[..body_start + offset].chars().count();
        matchers.push(parse_matcher(piece).map_err(|error| shifted(error, before))?);
    }
    Ok(matchers)
}

fn shifted(error: SyntaxError, by: usize) -> SyntaxError {
    SyntaxError { column: error.column + by, ..error }
}

/// Cuts at the commas outside quotes: each piece with its offset, at least one.
fn split_list(text: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !quoted => {
                pieces.push((start, &text[start..at]));
                start = at + 1;
            }
            // Alertmanager overlooks that a comma ends an escape.
            ',' => continue,
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    pieces.push((start, &text[start..]));
    pieces
}

fn parse_matcher(piece: &str) -> Result<RawMatcher, SyntaxError> {
    let mut cursor = Cursor::new(piece.trim_end_matches(is_space));
    cursor.skip_space();
    let has_start = cursor.peek().is_some_and(|c| is_name_char(c) && !c.is_ascii_digit());
    if !has_start {
        return Err(cursor.expected("a label name"));
    }
    let name = cursor.take_while(is_name_char).to_owned();
    cursor.skip_space();
    let op = cursor.operator()?;
    cursor.skip_space();
    let value = parse_value(cursor)?;
    Ok(RawMatcher { name, op, value })
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// The rest of the piece as a value.
fn parse_value(mut cursor: Cursor<'_>) -> Result<String, SyntaxError> {
    let mut open = cursor.eat("\"");
    let mut value = String::new();
    loop {
        let here = cursor;
        match cursor.bump() {
            None if open => return Err(here.expected("a closing double quote")),
            None => return Ok(value),
            Some('"') if open && cursor.is_at_end() => open = false,
            Some('"') => return Err(here.expected("no double quote inside a value unless written \\\"")),
            Some('\\') => push_escape(&mut cursor, &mut value),
            Some(other) => value.push(other),
        }
    }
}

fn push_escape(cursor: &mut Cursor<'_>, value: &mut String) {
    match cursor.bump() {
        Some('n') => value.push('\n'),
        Some(c @ ('"' | '\\')) => value.push(c),
        other => {
            value.push('\\');
            value.extend(other);
        }
    }
}
