//! `/api/v1/catalog`: what is known about models, prompts, pipelines and feature stores.

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderValue, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::catalog_item::CatalogItem;
use super::precondition::{entity_tag, is_known, precondition};
use super::query::{Checked, checked_id};
use crate::catalog::document::read_entry;
use crate::catalog::faults::Faults;
use crate::catalog::service::{CatalogError, Outcome};
use crate::domain::entry::{Entry, EntryKind};
use crate::store::StoredEntry;
use crate::store::catalog_read::CatalogFilter;
use crate::web::auth::{Read, Write};
use crate::web::page::{Page, PageRequest, encode};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;

/// Cursors belong to this list.
pub const LIST: &str = "catalog";

/// What to list. Everything given must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CatalogQuery {
    /// `model`, `llm`, `prompt`, `pipeline` or `feature_store`.
    #[param(inline, value_type = Option<EntryKind>, example = "model")]
    kind: Option<String>,
    /// The owner, exactly; `(none)` for entries without one.
    owner: Option<String>,
    /// The team, exactly; `(none)` for entries without one.
    team: Option<String>,
    /// 1 (most important) to 5.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 5)]
    tier: Option<String>,
    /// A text in the slug, names, description, owner, team or tags.
    #[serde(alias = "text")]
    q: Option<String>,
    /// How many items a page has: 1 to 500, default 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl CatalogQuery {
    /// The page that the parameters ask for.
    ///
    /// # Errors
    /// 422 for a limit out of range, 400 for a foreign cursor.
    pub fn take_page(&mut self) -> Result<PageRequest, Problem> {
        PageRequest::parse(LIST, self.limit.take().as_deref(), self.cursor.take().as_deref())
    }

    /// What the parameters ask for.
    ///
    /// # Errors
    /// 422 with every wrong parameter.
    pub fn filter(self) -> Result<CatalogFilter, Problem> {
        let mut checked = Checked::default();
        let kind = checked.word("kind", self.kind, &EntryKind::ALL.map(EntryKind::as_str));
        let tier = checked.word("tier", self.tier, &["1", "2", "3", "4", "5"]);
        let filter = CatalogFilter {
            kind: kind.and_then(|word| EntryKind::ALL.into_iter().find(|kind| kind.as_str() == word)),
            owner: checked.value("owner", self.owner),
            team: checked.value("team", self.team),
            tier: tier.and_then(|digit| digit.parse().ok()),
            text: checked.text("q", self.q),
        };
        checked.finish().map(|()| filter)
    }
}

/// Catalog entries by slug.
///
/// # Errors
/// 422 for wrong parameters, 400 for a foreign cursor.
#[utoipa::path(
    get, path = "/api/v1/catalog", tag = "catalog", operation_id = "list_catalog_entries",
    params(CatalogQuery),
    responses((status = 200, description = "A page of entries", body = Page<CatalogItem>))
)]
pub async fn list(
    _: Read,
    query: web::Query<CatalogQuery>,
    state: web::Data<AppState>,
) -> Result<web::Json<Page<CatalogItem>>, Problem> {
    let mut query = query.into_inner();
    let page = query.take_page()?;
    let after = page.after.unwrap_or_default();
    let mut entries = state.store.list_catalog_entries(&query.filter()?, &after, page.limit + 1).await?;
    let has_more = entries.len() > page.limit as usize;
    entries.truncate(page.limit as usize);
    let last = entries.last().filter(|_| has_more);
    let next_cursor = last.map(|stored| encode(LIST, &stored.entry.slug));
    Ok(web::Json(Page { items: entries.into_iter().map(CatalogItem::from).collect(), next_cursor }))
}

/// Creates an entry.
///
/// # Errors
/// 409 when the slug is taken, 422 with every wrong field.
#[utoipa::path(
    post, path = "/api/v1/catalog", tag = "catalog", operation_id = "create_catalog_entry",
    request_body(content = Entry, example = json!({
        "slug": "fraud-detector", "kind": "model", "owner": "ada@example.org", "tier": 1,
        "aliases": ["fraud_detector_v2"],
        "links": {"dashboard": "https://grafana.example.org/d/fraud?from={{window.from_ms}}&to={{window.to_ms}}"}
    })),
    responses((status = 201, description = "Created", body = CatalogItem, headers(
        ("ETag" = String, description = "The entry's revision"),
        ("Location" = String, description = "Its path"),
    )))
)]
pub async fn create(
    actor: Write,
    body: web::Json<Value>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let entry = read_entry(body.into_inner(), None).map_err(|problems| wrong_fields(problems.into()))?;
    let stored = state.catalog.create(&actor.0.name, entry).await?;
    Ok(answer(StatusCode::CREATED, stored))
}

