//! A message as one line of a log.

use crate::channels::Message;
use crate::channels::text;
use crate::render::escape::{clean_line, clean_text};

/// The most characters a title keeps.
const MAX_TITLE: usize = 300;
/// The most characters a text keeps.
const MAX_TEXT: usize = 8_000;

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
    let body = clean_text(message.rendered.field("body"));
    let body: Vec<_> = body.lines().map(one_line).filter(|line| !line.is_empty()).collect();
    Line {
        title: text::line(&one_line(message.rendered.field("title")), MAX_TITLE),
        text: text::line(&body.join(" | "), MAX_TEXT),
    }
}

/// A line in which nothing passes for the end of a line: a bar of its own is a broken one.
fn one_line(line: &str) -> String {
    let line = clean_line(line);
    let words: Vec<&str> = line.split(' ').map(|word| if word == "|" { "¦" } else { word }).collect();
    words.join(" ")
}
