//! `/api/v1/incidents`: what is wrong, what happened to it, and why each channel was told
//! or not.

use actix_web::web;
use serde::Deserialize;
use utoipa::IntoParams;

use super::query::{Checked, checked_id};
use crate::domain::severity::Severity;
use crate::store::log_incidents::{IncidentDetail, IncidentFilter, IncidentSummary};
use crate::web::auth::Read;
use crate::web::page::{Page, PageRequest};
use crate::web::problem::Problem;
use crate::web::state::AppState;

/// Cursors belong to this list.
pub const LIST: &str = "incidents";

/// What to list. Everything given must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct IncidentQuery {
    /// `open` or `resolved`.
    #[param(example = "open")]
    state: Option<String>,
    /// `critical`, `high`, `medium`, `low` or `info`.
    severity: Option<String>,
    /// The catalog entry's slug; empty for alerts that matched none.
    entry: Option<String>,
    /// The rule's name.
    alertname: Option<String>,
    /// Words, all of which must stand in the dedup key, the rule's name or the entry; the
    /// beginning of a word will do.
    q: Option<String>,
    /// How many items a page has: 1 to 500, default 50.
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl IncidentQuery {
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
    pub fn filter(self) -> Result<IncidentFilter, Problem> {
        let mut checked = Checked::default();
        let filter = IncidentFilter {
            state: checked.word("state", self.state, &["open", "resolved"]),
            severity: checked.word("severity", self.severity, &Severity::ALL.map(Severity::as_str)),
            entry: checked.text("entry", self.entry),
            alertname: checked.text("alertname", self.alertname),
            text: checked.text("q", self.q),
        };
        checked.finish().map(|()| filter)
    }
}

/// Incidents, newest first.
///
/// # Errors
/// 422 for wrong parameters, 400 for a foreign cursor.
#[utoipa::path(
    get, path = "/api/v1/incidents", tag = "incidents", operation_id = "listIncidents",
    params(IncidentQuery),
    responses((status = 200, description = "A page of incidents", body = Page<IncidentSummary>))
)]
pub async fn list(
    _: Read,
    query: web::Query<IncidentQuery>,
    state: web::Data<AppState>,
) -> Result<web::Json<Page<IncidentSummary>>, Problem> {
    let mut query = query.into_inner();
    let page = query.take_page()?;
    let slice = state.store.list_incidents(&query.filter()?, &page.into()).await?;
    Ok(web::Json(Page::from_slice(LIST, slice)))
}

/// One incident: its member alerts, its timeline, and why each channel was told or not.
///
/// # Errors
/// 404 for an unknown id.
#[utoipa::path(
    get, path = "/api/v1/incidents/{id}", tag = "incidents", operation_id = "getIncident",
    params(("id" = String, Path, description = "The incident's id")),
    responses((status = 200, description = "Everything about it", body = IncidentDetail))
)]
pub async fn get(
    _: Read,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<web::Json<IncidentDetail>, Problem> {
    let id = checked_id("incident", &id)?;
    let found = state.store.find_incident(id).await?;
    found.map(web::Json).ok_or_else(|| Problem::not_found("incident", id))
}
