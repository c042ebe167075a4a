//! The catalog as a table.

use maud::{Markup, html};

use crate::domain::entry::EntryKind;
use crate::store::StoredEntry;
use crate::web::ui::parts::filter::{self, Filter};
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, link, moment, notice, table};
use crate::web::ui::viewer::Viewer;

const COLUMNS: [&str; 7] = ["Entry", "Kind", "Tier", "Owner", "Team", "Version", "Changed"];

/// The page.
pub fn list(viewer: &Viewer, here: &Address, items: &[StoredEntry], next: Option<&str>) -> Markup {
    let filters = [
        Filter::Search { label: "slug, name, description, owner, team, tags" },
        Filter::choice("kind", "Kind", EntryKind::ALL.map(EntryKind::as_str)),
        Filter::choice("tier", "Tier", ["1", "2", "3", "4", "5"]),
        Filter::Text { name: "owner", label: "Owner" },
        Filter::Text { name: "team", label: "Team" },
    ];
    let rows: Vec<Markup> = items.iter().map(|stored| row(viewer, stored)).collect();
    html! {
        div.head {
            h1 { "Catalog" }
            div.actions {
                a.button href="/catalog/-/export" download { "Export" }
                @if viewer.may_write() {
                    a.button href="/catalog/-/import" { "Import" }
                    a.button.primary href="/catalog/-/new" { "New entry" }
                }
            }
        }
        @if let Some(done) = super::edit::done(here) { (notice::done(&done)) }
        (filter::bar(here, &filters, &[]))
        div.card {
            @if rows.is_empty() { (table::nothing("No matching entries.")) }
            @else { (table::table("catalog", "Catalog entries by slug", false, &COLUMNS, &rows)) }
            (table::pager(here, next))
        }
    }
}

fn row(viewer: &Viewer, stored: &StoredEntry) -> Markup {
    let entry = &stored.entry;
    html! {
        tr #(format!("e-{}", entry.slug)) {
            td.main {
                (link::entry(&entry.slug))
                @if !entry.display_name.is_empty() { br; small { (entry.display_name) } }
            }
            td.tight data-label="Kind" { (badge::plain(&entry.kind.as_str().replace('_', " "))) }
            td.tight data-label="Tier" { (entry.tier.map(|tier| tier.to_string()).unwrap_or_default()) }
            td data-label="Owner" { (entry.owner) }
            td data-label="Team" { (entry.team) }
            td data-label="Version" { (entry.current_version) }
            td.tight data-label="Changed" { (moment::ago(viewer, stored.updated_at)) }
        }
    }
}
