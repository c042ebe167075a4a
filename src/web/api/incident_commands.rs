//! What people do with an incident over the API.

use actix_web::web;
use serde::Deserialize;
use utoipa::ToSchema;

use super::incidents::IncidentDocument;
use super::query::checked_id;
use crate::catalog::faults::FieldError;
use crate::triage::commands::{Command, CommandError};
use crate::web::auth::Write;
use crate::web::optional_json::OptionalJson;
use crate::web::problem::Problem;
use crate::web::state::AppState;

/// How much of a comment is taken, in characters.
const MAX_COMMENT: usize = 4_096;

/// Ends an incident.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResolveRequest {
    /// Why, for the timeline; at most 4,096 characters.
    #[schema(example = "rolled back to v41", max_length = 4096)]
    comment: Option<String>,
}

/// Resolves an incident, whatever its alerts say. The channels that were notified hear of the end.
/// An alert of it that fires later opens it again, or, after the cooldown, a new incident.
///
/// # Errors
/// 404 for an unknown id, 409 when it is resolved already, 422 when the comment is too long.
#[utoipa::path(
    post, path = "/api/v1/incidents/{id}/resolve", tag = "incidents", operation_id = "resolve_incident",
    params(("id" = String, Path, description = "The incident's id")),
    request_body = Option<ResolveRequest>,
    responses((status = 200, description = "The incident as it is now", body = IncidentDocument))
)]
pub async fn resolve(
    who: Write,
    id: web::Path<String>,
    OptionalJson(request): OptionalJson<ResolveRequest>,
    state: web::Data<AppState>,
) -> Result<web::Json<IncidentDocument>, Problem> {
    resolve_as(&state, &who.0.name, &id, request.comment).await?;
    IncidentDocument::read(&state, &id).await.map(web::Json)
}

/// Resolves an incident for whoever asks.
///
/// # Errors
/// As [`resolve`].
pub async fn resolve_as(
    state: &AppState,
    actor: &str,
    id: &str,
    comment: Option<String>,
) -> Result<(), Problem> {
    let id = checked_id("incident", id)?;
    let comment = comment.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if comment.as_ref().is_some_and(|text| text.chars().count() > MAX_COMMENT) {
        let message = format!("at most {MAX_COMMENT} characters");
        return Err(Problem::validation(vec![FieldError::new("comment", message)]));
    }
    let command = Command::Resolve { comment };
    state.triage.execute(id, &command, actor).await.map_err(|error| match error {
        CommandError::NotFound => Problem::not_found("incident", id),
        CommandError::AlreadyResolved => Problem::conflict("the incident is resolved already"),
        CommandError::Panicked => Problem::internal(error),
        CommandError::Store(error) => error.into(),
    })
}
