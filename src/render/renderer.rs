//! The renderer: which template stands for which field of which channel, and what happens
//! when one fails.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use handlebars::{Context, JsonValue};

use super::budget;
use super::context::{ContextOptions, MessageContext};
use super::engine::{Compiled, Medium};
use super::escape::clean_line;
use super::guard::TemplateFault;
use super::links::LinkTemplates;
use super::overrides::{Override, Overrides, TemplateProblem};
use super::{Escape, Limit, Rendered, TemplateField, samples, shorten};
use crate::domain::clock::Timestamp;
use crate::domain::notification::Snapshot;

/// A sample's name and what a template sees of it.
type SampleContext = (&'static str, Context);

/// Renders every message of the program. Built anew when the configuration changes.
#[derive(Debug)]
pub struct Renderer {
    kinds: BTreeMap<&'static str, Vec<Field>>,
    links: LinkTemplates,
    external_url: String,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    escape: Escape,
    limit: Limit,
    builtin: Option<Compiled>,
    of_kind: Option<Compiled>,
    of_channel: BTreeMap<String, Compiled>,
    /// The texts of the two above, by channel.
    texts: BTreeMap<Option<String>, String>,
}

impl Renderer {
    /// A renderer for these kinds of channels. Each template is tried on every sample;
    /// one that fails is a problem and is not used.
    pub fn new(
        kinds: &[(&'static str, &'static [TemplateField])],
        overrides: &Overrides,
        external_url: &str,
    ) -> (Self, Vec<TemplateProblem>) {
        let mut problems = Vec::new();
        let kinds =
            kinds.iter().map(|(kind, fields)| (*kind, builtins(kind, fields, &mut problems))).collect();
        let mut renderer =
            Self { kinds, links: LinkTemplates::default(), external_url: external_url.to_owned() };
        let samples = LazyCell::new(sample_contexts);
        for replacement in &overrides.all {
            if let Err(fault) = renderer.apply(replacement, &samples) {
                problems.push(TemplateProblem { place: replacement.place.clone(), fault });
            }
        }
        (renderer, problems)
    }

    /// The variables of the message about `snapshot` on `channel`.
    pub fn context(&self, snapshot: &Snapshot, channel: &str, now: Timestamp) -> MessageContext {
        let options = ContextOptions { external_url: &self.external_url, channel, now, links: &self.links };
        MessageContext::build(snapshot, &options)
    }

    /// The message about `snapshot` for `channel`, which is of that kind.
    pub fn message(&self, kind: &str, channel: &str, snapshot: &Snapshot, now: Timestamp) -> Rendered {
        budget::within(budget::MESSAGE, || self.render(kind, channel, &self.context(snapshot, channel, now)))
    }

    /// Every field of the kind. Never fails: where a template does, the built-in text
    /// stands in for it, the text says so, and `problem` tells what happened.
    fn render(&self, kind: &str, channel: &str, message: &MessageContext) -> Rendered {
        let fields = self.kinds.get(kind).map_or(&[][..], Vec::as_slice);
        let mut rendered = Rendered { links: message.links.clone(), ..Rendered::default() };
        let context = match Context::wraps(message) {
            Ok(context) => context,
            Err(error) => {
                let fault = TemplateFault::new(None, error.reason().to_string());
                return stand_in_for_all(fields, message, &fault, rendered);
            }
        };
        let mut failed = Vec::new();
        for field in fields {
            match field.fitted(channel, &context) {
                Ok(text) => _ = rendered.fields.insert(field.name.to_owned(), text),
                Err(fault) => failed.push((field, fault)),
            }
        }
        if let Some((field, fault)) = failed.first() {
            rendered.problem = Some(format!("template {kind}/{}: {fault}", field.name));
        }
        for (field, fault) in failed {
            let text = field.stand_in(message, &context, &fault);
            rendered.fields.insert(field.name.to_owned(), text);
        }
        rendered
    }

    /// The text that replaces the built-in template of a field on a channel of that kind.
    pub fn replacement(&self, kind: &str, channel: &str, field: &str) -> Option<&str> {
        let field = self.kinds.get(kind)?.iter().find(|known| known.name == field)?;
        let own = field.texts.get(&Some(channel.to_owned()));
        own.or_else(|| field.texts.get(&None)).map(String::as_str)
    }

    fn apply(&mut self, replacement: &Override, samples: &[SampleContext]) -> Result<(), TemplateFault> {
        let known_kinds = self.kinds.keys().copied().collect::<Vec<_>>().join(", ");
        let fields = self.kinds.get_mut(replacement.kind.as_str()).ok_or_else(|| {
            TemplateFault::new(
                None,
                format!("there is no kind {:?}; there are {known_kinds}", replacement.kind),
            )
        })?;
        let known_fields = fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
        let field = fields.iter_mut().find(|field| field.name == replacement.field).ok_or_else(|| {
            let message =
                format!("{} has no field {:?}; it has {known_fields}", replacement.kind, replacement.field);
            TemplateFault::new(None, message)
        })?;
        let compiled = tried(&replacement.text, field.escape, samples)?;
        field.texts.insert(replacement.channel.clone(), replacement.text.clone());
        match &replacement.channel {
            Some(channel) => _ = field.of_channel.insert(channel.clone(), compiled),
            None => field.of_kind = Some(compiled),
        }
        Ok(())
    }
}

impl Field {
    /// The text; too long for its medium, with less of what explains.
    fn fitted(&self, channel: &str, context: &Context) -> Result<String, TemplateFault> {
        shorten::to_limit(context, self.limit, |context| self.render(channel, context))
    }

    fn render(&self, channel: &str, context: &Context) -> Result<String, TemplateFault> {
        match self.of_channel.get(channel).or(self.of_kind.as_ref()) {
            Some(replacement) => replacement.render(context),
            None => self.render_builtin(context),
        }
    }

    fn render_builtin(&self, context: &Context) -> Result<String, TemplateFault> {
        let Some(builtin) = &self.builtin else {
            return Err(TemplateFault::new(None, "there is no template"));
        };
        budget::apart(budget::BUILT_IN, || builtin.render(context))
    }

    /// The built-in text with a note; when not even that can be had, the bare facts.
    fn stand_in(&self, message: &MessageContext, context: &Context, fault: &TemplateFault) -> String {
        let note = note(fault);
        let mut data = context.data().clone();
        if let Some(JsonValue::Array(notes)) = data.get_mut("notes") {
            notes.push(note.clone().into());
        }
        let text =
            shorten::to_limit(&Context::from(data), self.limit, |context| self.render_builtin(context));
        match text {
            Ok(text) if text.contains(NOTE_START) => text,
            Ok(text) => format!("{} (built-in text: a template failed)", text.trim_end()),
            Err(_) => bare_facts(message, &note, self.escape),
        }
    }
}

/// Whether `text` would be accepted as a template whose values are escaped like that.
///
/// # Errors
/// What is wrong with it, with the line where that is known.
pub fn check_template(text: &str, escape: Escape) -> Result<(), TemplateFault> {
    tried(text, escape, &sample_contexts()).map(|_| ())
}

/// `text` as a template rendered for one message, for previews.
///
/// # Errors
/// What is wrong with it, with the line where that is known.
pub fn preview_template(
    text: &str,
    escape: Escape,
    message: &MessageContext,
) -> Result<String, TemplateFault> {
    let context =
        Context::wraps(message).map_err(|error| TemplateFault::new(None, error.reason().to_string()))?;
    tried(text, escape, &sample_contexts())?.render(&context)
}

const NOTE_START: &str = "this is the built-in text";

fn note(fault: &TemplateFault) -> String {
    // The fault may quote what strangers wrote.
    clean_line(&format!("{NOTE_START}: a template failed ({fault})")).into_owned()
}

fn builtins(kind: &str, fields: &[TemplateField], problems: &mut Vec<TemplateProblem>) -> Vec<Field> {
    let mut field = |field: &TemplateField| {
        let builtin = Compiled::new(field.source, Medium::Message(field.escape), Some(roots()));
        let builtin = builtin.map_err(|fault| {
            problems
                .push(TemplateProblem { place: format!("built-in template {kind}/{}", field.name), fault });
        });
        Field {
            name: field.name,
            escape: field.escape,
            limit: field.limit,
            builtin: builtin.ok(),
            of_kind: None,
            of_channel: BTreeMap::new(),
            texts: BTreeMap::new(),
        }
    };
    fields.iter().map(&mut field).collect()
}

/// Compiles a template and tries it on every sample.
fn tried(text: &str, escape: Escape, samples: &[SampleContext]) -> Result<Compiled, TemplateFault> {
    let compiled = Compiled::new(text, Medium::Message(escape), Some(roots()))?;
    for (name, context) in samples {
        compiled.render(context).map_err(|fault| {
            TemplateFault::new(fault.line, format!("{} (tried on the sample {name:?})", fault.message))
        })?;
    }
    Ok(compiled)
}

/// What templates are tried on; some megabytes, which nobody needs once they are.
fn sample_contexts() -> Vec<SampleContext> {
    let extremes = [
        ("bare", samples::bare()),
        ("five hundred", samples::five_hundred()),
        ("NaN", samples::measuring("NaN")),
        ("+Inf", samples::measuring("+Inf")),
        ("-Inf", samples::measuring("-Inf")),
        ("no number", samples::measuring("about 5")),
    ];
    samples::all()
        .into_iter()
        .map(|sample| (sample.name, sample.snapshot))
        .chain(extremes)
        .filter_map(|(name, snapshot)| Some((name, sample_context(&snapshot)?)))
        .collect()
}

fn sample_context(snapshot: &Snapshot) -> Option<Context> {
    let options = ContextOptions {
        external_url: "http://modelpager.example",
        channel: "sample",
        now: samples::NOW,
        links: &LinkTemplates::default(),
    };
    Context::wraps(MessageContext::build(snapshot, &options)).ok()
}

/// The names of the variables of messages.
fn roots() -> &'static BTreeSet<String> {
    static ROOTS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let sample = sample_context(&samples::firing());
        let variables = sample.as_ref().and_then(|context| context.data().as_object());
        variables.map(|variables| variables.keys().cloned().collect()).unwrap_or_default()
    });
    &ROOTS
}

fn stand_in_for_all(
    fields: &[Field],
    message: &MessageContext,
    fault: &TemplateFault,
    mut rendered: Rendered,
) -> Rendered {
    for field in fields {
        let text = bare_facts(message, &note(fault), field.escape);
        rendered.fields.insert(field.name.to_owned(), text);
    }
    rendered.problem = Some(fault.to_string());
    rendered
}

/// The least a message must say, made without any template.
fn bare_facts(message: &MessageContext, note: &str, escape: Escape) -> String {
    let text = format!("{}: {}\n{}\n{note}", message.lead, message.headline, message.summary);
    match escape {
        Escape::Plain => text,
        Escape::Html => super::escape::escape_html(&text).replace('\n', "<br>\n"),
        Escape::Mrkdwn => super::escape::escape_mrkdwn(&text).into_owned(),
        Escape::Markdown => super::escape::escape_markdown(&text).into_owned(),
    }
}

#[cfg(test)]
mod tests;
