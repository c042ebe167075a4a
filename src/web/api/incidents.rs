//! `/api/v1/incidents`: what is wrong, what happened to it, and what each channel was sent
//! or not.

use actix_web::web;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{Checked, checked_id};
use crate::catalog::Catalog;
use crate::domain::incident::IncidentState;
use crate::domain::severity::Severity;
use crate::render::context::summary_and_value;
use crate::store::log_incidents::{
    ChannelWhy, IncidentDetail, IncidentFilter, IncidentSummary, MemberRecord, TimelineRecord,
};
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
    #[param(inline, value_type = Option<IncidentState>, example = "open")]
    state: Option<String>,
    /// `critical`, `high`, `medium`, `low` or `info`.
    #[param(inline, value_type = Option<Severity>)]
    severity: Option<String>,
    /// The catalog entry's slug; `(none)` for alerts that matched none.
    entry: Option<String>,
    /// The rule's name; `(none)` for alerts without one.
    alertname: Option<String>,
    /// Words, all of which must stand in the dedup key, the rule's name or the entry; the
    /// beginning of a word will do.
    q: Option<String>,
    /// How many items a page has: 1 to 500, default 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
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
            state: checked.word("state", self.state, &IncidentState::ALL.map(IncidentState::as_str)),
            severity: checked.word("severity", self.severity, &Severity::ALL.map(Severity::as_str)),
            entry: checked.value("entry", self.entry),
            alertname: checked.value("alertname", self.alertname),
            text: checked.text("q", self.q),
        };
        checked.finish().map(|()| filter)
    }
}

/// An incident as a list shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentItem {
    /// What is stored of it.
    #[serde(flatten)]
    incident: IncidentSummary,
    /// What its most severe firing alert says, in a line; may be empty.
    #[schema(example = "p99 latency is 2.4 s")]
    summary: String,
    /// The value that this alert tells; may be empty.
    #[schema(example = "2.4 s")]
    value: String,
    /// Who answers for the catalog entry now; may be empty.
    #[schema(example = "ada@example.org")]
    owner: String,
}

/// An incident with everything about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentDocument {
    /// What a list shows.
    #[serde(flatten)]
    item: IncidentItem,
    /// Its alerts, firing ones first; at most 500.
    members: Vec<MemberRecord>,
    /// What happened, oldest first; at most the newest 1,000.
    timeline: Vec<TimelineRecord>,
    /// The last notification decision of each channel.
    channels: Vec<ChannelWhy>,
}

impl IncidentItem {
    fn of(incident: IncidentSummary, catalog: &Catalog) -> Self {
        let (summary, value) = summary_and_value(&incident.lead_annotations());
        let entry = catalog.find_by_name(&incident.entry);
        let owner = entry.map(|record| record.entry.owner.clone()).unwrap_or_default();
        Self { incident, summary, value, owner }
    }
}

impl IncidentDocument {
    /// The incident as it is now.
    ///
    /// # Errors
    /// 404 for an unknown id.
    pub async fn read(state: &AppState, id: &str) -> Result<Self, Problem> {
        let id = checked_id("incident", id)?;
        let found = state.store.find_incident(id).await?;
        let found = found.ok_or_else(|| Problem::not_found("incident", id))?;
        Ok(Self::of(found, state.catalog.catalog()))
    }

    fn of(detail: IncidentDetail, catalog: &Catalog) -> Self {
        let IncidentDetail { summary, members, timeline, channels } = detail;
        Self { item: IncidentItem::of(summary, catalog), members, timeline, channels }
    }
}

/// Incidents, newest first.
///
/// # Errors
/// 422 for wrong parameters, 400 for a foreign cursor.
#[utoipa::path(
    get, path = "/api/v1/incidents", tag = "incidents", operation_id = "list_incidents",
    params(IncidentQuery),
    responses((status = 200, description = "A page of incidents", body = Page<IncidentItem>))
)]
pub async fn list(
    _: Read,
    query: web::Query<IncidentQuery>,
    state: web::Data<AppState>,
) -> Result<web::Json<Page<IncidentItem>>, Problem> {
    let mut query = query.into_inner();
    let page = query.take_page()?;
    let slice = state.store.list_incidents(&query.filter()?, &page.into()).await?;
    let page = Page::from_slice(LIST, slice);
    let catalog = state.catalog.catalog();
    let items = page.items.into_iter().map(|incident| IncidentItem::of(incident, catalog)).collect();
    Ok(web::Json(Page { items, next_cursor: page.next_cursor }))
}

/// One incident: its alerts, its timeline, and the last notification decision of each channel.
///
/// # Errors
/// 404 for an unknown id.
#[utoipa::path(
    get, path = "/api/v1/incidents/{id}", tag = "incidents", operation_id = "get_incident",
    params(("id" = String, Path, description = "The incident's id")),
    responses((status = 200, description = "Everything about it", body = IncidentDocument))
)]
pub async fn get(
    _: Read,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<web::Json<IncidentDocument>, Problem> {
    IncidentDocument::read(&state, &id).await.map(web::Json)
}
