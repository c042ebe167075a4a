//! What is wrong with a message, in Discord's words. Lengths are counted in units of UTF-16.

use serde_json::Value;

use crate::domain::clock::Timestamp;

/// Of the content.
const CONTENT: usize = 2_000;
const EMBEDS: usize = 10;
const TITLE: usize = 256;
const DESCRIPTION: usize = 4_096;
const FIELDS: usize = 25;
const FIELD_NAME: usize = 256;
const FIELD_VALUE: usize = 1_024;
const FOOTER: usize = 2_048;
const AUTHOR: usize = 256;
/// Of all texts of all embeds together.
const TOGETHER: usize = 6_000;

/// Every problem, with its place.
pub(super) fn errors(body: &Value) -> Vec<(String, String)> {
    let mut check = Check::default();
    check.text(body, "content", "content", CONTENT);
    // The content has a limit of its own.
    check.together = 0;
    let embeds = body["embeds"].as_array().map_or(&[][..], Vec::as_slice);
    check.count("embeds", embeds.len(), EMBEDS);
    for (n, embed) in embeds.iter().enumerate() {
        check.embed(&format!("embeds.{n}"), embed);
    }
    if check.together > TOGETHER {
        check.fail("embeds", format!("Embed size exceeds maximum size of {TOGETHER}"));
    }
    check.errors
}

#[derive(Default)]
struct Check {
    errors: Vec<(String, String)>,
    together: usize,
}

impl Check {
    fn fail(&mut self, at: &str, error: impl Into<String>) {
        self.errors.push((at.to_owned(), error.into()));
    }

    fn count(&mut self, at: &str, count: usize, most: usize) {
        if count > most {
            self.fail(at, format!("Must be {most} or fewer in length."));
        }
    }

    /// White space at the ends does not count.
    fn text<'v>(&mut self, of: &'v Value, key: &str, at: &str, most: usize) -> &'v str {
        let text = match &of[key] {
            Value::Null => "",
            Value::String(text) => text.trim(),
            _ => {
                self.fail(at, "Could not interpret as string.");
                ""
            }
        };
        let length = text.encode_utf16().count();
        self.count(at, length, most);
        self.together += length;
        text
    }

    fn required(&mut self, of: &Value, key: &str, at: &str, most: usize) {
        if self.text(of, key, at, most).is_empty() {
            self.fail(at, "This field is required");
        }
    }

    fn embed(&mut self, at: &str, embed: &Value) {
        self.text(embed, "title", &format!("{at}.title"), TITLE);
        self.text(embed, "description", &format!("{at}.description"), DESCRIPTION);
        self.text(&embed["footer"], "text", &format!("{at}.footer.text"), FOOTER);
        self.text(&embed["author"], "name", &format!("{at}.author.name"), AUTHOR);
        let fields = embed["fields"].as_array().map_or(&[][..], Vec::as_slice);
        self.count(&format!("{at}.fields"), fields.len(), FIELDS);
        for (n, field) in fields.iter().enumerate() {
            self.required(field, "name", &format!("{at}.fields.{n}.name"), FIELD_NAME);
            self.required(field, "value", &format!("{at}.fields.{n}.value"), FIELD_VALUE);
        }
        if !embed["color"].is_null() && embed["color"].as_u64().is_none_or(|color| color > 0xFF_FFFF) {
            self.fail(&format!("{at}.color"), "int value should be between 0 and 16777215.");
        }
        let timestamp = embed["timestamp"].as_str();
        if !embed["timestamp"].is_null() && timestamp.is_none_or(|at| Timestamp::parse_rfc3339(at).is_err()) {
            self.fail(&format!("{at}.timestamp"), "Could not parse. Should be ISO8601.");
        }
        let url = embed["url"].as_str().unwrap_or("https://");
        if !url.starts_with("https://") && !url.starts_with("http://") {
            self.fail(&format!("{at}.url"), "Scheme must be one of ('http', 'https').");
        }
    }
}
