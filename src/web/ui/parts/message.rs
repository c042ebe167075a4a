//! A rendered message as its reader saw it, and as it went over the wire.

use maud::{Markup, html};
use serde_json::Value;

use super::badge::Tone;
use super::code;

/// A message as the log keeps it: `title`, `text`, `body`, `content_type`. `id` keeps its parts
/// open over live updates.
pub fn message(id: &str, severity: &str, rendered: &Value) -> Markup {
    with_wire(id, severity, rendered, "As it was sent")
}

/// The same of a message that nobody was sent.
pub fn unsent(id: &str, severity: &str, rendered: &Value) -> Markup {
    with_wire(id, severity, rendered, "As it would be sent")
}

fn with_wire(id: &str, severity: &str, rendered: &Value, wire: &str) -> Markup {
    let text = |key: &str| rendered[key].as_str().unwrap_or_default();
    html! {
        div.message.(Tone::of_severity(severity).class()) {
            p.title { (text("title")) }
            (code::text(text("text")))
        }
        details #(format!("wire-{id}")) {
            summary { (wire) " (" (text("content_type")) ")" }
            (body(text("body")))
        }
    }
}

fn body(body: &str) -> Markup {
    match serde_json::from_str::<Value>(body) {
        Ok(json) if json.is_object() => code::json(&json),
        _ => code::text(body),
    }
}
