//! Errors as HTTP tells them: problem+json (RFC 9457) with a stable `type` for programs
//! and words for people.
//!
//! Promises: one table gives each kind its `type`, status and title; an answer of 5xx
//! tells nothing of the inside, which goes to the log instead; every wrong field is named
//! at once.

use std::error::Error as StdError;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError, UrlencodedError};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use super::base_path::BasePath;
use super::body::{is_crowded, is_late};
use crate::catalog::document::json_fault;
use crate::catalog::faults::FieldError;
use crate::store::StoreError;

/// The media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// How long a sender is asked to wait when the store cannot serve, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The kinds of problem there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood.
    BadRequest,
    /// No or no known token.
    Unauthorized,
    /// The token may not do this.
    Forbidden,
    /// Not found.
    NotFound,
    /// There is such a thing, but not with this method.
    MethodNotAllowed,
    /// None of the media types asked for can be given.
    NotAcceptable,
    /// The client took too long to send its request.
    RequestTimeout,
    /// It contradicts what is there.
    Conflict,
    /// Somebody else changed it in between (`If-Match`).
    PreconditionFailed,
    /// The body is too great.
    PayloadTooLarge,
    /// The body is in an encoding or of a type that is not taken.
    UnsupportedMediaType,
    /// Understood, but wrong; `errors` says where.
    Validation,
    /// The change needs `If-Match`.
    PreconditionRequired,
    /// A defect.
    Internal,
    /// Something this depends on does not answer properly.
    BadGateway,
    /// Cannot serve now; waiting helps.
    Unavailable,
}

impl Kind {
    /// Every kind, by status.
    pub const ALL: [Self; 16] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Validation,
        Self::PreconditionRequired,
        Self::Internal,
        Self::BadGateway,
        Self::Unavailable,
    ];

    /// The last segment of `type`, the status, and the title: the one table.
    pub const fn facts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::BadRequest => ("bad-request", StatusCode::BAD_REQUEST, "Malformed request"),
            Self::Unauthorized => ("unauthorized", StatusCode::UNAUTHORIZED, "Authentication required"),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "Insufficient scope"),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "Not found"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
            }
            Self::NotAcceptable => ("not-acceptable", StatusCode::NOT_ACCEPTABLE, "Not acceptable"),
            Self::RequestTimeout => ("request-timeout", StatusCode::REQUEST_TIMEOUT, "Request timeout"),
            Self::Conflict => ("conflict", StatusCode::CONFLICT, "Conflict"),
            Self::PreconditionFailed => {
                ("precondition-failed", StatusCode::PRECONDITION_FAILED, "Revision does not match")
            }
            Self::PayloadTooLarge => ("payload-too-large", StatusCode::PAYLOAD_TOO_LARGE, "Body too large"),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")
            }
            Self::Validation => ("validation", StatusCode::UNPROCESSABLE_ENTITY, "Invalid request"),
            Self::PreconditionRequired => {
                ("precondition-required", StatusCode::PRECONDITION_REQUIRED, "Revision required")
            }
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
            Self::BadGateway => ("bad-gateway", StatusCode::BAD_GATEWAY, "Bad gateway"),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "Service unavailable"),
        }
    }

    /// The kind that best fits a status set by the HTTP library itself.
    pub fn from_status(status: StatusCode) -> Self {
        let fallback = if status.is_server_error() { Self::Internal } else { Self::BadRequest };
        Self::ALL.into_iter().find(|kind| kind.facts().1 == status).unwrap_or(fallback)
    }
}

