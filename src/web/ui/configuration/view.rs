//! The configuration in force.

use std::sync::Arc;

use maud::{Markup, html};

use super::routing;
use crate::catalog::Catalog;
use crate::domain::clock::Timestamp;
use crate::triage::route_trial::try_labels;
use crate::triage::rules::Rules;
use crate::web::state::Live;
use crate::web::ui::parts::badge::Tone;
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{code, moment, notice, table};
use crate::web::ui::viewer::Viewer;

/// What the page shows.
pub struct Shown {
    /// What is in force.
    pub live: Arc<Live>,
    /// Its routes.
    pub rules: Rules,
    /// What the models are.
    pub catalog: Arc<Catalog>,
    /// The present moment.
    pub now: Timestamp,
    /// All of it as YAML, without secrets.
    pub text: String,
    /// Why the file was not put into force.
    pub refused: Option<String>,
}

/// The page.
pub fn view(viewer: &Viewer, shown: &Shown) -> Markup {
    let here = Address::of(&viewer.here);
    let asked = here.get("labels").unwrap_or_default();
    let attempt = |given: &[(String, String)]| try_labels(&shown.rules, &shown.catalog, given, shown.now);
    let tried = routing::try_text(asked, attempt);
    html! {
        @if let Some(done) = super::done(&here) { (notice::done(done)) }
        @if let Some(refused) = &shown.refused { (refusal(refused)) }
        (head(viewer))
        @if !shown.live.remarks.is_empty() { (remarks(&shown.live.remarks)) }
        div.grid {
            div.wide.stack { (routing::card(&shown.rules, asked, &tried)) }
            div.third.stack { div #configuration-facts data-live { (table::card("Active configuration", facts(viewer, &shown.live))) } }
            div {
                (table::card("Active configuration as YAML", html! {
                    p.quiet { "All defaults included; secrets removed." }
                    (code::snippet(&shown.text))
                }))
            }
        }
    }
}

fn head(viewer: &Viewer) -> Markup {
    html! {
        div.head {
            h1 { (super::TITLE) }
            @if viewer.may_operate() {
                form.actions method="post" action="/configuration/reload" {
                    button type="submit" { "Reload" }
                }
            }
        }
    }
}

fn refusal(refused: &str) -> Markup {
    let body = html! {
        p { "The file is invalid. The active configuration is unchanged." }
        (code::text(refused))
    };
    notice::notice(Tone::Critical, "alert", body)
}

fn remarks(remarks: &[String]) -> Markup {
    let body = html! {
        p { "The configuration is active, with warnings:" }
        ul { @for remark in remarks { li { (remark) } } }
    };
    notice::notice(Tone::Medium, "status", body)
}

fn facts(viewer: &Viewer, live: &Live) -> Markup {
    let digest = if live.digest.is_empty() {
        html! { span.quiet { "no file: the defaults are used" } }
    } else {
        html! { code { (live.digest) } }
    };
    table::facts(&[
        (
            "Loaded",
            html! { (moment::ago(viewer, live.loaded_at)) ", " (moment::clock(viewer, live.loaded_at)) },
        ),
        ("SHA-256 of the file", digest),
        ("Channels", html! { a href="/channels" { (live.config.channels.len()) } }),
        ("Tokens", html! { (live.config.auth.tokens.len()) }),
    ])
}
