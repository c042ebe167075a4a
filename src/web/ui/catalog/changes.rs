//! What differs between two states of an entry, as a table.

use maud::{Markup, html};
use serde_json::Value;

use crate::catalog::plan::FieldChange;
use crate::web::ui::parts::table;

/// The fields that differ; `headings` say what stands on either side.
pub fn table(id: &str, headings: [&str; 2], changes: &[FieldChange]) -> Markup {
    if changes.is_empty() {
        return html! { p.quiet { "No field differs." } };
    }
    let rows: Vec<Markup> = changes.iter().map(|change| row(headings, change)).collect();
    table::table(id, "Fields that differ", false, &["Field", headings[0], headings[1]], &rows)
}

fn row(headings: [&str; 2], change: &FieldChange) -> Markup {
    html! {
        tr {
            td data-label="Field" { code { (change.field) } }
            td.diff-del data-label=(headings[0]) { (value(&change.before)) }
            td.diff-add data-label=(headings[1]) { (value(&change.after)) }
        }
    }
}

fn value(value: &Value) -> Markup {
    match value {
        Value::Null => html! { span.quiet { "nothing" } },
        Value::String(text) if text.is_empty() => html! { span.quiet { "nothing" } },
        Value::String(text) => html! { (text) },
        other => html! { code { (other.to_string()) } },
    }
}
