//! `/api/v1/events`: every body ever received, as it came; and taking one in again.

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{Checked, checked_id};
use crate::intake::inbox::Accepted;
use crate::intake::{Verdict, alertmanager};
use crate::store::log::StoredJson;
use crate::store::log_events::{EventDetail, EventFilter, EventState, EventSummary};
use crate::web::auth::{Read, Write};
use crate::web::page::{Page, PageRequest};
use crate::web::problem::Problem;
use crate::web::state::AppState;
use crate::web::stored_bodies::{Held, HeldAnswer, hold};
use crate::web::webhooks::{KEPT_HEAD, Receipt, refusal};

/// Cursors belong to this list.
pub const LIST: &str = "events";

/// What to list. Everything given must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// `pending`, `processed`, `rejected` or `failed`.
    #[param(inline, value_type = Option<EventState>, example = "rejected")]
    state: Option<String>,
    /// Alertmanager's receiver; `(none)` for events without one.
    receiver: Option<String>,
    /// Received at this time (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-08-20T00:00:00Z")]
    since: Option<String>,
    /// Received at this time (RFC 3339) or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<String>,
    /// How many items a page has: 1 to 500, default 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl EventQuery {
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
    pub fn filter(self) -> Result<EventFilter, Problem> {
        let mut checked = Checked::default();
        let filter = EventFilter {
            state: checked.word("state", self.state, &EventState::ALL.map(EventState::as_str)),
            receiver: checked.value("receiver", self.receiver),
            since: checked.time("since", self.since),
            until: checked.time("until", self.until),
        };
        checked.finish().map(|()| filter)
    }
}

/// An event with its body.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDocument {
    /// What a list shows.
    #[serde(flatten)]
    summary: EventSummary,
    /// The alerts that were unusable and why, then notes on what stands in for something unreadable
    /// in alerts that were taken: `index`, `verdict` (`rejected` or `noted`), `reason`, `head`.
    #[schema(value_type = Vec<Verdict>)]
    verdicts: StoredJson,
    /// The body as it came, byte for byte; of a rejected event its first 64 KiB.
    body: String,
    /// `utf-8`, or `base64` when the body is no text.
    body_encoding: &'static str,
}

impl From<EventDetail> for EventDocument {
    fn from(event: EventDetail) -> Self {
        let (body, body_encoding) = match String::from_utf8(event.body) {
            Ok(text) => (text, "utf-8"),
            Err(error) => (BASE64_STANDARD.encode(error.into_bytes()), "base64"),
        };
        Self { summary: event.summary, verdicts: event.verdicts, body, body_encoding }
    }
}

/// Events, newest first.
///
/// # Errors
/// 422 for wrong parameters, 400 for a foreign cursor.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events", operation_id = "list_events",
    params(EventQuery),
    responses((status = 200, description = "A page of events", body = Page<EventSummary>))
)]
pub async fn list(
    _: Read,
    query: web::Query<EventQuery>,
    state: web::Data<AppState>,
) -> Result<web::Json<Page<EventSummary>>, Problem> {
    let mut query = query.into_inner();
    let page = query.take_page()?;
    let slice = state.store.list_events(&query.filter()?, &page.into()).await?;
    Ok(web::Json(Page::from_slice(LIST, slice)))
}

/// One event: the raw body and the verdict on each alert that was unusable.
///
/// # Errors
/// 404 for an unknown id.
#[utoipa::path(
    get, path = "/api/v1/events/{id}", tag = "events", operation_id = "get_event",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 200, description = "The event as received", body = EventDocument))
)]
pub async fn get(
    _: Read,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let (event, held) = read_one(&state, &id).await?;
    // A body may have megabytes.
    let write = || serde_json::to_vec(&EventDocument::from(event));
    let json = web::block(write).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(HeldAnswer::new(json, held)))
}

/// Takes the event's body in again, as a new event of the same source that names this one.
///
/// # Errors
/// 404 for an unknown id, 409 when the body was not kept whole or none of its alerts can be used,
/// 422 when it is still no alert body.
#[utoipa::path(
    post, path = "/api/v1/events/{id}/replay", tag = "events", operation_id = "replay_event",
    params(("id" = String, Path, description = "The event's id")),
    responses((status = 202, description = "Stored as a new event", body = Receipt))
)]
pub async fn replay(
    who: Write,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let (accepted, warning) = take_in_again(&state, &who.0.name, &id).await?;
    Ok(HttpResponse::Accepted().json(Receipt::from(accepted).with_warning(warning)))
}

/// Takes the body of an event in again for whoever asks. Answers also why that may not help.
///
/// # Errors
/// As [`replay`].
pub async fn take_in_again(
    state: &AppState,
    actor: &str,
    id: &str,
) -> Result<(Accepted, Option<String>), Problem> {
    let (event, _held) = read_one(state, id).await?;
    if !is_whole(&event) {
        return Err(Problem::conflict("only the head of this rejected body was kept: it cannot be replayed"));
    }
    let told = alertmanager::weigh(&event.body, state.clock.now());
    if told.is_ok_and(|told| told.taken() == 0) {
        let detail = "none of its alerts can be used, and its verdicts say why: a replay cannot help; have the \
                      sender send them right";
        return Err(Problem::conflict(detail));
    }
    let warning = replay_warning(&event.summary);
    let accepted = state.inbox.replay(Bytes::from(event.body), actor, &event.summary).await;
    accepted.map(|accepted| (accepted, warning)).map_err(refusal)
}

/// Why a replay of this event may not help; `None` when nothing says so.
pub fn replay_warning(event: &EventSummary) -> Option<String> {
    if event.state != "failed" {
        return None;
    }
    let before = if event.replay_of.is_some() { "it is a replay that failed too; " } else { "" };
    Some(format!("{before}a replay fails again until the cause is fixed: {}", event.reason))
}

/// Whether its body was kept whole. Of a rejected one only the head is.
pub fn is_whole(event: &EventDetail) -> bool {
    event.summary.state != "rejected" || event.body.len() < KEPT_HEAD
}

/// One event with its body, and the room that it takes.
///
/// # Errors
/// 404 for an unknown id, 503 when others need all the room.
pub async fn read_one(state: &AppState, id: &str) -> Result<(EventDetail, Held), Problem> {
    let id = checked_id("event", id)?;
    let not_found = || Problem::not_found("event", id);
    let held = hold(state.store.event_size(id).await?.ok_or_else(not_found)?).await?;
    let event = state.store.find_event(id).await?.ok_or_else(not_found)?;
    Ok((event, held))
}
