//! A message as one line of a log.

use crate::channels::Message;
use crate::channels::text;
use crate::render::escape::{clean_line, clean_text};

/// The most characters a title keeps.
pub const MAX_TITLE: usize = 300;
/// The most characters a text keeps.
pub const MAX_TEXT: usize = 8_000;

/// What is written.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The headline.
    pub title: String,
    /// The rest, its lines joined by ` | `.
    pub text: String,
}

/// The line of `message`: no line break, no control character, nothing that could steer a
/// terminal or look like a second line.
pub fn compose(message: &Message<'_>) -> Line {
    Line {
        title: text::line(&one_line(message.rendered.field("title")), MAX_TITLE),
        text: text::line(&joined(message.rendered.field("body")), MAX_TEXT),
    }
}

/// A text's lines as one.
pub fn joined(text: &str) -> String {
    let text = clean_text(text);
    text.lines().map(one_line).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ")
}

/// A line in which nothing passes for the end of a line: a bar of its own is a broken one.
fn one_line(line: &str) -> String {
    let line = clean_line(line);
    let words: Vec<&str> = line.split(' ').map(|word| if word == "|" { "¦" } else { word }).collect();
    words.join(" ")
}
