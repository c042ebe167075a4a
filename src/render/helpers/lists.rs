//! Lists and maps as text, and parts of lists.

use std::io;

use handlebars::JsonValue;

use super::{Args, shown};
use crate::render::budget::{bytes_left, spend_on, used_up};

/// `{{join list ", "}}`
pub(super) fn join(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let separator = args.text_or(1, ", ")?;
    joined(args.list(0)?.iter().map(shown), &separator)
}

/// `{{pairs labels ", "}}`: `name=value` of a map, in the order of the names.
pub(super) fn pairs(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let separator = args.text_or(1, ", ")?;
    let map = args.value(0)?.as_object().ok_or("argument 1 must be a map such as labels")?;
    joined(map.iter().map(|(name, value)| format!("{name}={}", shown(value))), &separator)
}

/// `{{lookup map key}}`: a member of a map or list by its name or number; nothing when there
/// is no such member.
pub(super) fn lookup(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let collection = args.value(0)?;
    let key = args.text(1)?;
    let found = match collection {
        JsonValue::Object(map) => map.get(&key),
        JsonValue::Array(list) => key.parse::<usize>().ok().and_then(|index| list.get(index)),
        _ => None,
    };
    let Some(found) = found else { return Ok(JsonValue::Null) };
    if !found.is_string() {
        spend_on(found)?;
    }
    Ok(found.clone())
}

/// `{{json value}}`: compact JSON.
pub(super) fn json(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let mut out = Bounded { bytes: Vec::new(), room: bytes_left() };
    serde_json::to_writer(&mut out, args.value(0)?).map_err(|_| used_up())?;
    Ok(String::from_utf8_lossy(&out.bytes).into())
}

/// `(take list 10)`: the first ten.
pub(super) fn take(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let count = args.count_of(1)?;
    let items = args.list(0)?.iter().take(count);
    let copied = items.map(|item| spend_on(item).map(|()| item.clone())).collect::<Result<_, _>>()?;
    Ok(JsonValue::Array(copied))
}

/// Texts one after the other, no longer than what may still be made.
fn joined(texts: impl Iterator<Item = String>, separator: &str) -> Result<JsonValue, String> {
    let room = bytes_left();
    let mut out = String::new();
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(&text);
        if out.len() > room {
            return Err(used_up());
        }
    }
    Ok(out.into())
}

/// Takes no more than there is room for: escaping doubles with every `json` of a `json`.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > self.room {
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `{{more list 10 extra}}`: how many there are beyond the first ten, plus `extra`.
pub(super) fn more(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let left = args.list(0)?.len().saturating_sub(args.count_of(1)?);
    let extra = if args.count() > 2 { args.count_of(2)? } else { 0 };
    Ok(left.saturating_add(extra).into())
}
