//! Alertmanager's UTF-8 matcher syntax: braces both or none; names and values unquoted
//! (no white space, none of ``{}!=~,\"'` ``) or as a double-quoted Go string; a value must
//! be there; white space outside quotes is free; a trailing comma is allowed.

use super::syntax::{Cursor, RawMatcher, SyntaxError, is_space};

/// Reads a list of matchers.
pub(super) fn parse(text: &str) -> Result<Vec<RawMatcher>, SyntaxError> {
    let mut cursor = Cursor::new(text);
    cursor.skip_space();
    let braced = cursor.eat("{");
    let matchers = parse_list(&mut cursor, braced)?;
    if !cursor.is_at_end() {
        return Err(cursor.expected("the end"));
    }
    Ok(matchers)
}

/// Whether a character may not stand in an unquoted name or value.
pub(super) fn is_reserved(c: char) -> bool {
    is_space(c) || "{}!=~,\\\"'`".contains(c)
}

fn parse_list(cursor: &mut Cursor<'_>, braced: bool) -> Result<Vec<RawMatcher>, SyntaxError> {
    let mut matchers = Vec::new();
    loop {
        cursor.skip_space();
        if ends(cursor, braced)? {
            return Ok(matchers);
        }
        matchers.push(parse_matcher(cursor)?);
        cursor.skip_space();
        if !cursor.eat(",") {
            if ends(cursor, braced)? {
                return Ok(matchers);
            }
            return Err(cursor.expected(if braced { "a comma or a closing brace" } else { "a comma" }));
        }
    }
}

/// Whether the list ends here; takes its closing brace.
fn ends(cursor: &mut Cursor<'_>, braced: bool) -> Result<bool, SyntaxError> {
    if !braced {
        return Ok(cursor.is_at_end());
    }
    if cursor.is_at_end() {
        return Err(cursor.expected("a closing brace"));
    }
    let closed = cursor.eat("}");
    if closed {
        cursor.skip_space();
    }
    Ok(closed)
}

fn parse_matcher(cursor: &mut Cursor<'_>) -> Result<RawMatcher, SyntaxError> {
    let start = *cursor;
    let name = parse_word(cursor, "a label name")?;
    if name.is_empty() {
        return Err(start.expected("a label name that is not empty"));
    }
    cursor.skip_space();
    let op = cursor.operator()?;
    cursor.skip_space();
    let value = parse_word(cursor, "a value (\"\" for the empty one)")?;
    Ok(RawMatcher { name, op, value })
}

fn parse_word(cursor: &mut Cursor<'_>, expected: &'static str) -> Result<String, SyntaxError> {
    if cursor.peek() == Some('"') {
        return parse_quoted(cursor);
    }
    let word = cursor.take_while(|c| !is_reserved(c));
    if word.is_empty() {
        return Err(cursor.expected(expected));
    }
    Ok(word.to_owned())
}

/// A Go interpreted string literal. Its byte escapes may spell a character in several
/// pieces, so bytes are gathered first and checked at the end.
fn parse_quoted(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let start = *cursor;
    cursor.bump();
    let mut bytes = Vec::new();
    loop {
        let here = *cursor;
        match cursor.bump() {
            Some('"') => break,
            Some('\\') => parse_escape(cursor, here, &mut bytes)?,
            None | Some('\n') => return Err(here.expected("a closing double quote")),
            Some(other) => push_char(&mut bytes, other),
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| start.expected("a text that is valid UTF-8 once its escapes are read"))
}

fn parse_escape(cursor: &mut Cursor<'_>, start: Cursor<'_>, bytes: &mut Vec<u8>) -> Result<(), SyntaxError> {
    let unknown = || {
        let error = start.expected("an escape such as \\\" or \\n (a backslash itself is written \\\\)");
        SyntaxError { found: start.rest().chars().take(2).collect(), ..error }
    };
    let first = *cursor;
    let simple = match cursor.bump().ok_or_else(unknown)? {
        'a' => 0x07,
        'b' => 0x08,
        't' => b'\t',
        'n' => b'\n',
        'v' => 0x0B,
        'f' => 0x0C,
        'r' => b'\r',
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(digits(cursor, 2, 16).ok_or_else(unknown)?).map_err(|_| unknown())?,
        '0'..='7' => {
            *cursor = first;
            u8::try_from(digits(cursor, 3, 8).ok_or_else(unknown)?).map_err(|_| unknown())?
        }
        kind @ ('u' | 'U') => {
            let code = digits(cursor, if kind == 'u' { 4 } else { 8 }, 16);
            push_char(bytes, code.and_then(char::from_u32).ok_or_else(unknown)?);
            return Ok(());
        }
        _ => return Err(unknown()),
    };
    bytes.push(simple);
    Ok(())
}

/// Exactly `count` digits of the given base as a number.
fn digits(cursor: &mut Cursor<'_>, count: usize, radix: u32) -> Option<u32> {
    (0..count).try_fold(0_u32, |number, _| {
        let digit = cursor.bump()?.to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}
