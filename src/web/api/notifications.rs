//! `/api/v1/notifications`: the delivery log. What was sent to whom, why, with what
//! result; and telling it again.

use std::collections::VecDeque;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::format::{Format, csv_line};
use super::query::{Checked, checked_id};
use crate::domain::notification::NotificationState;
use crate::domain::severity::Severity;
use crate::store::log::PageKey;
use crate::store::log_notifications::{NotificationDetail, NotificationFilter, NotificationSummary};
use crate::store::outbox_hand::{Redeliver, Redelivery};
use crate::store::{Store, StoreError};
use crate::web::auth::{Read, Write};
use crate::web::page::{MAX_LIMIT, Page, PageRequest};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;

/// Cursors belong to this list.
pub const LIST: &str = "notifications";

/// What to list. Everything given must hold.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct NotificationQuery {
    /// `pending`, `sending`, `delivered`, `failed`, `superseded` or `cancelled`.
    #[param(inline, value_type = Option<NotificationState>, example = "failed")]
    state: Option<String>,
    /// The channel's name.
    channel: Option<String>,
    /// `critical`, `high`, `medium`, `low` or `info`.
    #[param(inline, value_type = Option<Severity>)]
    severity: Option<String>,
    /// The catalog entry's slug; `(none)` for alerts that matched none.
    entry: Option<String>,
    /// The rule's name; `(none)` for alerts without one.
    alertname: Option<String>,
    /// The incident's dedup key.
    dedup_key: Option<String>,
    /// The incident's id.
    incident: Option<String>,
    /// Decided at this time (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-08-20T00:00:00Z")]
    since: Option<String>,
    /// Decided at this time (RFC 3339) or earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<String>,
    /// Words, all of which must stand in the dedup key, the rule's name, the entry, the
    /// channel, the reason or the rendered message; the beginning of a word will do.
    #[serde(alias = "text")]
    q: Option<String>,
    /// `json` (default), `ndjson` or `csv`; goes before the header `Accept`.
    #[param(inline, value_type = Option<Format>)]
    format: Option<String>,
    /// How many items a page has: 1 to 500, default 50; NDJSON and CSV have no pages.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl NotificationQuery {
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
    pub fn filter(self) -> Result<NotificationFilter, Problem> {
        let mut checked = Checked::default();
        let filter = NotificationFilter {
            state: checked.word("state", self.state, &NotificationState::ALL.map(NotificationState::as_str)),
            severity: checked.word("severity", self.severity, &Severity::ALL.map(Severity::as_str)),
            channel: checked.text("channel", self.channel),
            entry: checked.value("entry", self.entry),
            alertname: checked.value("alertname", self.alertname),
            dedup_key: checked.text("dedup_key", self.dedup_key),
            incident: checked.text("incident", self.incident),
            since: checked.time("since", self.since),
            until: checked.time("until", self.until),
            text: checked.text("q", self.q),
        };
        checked.finish().map(|()| filter)
    }
}

/// The delivery log, newest first, as a page of JSON, or whole as NDJSON or CSV.
///
/// # Errors
/// 422 for wrong parameters, 400 for a foreign cursor.
#[utoipa::path(
    get, path = "/api/v1/notifications", tag = "notifications", operation_id = "list_notifications",
    params(NotificationQuery),
    responses((status = 200, description = "The matching notifications", content(
        (Page<NotificationSummary> = "application/json"),
        (String = "application/x-ndjson"),
        (String = "text/csv"),
    )))
)]
pub async fn list(
    _: Read,
    query: web::Query<NotificationQuery>,
    req: HttpRequest,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let mut query = query.into_inner();
    let format = Format::asked_for(&req, query.format.take().as_deref())?;
    let page = query.take_page()?;
    let filter = query.filter()?;
    if format != Format::Json {
        return Ok(export(state.store.clone(), filter, page.after, format));
    }
    let slice = state.store.list_notifications(&filter, &page.into()).await?;
    Ok(HttpResponse::Ok().json(Page::from_slice(LIST, slice)))
}

/// One notification: the rendered text, its incidents, the decisions that led to it, and
/// every attempt.
///
/// # Errors
/// 404 for an unknown id.
#[utoipa::path(
    get, path = "/api/v1/notifications/{id}", tag = "notifications", operation_id = "get_notification",
    params(("id" = String, Path, description = "The notification's id")),
    responses((status = 200, description = "Everything about it", body = NotificationDetail))
)]
pub async fn get(
    _: Read,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<web::Json<NotificationDetail>, Problem> {
    let id = checked_id("notification", &id)?;
    let found = state.store.find_notification(id).await?;
    found.map(web::Json).ok_or_else(|| Problem::not_found("notification", id))
}

/// What follows from a redelivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01990c1e-7c53-7d1c-8000-1c6b1d3f9a10", "channel": "ml-alerts", "state": "pending", "series": 2
}))]
pub struct Redelivered {
    /// The notification; it keeps its id, so that providers can tell it is the same.
    id: String,
    /// Its channel.
    channel: String,
    /// `pending`: it waits for its channel.
    state: &'static str,
    /// The number of the new series of attempts.
    series: i64,
}

