//! Texts for machines, to read or to copy.

use maud::{Markup, html};
use serde_json::Value;

/// A text with a button that copies it.
pub fn snippet(text: &str) -> Markup {
    html! {
        div.snippet {
            pre tabindex="0" { (text) }
            button.small type="button" data-copy { "Copy" }
        }
    }
}

/// A text as it is; long lines are wrapped.
pub fn text(text: &str) -> Markup {
    html! { pre.wrap tabindex="0" { (text) } }
}

/// JSON, laid out.
pub fn json(value: &Value) -> Markup {
    text(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Labels or annotations: a list of `name=value`.
pub fn labels(value: &Value) -> Markup {
    let Some(map) = value.as_object() else { return json(value) };
    html! {
        ul.labels { @for (name, value) in map {
            li { (name) "=" (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) }
        } }
    }
}
