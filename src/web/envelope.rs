//! What surrounds every request: its id, the security headers, the shape of errors, one
//! line in the log and one observation in the metrics.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};
use parking_lot::Mutex;
use tracing::Instrument as _;

use super::base_path::BasePath;
use super::body::WatchedBody;
use super::connections::Connection;
use super::origin::{Sender, sender_of};
use super::problem::{Kind, Problem};
use super::state::AppState;
use super::ui::{errors, viewer};

/// Carries a request's id in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Pages that need more (the UI, the API's documentation) set their own policy.
const STRICT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// How much of a request's path the log has, in bytes.
const LOGGED_PATH: usize = 200;

/// How long a body may take where no configuration says so.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// The id under which a request stands in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The outermost middleware.
///
/// # Errors
/// Only those of other middlewares; a handler's have become responses by then.
pub async fn envelop(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let state = req.app_data::<web::Data<AppState>>().cloned();
    let base_path = state.as_ref().map(|state| state.live.load().base_path.clone()).unwrap_or_default();
    base_path.strip(&mut req);
    let id = take_request_id(&req, state.as_ref());
    req.extensions_mut().insert(RequestId(id.clone()));
    let body_limit = state.as_ref().map_or(BODY_LIMIT, |s| s.live.load().config.server.client_timeout.0);
    let body = WatchedBody::watch(&mut req, body_limit, state.as_ref().map(|state| state.bodies.clone()));
    let span = tracing::info_span!("http", request_id = %id);

    let connection = req.conn_data::<Connection>().cloned();
    if let Some(connection) = &connection {
        // With a body it is served once that has come.
        if body.is_some() { connection.reading() } else { connection.serving() }
    }

    let refusal = match (misuse(&req, state.as_ref()), &state) {
        (Some(detail), _) => Some(Problem::new(Kind::Forbidden, detail)),
        (None, Some(state)) => viewer::check_session(req.request(), state).await.err(),
        (None, None) => None,
    };
    let response = match refusal {
        Some(problem) => req.error_response(problem),
        None => next.call(req).instrument(span.clone()).await?.map_into_boxed_body(),
    };

    if let Some(connection) = &connection {
        connection.answered();
    }

    let cause = causes(&response);
    let mut response = shape_error(response, &id, &base_path);
    base_path.apply(response.headers_mut());
    add_headers(response.headers_mut(), &id);
    let seen = Seen { took: started.elapsed(), cause };
    span.in_scope(|| seen.log(&response));
    if let Some(state) = state {
        seen.count(&response, &state);
    }
    Ok(match body {
        Some(body) => body.finish(response),
        None => response,
    })
}

/// The id the client gave, if it is one that may stand in a log, or a new one.
fn take_request_id(req: &ServiceRequest, state: Option<&web::Data<AppState>>) -> String {
    const LONGEST: usize = 128;
    let is_sane = |id: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !id.is_empty() && id.len() <= LONGEST && id.bytes().all(allowed)
    };
    let given = req.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_sane);
    match (given, state) {
        (Some(id), _) => id.to_owned(),
        (None, Some(state)) => state.ids.next_id(),
        (None, None) => String::new(),
    }
}

/// What a browser was made to do by a page of somebody else, if that is what this is.
fn misuse(req: &ServiceRequest, state: Option<&web::Data<AppState>>) -> Option<&'static str> {
    if state.is_some_and(|state| is_forged(req, state)) {
        return Some(
            "a page of another site made the browser send this: refused; if it was a page of this server \
             behind a proxy, set server.external_url to the address it was opened by",
        );
    }
    let is_open = |state: &web::Data<AppState>| {
        let live = state.live.load();
        live.config.auth.tokens.is_empty() && !live.config.server.allow_unauthenticated
    };
    let is_known =
        |state: &web::Data<AppState>| names_this_server(req, &state.live.load().config.server.external_url);
    match state {
        Some(state) if is_private(req.path()) && is_open(state) && !is_known(state) => Some(
            "this server is open to this machine only, and does not know the host name it was called by: \
             set server.external_url to that name, or configure tokens",
        ),
        _ => None,
    }
}

