//! A message of one embed within Discord's limits. Discord does not say what it counts as a
//! character: units of UTF-16 are the most that it can mean.
//!
//! Nobody is mentioned, whatever a text says: `allowed_mentions` names nobody, and Discord would
//! ask the texts themselves without it.

use std::borrow::Cow;

use serde::Serialize;

use crate::channels::Message;
use crate::domain::alert::AlertStatus;
use crate::domain::notification::Snapshot;
use crate::render::escape::{clean_line, clean_text, escape_markdown};
use crate::render::fit::{ELLIPSIS, Unit, fit, fit_text};
use crate::render::{Link, look, urls};

/// Of an embed's title.
pub const MAX_TITLE: usize = 256;
/// Of its description: Discord takes 4096, but no more than 6000 in the whole message.
pub const MAX_DESCRIPTION: usize = 3_600;
/// Of a field's value.
const MAX_VALUE: usize = 1_024;
/// How many fields with links there are at most.
const MAX_LINK_FIELDS: usize = 2;
/// Of a link's label, before it is escaped.
const MAX_LABEL: usize = 80;
/// Of a link's address.
const MAX_URL: usize = 600;

/// What is posted.
#[derive(Debug, Serialize)]
pub struct Content {
    embeds: [Embed; 1],
    allowed_mentions: AllowedMentions,
}

#[derive(Debug, Serialize)]
struct Embed {
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// `0xRRGGBB`
    color: u32,
    timestamp: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    footer: Footer,
}

#[derive(Debug, Serialize)]
struct Field {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Footer {
    text: &'static str,
}

/// Which mentions in the texts are meant: none.
#[derive(Debug, Serialize)]
struct AllowedMentions {
    parse: [&'static str; 0],
}

/// How long a text is for Discord.
pub fn length(text: &str) -> usize {
    Unit::Utf16.length(text)
}

/// The message about what `message` tells.
pub fn compose(message: &Message<'_>) -> Content {
    let body = clean_text(message.rendered.field("body"));
    let embed = Embed {
        title: title(message),
        description: fit_text(body.trim(), MAX_DESCRIPTION, Unit::Utf16).trim().to_owned(),
        color: color(message.snapshot),
        timestamp: message.snapshot.at.to_rfc3339(),
        fields: link_fields(&message.rendered.links),
        footer: Footer { text: "Modelpager" },
    };
    Content { embeds: [embed], allowed_mentions: AllowedMentions { parse: [] } }
}

/// The embed's title.
pub fn title(message: &Message<'_>) -> String {
    let title = clean_line(message.rendered.field("title"));
    let title = fit(&title, MAX_TITLE, Unit::Utf16, ELLIPSIS);
    if title.trim().is_empty() { "Modelpager".to_owned() } else { title.trim().to_owned() }
}

fn color(snapshot: &Snapshot) -> u32 {
    let color = match snapshot.status {
        AlertStatus::Firing => look::color(snapshot.incident.severity),
        AlertStatus::Resolved => look::RESOLVED_COLOR,
    };
    u32::from_str_radix(color.trim_start_matches('#'), 16).unwrap_or_default()
}

/// The links, as many as fit, a line each.
fn link_fields(links: &[Link]) -> Vec<Field> {
    let mut values: Vec<String> = Vec::new();
    for line in links.iter().filter_map(link_line) {
        match values.last_mut() {
            Some(value) if length(value) + 1 + length(&line) <= MAX_VALUE => {
                value.push('\n');
                value.push_str(&line);
            }
            _ => values.push(line),
        }
    }
    values.truncate(MAX_LINK_FIELDS);
    values.into_iter().map(|value| Field { name: "Links", value }).collect()
}

/// `[Runbook](https://…)`; `None` for what is no address of the web or too long.
fn link_line(link: &Link) -> Option<String> {
    let is_web = link.url.starts_with("https://") || link.url.starts_with("http://");
    let url = is_web.then(|| urls::shortened(&link.url, MAX_URL)).flatten()?;
    // What could end the address within the brackets.
    let url = url.replace('(', "%28").replace(')', "%29").replace(['<', '>', ' '], "");
    let label = if link.label.trim().is_empty() { &link.name } else { &link.label };
    let label = clean_line(label);
    let label: Cow<'_, str> = fit(&label, MAX_LABEL, Unit::Utf16, ELLIPSIS);
    let is_fit = !label.is_empty() && length(&url) <= MAX_URL;
    is_fit.then(|| format!("[{}]({url})", escape_markdown(&label)))
}