/// The body of every error answer (RFC 9457).
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "type": "/problems/not-found",
    "title": "Not found",
    "status": 404,
    "detail": "there is no notification \"0190\"",
    "request_id": "01990c1e-7c53-7d1c-8000-000000000000"
}))]
pub struct ProblemBody {
    /// What sort of problem it is: stable, and a page that explains it.
    #[serde(rename = "type")]
    pub type_: String,
    /// The same in words; the same for every problem of the type.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// The wrong fields: all of them, of an imported document the first 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// How many more were left out of `errors`.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub errors_omitted: usize,
    /// To be quoted when asking for help: it stands in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the serializer hands in a reference")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// An error on its way to the client.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    errors: Vec<FieldError>,
    errors_omitted: usize,
    allow: Option<String>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Problem {
    /// A problem of that kind; `detail` says what is wrong this time and is shown.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), errors_omitted: 0, allow: None, cause: None }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    /// 422: understood, but wrong in these places.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.field, one.message),
            many => format!("{} fields are wrong", many.len()),
        };
        Self { errors, ..Self::new(Kind::Validation, detail) }
    }

    /// So many more fields are wrong than are listed.
    #[must_use]
    pub fn omitting(mut self, count: usize) -> Self {
        if count > 0 {
            let listed = self.errors.len();
            self.detail = format!("{} fields are wrong; the first {listed} are listed", listed + count);
        }
        Self { errors_omitted: count, ..self }
    }

    /// 404: `what` (such as `notification`) has no such id.
    pub fn not_found(what: &str, id: &str) -> Self {
        let id: String = id.chars().take(120).collect();
        Self::new(Kind::NotFound, format!("there is no {what} {id:?}"))
    }

    /// 405: only the methods in `allow` (as the header has them) are.
    pub fn method_not_allowed(allow: String, detail: impl Into<String>) -> Self {
        Self { allow: Some(allow), ..Self::new(Kind::MethodNotAllowed, detail) }
    }

    /// 409: it contradicts what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    /// 413: the body has more than `limit` bytes.
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(Kind::PayloadTooLarge, format!("the body is larger than {limit} bytes"))
    }

    /// 500: a defect; `cause` goes to the log, not to the client.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let detail = "internal error: find the details in the server log by this request id";
        Self { cause: Some(cause.into()), ..Self::new(Kind::Internal, detail) }
    }

    /// 503 with `Retry-After`; `cause` goes to the log, not to the client.
    pub fn unavailable(detail: impl Into<String>, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Kind::Unavailable, detail) }
    }

    /// What sort of problem this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The wrong fields.
    pub fn fields(&self) -> &[FieldError] {
        &self.errors
    }

    /// How many more fields are wrong.
    pub fn omitted_fields(&self) -> usize {
        self.errors_omitted
    }

    /// What lies behind it, outermost first; for the log alone.
    pub fn causes(&self) -> Option<String> {
        let mut next = self.cause.as_deref().map(|cause| cause as &dyn StdError);
        let mut chain = Vec::new();
        while let Some(cause) = next {
            chain.push(cause.to_string());
            next = cause.source();
        }
        (!chain.is_empty()).then(|| chain.join(": "))
    }

    /// The answer. With the id of the request, so that it can be found in the log.
    pub fn respond(&self, request_id: Option<String>, base_path: &BasePath) -> HttpResponse {
        let (name, status, title) = self.kind.facts();
        let body = ProblemBody {
            type_: format!("{}/problems/{name}", base_path.as_str()),
            title,
            status: status.as_u16(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            errors_omitted: self.errors_omitted,
            request_id,
        };
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_TYPE, PROBLEM_JSON));
        if let Some(allow) = &self.allow {
            response.insert_header((ALLOW, allow.as_str()));
        }
        match self.kind {
            Kind::Unauthorized => {
                response.append_header((WWW_AUTHENTICATE, "Bearer realm=\"modelpager\""));
                response.append_header((WWW_AUTHENTICATE, "Basic realm=\"modelpager\", charset=\"UTF-8\""));
            }
            Kind::Unavailable => {
                response.insert_header((RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS)));
            }
            _ => {}
        }
        // Alertmanager copies the whole body into its log: one line, no white space.
        response.body(serde_json::to_string(&body).unwrap_or_default())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl StdError for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.facts().1
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.respond(None, &BasePath::default())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::conflict(error.to_string()),
            _ if error.is_unavailable() => {
                Self::unavailable("the database is unavailable: try again later", error)
            }
            _ => Self::internal(error),
        }
    }
}

impl From<&JsonPayloadError> for Problem {
    fn from(error: &JsonPayloadError) -> Self {
        match error {
            JsonPayloadError::OverflowKnownLength { limit, .. } | JsonPayloadError::Overflow { limit } => {
                Self::payload_too_large(*limit)
            }
            JsonPayloadError::ContentType => Self::new(
                Kind::UnsupportedMediaType,
                "the body must be JSON, with Content-Type: application/json",
            ),
            JsonPayloadError::Deserialize(cause) if cause.is_data() => {
                Self::new(Kind::Validation, format!("the body is invalid: {cause}"))
            }
            JsonPayloadError::Deserialize(cause) => {
                Self::bad_request(format!("the body is not JSON: {}", json_fault(cause)))
            }
            JsonPayloadError::Payload(cause) => Self::from(cause),
            other => Self::bad_request(other.to_string()),
        }
    }
}

impl From<&PayloadError> for Problem {
    fn from(error: &PayloadError) -> Self {
        match error {
            PayloadError::Overflow => Self::new(Kind::PayloadTooLarge, "the body is too large"),
            late if is_late(late) => {
                Self::new(Kind::RequestTimeout, "the body did not arrive within the server's client_timeout")
            }
            crowded if is_crowded(crowded) => Self::new(
                Kind::Unavailable,
                "the server is reading too many large bodies at once: send it again later",
            ),
            other => Self::bad_request(format!("the body could not be read: {other}")),
        }
    }
}

impl From<&QueryPayloadError> for Problem {
    fn from(error: &QueryPayloadError) -> Self {
        match error {
            QueryPayloadError::Deserialize(cause) => {
                Self::new(Kind::Validation, format!("the query parameters are invalid: {cause}"))
            }
            other => Self::bad_request(other.to_string()),
        }
    }
}

impl From<&UrlencodedError> for Problem {
    fn from(error: &UrlencodedError) -> Self {
        match error {
            UrlencodedError::Overflow { limit, .. } => Self::payload_too_large(*limit),
            UrlencodedError::ContentType => {
                Self::new(Kind::UnsupportedMediaType, "the body must be an HTML form")
            }
            UrlencodedError::Payload(cause) => Self::from(cause),
            other => Self::bad_request(format!("the form cannot be read: {other}")),
        }
    }
}

impl From<&PathError> for Problem {
    fn from(_: &PathError) -> Self {
        Self::new(Kind::NotFound, "nothing exists at this path")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_type_of_its_own_and_fits_its_status() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.facts().0).collect();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::from_status(kind.facts().1), kind);
        }
        assert_eq!(Kind::from_status(StatusCode::IM_A_TEAPOT), Kind::BadRequest);
    }

    #[test]
    fn what_lies_behind_an_internal_error_is_not_shown() {
        let problem = Problem::internal(std::io::Error::other("password hunter2 at 10.0.0.1"));

        let shown = format!("{problem} {:?}", problem.respond(None, &BasePath::default()).into_body());

        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(problem.causes().unwrap().contains("hunter2"));
    }

    #[test]
    fn an_overloaded_store_asks_to_come_again() {
        let response = Problem::unavailable("not now", "disk full").respond(None, &BasePath::default());

        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "5");
    }
}
