//! Texts for machines, to read or to copy.

use maud::{Markup, html};
use serde_json::Value;

/// A text with a button that copies it. What is shown is what is copied.
pub fn snippet(text: &str) -> Markup {
    html! {
        div.snippet {
            pre tabindex="0" { (without_disguise(text)) }
            button.small type="button" data-copy { "Copy" }
        }
    }
}

/// Characters that change the direction of a text, or are not seen at all, as escapes: a command
/// must not look like another one.
fn without_disguise(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if is_disguise(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    })
}

fn is_disguise(c: char) -> bool {
    let is_layout = matches!(c, '\n' | '\t');
    let is_invisible = matches!(c,
        '\u{AD}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}');
    (c.is_control() && !is_layout) || is_invisible
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_shows_the_characters_that_would_disguise_it() {
        let shown =
            snippet("make rollback\n\trm \u{202E}fdp.exe\u{2066} a\u{200B}b\u{FEFF}\r\u{1b}[2K é 模型")
                .into_string();

        assert!(
            shown.contains(
                "make rollback\n\trm \\u{202e}fdp.exe\\u{2066} a\\u{200b}b\\u{feff}\\u{d}\\u{1b}[2K é 模型"
            ),
            "{shown}"
        );
    }
}
