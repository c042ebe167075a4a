//! The limits of Block Kit.
//!
//! Characters are counted as Unicode scalar values. Only the kinds of blocks a
//! notification uses are known; any other is refused, so that a new one cannot pass
//! unchecked.

use std::collections::BTreeSet;

use serde_json::Value;

const MAX_BLOCKS: usize = 50;
const MAX_MARKDOWN: usize = 12_000;

/// Everything wrong with a message's blocks, also those inside attachments, in Slack's
/// form: `must be less than 3001 characters [json-pointer:/blocks/0/text/text]`.
pub(super) fn check_message(blocks: &[Value], attachments: &[Value]) -> Vec<String> {
    let mut problems = Problems::default();
    check_list(blocks, "/blocks", &mut problems);
    for (index, attachment) in attachments.iter().enumerate() {
        let pointer = format!("/attachments/{index}/blocks");
        match attachment.get("blocks") {
            None => {}
            Some(Value::Array(inner)) => check_list(inner, &pointer, &mut problems),
            Some(_) => problems.add(&pointer, "must be an array"),
        }
    }
    problems.list
}

#[derive(Default)]
struct Problems {
    list: Vec<String>,
    markdown: usize,
}

impl Problems {
    fn add(&mut self, pointer: &str, what: impl AsRef<str>) {
        self.list.push(format!("{} [json-pointer:{pointer}]", what.as_ref()));
    }

    /// A string of at least one and at most `most` characters.
    fn check_text(&mut self, value: Option<&Value>, pointer: &str, most: usize) {
        let Some(text) = value.and_then(Value::as_str) else {
            return self.add(pointer, "missing required field");
        };
        if text.is_empty() {
            self.add(pointer, "must be more than 0 characters");
        }
        if text.chars().count() > most {
            self.add(pointer, format!("must be less than {} characters", most + 1));
        }
    }

    fn check_optional(&mut self, owner: &Value, name: &str, pointer: &str, most: usize) {
        if let Some(value) = owner.get(name) {
            self.check_text(Some(value), &format!("{pointer}/{name}"), most);
        }
    }

    fn check_url(&mut self, value: Option<&Value>, pointer: &str) {
        self.check_text(value, pointer, 3000);
        let url = value.and_then(Value::as_str).unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            self.add(pointer, "must be a valid URL");
        }
    }

    /// A text object of one of the `kinds`.
    fn check_text_object(&mut self, value: Option<&Value>, pointer: &str, kinds: &[&str], most: usize) {
        let Some(object) = value.filter(|value| value.is_object()) else {
            return self.add(pointer, "missing required field");
        };
        let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
        if !kinds.contains(&kind) {
            self.add(&format!("{pointer}/type"), format!("must be one of: {}", kinds.join(", ")));
        }
        self.check_text(object.get("text"), &format!("{pointer}/text"), most);
    }

    /// The elements of a list field that has between one and `most` of them.
    fn elements<'a>(&mut self, owner: &'a Value, pointer: &str, most: usize) -> &'a [Value] {
        let Some(items) = owner.as_array() else {
            self.add(pointer, "must be an array");
            return &[];
        };
        if items.is_empty() {
            self.add(pointer, "no fewer than 1 items");
        }
        if items.len() > most {
            self.add(pointer, format!("no more than {most} items allowed"));
        }
        items
    }
}

const ANY_TEXT: &[&str] = &["plain_text", "mrkdwn"];
const PLAIN: &[&str] = &["plain_text"];

fn check_list(blocks: &[Value], pointer: &str, problems: &mut Problems) {
    if blocks.len() > MAX_BLOCKS {
        problems.add(pointer, format!("no more than {MAX_BLOCKS} items allowed"));
    }
    let mut ids = BTreeSet::new();
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("{pointer}/{index}");
        problems.check_optional(block, "block_id", &at, 255);
        let id = block.get("block_id").and_then(Value::as_str);
        if id.is_some_and(|id| !ids.insert(id)) {
            problems.add(&format!("{at}/block_id"), "must be unique");
        }
        check_block(block, &at, problems);
    }
}

fn check_block(block: &Value, at: &str, problems: &mut Problems) {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "section" => check_section(block, at, problems),
        "header" => problems.check_text_object(block.get("text"), &format!("{at}/text"), PLAIN, 150),
        "divider" => {}
        "image" => check_image(block, at, problems),
        "context" => check_context(block, at, problems),
        "actions" => check_actions(block, at, problems),
        "markdown" => check_markdown(block, at, problems),
        other => problems.add(&format!("{at}/type"), format!("unsupported type: {other}")),
    }
}

