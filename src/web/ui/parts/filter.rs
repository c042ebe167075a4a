//! The form over a list, and the active filters as chips that can be removed.

use maud::{Markup, html};

use super::query::{Address, is_local};

/// One thing to ask for.
pub enum Filter<'a> {
    /// Words.
    Search {
        /// What the words are looked for in.
        label: &'a str,
    },
    /// One of a few words.
    Choice {
        /// The parameter.
        name: &'a str,
        /// What it is called.
        label: &'a str,
        /// Value and name.
        choices: Vec<(String, String)>,
    },
    /// A moment, in the viewer's zone.
    Time {
        /// The parameter.
        name: &'a str,
        /// What it is called.
        label: &'a str,
    },
    /// Any text.
    Text {
        /// The parameter.
        name: &'a str,
        /// What it is called.
        label: &'a str,
    },
}

impl<'a> Filter<'a> {
    /// A choice whose values are their names.
    pub fn choice(name: &'a str, label: &'a str, words: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let choices = words.into_iter().map(|word| {
            let word = word.as_ref();
            (word.to_owned(), word.replace('_', " "))
        });
        Self::Choice { name, label, choices: choices.collect() }
    }

    fn name(&self) -> &str {
        match self {
            Self::Search { .. } => "q",
            Self::Choice { name, .. } | Self::Text { name, .. } | Self::Time { name, .. } => name,
        }
    }

    fn label(&self) -> &str {
        match self {
            Self::Search { .. } => "Search",
            Self::Choice { label, .. } | Self::Text { label, .. } | Self::Time { label, .. } => label,
        }
    }
}

/// The form, with what is asked for now; and the chips, of `hidden` parameters (name and what
/// they are called), too.
pub fn bar(here: &Address, filters: &[Filter<'_>], hidden: &[(&str, &str)]) -> Markup {
    let path = here.clone().at_path();
    let given = filters.iter().map(|filter| (filter.name(), filter.label())).chain(hidden.iter().copied());
    let chips: Vec<_> =
        given.filter_map(|(name, label)| here.get(name).map(|value| (name, label, value))).collect();
    html! {
        form.filters method="get" action=(path) role="search" {
            @for filter in filters { (field(here, filter)) }
            @for (name, _) in hidden {
                @if let Some(value) = here.get(name) { input type="hidden" name=(name) value=(value); }
            }
            button type="submit" { "Apply" }
        }
        @if !chips.is_empty() {
            ul.chips aria-label="Active filters" {
                @for (name, label, value) in &chips {
                    @let less = here.clone().without(name).without("cursor");
                    li { a.chip href=(less.href()) {
                        span { (label) ": " b { (value) } }
                        span aria-hidden="true" { "×" }
                        span.hidden { "remove" }
                    } }
                }
                @if chips.len() > 1 { li { a href=(path) { "Clear all" } } }
            }
        }
    }
}

fn field(here: &Address, filter: &Filter<'_>) -> Markup {
    let value = here.get(filter.name()).unwrap_or_default();
    match filter {
        Filter::Search { label } => html! {
            label.search { "Search" input type="search" name="q" value=(value) placeholder=(label) aria-keyshortcuts="/"; }
        },
        Filter::Text { name, label } => html! {
            label { (label) input type="text" name=(name) value=(value) size="14"; }
        },
        // A moment with a zone, as a shared address has it, is no local one: it stays as it is.
        Filter::Time { name, label } => html! {
            label { (label)
                @if value.is_empty() || is_local(value) { input type="datetime-local" name=(name) value=(value); }
                @else { input type="text" name=(name) value=(value) size="22"; }
            }
        },
        Filter::Choice { name, label, choices } => html! {
            label { (label) select name=(name) {
                option value="" { "any" }
                @for (choice, text) in choices { option value=(choice) selected[choice == value] { (text) } }
                @if !value.is_empty() && !choices.iter().any(|(choice, _)| choice == value) {
                    option value=(value) selected { (value) }
                }
            } }
        },
    }
}

impl Address {
    /// Its path alone.
    fn at_path(self) -> String {
        let href = self.href();
        href.split('?').next().unwrap_or_default().to_owned()
    }
}
