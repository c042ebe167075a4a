//! Creating, editing and deleting an entry. An edit names the revision it was made on: what
//! somebody else changed meanwhile is shown beside it, not overwritten.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::changes;
use super::draft::Draft;
use crate::catalog::faults::FieldError;
use crate::catalog::plan::differences;
use crate::catalog::service::{CatalogError, Outcome, Precondition};
use crate::domain::entry::Entry;
use crate::store::StoredEntry;
use crate::web::api::catalog::wrong_fields;
use crate::web::api::query::checked_id;
use crate::web::problem::Problem;
use crate::web::state::AppState;
use crate::web::text::Form;
use crate::web::ui::parts::badge::Tone;
use crate::web::ui::parts::query::{Address, segment};
use crate::web::ui::parts::{head, notice};
use crate::web::ui::shell::{self, Page};
use crate::web::ui::viewer::{Editor, Viewer};

/// The form as it is shown.
struct Sheet<'a> {
    heading: &'a str,
    action: &'a str,
    /// The revision the edit is made on; `None` for a new entry.
    revision: Option<i64>,
    draft: &'a Draft,
    problems: &'a [FieldError],
    /// What must be said first.
    notice: Markup,
}

type Pairs = web::Form<Vec<(String, String)>>;

/// The form for a new entry; `slug` may be given.
pub async fn show_new(viewer: Viewer) -> HttpResponse {
    let slug = Address::of(&viewer.here).get("slug").unwrap_or_default().to_owned();
    let draft = Draft::of(&Entry { slug, ..Entry::default() });
    answer(&viewer, StatusCode::OK, &new_sheet(&draft, &[], html! {}))
}

/// Creates what the form describes.
pub async fn create(who: Editor, form: Pairs, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let draft = Draft::sent(form.into_inner());
    let refuse = |problems: Vec<FieldError>| {
        let notice = wrong(&problems);
        Ok(answer(&who.0, StatusCode::UNPROCESSABLE_ENTITY, &new_sheet(&draft, &problems, notice)))
    };
    let entry = match draft.entry(None) {
        Ok(entry) => entry,
        Err(problems) => return refuse(problems),
    };
    match state.catalog.create(&who.0.actor.name, entry).await {
        Ok(stored) => Ok(shell::see_other(format!("{}?done=created", address(&stored.entry.slug)))),
        Err(CatalogError::Exists(slug)) => {
            refuse(vec![FieldError::new("slug", format!("an entry {slug:?} already exists"))])
        }
        Err(CatalogError::Invalid(problems)) => refuse(problems),
        Err(error) => Err(error.into()),
    }
}

/// The form for an entry that exists.
pub async fn show(
    viewer: Viewer,
    slug: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let stored = find(&state, &slug).await?;
    let draft = Draft::of(&stored.entry);
    let sheet = edit_sheet(&stored, &draft, &[], html! {});
    Ok(answer(&viewer, StatusCode::OK, &sheet))
}

