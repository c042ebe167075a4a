//! Compiled templates and the engines, one a medium, that render them. Engines never
//! change once built: templates are kept outside of them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, RenderContext, RenderError, RenderErrorReason, Renderable, Template, no_escape,
};

use super::budget::{self, BoundedOutput};
use super::escape::{escape_html, escape_markdown, escape_mrkdwn};
use super::guard::{self, RawOutput, Rules, TemplateFault};
use super::{Escape, helpers, urls};

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// A field of a message. Strict: a name that does not exist is an error.
    Message(Escape),
    /// A URL: values are percent-encoded; what does not exist is empty.
    Url,
    /// A key: nothing is escaped; what does not exist is empty.
    Key,
}

/// A template that passed the guard.
#[derive(Debug)]
pub(super) struct Compiled {
    template: Template,
    medium: Medium,
}

impl Compiled {
    /// Checks and compiles `source`. `roots` are the names that may begin a path; any
    /// when `None`.
    pub(super) fn new(
        source: &str,
        medium: Medium,
        roots: Option<&BTreeSet<String>>,
    ) -> Result<Self, TemplateFault> {
        let raw = match medium {
            Medium::Message(Escape::Plain) | Medium::Key => RawOutput::Allowed,
            Medium::Message(Escape::Html | Escape::Mrkdwn | Escape::Markdown) | Medium::Url => {
                RawOutput::Refused
            }
        };
        let mut template = guard::compile(source, &Rules { roots, raw })?;
        if matches!(medium, Medium::Message(_)) {
            guard::lookups(&mut template);
        }
        Ok(Self { template, medium })
    }

    /// What the engine made of the source.
    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// The text, or why there is none. Never panics, never takes long.
    pub(super) fn render(&self, context: &Context) -> Result<String, TemplateFault> {
        let limits = match self.medium {
            Medium::Message(_) => budget::MESSAGE,
            Medium::Url => budget::SINGLE,
            Medium::Key => budget::KEY,
        };
        let render = || budget::within(limits, || self.try_render(context));
        catch_unwind(AssertUnwindSafe(render))
            .unwrap_or_else(|_| Err(TemplateFault::new(None, "the template engine failed")))
    }

    fn try_render(&self, context: &Context) -> Result<String, TemplateFault> {
        let mut out = BoundedOutput::default();
        self.template
            .render(engine(self.medium), context, &mut RenderContext::new(None), &mut out)
            .map_err(|error: RenderError| TemplateFault::new(error.line_no, said(&error)))?;
        Ok(out.into_text())
    }
}

/// The engine's message, in words that help where the mistake is a common one.
fn said(error: &RenderError) -> String {
    match error.reason() {
        RenderErrorReason::MissingVariable(Some(name)) => {
            format!(
                "{name:?} does not exist here: ask {{{{#if {name}}}}} first or write {{{{default {name} \"…\"}}}}"
            )
        }
        reason => reason.to_string(),
    }
}

fn engine(medium: Medium) -> &'static Handlebars<'static> {
    static PLAIN: LazyLock<Handlebars<'static>> = LazyLock::new(|| strict(no_escape));
    static HTML: LazyLock<Handlebars<'static>> =
        LazyLock::new(|| strict(|text| escape_html(text).into_owned()));
    static MRKDWN: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
        let mut engine = strict(|text| escape_mrkdwn(text).into_owned());
        helpers::register_identity(&mut engine, "mrkdwn_escape");
        engine
    });
    static MARKDOWN: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
        let mut engine = strict(|text| escape_markdown(text).into_owned());
        helpers::register_identity(&mut engine, "md_escape");
        engine
    });
    static URL: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
        let mut engine = lenient(urls::encode);
        helpers::register_identity(&mut engine, "url_encode");
        engine
    });
    static KEY: LazyLock<Handlebars<'static>> = LazyLock::new(|| lenient(no_escape));
    match medium {
        Medium::Message(Escape::Plain) => &PLAIN,
        Medium::Message(Escape::Html) => &HTML,
        Medium::Message(Escape::Mrkdwn) => &MRKDWN,
        Medium::Message(Escape::Markdown) => &MARKDOWN,
        Medium::Url => &URL,
        Medium::Key => &KEY,
    }
}

fn strict(escape: impl Fn(&str) -> String + Send + Sync + 'static) -> Handlebars<'static> {
    let mut engine = lenient(escape);
    engine.set_strict_mode(true);
    engine
}

fn lenient(escape: impl Fn(&str) -> String + Send + Sync + 'static) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.register_escape_fn(escape);
    helpers::register(&mut engine);
    engine
}
