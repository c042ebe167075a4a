//! A body as it came, as far as it can be shown.

use maud::{Markup, html};
use serde_json::Value;

use crate::web::ui::parts::{code, table};

/// Longer ones are folded away at first, in bytes.
const LONG: usize = 20 * 1024;
/// No more is shown, in bytes.
const MOST: usize = 256 * 1024;
/// Longer ones are not laid out, in bytes.
const LAID_OUT: usize = 1024 * 1024;

/// A body ready to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    text: String,
    bytes: usize,
    is_cut: bool,
    is_text: bool,
}

impl Body {
    /// JSON is laid out; what is no text is shown as far as it can be read.
    pub fn read(bytes: &[u8]) -> Self {
        let mut text = match std::str::from_utf8(bytes) {
            Ok(text) => laid_out(text).unwrap_or_else(|| text.to_owned()),
            Err(_) => String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]).into_owned(),
        };
        let is_text = std::str::from_utf8(bytes).is_ok();
        let is_cut = text.len() > MOST || (!is_text && bytes.len() > MOST);
        text.truncate(text.floor_char_boundary(MOST));
        Self { text, bytes: bytes.len(), is_cut, is_text }
    }

    /// The card.
    pub fn card(&self) -> Markup {
        table::card(
            "Body",
            html! {
                @if self.bytes == 0 { p.quiet { "It was empty." } }
                @if !self.is_text { p { "It is no UTF-8 text; � stands for what cannot be read." } }
                @if self.is_cut { p { "It is too long to be shown whole: here is its beginning." } }
                @if self.text.len() > LONG {
                    details #event-body-text { summary { "Show its " (self.bytes / 1024) " kB" } (code::text(&self.text)) }
                } @else if self.bytes > 0 {
                    (code::text(&self.text))
                }
            },
        )
    }
}

fn laid_out(text: &str) -> Option<String> {
    if text.len() > LAID_OUT {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    serde_json::to_string_pretty(&value).ok()
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
}
