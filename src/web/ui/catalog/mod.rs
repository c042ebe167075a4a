//! `/catalog`: what is known about models, prompts, pipelines and feature stores; and changing it.

use actix_web::{HttpResponse, web};

use super::parts::query::{Address, asked};
use super::shell::{self, Page};
use super::viewer::Viewer;
use crate::catalog::service::SUBJECT;
use crate::store::log::PageKey;
use crate::store::log_incidents::IncidentFilter;
use crate::web::api::catalog::{CatalogQuery, LIST};
use crate::web::api::catalog_import::{ExportQuery, export_as};
use crate::web::api::query::checked_id;
use crate::web::page::encode;
use crate::web::path::{Path, path};
use crate::web::problem::Problem;
use crate::web::state::AppState;

mod changes;
mod detail;
mod draft;
mod edit;
mod import;
mod list;

/// How much of an entry's past its page shows.
const RECENT: u32 = 20;

/// The addresses. A slug begins with a letter or a digit, so `-` is none.
pub fn paths() -> Vec<Path> {
    vec![
        path("/catalog").get(show_list).page(),
        path("/catalog/-/new").get(edit::show_new).post(edit::create).page(),
        path("/catalog/-/import").get(import::show).post(import::import).page(),
        path("/catalog/-/export").get(export).undescribed(),
        path("/catalog/{slug}").get(show_one).page(),
        path("/catalog/{slug}/edit").get(edit::show).post(edit::save).page(),
        path("/catalog/{slug}/delete").post(edit::delete).undescribed(),
    ]
}

async fn show_list(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let here = Address::of(&viewer.here);
    let mut query: CatalogQuery = asked(&here, &viewer.taste.zone)?;
    let wanted = query.take_page()?;
    let after = wanted.after.unwrap_or_default();
    let mut items = state.store.list_catalog_entries(&query.filter()?, &after, wanted.limit + 1).await?;
    let has_more = items.len() > wanted.limit as usize;
    items.truncate(wanted.limit as usize);
    let next = items.last().filter(|_| has_more).map(|last| encode(LIST, &last.entry.slug));
    let main = list::list(&viewer, &here, &items, next.as_deref());
    Ok(shell::answer(&viewer, Page { title: "Catalog", main }))
}

/// What the API answers, for people: it takes no cookie.
async fn export(
    _: Viewer,
    query: web::Query<ExportQuery>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    export_as(query.into_inner(), &state).await
}

async fn show_one(
    viewer: Viewer,
    slug: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    let stored = state.store.find_catalog_entry(slug).await?;
    let stored = stored.ok_or_else(|| Problem::not_found("catalog entry", slug))?;
    let latest = (crate::domain::clock::Timestamp::from_millis(i64::MAX), "");
    let of_entry = IncidentFilter { entry: Some(slug.to_owned()), ..IncidentFilter::default() };
    let newest = PageKey { limit: RECENT, before: None };
    let shown = detail::Shown {
        versions: state.store.list_catalog_versions(slug, latest, RECENT).await?,
        deployments: state.store.list_catalog_deployments(slug, latest, RECENT).await?,
        incidents: state.store.list_incidents(&of_entry, &newest).await?.items,
        audit: state.store.list_audit(SUBJECT, slug, RECENT).await?,
        stored,
    };
    let main = detail::detail(&viewer, &shown);
    Ok(shell::answer(&viewer, Page { title: shown.stored.entry.title(), main }))
}
