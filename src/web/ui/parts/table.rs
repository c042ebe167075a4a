//! Tables of rows that come alive, and the way to further rows.

use maud::{Markup, html};

use super::query::Address;

/// A table in a card. `id` names it for live views: it is alive on the first page alone, for on
/// later ones rows would move under the reader.
pub fn table(id: &str, caption: &str, is_live: bool, columns: &[&str], rows: &[Markup]) -> Markup {
    html! {
        div #(id) data-live[is_live] {
            div.scroll tabindex="0" role="region" aria-label=(caption) {
                table.cards {
                    caption.hidden { (caption) }
                    thead { tr { @for column in columns {
                        @if column.is_empty() { td {} } @else { th scope="col" { (column) } }
                    } } }
                    tbody { @for row in rows { (row) } }
                }
            }
        }
    }
}

/// The ways to the first and the next page of a list.
pub fn pager(here: &Address, next_cursor: Option<&str>) -> Markup {
    let is_first = here.get("cursor").is_none();
    if is_first && next_cursor.is_none() {
        return html! {};
    }
    html! {
        nav.pager aria-label="Pages of this list" {
            @if is_first { span {} } @else { a.button href=(here.clone().without("cursor").href()) { "Newest" } }
            @if let Some(cursor) = next_cursor {
                a.button rel="next" href=(here.clone().with("cursor", cursor).href()) { "Older" }
            }
        }
    }
}

/// What stands where there are no rows.
pub fn nothing(what: &str) -> Markup {
    html! { div.empty { p { (what) } } }
}

/// Facts about one thing: term and description; without those that are empty.
pub fn facts(facts: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (term, description) in facts.iter().filter(|(_, description)| !description.0.is_empty()) {
                dt { (term) } dd { (description) }
            }
        }
    }
}

/// A card with a heading.
pub fn card(heading: &str, body: Markup) -> Markup {
    html! { section.card { header { h2 { (heading) } } div.body { (body) } } }
}
