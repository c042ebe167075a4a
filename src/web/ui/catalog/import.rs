//! Importing many entries: first what would change is shown, then it is made.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::changes;
use crate::catalog::plan::{ChangeAction, EntryChange, ImportReport};
use crate::catalog::service::{ImportMode, ImportOptions, Missing};
use crate::web::api::catalog_import::import_text;
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;
use crate::web::text::Form;
use crate::web::ui::parts::badge::{self, Tone};
use crate::web::ui::parts::form::Field;
use crate::web::ui::parts::{head, link, notice};
use crate::web::ui::shell::{self, Page};
use crate::web::ui::viewer::{Editor, Viewer};

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Import {
    document: String,
    prune: Option<String>,
    /// `apply`, or anything else for a comparison.
    act: String,
}

/// The empty form.
pub async fn show(viewer: Viewer) -> HttpResponse {
    answer(&viewer, StatusCode::OK, &Import::default(), html! {})
}

/// Compares, or makes it so.
pub async fn import(
    who: Editor,
    Form(form): Form<Import>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let is_applied = form.act == "apply";
    match run(&who, &form, &state, is_applied).await {
        Ok(_) if is_applied => Ok(shell::see_other("/catalog?done=imported")),
        Ok(report) => Ok(answer(&who.0, StatusCode::OK, &form, preview(&report))),
        Err(problem) if matches!(problem.kind(), Kind::BadRequest | Kind::Validation) => {
            Ok(answer(&who.0, StatusCode::UNPROCESSABLE_ENTITY, &form, notice::wrong(&problem)))
        }
        Err(problem) => Err(problem),
    }
}

async fn run(
    who: &Editor,
    form: &Import,
    state: &AppState,
    is_applied: bool,
) -> Result<ImportReport, Problem> {
    let options = ImportOptions {
        mode: if is_applied { ImportMode::Apply } else { ImportMode::DryRun },
        missing: if form.prune.is_some() { Missing::Delete } else { Missing::Keep },
    };
    import_text(state, &who.0.actor.name, form.document.clone().into(), options).await
}

fn preview(report: &ImportReport) -> Markup {
    let is_nothing = report.entries.is_empty();
    html! {
        section.card {
            header {
                h2 { "Preview of changes" }
                span.quiet {
                    (report.created) " created, " (report.changed) " changed, " (report.deleted) " deleted, "
                    (report.unchanged) " unchanged"
                }
            }
            div.body.stack {
                @if is_nothing { p { "No changes: the catalog already matches the document." } }
                @for change in &report.entries { (entry(change)) }
                @if report.entries_omitted > 0 { p.quiet { "and " (report.entries_omitted) " more" } }
            }
        }
    }
}

fn entry(change: &EntryChange) -> Markup {
    let (word, tone) = match change.action {
        ChangeAction::Created => ("created", Tone::Good),
        ChangeAction::Changed => ("changed", Tone::Medium),
        ChangeAction::Deleted => ("deleted", Tone::Critical),
    };
    html! {
        details #(format!("import-{}", change.slug)) {
            summary { (change.slug) " " (badge::of(word, tone)) " "
                span.quiet { (change.fields.len()) " fields, " (change.versions.len()) " versions, " (change.deployments.len()) " deployments" }
            }
            p { (link::entry(&change.slug)) }
            (changes::table(&format!("import-fields-{}", change.slug), ["Current", "New"], &change.fields))
        }
    }
}

fn answer(viewer: &Viewer, status: StatusCode, form: &Import, found: Markup) -> HttpResponse {
    let is_compared = status == StatusCode::OK && !form.document.is_empty();
    let document = Field {
        name: "document",
        label: "Document",
        hint: "YAML or JSON in the format of the export, up to 2 MiB; for larger files use modelpager catalog import",
        value: &form.document,
        wrong: None,
    };
    let main = html! {
        (head::head(("/catalog", "Catalog"), "Import", html! {}, html! {}))
        div.stack {
            (found)
            form.card method="post" action="/catalog/-/import" { div.body {
                (document.lines(16))
                div.field { label {
                    input type="checkbox" name="prune" value="1" checked[form.prune.is_some()];
                    " Delete entries that are not in the document"
                } }
                div.actions {
                    button.(if is_compared { "" } else { "primary" }) type="submit" name="act" value="compare" { "Preview" }
                    @if is_compared { button.primary type="submit" name="act" value="apply" { "Apply" } }
                }
            } }
        }
    };
    shell::answer_with(status, viewer, &Page { title: "Import", main })
}
