//! Finds what untrusted text must never contain in mrkdwn: mentions and raw angle
//! brackets or ampersands, that is, text that was not escaped.

use serde_json::Value;

use super::workspace::Content;

/// The texts of a message that Slack reads as mrkdwn.
pub(super) fn mrkdwn_texts(content: &Content) -> Vec<&str> {
    let mut texts = vec![content.text.as_str()];
    content.blocks.iter().for_each(|block| collect(block, &mut texts));
    content.attachments.iter().for_each(|attachment| collect_attachment(attachment, &mut texts));
    texts
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            let kind = map.get("type").and_then(Value::as_str);
            if kind == Some("mrkdwn") {
                texts.extend(map.get("text").and_then(Value::as_str));
            }
            map.values().for_each(|inner| collect(inner, texts));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        _ => {}
    }
}

/// Legacy attachments are mrkdwn in these fields, whatever `mrkdwn_in` says.
fn collect_attachment<'a>(attachment: &'a Value, texts: &mut Vec<&'a str>) {
    for name in ["text", "pretext", "fallback"] {
        texts.extend(attachment.get(name).and_then(Value::as_str));
    }
    let fields = attachment.get("fields").and_then(Value::as_array);
    for field in fields.into_iter().flatten() {
        texts.extend(field.get("value").and_then(Value::as_str));
    }
    collect(attachment, texts);
}

/// The parts of `text` that mention somebody or were not escaped.
pub(super) fn find_unsafe(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let (part, after) = take_part(&rest[at..]);
        if !is_allowed(part) {
            found.push(part);
        }
        if part.starts_with('<') && part.ends_with('>') {
            // What a link shows is text again.
            found.extend(part.split_once('|').map(|(_, shown)| find_unsafe(shown)).into_iter().flatten());
        }
        rest = after;
    }
    found
}

/// Cuts a `<…>`, an entity, or a single character off the front of `text`.
fn take_part(text: &str) -> (&str, &str) {
    let end = if text.starts_with('<') { text.find('>') } else { text.find(';').filter(|&at| at <= 4) };
    text.split_at(end.map_or(1, |at| at + 1))
}

/// Links that go somewhere, Slack's date format and its three entities.
fn is_allowed(part: &str) -> bool {
    if part.starts_with('&') {
        return matches!(part, "&amp;" | "&lt;" | "&gt;");
    }
    let starts = ["<http://", "<https://", "<mailto:", "<!date^"];
    part.ends_with('>') && starts.iter().any(|start| part.starts_with(start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mentions_of_every_form_are_found() {
        for mention in ["<!channel>", "<!here>", "<!everyone>", "<@U012AB3CD>", "<!subteam^S1|x>", "<#C1>"] {
            let text = format!("model {mention} down");
            assert_eq!(find_unsafe(&text), [mention]);
        }
    }

    #[test]
    fn text_that_was_not_escaped_is_found() {
        assert_eq!(find_unsafe("p99 < 3 & rising"), ["<", "&"]);
        assert_eq!(find_unsafe("<javascript:alert(1)|x>"), ["<javascript:alert(1)|x>"]);
        assert_eq!(find_unsafe("<https://a.example|a & b>"), ["&"]);
    }

    #[test]
    fn links_dates_and_entities_are_fine() {
        let text = "&lt;!channel&gt; &amp; <https://a.example/?a=1&b=2|dash> <!date^1|{date}|x> <mailto:a@b.c>\n> quote";
        assert!(find_unsafe(text).is_empty());
    }

    #[test]
    fn plain_text_objects_are_not_read_as_mrkdwn() {
        let content = Content {
            blocks: vec![
                json!({"type": "header", "text": {"type": "plain_text", "text": "<!channel>"}}),
                json!({"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}),
            ],
            ..Content::default()
        };
        assert_eq!(mrkdwn_texts(&content), ["", "hello"]);
    }
}
