//! Keeps out templates that the engine cannot be trusted with. Handlebars recurses over
//! what it parses and renders, and a stack that overflows ends the whole process: partials
//! that call themselves, twenty thousand nested blocks, a hundred thousand parentheses.
//!
//! So a source is bounded in size and in the characters that can open anything before it
//! is parsed; it is parsed on a thread with a large stack of its own; and of what comes
//! out only trees of modest depth, without partials and decorators, are let through.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use handlebars::{Template, TemplateErrorReason};

mod lookups;
mod tree;

pub(super) use lookups::lookups;

/// The greatest template, in bytes.
pub const MAX_SOURCE: usize = 64 * 1024;

/// How deep blocks and parentheses may nest.
pub const MAX_DEPTH: usize = 32;

/// How many characters in a source may open something: bounds the parser's recursion
/// whatever comments, quotes or escapes hide from a simpler count of the depth.
const MAX_OPENERS: usize = 1_000;

/// A source with no more openers is parsed where it is: half a megabyte of stack will do,
/// and a catalog has thousands of small templates.
const OPENERS_OF_SMALL: usize = 40;

/// Six times what [`MAX_OPENERS`] levels of the parser take in a build without
/// optimisation; memory that is not touched is not taken.
const PARSER_STACK: usize = 64 * 1024 * 1024;

/// Why a template is not accepted, or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
pub struct TemplateFault {
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong, in words.
    pub message: String,
}

impl std::fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl TemplateFault {
    pub(super) fn new(line: Option<usize>, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// What a template may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// Names that may begin a path outside of loops; `None`: any.
    pub roots: Option<&'a BTreeSet<String>>,
    /// Whether `{{{raw}}}` may pass text by the escaping.
    pub raw: RawOutput,
}

/// Whether a template may write text unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RawOutput {
    /// Where nothing is escaped anyway.
    Allowed,
    /// Where escaping keeps untrusted text harmless.
    Refused,
}

/// Parses `source` and checks it against `rules`.
pub(super) fn compile(source: &str, rules: &Rules<'_>) -> Result<Template, TemplateFault> {
    compile_any(source, rules).map_err(|fault| {
        let hint =
            if is_go(source) { ": this is written for Go's templates; write {{labels.pod}}" } else { "" };
        TemplateFault { message: fault.message + hint, ..fault }
    })
}

/// Whether somebody brought a template from Prometheus or Alertmanager: `{{ .Labels.pod }}`,
/// `{{ $labels.pod }}`.
fn is_go(source: &str) -> bool {
    source.split("{{").skip(1).any(|inside| {
        let inside = inside.trim_start_matches(['-', '~', ' ']);
        let field = inside.strip_prefix('.').and_then(|name| name.chars().next());
        inside.starts_with('$') || field.is_some_and(char::is_uppercase)
    })
}

fn compile_any(source: &str, rules: &Rules<'_>) -> Result<Template, TemplateFault> {
    let failed = |_| Err(TemplateFault::new(None, "the template engine cannot parse this"));
    if check_source(source)? <= OPENERS_OF_SMALL {
        return catch_unwind(AssertUnwindSafe(|| parse(source, rules))).unwrap_or_else(failed);
    }
    // The tree is walked, and when refused also dropped, over there: both recurse.
    thread::scope(|scope| {
        thread::Builder::new()
            .name("template".to_owned())
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, || parse(source, rules))
            .map_err(|e| TemplateFault::new(None, format!("no thread to parse the template: {e}")))?
            .join()
            .unwrap_or_else(failed)
    })
}

fn parse(source: &str, rules: &Rules<'_>) -> Result<Template, TemplateFault> {
    let template = Template::compile(source)
        .map_err(|error| TemplateFault::new(error.pos().map(|(line, _)| line), said(error.reason())))?;
    tree::check(&template, rules)?;
    Ok(template)
}

/// The parser's message; where it only lists everything it knows, a guess that helps more.
fn said(reason: &TemplateErrorReason) -> String {
    const TELLING: usize = 80;
    match reason {
        TemplateErrorReason::InvalidSyntax(expected) if expected.len() > TELLING => {
            "invalid syntax: is a block such as {{#if …}} not closed?".to_owned()
        }
        TemplateErrorReason::InvalidSyntax(expected) => format!("invalid syntax: {expected}"),
        other => other.to_string(),
    }
}

/// How many characters of the source may open something.
fn check_source(source: &str) -> Result<usize, TemplateFault> {
    if source.len() > MAX_SOURCE {
        return Err(TemplateFault::new(None, format!("longer than {} KiB", MAX_SOURCE / 1024)));
    }
    let pairs = source.matches("{{").count();
    let singles = source.bytes().filter(|b| matches!(b, b'(' | b'[' | b'{')).count() - 2 * pairs;
    let openers = pairs + singles;
    if openers > MAX_OPENERS {
        return Err(TemplateFault::new(
            None,
            format!("more than {MAX_OPENERS} expressions and opening brackets"),
        ));
    }
    Ok(openers)
}

#[cfg(test)]
mod tests;
