//! What both ways into Slack check about a message: its parts, their limits, and that
//! untrusted text cannot mention anybody.

use serde_json::{Map, Value};

use super::workspace::Content;
use super::{blocks, mentions};
use crate::fakes::Violations;

/// From here on Slack cuts the text.
const TEXT_CUT: usize = 40_000;
/// Above this Slack may split a message in two.
const TEXT_SPLIT: usize = 4_000;
const MAX_ATTACHMENTS: usize = 100;

/// Why Slack would not take a message.
pub(super) struct Refusal {
    /// Slack's error code.
    pub code: &'static str,
    /// For `invalid_blocks`: what is wrong where, in Slack's form.
    pub problems: Vec<String>,
}

impl Refusal {
    fn new(code: &'static str) -> Self {
        Self { code, problems: Vec::new() }
    }
}

/// Reads and checks the parts of a message. Every refusal and every unescaped mention is
/// a violation.
pub(super) fn read(fields: &Map<String, Value>, violations: &Violations) -> Result<Content, Refusal> {
    let content = parse(fields).inspect_err(|refusal| {
        violations.record("slack.content", format!("{} {}", refusal.code, refusal.problems.join("; ")));
    })?;
    check_reader_safety(fields, &content, violations);
    Ok(content)
}

fn parse(fields: &Map<String, Value>) -> Result<Content, Refusal> {
    let text = match fields.get("text") {
        None | Some(Value::Null) => "",
        Some(Value::String(text)) => text,
        Some(_) => return Err(Refusal::new("invalid_payload")),
    };
    let blocks = list(fields, "blocks").ok_or_else(|| Refusal::new("invalid_blocks_format"))?;
    let attachments = list(fields, "attachments").ok_or_else(|| Refusal::new("invalid_attachments"))?;
    if text.trim().is_empty() && blocks.is_empty() && attachments.is_empty() {
        return Err(Refusal::new("no_text"));
    }
    if attachments.len() > MAX_ATTACHMENTS {
        return Err(Refusal::new("too_many_attachments"));
    }
    let problems = blocks::check_message(&blocks, &attachments);
    if !problems.is_empty() {
        return Err(Refusal { code: "invalid_blocks", problems });
    }
    let text = text.chars().take(TEXT_CUT).collect();
    Ok(Content { text, blocks, attachments })
}

/// A list field as a list; form bodies carry it as JSON text.
fn list(fields: &Map<String, Value>, name: &str) -> Option<Vec<Value>> {
    match fields.get(name) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => Some(items.clone()),
        Some(Value::String(json)) => serde_json::from_str(json).ok(),
        Some(_) => None,
    }
}

fn check_reader_safety(fields: &Map<String, Value>, content: &Content, violations: &Violations) {
    let sent = fields.get("text").and_then(Value::as_str).unwrap_or_default().chars().count();
    if sent > TEXT_CUT {
        violations.record("slack.text_cut", format!("{sent} characters, the reader sees {TEXT_CUT}"));
    } else if sent > TEXT_SPLIT && content.blocks.is_empty() {
        violations
            .record("slack.text_split", format!("{sent} characters, Slack may split above {TEXT_SPLIT}"));
    }
    let parses_names = fields.get("parse").and_then(Value::as_str) == Some("full")
        || fields.get("link_names").is_some_and(|v| matches!(v, Value::Bool(true)) || v == 1);
    if parses_names {
        violations.record("slack.link_names", "plain @names in untrusted text would mention people");
    }
    for text in mentions::mrkdwn_texts(content) {
        for found in mentions::find_unsafe(text) {
            violations.record("slack.mention", format!("{found:?} in {text:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(fields: &Value) -> Vec<&'static str> {
        let violations = Violations::default();
        let _ = read(fields.as_object().unwrap(), &violations);
        violations.list().into_iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn a_text_at_the_limits_passes_and_one_more_character_does_not() {
        let text = |n: usize| json!({"text": "ä".repeat(n)});
        assert!(rules(&text(4_000)).is_empty());
        assert_eq!(rules(&text(4_001)), ["slack.text_split"]);
        assert_eq!(rules(&text(40_000)), ["slack.text_split"]);
        assert_eq!(rules(&text(40_001)), ["slack.text_cut"]);
    }

    #[test]
    fn a_message_needs_text_blocks_or_attachments() {
        assert_eq!(rules(&json!({"username": "x"})), ["slack.content"]);
        assert!(rules(&json!({"attachments": [{"text": "x"}]})).is_empty());
    }

    #[test]
    fn a_hundred_attachments_are_the_most() {
        let attachments = |n: usize| json!({"attachments": vec![json!({"text": "x"}); n]});
        assert!(rules(&attachments(100)).is_empty());
        assert_eq!(rules(&attachments(101)), ["slack.content"]);
    }

    #[test]
    fn names_parsed_out_of_plain_text_are_a_violation() {
        assert_eq!(rules(&json!({"text": "@channel", "parse": "full"})), ["slack.link_names"]);
        assert_eq!(rules(&json!({"text": "@channel", "link_names": 1})), ["slack.link_names"]);
    }
}
