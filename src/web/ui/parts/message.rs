//! A rendered message as its reader saw it, and as it went over the wire.

use maud::{Markup, html};
use serde_json::Value;

use super::badge::Tone;
use super::{code, slack};

/// What e-mail is.
pub const MAIL: &str = "message/rfc822";

/// Whether it was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Sent,
    Unsent,
}

/// A message as the log keeps it: `title`, `text`, `body`, `content_type`. `id` is the
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
    html! {
        div.message.(Tone::of_severity(severity).class()) {
            @if let Some(blocks) = slack::blocks(&body) { (blocks) }
            @else {
                p.title { (text("title")) }
                div.told { (text("text")) }
            }
        }
        @if text("content_type") == MAIL && way == Way::Sent {
            details #(format!("mail-{id}")) {
                summary { "As a mail program shows it" }
                iframe.mail sandbox="" loading="lazy" title="The mail" src=(format!("/notifications/{id}/mail")) {}
            }
        }
        details #(format!("wire-{id}")) {
            summary {
                (if way == Way::Sent { "As it was sent" } else { "As it would be sent" })
                " (" (text("content_type")) ")"
            }
            @if body.is_object() { (code::json(&body)) } @else { (code::text(text("body"))) }
        }
    }
}
