//! A rendered message as its reader saw it, and as it went over the wire.

use maud::{Markup, html};
use serde_json::Value;

use super::badge::Tone;
use super::{code, link};
use crate::channels::block::{Block, Span};
use crate::channels::find_kind;

/// What e-mail is.
pub const MAIL: &str = "message/rfc822";

/// Whether it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Sent,
    Unsent,
}

/// A message as the log keeps it: `channel_kind`, `title`, `text`, `body`, `content_type`. `id` is the
/// notification's; it keeps parts open over live updates.
pub fn message(id: &str, severity: &str, rendered: &Value) -> Markup {
    shown(id, severity, rendered, Way::Sent)
}

/// The same of a message that nobody was sent.
pub fn unsent(id: &str, severity: &str, rendered: &Value) -> Markup {
    shown(id, severity, rendered, Way::Unsent)
}

fn shown(id: &str, severity: &str, rendered: &Value, way: Way) -> Markup {
    let text = |key: &str| rendered[key].as_str().unwrap_or_default();
    let body: Value = serde_json::from_str(text("body")).unwrap_or_default();
    let blocks = find_kind(text("channel_kind")).map(|kind| (kind.blocks)(text("body"))).unwrap_or_default();
    html! {
        div.message.(Tone::of_severity(severity).class()) {
            @for part in &blocks { (block(part)) }
            @if blocks.is_empty() {
                p.title { (text("title")) }
                div.told { (text("text")) }
            }
        }
        @if text("content_type") == MAIL && way == Way::Sent {
            details #(format!("mail-{id}")) {
                summary { "Mail preview" }
                iframe.mail sandbox="" loading="lazy" title="Mail preview" src=(format!("/notifications/{id}/mail")) {}
            }
        }
        details #(format!("wire-{id}")) {
            summary {
                (if way == Way::Sent { "As sent" } else { "As it would be sent" })
                " (" (text("content_type")) ")"
            }
            @if body.is_object() { (code::json(&body)) } @else { (code::text(text("body"))) }
        }
    }
}

fn block(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Title(text) => p.title { (text) },
            Block::Paragraph(text) => div.told { (spans(text)) },
            Block::Quote(text) => blockquote.told { (spans(text)) },
            Block::Fields(fields) => div.told {
                @for (n, (name, value)) in fields.iter().enumerate() {
                    @if n > 0 { "\n" }
                    strong { (name) ":" } " " (spans(value))
                }
            },
            Block::Links(links) => p.actions { @for (label, url) in links { (link::outside(url, label)) } },
        }
    }
}

fn spans(all: &[Span]) -> Markup {
    html! {
        @for span in all {
            @match span {
                Span::Text(text) => (text),
                Span::Strong(inner) => strong { (spans(inner)) },
                Span::Emphasis(inner) => em { (spans(inner)) },
                Span::Code(text) => code { (text) },
                Span::Link(label, url) => (link::outside(url, label)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(kind: &str, body: &Value) -> String {
        let rendered =
            json!({"channel_kind": kind, "title": "T", "text": "as text", "body": body.to_string()});
        message("n-1", "critical", &rendered).into_string()
    }

    #[test]
    fn a_kind_with_blocks_of_its_own_is_shown_with_them_and_what_strangers_wrote_stays_text() {
        let section = |text: &str| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
        let body = json!({"blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "CRITICAL <b>"}},
            section("*Owner:* Dana, _soon_, `make it` <https://a.example/?b=1&amp;c|the wiki>"),
            section("*<javascript:alert(1)|x>* &lt;script&gt;"),
            {"type": "actions", "elements": [{"url": "https://a.example", "text": {"text": "Runbook"}}]},
        ]});

        let shown = shown("slack", &body);
        let shown = shown.split("<details").next().unwrap();

        assert!(shown.contains("<p class=\"title\">CRITICAL &lt;b&gt;</p>"), "{shown}");
        assert!(
            shown.contains("<strong>Owner:</strong> Dana, <em>soon</em>, <code>make it</code>"),
            "{shown}"
        );
        assert!(shown.contains(">the wiki</a>") && shown.contains("href=\"https://a.example/\""), "{shown}");
        assert!(shown.contains("<strong>x</strong> &lt;script&gt;") && !shown.contains("<script"), "{shown}");
        assert!(!shown.contains("as text"), "{shown}");
    }

    #[test]
    fn what_has_no_blocks_is_shown_as_its_text() {
        for (kind, body) in
            [("slack", json!({"text": "in a thread"})), ("webhook", json!({})), ("gone", json!(1))]
        {
            let shown = shown(kind, &body);
            assert!(shown.contains("<div class=\"told\">as text</div>"), "{shown}");
        }
    }
}
