//! Block Kit messages within Slack's limits (counted in characters after escaping).
//!
//! Rendered texts are mrkdwn whose untrusted parts are escaped. Everything else that goes
//! into a message is escaped here, and Slack is told to look for no names or channels in
//! plain words.

use serde::Serialize;
use serde_json::{Value, json};

use crate::channels::{Message, text};
use crate::render::escape::{clean_text, escape_mrkdwn};
use crate::render::{Link, urls};

/// Of a header block.
pub const MAX_HEADER: usize = 150;
/// Of a section's text.
pub const MAX_SECTION: usize = 3000;
/// Slack may split a longer text in two messages.
pub const MAX_TEXT: usize = 3500;
/// Room for the usual six and some of the entry's own; Slack would allow 25.
const MAX_BUTTONS: usize = 10;
/// Of a button's text.
const MAX_BUTTON_TEXT: usize = 75;
/// Of the names of links that are left out.
const MAX_LEFT_OUT: usize = 300;
/// Of a button's address.
const MAX_URL: usize = 3000;

/// What is posted, without the address.
#[derive(Debug, Serialize)]
pub struct Content {
    /// For notifications on a screen's edge and for screen readers.
    pub text: String,
    /// What is shown; without any, the text is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Value>,
    unfurl_links: bool,
    unfurl_media: bool,
    parse: &'static str,
    link_names: bool,
}

impl Content {
    fn new(text: String, blocks: Vec<Value>) -> Self {
        Self { text, blocks, unfurl_links: false, unfurl_media: false, parse: "none", link_names: false }
    }
}

/// The message that stands for the incident.
pub fn compose(message: &Message<'_>) -> Content {
    let rendered = message.rendered;
    let title = text::line(rendered.field("title"), MAX_HEADER);
    let title = if title.is_empty() { "Modelpager".to_owned() } else { title };
    let mut blocks = vec![json!({"type": "header", "text": {"type": "plain_text", "text": title}})];
    let body = text::lines(&clean_text(rendered.field("body")), MAX_SECTION);
    if !body.is_empty() {
        blocks.push(json!({"type": "section", "text": mrkdwn(&body)}));
    }
    let buttons: Vec<Value> = rendered.links.iter().filter_map(button).take(MAX_BUTTONS).collect();
    if !buttons.is_empty() {
        blocks.push(json!({"type": "actions", "elements": buttons}));
    }
    if let Some(named) = too_long(&rendered.links) {
        blocks.push(json!({"type": "context", "elements": [mrkdwn(&named)]}));
    }
    Content::new(title, blocks)
}

/// The answer in the incident's thread.
pub fn compose_reply(message: &Message<'_>) -> Content {
    let text = text::lines(&clean_text(message.rendered.field("thread")), MAX_TEXT);
    if text.is_empty() {
        return Content::new(compose(message).text, Vec::new());
    }
    Content::new(text, Vec::new())
}

/// `verbatim`: links where the text has links, and nothing found in plain words.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// A link as a button; `None` for one that Slack would refuse.
fn button(link: &Link) -> Option<Value> {
    let is_web = link.url.starts_with("https://") || link.url.starts_with("http://");
    let url = is_web.then(|| urls::shortened(&link.url, MAX_URL)).flatten()?;
    let label = if link.label.trim().is_empty() { &link.name } else { &link.label };
    let label = text::line(&escape_mrkdwn(label), MAX_BUTTON_TEXT);
    let action_id: String = format!("link_{}", link.name).chars().take(255).collect();
    (!label.is_empty()).then(|| {
        json!({
            "type": "button",
            "text": {"type": "plain_text", "text": label},
            "url": url,
            "action_id": action_id,
        })
    })
}

/// What links are called whose addresses are longer than Slack takes.
fn too_long(links: &[Link]) -> Option<String> {
    let left_out: Vec<&str> = links
        .iter()
        .filter(|link| link.url.len() > MAX_URL && urls::shortened(&link.url, MAX_URL).is_none())
        .map(|link| link.label.as_str())
        .collect();
    let names = text::line(&escape_mrkdwn(&left_out.join(", ")), MAX_LEFT_OUT);
    (!names.is_empty()).then(|| format!("Left out, too long for Slack: {names}"))
}
