//! What a page has to say before anything else.

use maud::{Markup, html};

use super::badge::Tone;
use crate::catalog::faults::FieldError;
use crate::web::problem::Problem;

/// A sentence in a box.
pub fn notice(tone: Tone, role: &str, body: Markup) -> Markup {
    html! { div.notice.(tone.class()) role=(role) { (body) } }
}

/// What went well: said once after a form.
pub fn done(sentence: &str) -> Markup {
    notice(Tone::Good, "status", html! { p { (sentence) } })
}

/// What was wrong with a form.
pub fn wrong(problem: &Problem) -> Markup {
    notice(
        Tone::Critical,
        "alert",
        html! {
            p { (problem) }
            @if !problem.fields().is_empty() {
                ul { @for error in problem.fields() { (wrong_field(error)) } }
            }
            @if problem.omitted_fields() > 0 { p { "and " (problem.omitted_fields()) " more" } }
        },
    )
}

fn wrong_field(error: &FieldError) -> Markup {
    html! {
        li {
            @if let Some(line) = error.line { "line " (line) ": " }
            @if !error.field.is_empty() { code { (error.field) } ": " }
            (error.message)
        }
    }
}