/// Writes what the form describes, unless the entry is another one by now.
pub async fn save(
    who: Editor,
    slug: web::Path<String>,
    form: Pairs,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    let draft = Draft::sent(form.into_inner());
    let revision = read_revision(draft.get("revision"))?;
    let before = find(&state, slug).await?;
    let refuse = |problems: Vec<FieldError>| {
        // On the revision the edit began with: a conflict is still to be found.
        let seen = StoredEntry { revision, ..before.clone() };
        let sheet = edit_sheet(&seen, &draft, &problems, wrong(&problems));
        Ok(answer(&who.0, StatusCode::UNPROCESSABLE_ENTITY, &sheet))
    };
    let entry = match draft.entry(Some(slug)) {
        Ok(entry) => entry,
        Err(problems) => return refuse(problems),
    };
    let written =
        state.catalog.put(&who.0.actor.name, entry.clone(), Precondition::OneOf(vec![revision])).await;
    match written {
        Ok((_, Outcome::Unchanged)) => Ok(shell::see_other(format!("{}?done=unchanged", address(slug)))),
        Ok(_) => Ok(shell::see_other(format!("{}?done=saved", address(slug)))),
        Err(CatalogError::Invalid(problems)) => refuse(problems),
        Err(CatalogError::Changed { .. }) => {
            let theirs = find(&state, slug).await?;
            let notice = conflict(&theirs, &entry);
            Ok(answer(&who.0, StatusCode::CONFLICT, &edit_sheet(&theirs, &draft, &[], notice)))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Deserialize)]
pub struct Deletion {
    revision: String,
}

/// Deletes an entry, unless it is another one by now.
pub async fn delete(
    who: Editor,
    slug: web::Path<String>,
    Form(form): Form<Deletion>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    let revision = read_revision(&form.revision)?;
    state.catalog.delete(&who.0.actor.name, slug, Precondition::OneOf(vec![revision])).await?;
    Ok(shell::see_other("/catalog?done=deleted"))
}

/// What a form did, in a sentence.
pub fn done(here: &Address) -> Option<String> {
    let sentence = match here.get("done")? {
        "created" => "Created. Alerts that match it are enriched from now on.",
        "saved" => "Saved.",
        "unchanged" => "No changes to save.",
        "deleted" => "Deleted, with its versions and deployments.",
        "imported" => "Imported.",
        _ => return None,
    };
    Some(sentence.to_owned())
}

async fn find(state: &AppState, slug: &str) -> Result<StoredEntry, Problem> {
    let slug = checked_id("catalog entry", slug)?;
    let found = state.store.find_catalog_entry(slug).await?;
    found.ok_or_else(|| Problem::not_found("catalog entry", slug))
}

fn read_revision(text: &str) -> Result<i64, Problem> {
    let wrong =
        |_| Problem::validation(vec![FieldError::new("revision", "must be the revision of the entry")]);
    text.parse().map_err(wrong)
}

fn address(slug: &str) -> String {
    format!("/catalog/{}", segment(slug))
}

fn new_sheet<'a>(draft: &'a Draft, problems: &'a [FieldError], notice: Markup) -> Sheet<'a> {
    Sheet { heading: "New entry", action: "/catalog/-/new", revision: None, draft, problems, notice }
}

fn edit_sheet<'a>(
    stored: &'a StoredEntry,
    draft: &'a Draft,
    problems: &'a [FieldError],
    notice: Markup,
) -> Sheet<'a> {
    let revision = Some(stored.revision);
    // The form is sent to the address it stands on.
    Sheet { heading: stored.entry.title(), action: "", revision, draft, problems, notice }
}

fn wrong(problems: &[FieldError]) -> Markup {
    notice::wrong(&wrong_fields(problems.to_vec().into()))
}

fn conflict(theirs: &StoredEntry, mine: &Entry) -> Markup {
    let fields = differences(Some(&theirs.entry), Some(mine));
    notice::notice(
        Tone::High,
        "alert",
        html! {
            p { strong { "Someone else changed this entry while you were editing it. Your changes were not saved." } }
            p { "Compare the current values with yours. Save again to overwrite them, or cancel to keep them." }
            (changes::table("conflict", ["Current", "Yours"], &fields))
        },
    )
}

fn answer(viewer: &Viewer, status: StatusCode, sheet: &Sheet<'_>) -> HttpResponse {
    let is_new = sheet.revision.is_none();
    let main = html! {
        (head::head(("/catalog", "Catalog"), sheet.heading, html! {}, html! {}))
        (sheet.notice)
        @if !viewer.may_write() { (notice::notice(Tone::Medium, "status", html! { p { "Your token is read-only. To save, use a token with the scope " code { "write" } "." } })) }
        form.card method="post" action=[Some(sheet.action).filter(|action| !action.is_empty())] { div.body {
            @if let Some(revision) = sheet.revision { input type="hidden" name="revision" value=(revision); }
            (sheet.draft.fields(!is_new, sheet.problems))
            div.actions {
                button.primary type="submit" disabled[!viewer.may_write()] { @if is_new { "Create" } @else { "Save" } }
                a.button href="/catalog" { "Cancel" }
            }
        } }
    };
    shell::answer_with(status, viewer, &Page { title: sheet.heading, main })
}
