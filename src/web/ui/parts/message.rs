//! A rendered message as its reader saw it, and as it went over the wire.

use maud::{Markup, html};
use serde_json::Value;

use super::badge::Tone;
use super::{code, slack};

/// What e-mail is.
pub const MAIL: &str = "message/rfc822";

/// A message as the log keeps it: `title`, `text`, `body`, `content_type`. `id` is the
/// notification's, where the log has it as such; it keeps parts open over live updates.
pub fn message(id: &str, severity: &str, rendered: &Value) -> Markup {
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
        @if text("content_type") == MAIL {
            details #(format!("mail-{id}")) {
                summary { "As a mail program shows it" }
                iframe.mail sandbox="" loading="lazy" title="The mail" src=(format!("/notifications/{id}/mail")) {}
            }
        }
        details #(format!("wire-{id}")) {
            summary { "As it was sent (" (text("content_type")) ")" }
            @if body.is_object() { (code::json(&body)) } @else { (code::text(text("body"))) }
        }
    }
}
