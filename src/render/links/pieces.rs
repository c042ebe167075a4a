//! The way around the engine for templates of text and plain names, which is what nearly
//! every dedup key and link is: triage renders a key for each alert.

use std::borrow::Cow;
use std::fmt::Write as _;

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template};

use super::LinkContext;
use crate::render::helpers::is_known;

/// A part of a template.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Name(String),
    Label(String),
    Annotation(String),
    From,
    To,
}

/// The pieces of a template that consists of nothing else.
pub(super) fn of(template: &Template) -> Option<Vec<Piece>> {
    template.elements.iter().map(piece).collect()
}

/// Puts the pieces together; values pass through `encode`.
pub(super) fn render_pieces<'a>(
    pieces: &[Piece],
    context: &LinkContext<'a>,
    encode: impl Fn(&'a str) -> Cow<'a, str>,
) -> String {
    let mut out = String::with_capacity(64);
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name) => out.push_str(&encode(value(context, name))),
            Piece::Label(name) => out.push_str(&encode(context.labels.get(name).map_or("", String::as_str))),
            Piece::Annotation(name) => {
                out.push_str(&encode(context.annotations.get(name).map_or("", String::as_str)));
            }
            Piece::From => _ = write!(out, "{}", context.window.from_ms),
            Piece::To => _ = write!(out, "{}", context.window.to_ms),
        }
    }
    out
}

fn piece(element: &TemplateElement) -> Option<Piece> {
    match element {
        TemplateElement::RawString(text) => Some(Piece::Text(text.clone())),
        TemplateElement::Comment(_) => Some(Piece::Text(String::new())),
        TemplateElement::Expression(expression) => named(expression),
        _ => None,
    }
}

fn named(expression: &HelperTemplate) -> Option<Piece> {
    let is_plain = expression.params.is_empty() && expression.hash.is_empty();
    let is_helper = expression.name.as_name().is_some_and(is_known);
    let Parameter::Path(Path::Relative((segments, _))) = &expression.name else { return None };
    if !is_plain || is_helper {
        return None;
    }
    let names: Option<Vec<&str>> = segments
        .iter()
        .map(|segment| match segment {
            PathSeg::Named(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    match *names?.as_slice() {
        [name @ ("alertname" | "severity" | "status" | "entry" | "version")] => {
            Some(Piece::Name(name.to_owned()))
        }
        ["labels", name] => Some(Piece::Label(name.to_owned())),
        ["annotations", name] => Some(Piece::Annotation(name.to_owned())),
        ["window", "from_ms"] => Some(Piece::From),
        ["window", "to_ms"] => Some(Piece::To),
        _ => None,
    }
}

fn value<'a>(context: &LinkContext<'a>, name: &str) -> &'a str {
    match name {
        "alertname" => context.alertname,
        "severity" => context.severity,
        "status" => context.status,
        "entry" => context.entry,
        "version" => context.version,
        _ => "",
    }
}