fn check_section(block: &Value, at: &str, problems: &mut Problems) {
    if block.get("text").is_none() && block.get("fields").is_none() {
        problems.add(at, "missing required field: text or fields");
    }
    if let Some(text) = block.get("text") {
        problems.check_text_object(Some(text), &format!("{at}/text"), ANY_TEXT, 3000);
    }
    if let Some(fields) = block.get("fields") {
        let pointer = format!("{at}/fields");
        for (index, field) in problems.elements(fields, &pointer, 10).iter().enumerate() {
            problems.check_text_object(Some(field), &format!("{pointer}/{index}"), ANY_TEXT, 2000);
        }
    }
    if let Some(accessory) = block.get("accessory") {
        check_element(accessory, &format!("{at}/accessory"), problems);
    }
}

fn check_context(block: &Value, at: &str, problems: &mut Problems) {
    let pointer = format!("{at}/elements");
    let elements = block.get("elements").unwrap_or(&Value::Null);
    for (index, element) in problems.elements(elements, &pointer, 10).iter().enumerate() {
        let inner = format!("{pointer}/{index}");
        if element.get("type").and_then(Value::as_str) == Some("image") {
            check_image(element, &inner, problems);
        } else {
            problems.check_text_object(Some(element), &inner, ANY_TEXT, 3000);
        }
    }
}

fn check_actions(block: &Value, at: &str, problems: &mut Problems) {
    let pointer = format!("{at}/elements");
    let elements = block.get("elements").unwrap_or(&Value::Null);
    for (index, element) in problems.elements(elements, &pointer, 25).iter().enumerate() {
        check_element(element, &format!("{pointer}/{index}"), problems);
    }
}

fn check_element(element: &Value, at: &str, problems: &mut Problems) {
    let kind = element.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "button" => check_button(element, at, problems),
        "image" => check_image(element, at, problems),
        other => problems.add(&format!("{at}/type"), format!("unsupported type: {other}")),
    }
}

fn check_button(button: &Value, at: &str, problems: &mut Problems) {
    problems.check_text_object(button.get("text"), &format!("{at}/text"), PLAIN, 75);
    problems.check_optional(button, "action_id", at, 255);
    problems.check_optional(button, "value", at, 2000);
    if button.get("url").is_some() {
        problems.check_url(button.get("url"), &format!("{at}/url"));
    }
    let style = button.get("style").and_then(Value::as_str);
    if style.is_some_and(|style| style != "primary" && style != "danger") {
        problems.add(&format!("{at}/style"), "must be one of: primary, danger");
    }
}

fn check_image(image: &Value, at: &str, problems: &mut Problems) {
    problems.check_url(image.get("image_url"), &format!("{at}/image_url"));
    problems.check_text(image.get("alt_text"), &format!("{at}/alt_text"), 2000);
    if let Some(title) = image.get("title") {
        problems.check_text_object(Some(title), &format!("{at}/title"), PLAIN, 2000);
    }
}