/// One entry.
///
/// # Errors
/// 404 for an unknown slug.
#[utoipa::path(
    get, path = "/api/v1/catalog/{slug}", tag = "catalog", operation_id = "get_catalog_entry",
    params(
        ("slug" = String, Path, description = "The entry's slug", example = "fraud-detector"),
        ("If-None-Match" = Option<String>, Header, description = "Answers 304 when the entry is still at this revision"),
    ),
    responses(
        (status = 200, description = "The entry", body = CatalogItem, headers(("ETag" = String, description = "The entry's revision"))),
        (status = 304, description = "Unchanged"),
    )
)]
pub async fn get(
    _: Read,
    slug: web::Path<String>,
    req: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    let stored = state.store.find_catalog_entry(slug).await?;
    let stored = stored.ok_or_else(|| Problem::not_found("catalog entry", slug))?;
    if is_known(&req, stored.revision) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, entity_tag(stored.revision))).finish());
    }
    Ok(answer(StatusCode::OK, stored))
}

/// Writes an entry whole: creates it where there is none, else replaces it. Writing what is
/// there already changes nothing.
///
/// # Errors
/// 412 when the entry is not at the revision of `If-Match`, 422 with every wrong field.
#[utoipa::path(
    put, path = "/api/v1/catalog/{slug}", tag = "catalog", operation_id = "put_catalog_entry",
    params(
        ("slug" = String, Path, description = "The entry's slug; the body may repeat it", example = "fraud-detector"),
        ("If-Match" = Option<String>, Header, description = "Write only at this revision; `*`: only if it exists"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if it does not exist"),
    ),
    request_body(content = Entry, example = json!({
        "kind": "model", "owner": "ada@example.org", "team": "risk", "tier": 1, "current_version": "2.4.1"
    })),
    responses(
        (status = 200, description = "Replaced, or as it was", body = CatalogItem),
        (status = 201, description = "Created", body = CatalogItem),
    )
)]
pub async fn put(
    actor: Write,
    slug: web::Path<String>,
    body: web::Json<Value>,
    req: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let entry =
        read_entry(body.into_inner(), Some(&slug)).map_err(|problems| wrong_fields(problems.into()))?;
    let (stored, outcome) = state.catalog.put(&actor.0.name, entry, precondition(&req)).await?;
    let status = if outcome == Outcome::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, stored))
}

/// Changes what the body names (JSON merge patch, RFC 7396): null takes a field or a link
/// away, lists are replaced whole.
///
/// # Errors
/// 404 for an unknown slug, 412 when the entry is not at the revision of `If-Match`, 422
/// with every wrong field.
#[utoipa::path(
    patch, path = "/api/v1/catalog/{slug}", tag = "catalog", operation_id = "patch_catalog_entry",
    params(
        ("slug" = String, Path, description = "The entry's slug", example = "fraud-detector"),
        ("If-Match" = Option<String>, Header, description = "Change only at this revision"),
    ),
    request_body(
        content = serde_json::Value, content_type = "application/merge-patch+json",
        example = json!({"owner": "bob@example.org", "tier": null, "links": {"logs": "https://logs.example.org/fraud"}})
    ),
    responses((status = 200, description = "Changed, or as it was", body = CatalogItem))
)]
pub async fn patch(
    actor: Write,
    slug: web::Path<String>,
    body: web::Json<Value>,
    req: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    let (stored, _) = state.catalog.patch(&actor.0.name, slug, &body, precondition(&req)).await?;
    Ok(answer(StatusCode::OK, stored))
}

/// Deletes an entry with its versions and deployments.
///
/// # Errors
/// 404 for an unknown slug, 412 when the entry is not at the revision of `If-Match`.
#[utoipa::path(
    delete, path = "/api/v1/catalog/{slug}", tag = "catalog", operation_id = "delete_catalog_entry",
    params(
        ("slug" = String, Path, description = "The entry's slug", example = "fraud-detector"),
        ("If-Match" = Option<String>, Header, description = "Delete only at this revision"),
    ),
    responses((status = 204, description = "Deleted"))
)]
pub async fn delete(
    actor: Write,
    slug: web::Path<String>,
    req: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let slug = checked_id("catalog entry", &slug)?;
    state.catalog.delete(&actor.0.name, slug, precondition(&req)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn answer(status: StatusCode, stored: StoredEntry) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((ETAG, entity_tag(stored.revision)));
    let path = format!("/api/v1/catalog/{}", stored.entry.slug);
    if let (StatusCode::CREATED, Ok(path)) = (status, HeaderValue::try_from(path)) {
        response.insert_header((LOCATION, path));
    }
    response.json(CatalogItem::from(stored))
}

/// 422 with the wrong fields.
pub fn wrong_fields(faults: Faults) -> Problem {
    let (listed, omitted) = faults.into_parts();
    Problem::validation(listed).omitting(omitted)
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::NotFound(slug) => Self::not_found("catalog entry", &slug),
            CatalogError::Exists(_) => Self::conflict(error.to_string()),
            CatalogError::Changed { .. } => Self::new(Kind::PreconditionFailed, error.to_string()),
            CatalogError::Invalid(problems) => wrong_fields(problems.into()),
            CatalogError::Store(cause) => Self::from(cause),
        }
    }
}
