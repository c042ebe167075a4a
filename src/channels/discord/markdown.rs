//! Discord's embeds as Discord shows them.
//!
//! Markdown: <https://support.discord.com/hc/en-us/articles/210298617>.

use serde_json::Value;

use crate::channels::block::{self, Block, Span};
use crate::channels::marks::{Mark, Syntax};

const MARKDOWN: Syntax = Syntax {
    marks: &[
        ("**", Mark::Strong),
        ("*", Mark::Emphasis),
        ("__", Mark::Strong),
        ("_", Mark::Emphasis),
        ("`", Mark::Code),
    ],
    link,
    escape: Some('\\'),
    unescape,
};

/// `[label](address)`
fn link(text: &str) -> Option<(&str, &str, usize)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (url, _) = rest.split_once(')')?;
    let is_link = !url.is_empty() && !url.contains(char::is_whitespace);
    is_link.then_some((label, url, 1 + label.len() + 2 + url.len() + 1))
}

/// A backslash before a sign goes.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let is_escape = sign == '\\' && signs.peek().is_some_and(char::is_ascii_punctuation);
        plain.extend(if is_escape { signs.next() } else { Some(sign) });
    }
    plain
}

/// Markdown as plain text.
pub fn plain(text: &str) -> String {
    block::plain_text(&MARKDOWN.read(text))
}

/// The embeds of a posted body.
pub fn blocks(body: &str) -> Vec<Block> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["embeds"].as_array().into_iter().flatten().flat_map(read).collect()
}

fn read(embed: &Value) -> Vec<Block> {
    let text = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let mut blocks = vec![Block::Title(plain(&text(embed, "title")))];
    let description = text(embed, "description");
    if !description.is_empty() {
        blocks.push(Block::Paragraph(MARKDOWN.read(&description)));
    }
    for field in embed["fields"].as_array().into_iter().flatten() {
        let value = MARKDOWN.read(&text(field, "value"));
        blocks.push(links(&value).unwrap_or_else(|| Block::Fields(vec![(text(field, "name"), value)])));
    }
    blocks
}

/// A field of nothing but links.
fn links(value: &[Span]) -> Option<Block> {
    let parts = value.iter().filter(|span| !matches!(span, Span::Text(text) if text.trim().is_empty()));
    let link = |span: &Span| match span {
        Span::Link(label, url) => Some((label.clone(), url.clone())),
        _ => None,
    };
    parts.map(link).collect::<Option<Vec<_>>>().map(Block::Links)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::escape::escape_markdown;

    #[test]
    fn marks_and_links_are_read() {
        assert_eq!(plain("**Owner:** Dana, *soon*, `make it`"), "Owner: Dana, soon, make it");
        assert_eq!(plain("[Run\\*book](https://a.example/?b_c=1)"), "Run*book (https://a.example/?b_c=1)");
        assert_eq!(plain("max_alerts 2*3*4 * a ** [x] (y)"), "max_alerts 2*3*4 * a ** [x] (y)");
        assert_eq!(plain("C:\\temp"), "C:\\temp");
    }

    #[test]
    fn a_body_is_read_as_its_blocks() {
        let body = r#"{"embeds": [{"title": "T\\_x", "description": "**a** b", "fields": [
            {"name": "Links", "value": "[R](https://r.example)\n[S](https://s.example)"},
            {"name": "Owner", "value": "Dana"}
        ]}]}"#;

        let links = [("R", "https://r.example"), ("S", "https://s.example")];
        assert_eq!(
            blocks(body),
            [
                Block::Title("T_x".to_owned()),
                Block::Paragraph(vec![
                    Span::Strong(vec![Span::Text("a".to_owned())]),
                    Span::Text(" b".to_owned())
                ]),
                Block::Links(links.map(|(label, url)| (label.to_owned(), url.to_owned())).to_vec()),
                Block::Fields(vec![("Owner".to_owned(), vec![Span::Text("Dana".to_owned())])]),
            ]
        );
        assert_eq!(blocks("no JSON"), []);
    }

    proptest! {
        #[test]
        fn what_is_escaped_has_no_marks_and_no_links(text in "[a-z0-9 *_`~|<>()\\[\\]\\\\!@#:./-]{0,40}") {
            let spans = MARKDOWN.read(&escape_markdown(&text));

            prop_assert!(spans.iter().all(|span| matches!(span, Span::Text(_))), "{spans:?}");
            prop_assert_eq!(block::plain_text(&spans), text);
        }
    }
}