/// What a page of somebody else must not read or change: everything but whether this server lives.
fn is_private(path: &str) -> bool {
    !matches!(path, "/-/healthy" | "/-/ready")
}

/// Whether the `Host` is an address, `localhost`, or the configured name. A name that some
/// page's owner made point to this machine (DNS rebinding) is none of them.
fn names_this_server(req: &ServiceRequest, external_url: &str) -> bool {
    let Some(authority) = req.headers().get(HOST).and_then(|value| value.to_str().ok()) else { return true };
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let host = authority.host().trim_matches(['[', ']']);
    let external: Option<Uri> = external_url.parse().ok();
    let is_configured =
        external.as_ref().and_then(Uri::host).is_some_and(|name| name.eq_ignore_ascii_case(host));
    is_configured || host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// A change that a browser sends on behalf of a page of another site. The browser may add what it
/// keeps for this server: a session, or the user and password of basic authentication.
fn is_forged(req: &ServiceRequest, state: &AppState) -> bool {
    let changes = !matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    changes && sender_of(req, &state.live.load().config.server.external_url) == Sender::OtherSite
}

fn causes(response: &ServiceResponse) -> Option<String> {
    let error = response.response().error()?;
    match error.as_error::<Problem>() {
        Some(problem) => problem.causes(),
        None => Some(error.to_string()),
    }
}

/// Gives error answers their body: problem+json with the request's id, or a page for who asked
/// for one; also where the library answered by itself.
fn shape_error(response: ServiceResponse, id: &str, base_path: &BasePath) -> ServiceResponse {
    let Some(error) = response.response().error() else { return response };
    let unnamed;
    let problem = match error.as_error::<Problem>() {
        Some(problem) => problem,
        None => {
            let kind = Kind::from_status(response.status());
            unnamed = Problem::new(kind, kind.facts().2);
            &unnamed
        }
    };
    let shaped = if errors::wants_page(response.request()) {
        errors::page(response.request(), problem, id)
    } else {
        problem.respond(Some(id.to_owned()).filter(|id| !id.is_empty()), base_path)
    };
    response.into_response(shaped)
}

fn add_headers(headers: &mut HeaderMap, id: &str) {
    let unless_set = [
        (CONTENT_SECURITY_POLICY, STRICT_POLICY),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
    ];
    for (name, value) in unless_set {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
}

/// At most `limit` bytes of a text, cut between characters.
fn head(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// What was seen of a request once it was answered.
struct Seen {
    took: Duration,
    cause: Option<String>,
}

/// Whether a minute has passed since this last said so.
fn is_first_for_a_while() -> bool {
    const QUIET: Duration = Duration::from_secs(60);
    static SAID_AT: Mutex<Option<Instant>> = Mutex::new(None);
    let mut said_at = SAID_AT.lock();
    let is_first = said_at.is_none_or(|at| at.elapsed() >= QUIET);
    if is_first {
        *said_at = Some(Instant::now());
    }
    is_first
}

impl Seen {
    fn log(&self, response: &ServiceResponse) {
        let request = response.request();
        let (method, path) = (request.method(), head(request.path(), LOGGED_PATH));
        let (status, took_ms) = (response.status().as_u16(), self.took.as_secs_f64() * 1_000.0);
        let cause = self.cause.as_deref().unwrap_or_default();
        // What is amiss has a line of its own; this would be one for each request that meets it.
        if status == 503 && !is_first_for_a_while() {
            tracing::debug!(%method, path, status, took_ms, cause, "request must be retried later");
        } else if status == 503 {
            tracing::warn!(
                %method, path, status, took_ms, cause,
                "request must be retried later; more such requests in the next minute are logged at debug level"
            );
        } else if status >= 500 {
            tracing::error!(%method, path, status, took_ms, cause, "request failed");
        } else if status >= 400 {
            tracing::info!(%method, path, status, took_ms, cause, "request refused");
        } else {
            tracing::debug!(%method, path, status, took_ms, "request answered");
        }
    }

    fn count(&self, response: &ServiceResponse, state: &AppState) {
        let request = response.request();
        let handler = request.match_pattern();
        state.metrics.http_request(
            handler.as_deref().unwrap_or("unmatched"),
            request.method().as_str(),
            response.status().as_u16(),
            self.took,
        );
    }
}