/// The limit holds for all markdown blocks of a message together.
fn check_markdown(block: &Value, at: &str, problems: &mut Problems) {
    let pointer = format!("{at}/text");
    problems.check_text(block.get("text"), &pointer, MAX_MARKDOWN);
    let before = problems.markdown;
    problems.markdown += block.get("text").and_then(Value::as_str).unwrap_or_default().chars().count();
    if before > 0 && problems.markdown > MAX_MARKDOWN {
        problems.add(&pointer, format!("must be less than {} characters in all", MAX_MARKDOWN + 1));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(kind: &str, length: usize) -> Value {
        json!({"type": kind, "text": "ü".repeat(length)})
    }

    fn problems_of(blocks: &[Value]) -> Vec<String> {
        check_message(blocks, &[])
    }

    /// `make` builds a block whose measured part has the given size.
    #[track_caller]
    fn assert_limit(most: usize, pointer: &str, make: impl Fn(usize) -> Value) {
        assert_eq!(problems_of(&[make(most)]), Vec::<String>::new(), "at the limit {most}");
        let problems = problems_of(&[make(most + 1)]);
        assert_eq!(problems.len(), 1, "one above {most}: {problems:?}");
        assert!(problems[0].contains(&format!("[json-pointer:{pointer}]")), "{problems:?}");
    }

    #[test]
    fn every_limit_holds_at_n_and_breaks_at_n_plus_one() {
        let button = |key: &str, n: usize| {
            let mut button = json!({"type": "button", "text": text("plain_text", 1)});
            button[key] = json!("b".repeat(n));
            json!({"type": "actions", "elements": [button]})
        };
        let image = |key: &str, n: usize| {
            let mut image = json!({"type": "image", "image_url": "https://x.example/", "alt_text": "x"});
            image[key] = json!(format!("https://{}", "u".repeat(n - 8)));
            image
        };
        let many = |field: &str, kind: &str, n: usize| {
            let mut block = json!({"type": kind});
            block[field] = json!(vec![text("mrkdwn", 1); n]);
            block
        };

        assert_limit(3000, "/blocks/0/text/text", |n| json!({"type": "section", "text": text("mrkdwn", n)}));
        assert_limit(
            150,
            "/blocks/0/text/text",
            |n| json!({"type": "header", "text": text("plain_text", n)}),
        );
        assert_limit(
            2000,
            "/blocks/0/fields/0/text",
            |n| json!({"type": "section", "fields": [text("mrkdwn", n)]}),
        );
        assert_limit(10, "/blocks/0/fields", |n| many("fields", "section", n));
        assert_limit(10, "/blocks/0/elements", |n| many("elements", "context", n));
        assert_limit(
            25,
            "/blocks/0/elements",
            |n| json!({"type": "actions", "elements": vec![json!({"type": "button", "text": text("plain_text", 1)}); n]}),
        );
        assert_limit(
            75,
            "/blocks/0/elements/0/text/text",
            |n| json!({"type": "actions", "elements": [{"type": "button", "text": text("plain_text", n)}]}),
        );
        assert_limit(255, "/blocks/0/elements/0/action_id", |n| button("action_id", n));
        assert_limit(2000, "/blocks/0/elements/0/value", |n| button("value", n));
        assert_limit(3000, "/blocks/0/image_url", |n| image("image_url", n));
        assert_limit(2000, "/blocks/0/alt_text", |n| image("alt_text", n));
        assert_limit(
            2000,
            "/blocks/0/title/text",
            |n| json!({"type": "image", "image_url": "https://x", "alt_text": "x", "title": text("plain_text", n)}),
        );
        assert_limit(255, "/blocks/0/block_id", |n| json!({"type": "divider", "block_id": "i".repeat(n)}));
        assert_limit(12_000, "/blocks/0/text", |n| json!({"type": "markdown", "text": "m".repeat(n)}));
    }

    #[test]
    fn fifty_blocks_are_the_most() {
        let dividers = |n: usize| vec![json!({"type": "divider"}); n];
        assert!(problems_of(&dividers(50)).is_empty());
        assert_eq!(problems_of(&dividers(51)), ["no more than 50 items allowed [json-pointer:/blocks]"]);
    }

    #[test]
    fn markdown_blocks_share_one_limit() {
        let markdown = |n: usize| json!({"type": "markdown", "text": "m".repeat(n)});
        assert!(problems_of(&[markdown(6_000), markdown(6_000)]).is_empty());
        assert_eq!(problems_of(&[markdown(6_000), markdown(6_001)]).len(), 1);
    }

    #[test]
    fn the_error_is_put_in_slacks_words() {
        let block = json!({"type": "section", "text": text("mrkdwn", 3001)});
        assert_eq!(
            problems_of(&[block]),
            ["must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]
        );
    }

    #[test]
    fn wrong_shapes_are_refused() {
        for block in [
            json!({"type": "section"}),
            json!({"type": "header", "text": text("mrkdwn", 1)}),
            json!({"type": "header", "text": text("plain_text", 0)}),
            json!({"type": "context", "elements": []}),
            json!({"type": "actions"}),
            json!({"type": "image", "image_url": "https://x.example/a.png"}),
            json!({"type": "carousel"}),
            json!("section"),
        ] {
            assert!(!problems_of(std::slice::from_ref(&block)).is_empty(), "{block}");
        }
        let twice = json!({"type": "divider", "block_id": "same"});
        assert_eq!(problems_of(&[twice.clone(), twice]).len(), 1);
    }

    #[test]
    fn blocks_inside_attachments_are_checked() {
        let attachment =
            json!({"color": "#a00", "blocks": [{"type": "section", "text": text("mrkdwn", 3001)}]});
        let problems = check_message(&[], &[attachment]);
        assert_eq!(
            problems,
            ["must be less than 3001 characters [json-pointer:/attachments/0/blocks/0/text/text]"]
        );
    }
}
