//! Slack's messages as Slack shows them: headers, sections of mrkdwn, buttons.
//!
//! Mrkdwn: <https://docs.slack.dev/messaging/formatting-message-text>.

use serde_json::Value;

use crate::channels::block::Block;
use crate::channels::marks::{Mark, Syntax};

const MRKDWN: Syntax = Syntax {
    marks: &[("*", Mark::Strong), ("_", Mark::Emphasis), ("`", Mark::Code)],
    link,
    escape: None,
    unescape,
};

/// `<address|label>`; what was escaped has no such brackets.
fn link(text: &str) -> Option<(&str, &str, usize)> {
    let inside = text.strip_prefix('<')?;
    let end = inside.find('>')?;
    let (url, label) = inside[..end].split_once('|').unwrap_or((&inside[..end], &inside[..end]));
    Some((label, url, end + 2))
}

/// Mrkdwn's three entities undone.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The blocks of a posted body; none when it has none.
pub fn blocks(body: &str) -> Vec<Block> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    body["blocks"].as_array().into_iter().flatten().filter_map(read).collect()
}

fn read(block: &Value) -> Option<Block> {
    let elements = || block["elements"].as_array().into_iter().flatten();
    let text = |of: &Value| of["text"].as_str().unwrap_or_default().to_owned();
    match block["type"].as_str()? {
        "header" => Some(Block::Title(unescape(&text(&block["text"])))),
        "section" => Some(Block::Paragraph(MRKDWN.read(&text(&block["text"])))),
        "context" => Some(Block::Paragraph(elements().flat_map(|part| MRKDWN.read(&text(part))).collect())),
        "actions" => {
            let link = |button: &Value| {
                let url = button["url"].as_str().unwrap_or_default().to_owned();
                (unescape(&text(&button["text"])), url)
            };
            Some(Block::Links(elements().map(link).collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channels::block::{Span, plain_text};

    fn plain(text: &str) -> String {
        plain_text(&MRKDWN.read(text))
    }

    #[test]
    fn marks_links_and_entities_are_read() {
        let text = "*Owner:* Dana &amp; team\n_… 4 more_\n*Roll back:* `kubectl undo`\n*Last:* <https://ci.example/1|v8 by ci>";

        assert_eq!(
            plain(text),
            "Owner: Dana & team\n… 4 more\nRoll back: kubectl undo\nLast: v8 by ci (https://ci.example/1)"
        );
        let owner = Span::Strong(vec![Span::Text("Owner:".to_owned())]);
        assert_eq!(MRKDWN.read("*Owner:* Dana"), [owner, Span::Text(" Dana".to_owned())]);
        assert_eq!(MRKDWN.read("`&lt;b&gt;`"), [Span::Code("<b>".to_owned())]);
        assert_eq!(plain("*<javascript:alert(1)|x>*"), "x (javascript:alert(1))");
        assert_eq!(plain("<!channel>"), "!channel");
    }

    #[test]
    fn what_is_no_mark_stays() {
        for text in ["max_alerts of_this", "2 * 3 * 4", "a*b*c", "_", "**", "1 &lt; 2", "*open"] {
            assert_eq!(plain(text), unescape(text));
        }
    }

    #[test]
    fn a_message_has_its_header_sections_and_buttons() {
        let body = json!({"text": "x", "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "CRITICAL &lt;b&gt;"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "churn"}},
            {"type": "actions", "elements": [{"type": "button", "url": "https://a.example", "text": {"text": "Runbook"}}]},
        ]});

        assert_eq!(
            blocks(&body.to_string()),
            [
                Block::Title("CRITICAL <b>".to_owned()),
                Block::Paragraph(vec![Span::Text("churn".to_owned())]),
                Block::Links(vec![("Runbook".to_owned(), "https://a.example".to_owned())]),
            ]
        );
        assert_eq!(blocks(&json!({"text": "in a thread"}).to_string()), []);
    }
}
