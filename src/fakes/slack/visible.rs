//! A message as the eye sees it, without the markup that carries it.

use serde_json::{Map, Value};

use super::workspace::Content;

/// The strings a reader sees stand under these keys, at any depth.
const SHOWN: [&str; 5] = ["text", "title", "pretext", "alt_text", "footer"];

impl Content {
    /// What a reader sees, a line per text: links as their labels, escapes undone. With
    /// blocks the fallback text is not shown.
    pub fn visible_text(&self) -> String {
        let mut lines = Vec::new();
        if self.blocks.is_empty() {
            lines.push(self.text.as_str());
        }
        self.blocks.iter().chain(&self.attachments).for_each(|value| collect(value, &mut lines));
        let text = with_links_as_labels(&lines.join("\n"));
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }
}

fn collect<'a>(value: &'a Value, lines: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| match inner {
            Value::String(text) if is_shown(map, key) => lines.push(text),
            _ => collect(inner, lines),
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, lines)),
        _ => {}
    }
}

/// An attachment's field shows its `value`, a button sends it.
fn is_shown(owner: &Map<String, Value>, key: &str) -> bool {
    SHOWN.contains(&key) || (key == "value" && !owner.contains_key("type"))
}

/// `<https://a.example|label>` → `label`, `<https://a.example>` → the address.
fn with_links_as_labels(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('<') {
        shown += before;
        let Some((inside, after)) = link.split_once('>') else {
            shown.push('<');
            rest = link;
            continue;
        };
        shown += inside.rsplit('|').next().unwrap_or(inside);
        rest = after;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_read_in_place_of_the_fallback() {
        let content = Content {
            text: "fallback".to_owned(),
            blocks: vec![
                json!({"type": "header", "text": {"type": "plain_text", "text": "Drift"}}),
                json!({"type": "section", "fields": [{"type": "mrkdwn", "text": "a &lt; b &amp;amp; c"}]}),
                json!({"type": "actions", "elements": [
                    {"type": "button", "value": "unseen", "text": {"type": "plain_text", "text": "Runbook"}}
                ]}),
            ],
            attachments: vec![json!({"fields": [{"title": "Owner", "value": "ml-core"}]})],
        };
        assert_eq!(content.visible_text(), "Drift\na < b &amp; c\nRunbook\nOwner\nml-core");
    }

    #[test]
    fn links_show_their_labels() {
        let content = Content {
            text: "see <https://a.example/?x=1|the *dashboard*> or <https://b.example> if 1 < 2".to_owned(),
            ..Content::default()
        };
        assert_eq!(content.visible_text(), "see the *dashboard* or https://b.example if 1 < 2");
    }
}