/// Sends a finished notification again, whatever its end was. It keeps its id and gets a
/// new series of attempts; the incident's timeline and the audit log say who wanted it.
///
/// # Errors
/// 404 for an unknown id, 409 while it is still being delivered.
#[utoipa::path(
    post, path = "/api/v1/notifications/{id}/redeliver", tag = "notifications",
    operation_id = "redeliver_notification",
    params(("id" = String, Path, description = "The notification's id")),
    responses((status = 202, description = "Queued again for its channel", body = Redelivered))
)]
pub async fn redeliver(
    who: Write,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Accepted().json(send_again(&state, &who.0.name, &id).await?))
}

/// Queues a finished notification anew, for `actor`.
///
/// # Errors
/// 404 for an unknown id; 409 while it is still being delivered, or when nothing would send it.
pub async fn send_again(state: &AppState, actor: &str, id: &str) -> Result<Redelivered, Problem> {
    let id = checked_id("notification", id)?;
    let found =
        state.store.find_notification(id).await?.ok_or_else(|| Problem::not_found("notification", id))?;
    let channel = found.summary.channel;
    if state.dispatcher.plan().channel(&channel).is_none() {
        let detail = format!("its channel {channel:?} is not configured or is disabled");
        return Err(Problem::conflict(detail));
    }
    let now = state.clock.now();
    let expires_at = now.plus(state.live.load().config.delivery.max_age.0);
    let wish = Redeliver { id, actor, now, expires_at };
    match state.store.redeliver_notification(&wish, &state.ids).await? {
        Redelivery::Queued { channel, series } => {
            state.dispatcher.wake([channel.as_str()]);
            Ok(Redelivered { id: id.to_owned(), channel, state: "pending", series })
        }
        Redelivery::Unfinished => {
            Err(Problem::conflict("it is still being delivered: try again when it has finished"))
        }
        Redelivery::NotFound => Err(Problem::not_found("notification", id)),
    }
}

/// Where an export stands.
struct Export {
    store: Store,
    filter: NotificationFilter,
    format: Format,
    /// Parts read but not yet sent.
    ready: VecDeque<Bytes>,
    /// Where to read on; `None` at the end.
    next: Option<PageKey>,
}

/// Everything that `filter` asks for, line by line, as a file to keep.
pub fn export(
    store: Store,
    filter: NotificationFilter,
    after: Option<String>,
    format: Format,
) -> HttpResponse {
    let mut ready = VecDeque::new();
    if format == Format::Csv {
        ready.push_back(Bytes::from(csv_line(CSV_HEADER)));
    }
    let next = Some(PageKey { limit: MAX_LIMIT, before: after });
    let export = Export { store, filter, format, ready, next };
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, format.media_type()));
    if format == Format::Csv {
        response.insert_header((CONTENT_DISPOSITION, "attachment; filename=\"notifications.csv\""));
    }
    response.streaming(export.into_stream())
}

impl Export {
    /// Page after page, each read only once the one before is on its way: no more than one
    /// is in memory, however slow the reader, and nothing of the database is held meanwhile.
    /// An error ends the answer in the middle, which a client sees as an incomplete transfer.
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, Problem>> {
        stream::try_unfold(self, |mut export| async move {
            loop {
                if let Some(part) = export.ready.pop_front() {
                    return Ok(Some((part, export)));
                }
                let Some(page) = export.next.take() else { return Ok(None) };
                export.read(&page).await.map_err(|error| {
                    tracing::error!(%error, "an export of notifications ended early");
                    Problem::new(Kind::Unavailable, "the database does not answer")
                })?;
            }
        })
    }

    async fn read(&mut self, page: &PageKey) -> Result<(), StoreError> {
        let slice = self.store.list_notifications(&self.filter, page).await?;
        let text: String = slice.items.iter().map(|row| line_of(row, self.format)).collect();
        if !text.is_empty() {
            self.ready.push_back(Bytes::from(text));
        }
        self.next = slice.next.map(|before| PageKey { limit: MAX_LIMIT, before: Some(before) });
        Ok(())
    }
}

const CSV_HEADER: [&str; 17] = [
    "id",
    "created_at",
    "channel",
    "kind",
    "state",
    "severity",
    "entry",
    "alertname",
    "dedup_key",
    "title",
    "received_at",
    "finished_at",
    "attempt_count",
    "series",
    "reason",
    "maybe_sent_twice",
    "incident_id",
];

fn line_of(row: &NotificationSummary, format: Format) -> String {
    if format == Format::Ndjson {
        let mut line = serde_json::to_string(row).unwrap_or_default();
        line.push('\n');
        return line;
    }
    let moment = |at: Option<crate::store::log::Moment>| at.map(|at| at.to_string()).unwrap_or_default();
    let cells: [&str; 17] = [
        &row.id,
        &row.created_at.to_string(),
        &row.channel,
        &row.kind,
        &row.state,
        &row.severity,
        &row.entry,
        &row.alertname,
        &row.dedup_key,
        &row.headline().unwrap_or_default(),
        &moment(row.received_at),
        &moment(row.finished_at),
        &row.attempt_count.to_string(),
        &row.series.to_string(),
        &row.reason,
        if row.maybe_sent_twice { "true" } else { "false" },
        row.incident_id.as_deref().unwrap_or_default(),
    ];
    csv_line(cells)
}
