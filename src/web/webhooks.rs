//! `POST /webhooks/alertmanager`: reads a body within its limits and hands it to the
//! inbox.
//!
//! Promises: 200 only once the body is safely stored; a 4xx only for what can never be
//! accepted, since Alertmanager does not repeat it; 503 for everything that waiting may
//! help; never 429 and never a redirect (Go's client follows one as a GET without a body).
//! Answers are short: Alertmanager copies them into its log.

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Ingest;
use super::body::{is_crowded, is_late};
use super::problem::{Kind, Problem};
use super::state::AppState;
use super::webhook_body::WebhookBody;
use crate::intake::alertmanager::Refusal;
use crate::intake::inbox::{Accepted, IntakeError};

/// How much of a refused body is kept, in bytes.
pub const KEPT_HEAD: usize = 64 * 1024;

/// What becomes of a body.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "event_id": "01990c1e-7c53-7d1c-8000-000000000000", "status": "accepted", "alerts": 3, "rejected": 0
}))]
pub struct Receipt {
    /// The event in the log; for a duplicate the one that came first.
    event_id: String,
    /// `accepted`, or `duplicate` when a twin had delivered the same shortly before.
    status: &'static str,
    /// How many alerts were taken.
    alerts: usize,
    /// How many alerts were unusable; the event's `verdicts` say why.
    rejected: usize,
    /// Why this may change nothing; only of a body taken in again by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl Receipt {
    /// With a reason why this may change nothing.
    pub fn with_warning(self, warning: Option<String>) -> Self {
        Self { warning, ..self }
    }
}

impl From<Accepted> for Receipt {
    fn from(accepted: Accepted) -> Self {
        Self {
            event_id: accepted.event_id,
            status: if accepted.duplicate { "duplicate" } else { "accepted" },
            alerts: accepted.alerts,
            rejected: accepted.rejected,
            warning: None,
        }
    }
}

/// Takes an Alertmanager webhook body (version 4, with whatever real senders do to it).
/// The answer 200 means that it is safely stored.
///
/// # Errors
/// 400 for what is not JSON, 422 for JSON that is no alert body or of which no alert can be
/// used, 413 beyond the limit, 415
/// for a compressed body, 503 when it cannot be stored now.
#[utoipa::path(
    post, path = "/webhooks/alertmanager", tag = "webhooks", operation_id = "post_alertmanager",
    request_body(content = WebhookBody, content_type = "application/json",
        description = "The body Alertmanager's webhook_config sends",
        example = json!({
            "version": "4", "groupKey": "{}:{alertname=\"ModelLatencyHigh\"}", "truncatedAlerts": 0,
            "status": "firing", "receiver": "modelpager", "externalURL": "http://alertmanager:9093",
            "groupLabels": {"alertname": "ModelLatencyHigh"}, "commonLabels": {}, "commonAnnotations": {},
            "alerts": [{
                "status": "firing",
                "labels": {"alertname": "ModelLatencyHigh", "model": "fraud-detector", "severity": "critical"},
                "annotations": {"summary": "p99 latency is 2.4 s"},
                "startsAt": "2026-08-20T10:00:03.125Z", "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus:9090/graph", "fingerprint": "3fff2c2d7595e046"
            }]
        })),
    responses((status = 200, description = "Stored", body = Receipt))
)]
pub async fn alertmanager(
    who: Ingest,
    req: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> Result<web::Json<Receipt>, Problem> {
    let limit = state.live.load().config.server.max_body_bytes;
    let read = read_body(payload, limit).await.map_err(|error| {
        if is_crowded(&error) {
            state.inbox.count_turned_away();
        }
        unreadable(&error)
    })?;
    let refused = match &read {
        Read::TooLarge(_) => Some(Problem::payload_too_large(limit)),
        Read::Whole(_) => encoding_problem(&req),
    };
    let body = read.into_bytes();
    if let Some(problem) = refused {
        let head = &body[..body.len().min(KEPT_HEAD)];
        if let Err(error) = state.inbox.keep_refused(head, &who.0.name, &problem.to_string()).await {
            tracing::warn!(%error, "the head of a refused body could not be kept");
        }
        return Err(problem);
    }
    let accepted = state.inbox.accept(body, &who.0.name).await.map_err(refusal)?;
    Ok(web::Json(accepted.into()))
}

/// How the inbox's refusals are told.
pub fn refusal(error: IntakeError) -> Problem {
    match error {
        IntakeError::Refused(Refusal::NotJson { .. }) => Problem::bad_request(error.to_string()),
        IntakeError::Refused(Refusal::NotAlertBody { .. } | Refusal::NothingUsable { .. }) => {
            Problem::new(Kind::Validation, error.to_string())
        }
        IntakeError::Unavailable => {
            Problem::unavailable("the alert could not be stored: send it again later", error)
        }
    }
}

/// Senders do not compress, and what is compressed could be a bomb.
fn encoding_problem(req: &HttpRequest) -> Option<Problem> {
    let encoding = req.headers().get(CONTENT_ENCODING)?.to_str().unwrap_or("?").trim();
    let is_plain = encoding.is_empty() || encoding.eq_ignore_ascii_case("identity");
    (!is_plain).then(|| {
        let encoding: String = encoding.chars().take(40).collect();
        Problem::new(
            Kind::UnsupportedMediaType,
            format!("Content-Encoding {encoding:?} is not supported: send the body uncompressed (identity)"),
        )
    })
}

/// A body as far as it was kept.
enum Read {
    Whole(Bytes),
    /// Its head.
    TooLarge(Bytes),
}

impl Read {
    fn into_bytes(self) -> Bytes {
        match self {
            Self::Whole(bytes) | Self::TooLarge(bytes) => bytes,
        }
    }
}

async fn read_body(mut payload: web::Payload, limit: usize) -> Result<Read, PayloadError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > limit {
            let room = KEPT_HEAD.saturating_sub(body.len()).min(chunk.len());
            body.extend_from_slice(&chunk[..room]);
            return Ok(Read::TooLarge(body.freeze()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Read::Whole(body.freeze()))
}

fn unreadable(error: &PayloadError) -> Problem {
    if is_late(error) {
        // Slowness may pass, and a 408 would make Alertmanager drop the message.
        return Problem::new(Kind::Unavailable, "the body did not arrive within the server's client_timeout");
    }
    Problem::from(error)
}
