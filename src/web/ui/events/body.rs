//! A body as it came, as far as it can be shown.

use std::io;

use maud::{Markup, html};
use serde_json::Value;

use crate::web::ui::parts::{code, table};

/// Longer ones are folded away at first, in bytes.
const LONG: usize = 20 * 1024;
/// No more is shown, in bytes.
const MOST: usize = 256 * 1024;

/// A body ready to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    text: String,
    bytes: usize,
    is_cut: bool,
    is_text: bool,
}

impl Body {
    /// JSON is laid out unless it is too long to be shown whole; what is no text is shown as far as
    /// it can be read. No more is read or copied than is shown.
    pub fn read(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(MOST)];
        let is_text = std::str::from_utf8(bytes).is_ok();
        let laid_out = laid_out(head).filter(|_| head.len() == bytes.len());
        let is_cut = head.len() < bytes.len() || laid_out.as_ref().is_some_and(|text| text.len() > MOST);
        let mut text = laid_out.unwrap_or_else(|| readable(head, is_text));
        text.truncate(text.floor_char_boundary(MOST));
        Self { text, bytes: bytes.len(), is_cut, is_text }
    }

    /// The card.
    pub fn card(&self) -> Markup {
        table::card(
            "Body",
            html! {
                @if self.bytes == 0 { p.quiet { "Empty." } }
                @if !self.is_text { p { "Not valid UTF-8; � marks bytes that cannot be read." } }
                @if self.is_cut { p { "Too long to show in full; this is the beginning." } }
                @if self.text.len() > LONG {
                    details #event-body-text { summary { "Show " (self.bytes / 1024) " kB" } (code::text(&self.text)) }
                } @else if self.bytes > 0 {
                    (code::text(&self.text))
                }
            },
        )
    }
}

fn laid_out(bytes: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let mut text = Beginning::default();
    // Fails when there is enough of it.
    let _ = serde_json::to_writer_pretty(&mut text, &value);
    Some(readable(&text.0, true))
}

/// The beginning of a text, which may be cut within a character.
fn readable(head: &[u8], is_text: bool) -> String {
    let head = match std::str::from_utf8(head) {
        Err(error) if is_text => &head[..error.valid_up_to()],
        _ => head,
    };
    String::from_utf8_lossy(head).into_owned()
}

/// Takes a little more than is shown: what is deeply nested is much longer when it is laid out.
#[derive(Default)]
struct Beginning(Vec<u8>);

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_and_anything_else_shown_as_it_is() {
        assert_eq!(Body::read(br#"{"a":[1]}"#).text, "{\n  \"a\": [\n    1\n  ]\n}");
        assert_eq!(Body::read(b"<html>").text, "<html>");
        let broken = Body::read(b"{\"a\": \"\xff\"}");
        assert_eq!((broken.text.as_str(), broken.is_text), ("{\"a\": \"\u{fffd}\"}", false));
    }

    #[test]
    fn a_long_body_is_folded_and_a_very_long_one_is_cut_between_characters() {
        let long = Body::read("ü".repeat(LONG).as_bytes());
        assert!(long.card().into_string().contains("<details id=\"event-body-text\">") && !long.is_cut);
        let longer = Body::read(format!("x{}", "ü".repeat(MOST)).as_bytes());
        assert!(longer.is_cut && longer.text.len() == MOST - 1, "{}", longer.text.len());
        assert!(Body::read(&vec![0xff; MOST + 1]).is_cut);
    }

    #[test]
    fn what_becomes_long_when_it_is_laid_out_is_cut_too() {
        let deep = format!("{}{}{}", "[".repeat(100), vec!["0"; 10_000].join(","), "]".repeat(100));
        let shown = Body::read(deep.as_bytes());
        assert!(shown.is_cut && shown.is_text && shown.text.len() == MOST, "{}", shown.text.len());
        assert!(shown.text.starts_with("[\n  [\n    ["));
    }
}
