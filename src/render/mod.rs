//! Handlebars: templates, helpers, the context a message sees, and the art of making
//! text fit. The only house that knows the template engine.
//!
//! Promises: untrusted text is escaped for the medium; a broken template never loses a
//! message; a template can neither abort nor stall the process.

use std::collections::BTreeMap;

pub mod about;
mod budget;
pub mod context;
mod each;
mod engine;
pub mod escape;
pub mod fit;
mod guard;
mod helpers;
pub mod links;
pub mod look;
mod natural;
pub mod overrides;
mod renderer;
pub mod samples;
mod shorten;
pub mod urls;
mod usable;
pub mod words;

pub use guard::TemplateFault;
pub use overrides::{Overrides, TemplateProblem, channel_place};
pub use renderer::{Renderer, check_template, preview_template};

/// How `{{value}}` is escaped: by the medium the text goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Not at all: plain text and JSON built elsewhere.
    Plain,
    /// HTML text and attributes.
    Html,
    /// Slack's mrkdwn: `&`, `<`, `>`.
    Mrkdwn,
    /// Markdown: what could begin markup.
    Markdown,
}

/// One field of a message, with its built-in template.
#[derive(Clone, Copy, Debug)]
pub struct TemplateField {
    /// The field's name; the file is `templates/KIND/NAME.hbs`.
    pub name: &'static str,
    /// The built-in template.
    pub source: &'static str,
    /// How its values are escaped.
    pub escape: Escape,
    /// How long it may become.
    pub limit: Limit,
}

/// How long a text may become before what explains is cut, so that the facts stay.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The greatest length.
    pub max: usize,
    /// The length as the channel counts it.
    pub length: fn(&str) -> usize,
}

impl Limit {
    /// So many characters.
    pub const fn chars(max: usize) -> Self {
        Self { max, length: |text| text.chars().count() }
    }

    /// Whether `text` is short enough.
    pub fn holds(&self, text: &str) -> bool {
        (self.length)(text) <= self.max
    }
}

/// A link ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Link {
    /// `runbook`, `dashboard`, `logs`, `prometheus`, `alertmanager`, `incident`, …
    pub name: String,
    /// What to show: `Runbook`, `Dashboard`, …
    pub label: String,
    /// http or https.
    pub url: String,
}

/// A message's texts, escaped for their medium but not yet cut to its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// By field name: one for each [`TemplateField`] of the kind.
    pub fields: BTreeMap<String, String>,
    /// The links of the message, in the order in which to show them.
    pub links: Vec<Link>,
    /// What went wrong with a template, when the built-in text stands in for it.
    pub problem: Option<String>,
}

impl Rendered {
    /// The text of a field; empty when the kind has no such field.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}
