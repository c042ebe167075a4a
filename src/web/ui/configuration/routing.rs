//! The routing tree, and where labels would go in it.

use maud::{Markup, html};

use super::labels;
use crate::domain::duration::PromDuration;
use crate::triage::route_trial::RouteTrial;
use crate::triage::routes::Node;
use crate::triage::rules::Rules;
use crate::web::ui::parts::form::Field;
use crate::web::ui::parts::{badge, link};

/// What labels as people write them lead to; `None` where none are written.
pub fn try_text<'t>(
    asked: &str,
    attempt: impl FnOnce(&[(String, String)]) -> Result<RouteTrial<'t>, String>,
) -> Result<Option<RouteTrial<'t>>, String> {
    let given = labels::parse(asked)?;
    if given.is_empty() { Ok(None) } else { attempt(&given).map(Some) }
}

/// The card: the form, its answer, and the tree with the way taken.
pub fn card(rules: &Rules, asked: &str, tried: &Result<Option<RouteTrial<'_>>, String>) -> Markup {
    let trial = tried.as_ref().ok().and_then(Option::as_ref);
    html! {
        section.card {
            header { h2 { "Routing" } }
            div.body {
                form method="get" action="/configuration" {
                    (Field {
                        name: "labels",
                        label: "Labels of an alert",
                        hint: "For example severity=page model=churn. The catalog is used as for a real alert; entry.tier=1 and similar override it. mp.receiver, mp.status and mp.source describe the notification around the alert.",
                        value: asked,
                        wrong: tried.as_ref().err().map(String::as_str),
                    }.lines(2))
                    button type="submit" { "Test routing" }
                }
                @if let Some(trial) = trial { (reached(trial)) }
            }
            div.body { ul.tree { (branch(rules.tree.root(), trial)) } }
        }
    }
}

fn reached(trial: &RouteTrial<'_>) -> Markup {
    html! {
        div role="status" {
            h3 { "Result" }
            p {
                "Severity " (badge::severity(trial.severity.as_str()))
                ", sent to "
                @for (n, channel) in trial.channels.iter().enumerate() { @if n > 0 { ", " } (link::channel(channel)) }
                "."
            }
            @match &trial.entry {
                Some((entry, how)) => p.quiet { "Catalog entry: " code { (entry) } " (" (how) ")." },
                None => p.quiet { "No catalog entry matches." },
            }
            @for node in &trial.nodes {
                p.quiet { @for (n, step) in node.path().iter().enumerate() { @if n > 0 { " → " } code { (step) } } }
            }
        }
    }
}

fn branch(node: &Node, trial: Option<&RouteTrial<'_>>) -> Markup {
    let is_taken = trial.is_some_and(|trial| trial.passes(node));
    let timing = node.timing();
    html! {
        li {
            div.node.taken[is_taken] {
                @if node.path().len() == 1 { strong { "Default route" } }
                @else { code { (node.path().last().map_or("", String::as_str)) } }
                " to "
                @for (n, channel) in node.channels().iter().enumerate() { @if n > 0 { ", " } (link::channel(channel)) }
                @if node.continues() { " " (badge::plain("continue")) }
                @if is_taken { " " (badge::of("matched", badge::Tone::Good)) }
                br; small {
                    "repeat interval " (PromDuration(timing.repeat_interval))
                    ", group interval " (PromDuration(timing.group_interval))
                    @if !timing.cooldown.is_zero() { ", cooldown " (PromDuration(timing.cooldown)) }
                }
            }
            @if !node.children().is_empty() {
                ul.tree { @for child in node.children() { (branch(child, trial)) } }
            }
        }
    }
}
