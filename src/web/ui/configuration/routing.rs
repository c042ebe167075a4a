//! The routing tree, and where labels would go in it.

use maud::{Markup, html};

use super::labels;
use crate::domain::duration::PromDuration;
use crate::triage::route_trial::{RouteTrial, try_labels};
use crate::triage::routes::Node;
use crate::triage::rules::Rules;
use crate::web::ui::parts::form::Field;
use crate::web::ui::parts::{badge, link};

/// The card: the form, its answer, and the tree with the way taken.
pub fn card(rules: &Rules, asked: &str) -> Markup {
    let given = labels::parse(asked);
    let trial = given.as_ref().ok().filter(|given| !given.is_empty()).map(|given| try_labels(rules, given));
    html! {
        section.card {
            header { h2 { "Routing" } }
            div.body {
                form method="get" action="/configuration" {
                    (Field {
                        name: "labels",
                        label: "Labels of an alert",
                        hint: "As in severity=page model=churn. What the catalog knows is given like a label: entry.slug, entry.tier, version.",
                        value: asked,
                        wrong: given.as_ref().err().map(String::as_str),
                    }.lines(2))
                    button type="submit" { "Test these labels" }
                }
                @if let Some(trial) = &trial { (reached(trial)) }
            }
            div.body { ul.tree { (branch(rules.tree.root(), trial.as_ref())) } }
        }
    }
}

fn reached(trial: &RouteTrial<'_>) -> Markup {
    html! {
        div role="status" {
            h3 { "Where they go" }
            p {
                "An alert with these labels has the severity " (badge::severity(trial.severity.as_str()))
                " and reaches "
                @for (n, channel) in trial.channels.iter().enumerate() { @if n > 0 { ", " } (link::channel(channel)) }
                "."
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
                @if node.path().len() == 1 { strong { "Everything" } }
                @else { code { (node.path().last().map_or("", String::as_str)) } }
                " to "
                @for (n, channel) in node.channels().iter().enumerate() { @if n > 0 { ", " } (link::channel(channel)) }
                @if node.continues() { " " (badge::plain("continue")) }
                @if is_taken { " " (badge::of("taken", badge::Tone::Good)) }
                br; small {
                    "told again after " (PromDuration(timing.repeat_interval))
                    ", changes at most every " (PromDuration(timing.group_interval))
                    @if !timing.cooldown.is_zero() { ", cooldown " (PromDuration(timing.cooldown)) }
                }
            }
            @if !node.children().is_empty() {
                ul.tree { @for child in node.children() { (branch(child, trial)) } }
            }
        }
    }
}
