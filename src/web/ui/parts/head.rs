//! The head of a page about one thing.

use maud::{Markup, html};

/// The way back to the list (its address and name), what the thing is called, badges, and what can
/// be done with it.
pub fn head(list: (&str, &str), title: &str, badges: Markup, actions: Markup) -> Markup {
    let (href, name) = list;
    html! {
        div.head {
            div {
                p.crumbs { a href=(href) { (name) } }
                h1 { (title) }
                @if !badges.0.is_empty() { div.badges { (badges) } }
            }
            (actions)
        }
    }
}
