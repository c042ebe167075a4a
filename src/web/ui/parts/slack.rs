//! A Slack message as Slack shows it: headers, sections of mrkdwn, buttons.
//!
//! Mrkdwn: <https://docs.slack.dev/messaging/formatting-message-text>. What is not known of it is
//! shown as it is written.

use maud::{Markup, html};
use serde_json::Value;

use super::link;

/// The blocks of a message; `None` when it has none.
pub fn blocks(body: &Value) -> Option<Markup> {
    let blocks = body["blocks"].as_array().filter(|blocks| !blocks.is_empty())?;
    Some(html! { @for block in blocks { (one(block)) } })
}

fn one(block: &Value) -> Markup {
    let text = block["text"]["text"].as_str().unwrap_or_default();
    match block["type"].as_str() {
        Some("header") => html! { p.title { (text) } },
        Some("section") => html! { div.told { (mrkdwn(text)) } },
        Some("actions") => html! {
            p.actions {
                @for button in block["elements"].as_array().into_iter().flatten() {
                    (link::outside(
                        button["url"].as_str().unwrap_or_default(),
                        button["text"]["text"].as_str().unwrap_or_default(),
                    ))
                }
            }
        },
        _ => html! {},
    }
}

/// Lines of mrkdwn.
pub fn mrkdwn(text: &str) -> Markup {
    html! { @for (n, line) in text.lines().enumerate() { @if n > 0 { "\n" } (inline(line)) } }
}

/// What stands in a line: links and marked words, and the text between them.
fn inline(line: &str) -> Markup {
    let mut rest = line;
    let mut parts = Vec::new();
    while let Some((before, part, after)) = next_part(rest) {
        parts.push(html! { (plain(before)) (part) });
        rest = after;
    }
    html! { @for part in &parts { (part) } (plain(rest)) }
}

/// The first link or mark, with what stands before and after it.
fn next_part(line: &str) -> Option<(&str, Markup, &str)> {
    let mut previous: Option<char> = None;
    for (at, sign) in line.char_indices() {
        let begins_word = previous.is_none_or(|before| !before.is_alphanumeric());
        let found = match sign {
            '<' => link_at(&line[at..]),
            '*' | '_' | '`' if begins_word => marked_at(&line[at..], sign),
            _ => None,
        };
        if let Some((part, length)) = found {
            return Some((&line[..at], part, &line[at + length..]));
        }
        previous = Some(sign);
    }
    None
}

/// `<address|name>`; untrusted text has no such brackets.
fn link_at(text: &str) -> Option<(Markup, usize)> {
    let end = text.find('>')?;
    let (url, name) = text[1..end].split_once('|').unwrap_or((&text[1..end], &text[1..end]));
    Some((link::outside(&unescape(url), &unescape(name)), end + 1))
}

fn marked_at(text: &str, mark: char) -> Option<(Markup, usize)> {
    let inside = &text[1..];
    let length = inside.find(mark).filter(|length| *length > 0)?;
    let words = &inside[..length];
    let closes = inside[length + 1..].chars().next().is_none_or(|after| !after.is_alphanumeric());
    if !closes || words.starts_with(char::is_whitespace) || words.ends_with(char::is_whitespace) {
        return None;
    }
    let shown = match mark {
        '*' => html! { strong { (inline(words)) } },
        '_' => html! { em { (inline(words)) } },
        _ => html! { code { (unescape(words)) } },
    };
    Some((shown, length + 2))
}

fn plain(text: &str) -> Markup {
    html! { (unescape(text)) }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(text: &str) -> String {
        mrkdwn(text).into_string()
    }

    #[test]
    fn marks_and_links_are_shown_as_slack_does() {
        assert_eq!(shown("*Owner:* Dana, _soon_"), "<strong>Owner:</strong> Dana, <em>soon</em>");
        assert_eq!(shown("`make it`\nb"), "<code>make it</code>\nb");
        assert!(shown("<https://a.example/?b=1&amp;c|the wiki>").contains(">the wiki</a>"));
        assert_eq!(shown("max_alerts_now 2*3*4 * a *"), "max_alerts_now 2*3*4 * a *");
        assert_eq!(shown("*open"), "*open");
    }

    #[test]
    fn what_strangers_wrote_stays_text() {
        assert_eq!(shown("&lt;script&gt;"), "&lt;script&gt;");
        assert_eq!(shown("*<javascript:alert(1)|x>*"), "<strong>x</strong>");
        assert_eq!(shown("<!channel>"), "!channel");
        assert_eq!(shown("`&amp;lt;b&amp;gt;`"), "<code>&amp;lt;b&amp;gt;</code>");
    }

    #[test]
    fn a_message_has_its_header_sections_and_buttons() {
        let body = json!({"text": "x", "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "CRITICAL <b>"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "*Model:* churn"}},
            {"type": "actions", "elements": [{"type": "button", "url": "https://a.example", "text": {"text": "Runbook"}}]},
        ]});

        let shown = blocks(&body).unwrap().into_string();

        assert!(shown.contains("CRITICAL &lt;b&gt;") && shown.contains("<strong>Model:</strong>"), "{shown}");
        assert!(shown.contains("href=\"https://a.example/\""), "{shown}");
        assert!(blocks(&json!({"text": "in a thread"})).is_none());
    }
}
