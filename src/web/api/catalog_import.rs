//! `/api/v1/catalog/import` and `/export`: the whole catalog as one document.

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use serde::Deserialize;
use tokio::sync::OwnedMutexGuard;
use utoipa::IntoParams;

use super::catalog::wrong_fields;
use super::query::Checked;
use crate::catalog::document::{DocumentError, Format};
use crate::catalog::plan::ImportReport;
use crate::catalog::reading::{place, read_document};
use crate::catalog::service::{CatalogError, CatalogService, ImportMode, ImportOptions, Missing};
use crate::web::auth::{Read, Write};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;

/// How to import.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only say what would change.
    #[param(value_type = Option<bool>, default = false)]
    dry_run: Option<String>,
    /// Delete entries that the document does not have.
    #[param(value_type = Option<bool>, default = false)]
    prune: Option<String>,
}

/// How to export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// `yaml` (default) or `json`.
    #[param(inline, value_type = Option<Format>)]
    format: Option<String>,
}

impl ImportQuery {
    fn options(self) -> Result<ImportOptions, Problem> {
        let mut checked = Checked::default();
        let dry_run = checked.flag("dry_run", self.dry_run);
        let prune = checked.flag("prune", self.prune);
        checked.finish().map(|()| ImportOptions {
            mode: if dry_run { ImportMode::DryRun } else { ImportMode::Apply },
            missing: if prune { Missing::Delete } else { Missing::Keep },
        })
    }
}

/// Makes the catalog as a document has it: entries are created or replaced; versions and
/// deployments are added to the histories and never deleted. YAML and JSON are recognized by
/// themselves.
///
/// Everything is checked first: with one wrong field nothing is written. What differs is then
/// written in steps of about 256 entries, so that deliveries are stored between them; each step
/// is whole, and what differs in fewer entries is one step. An import that is cut short keeps
/// the steps made; the same document again does the rest.
///
/// # Errors
/// 415 for a body that does not say that it is YAML or JSON; 400 for a document that cannot be read,
/// with line and column; 422 with every unknown and every wrong field of every entry, each once with
/// its line (the first 100, and how many more there are); 503 while another import is under way.
#[utoipa::path(
    post, path = "/api/v1/catalog/import", tag = "catalog", operation_id = "import_catalog",
    params(ImportQuery),
    request_body(content(
        (String = "application/yaml", example = "entries:\n  - slug: fraud-detector\n    owner: ada@example.org\n    versions:\n      - {version: 2.4.1, valid_from: 2026-08-20T10:00:00Z}\n"),
        (serde_json::Value = "application/json", example = json!({"entries": [{"slug": "fraud-detector", "owner": "ada@example.org"}]})),
    )),
    responses((status = 200, description = "What changed, or would change", body = ImportReport))
)]
pub async fn import(
    actor: Write,
    req: HttpRequest,
    query: web::Query<ImportQuery>,
    body: web::Payload,
    state: web::Data<AppState>,
) -> Result<web::Json<ImportReport>, Problem> {
    if !is_document(&req) {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            "an import must be YAML or JSON, with Content-Type: application/yaml or application/json",
        ));
    }
    let options = query.into_inner().options()?;
    let limit = state.live.load().config.server.max_body_bytes;
    let bytes = body.to_bytes_limited(limit).await.map_err(|_| Problem::payload_too_large(limit))?;
    let bytes = bytes.map_err(|error| match error.as_error::<PayloadError>() {
        Some(error) => Problem::from(error),
        None => Problem::bad_request(format!("the body could not be read: {error}")),
    })?;
    Ok(web::Json(import_text(&state, &actor.0.name, bytes, options).await?))
}

/// Imports the text of a document.
///
/// # Errors
/// With the wrong fields and their lines; 503 while another import is under way.
pub async fn import_text(
    state: &AppState,
    actor: &str,
    text: web::Bytes,
    options: ImportOptions,
) -> Result<ImportReport, Problem> {
    let _turn = turn(&state.catalog)?;
    let (read, now) = (text.clone(), state.clock.now());
    // Reading a large document takes too long for a thread that serves others.
    let document = web::block(move || read_document(&read, now)).await.map_err(Problem::internal)??;
    match state.catalog.import(actor, document, options).await {
        Err(CatalogError::Invalid(problems)) => {
            let faults = web::block(move || place(&text, problems)).await.map_err(Problem::internal)?;
            Err(wrong_fields(faults))
        }
        other => Ok(other?),
    }
}

/// Whether the body says that it is YAML or JSON: what a form of another site cannot say.
fn is_document(req: &HttpRequest) -> bool {
    let content_type = req.content_type();
    let subtype = content_type.split_once('/').map_or("", |(_, subtype)| subtype).to_ascii_lowercase();
    let bare = subtype.strip_prefix("x-").unwrap_or(&subtype);
    matches!(bare, "yaml" | "json") || subtype.ends_with("+yaml") || subtype.ends_with("+json")
}

/// The whole catalog as a document that imports without any difference.
///
/// # Errors
/// 422 for an unknown format.
#[utoipa::path(
    get, path = "/api/v1/catalog/export", tag = "catalog", operation_id = "export_catalog",
    params(ExportQuery),
    responses((status = 200, description = "The document", content(
        (String = "application/yaml"),
        (serde_json::Value = "application/json"),
    )))
)]
pub async fn export(
    _: Read,
    query: web::Query<ExportQuery>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    export_as(query.into_inner(), &state).await
}

/// The document of an export, for whoever may read.
///
/// # Errors
/// 422 for an unknown format.
pub async fn export_as(query: ExportQuery, state: &AppState) -> Result<HttpResponse, Problem> {
    let mut checked = Checked::default();
    let word = checked.word("format", query.format, &["yaml", "json"]);
    checked.finish()?;
    let format = if word.as_deref() == Some("json") { Format::Json } else { Format::Yaml };
    let document = state.catalog.export().await?;
    let text = web::block(move || document.write(format)).await.map_err(Problem::internal)?;
    let text = text.map_err(Problem::internal)?;
    let (media_type, disposition) = match format {
        Format::Yaml => ("application/yaml", "attachment; filename=\"catalog.yaml\""),
        Format::Json => ("application/json", "attachment; filename=\"catalog.json\""),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CONTENT_DISPOSITION, disposition))
        .body(text))
}

/// The turn to import, or that another has it.
fn turn(catalog: &CatalogService) -> Result<OwnedMutexGuard<()>, Problem> {
    catalog.begin_import().ok_or_else(|| {
        let detail = "another import is running: try again when it has finished";
        Problem::unavailable(detail, "only one import is read at a time")
    })
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Wrong(faults) => wrong_fields(faults),
            other => Self::new(Kind::BadRequest, other.to_string()),
        }
    }
}
