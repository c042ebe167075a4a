//! `/api/v1/catalog/{slug}/versions` and `/deployments`: which version was live when, and
//! who brought it there.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::IntoParams;

use super::catalog::wrong_fields;
use super::query::checked_id;
use crate::catalog::document::{DeploymentDocument, VersionDocument, read_record};
use crate::catalog::service::Recorded;
use crate::domain::clock::Timestamp;
use crate::web::auth::{Read, Write};
use crate::web::page::{Page, PageRequest, encode};
use crate::web::problem::Problem;
use crate::web::state::AppState;

/// Which page of a history.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// How many items a page has: 1 to 500, default 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The versions of an entry, newest first.
///
/// # Errors
/// 404 for an unknown slug, 400 for a foreign cursor.
#[utoipa::path(
    get, path = "/api/v1/catalog/{slug}/versions", tag = "catalog", operation_id = "list_versions",
    params(("slug" = String, Path, description = "The entry's slug"), HistoryQuery),
    responses((status = 200, description = "A page of versions", body = Page<VersionDocument>))
)]
pub async fn list_versions(
    _: Read,
    slug: web::Path<String>,
    query: web::Query<HistoryQuery>,
    state: web::Data<AppState>,
) -> Result<web::Json<Page<VersionDocument>>, Problem> {
    let slug = existing(&state, &slug).await?;
    let wanted = Wanted::parse(format!("catalog/{slug}/versions"), &query)?;
    let found = state.store.list_catalog_versions(slug, wanted.before(), wanted.limit + 1).await?;
    Ok(wanted.page(&found, |version| (version.valid_from, &version.version)))
}

/// Records which version is live since when. The newest record becomes the entry's current
/// version; reporting the live version again changes nothing.
///
/// # Errors
/// 404 for an unknown slug, 422 with every wrong field.
#[utoipa::path(
    post, path = "/api/v1/catalog/{slug}/versions", tag = "catalog", operation_id = "record_version",
    params(("slug" = String, Path, description = "The entry's slug")),
    request_body(content = VersionDocument, example = json!({"version": "2.4.1", "url": "https://mlflow.example.org/#/models/fraud/versions/12"})),
    responses(
        (status = 201, description = "Recorded", body = VersionDocument),
        (status = 200, description = "Known already", body = VersionDocument),
    )
)]
pub async fn record_version(
    actor: Write,
    slug: web::Path<String>,
    body: web::Json<Value>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    let document: VersionDocument =
        read_record(body.into_inner()).map_err(|problems| wrong_fields(problems.into()))?;
    let (version, recorded) = state.catalog.record_version(&actor.0.name, slug, document).await?;
    Ok(answer(recorded, &VersionDocument::from(&version)))
}

/// The deployments of an entry, newest first.
///
/// # Errors
/// 404 for an unknown slug, 400 for a foreign cursor.
#[utoipa::path(
    get, path = "/api/v1/catalog/{slug}/deployments", tag = "catalog", operation_id = "list_deployments",
    params(("slug" = String, Path, description = "The entry's slug"), HistoryQuery),
    responses((status = 200, description = "A page of deployments", body = Page<DeploymentDocument>))
)]
pub async fn list_deployments(
    _: Read,
    slug: web::Path<String>,
    query: web::Query<HistoryQuery>,
    state: web::Data<AppState>,
) -> Result<web::Json<Page<DeploymentDocument>>, Problem> {
    let slug = existing(&state, &slug).await?;
    let wanted = Wanted::parse(format!("catalog/{slug}/deployments"), &query)?;
    let found = state.store.list_catalog_deployments(slug, wanted.before(), wanted.limit + 1).await?;
    Ok(wanted.page(&found, |deployment| (deployment.at, &deployment.id)))
}

/// Records a deployment: who brought which version live, and how to take it back. The
/// newest record sets the entry's current version. A second report with the same
/// `external_id` changes nothing.
///
/// # Errors
/// 404 for an unknown slug, 422 with every wrong field.
#[utoipa::path(
    post, path = "/api/v1/catalog/{slug}/deployments", tag = "catalog", operation_id = "record_deployment",
    params(("slug" = String, Path, description = "The entry's slug")),
    request_body(content = DeploymentDocument, example = json!({
        "external_id": "github-run-4711", "version": "2.4.1", "actor": "ada", "commit": "9f2c1e7",
        "url": "https://github.com/example/fraud/actions/runs/4711", "rollback_command": "make rollback VERSION=2.4.0"
    })),
    responses(
        (status = 201, description = "Recorded", body = DeploymentDocument),
        (status = 200, description = "Known already", body = DeploymentDocument),
    )
)]
pub async fn record_deployment(
    actor: Write,
    slug: web::Path<String>,
    body: web::Json<Value>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    let document: DeploymentDocument =
        read_record(body.into_inner()).map_err(|problems| wrong_fields(problems.into()))?;
    let (deployment, recorded) = state.catalog.record_deployment(&actor.0.name, slug, document).await?;
    Ok(answer(recorded, &DeploymentDocument::from(&deployment)))
}

fn answer(recorded: Recorded, body: &impl Serialize) -> HttpResponse {
    let status = match recorded {
        Recorded::New => StatusCode::CREATED,
        Recorded::Known => StatusCode::OK,
    };
    HttpResponse::build(status).json(body)
}

/// The slug, if there is an entry of it.
async fn existing<'a>(state: &AppState, slug: &'a str) -> Result<&'a str, Problem> {
    let slug = checked_id("catalog entry", slug)?;
    let found = state.store.find_catalog_entry(slug).await?;
    found.map(|_| slug).ok_or_else(|| Problem::not_found("catalog entry", slug))
}

/// A page of a list sorted by a time and a text, newest first.
struct Wanted {
    list: String,
    limit: u32,
    at: Timestamp,
    text: String,
}

impl Wanted {
    fn parse(list: String, query: &HistoryQuery) -> Result<Self, Problem> {
        let page = PageRequest::parse(&list, query.limit.as_deref(), query.cursor.as_deref())?;
        let key = page.after.as_deref().and_then(|key| key.split_once(' '));
        let at = key.and_then(|(at, _)| at.parse().ok()).unwrap_or(i64::MAX);
        let text = key.map(|(_, text)| text.to_owned()).unwrap_or_default();
        Ok(Self { list, limit: page.limit, at: Timestamp::from_millis(at), text })
    }

    fn before(&self) -> (Timestamp, &str) {
        (self.at, &self.text)
    }

    /// The page of what was found, one item more than the page has where more follow.
    fn page<T, D>(&self, found: &[T], key: impl Fn(&T) -> (Timestamp, &String)) -> web::Json<Page<D>>
    where
        for<'a> D: From<&'a T>,
    {
        let limit = self.limit as usize;
        let shown = &found[..found.len().min(limit)];
        let last = shown.last().filter(|_| found.len() > limit).map(key);
        let next_cursor = last.map(|(at, text)| encode(&self.list, &format!("{} {text}", at.as_millis())));
        web::Json(Page { items: shown.iter().map(D::from).collect(), next_cursor })
    }
}
