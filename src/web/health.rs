//! What operators expect of every program of this family: `/-/healthy`, `/-/ready`,
//! `/-/reload`, `/metrics`.

use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use super::auth::{Admin, Scrape};
use super::problem::{Kind, Problem};
use super::state::AppState;
use crate::telemetry::metrics;

/// How long the database may take to answer.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Whether the process is alive. Asks for nothing but that; needs no token.
#[utoipa::path(
    get, path = "/-/healthy", tag = "operation", operation_id = "get_health", security(()),
    responses((status = 200, description = "The process serves requests", content_type = "text/plain", body = String))
)]
pub async fn healthy() -> &'static str {
    "OK\n"
}

/// Whether it can do its work: the database takes writes, triage goes on, and every worker runs.
/// Needs no token.
///
/// # Errors
/// 503 with what is amiss.
#[utoipa::path(
    get, path = "/-/ready", tag = "operation", operation_id = "get_readiness", security(()),
    responses(
        (status = 200, description = "Ready to receive and deliver alerts", content_type = "text/plain", body = String),
    )
)]
pub async fn ready(state: web::Data<AppState>) -> Result<&'static str, Problem> {
    let stopped = state.operations.stopped_workers();
    if !stopped.is_empty() {
        let detail = format!("workers not running: {}", stopped.join(", "));
        return Err(Problem::new(Kind::Unavailable, detail));
    }
    if let Some(trouble) = state.store.watch().trouble() {
        return Err(Problem::new(Kind::Unavailable, format!("the database is unavailable {trouble}")));
    }
    if let Some(stalled) = state.store.watch().stalled(state.clock.now()) {
        return Err(Problem::new(Kind::Unavailable, stalled));
    }
    match tokio::time::timeout(PING_LIMIT, state.store.ping()).await {
        Ok(Ok(())) => Ok("OK\n"),
        Ok(Err(error)) => Err(Problem::unavailable("the database does not answer", error)),
        Err(late) => Err(Problem::unavailable("the database does not answer in time", late)),
    }
}

/// Loads the configuration again, all or nothing.
///
/// # Errors
/// 422 with what is wrong with the file; the configuration before stays in force.
#[utoipa::path(
    post, path = "/-/reload", tag = "operation", operation_id = "reload_configuration",
    responses(
        (status = 200, description = "The new configuration is active", content_type = "text/plain", body = String),
    )
)]
pub async fn reload(admin: Admin, state: web::Data<AppState>) -> Result<&'static str, Problem> {
    tracing::info!(actor = admin.0.name, "reload requested");
    match state.operations.reload().await {
        Ok(()) => Ok("OK\n"),
        Err(report) => Err(Problem::new(Kind::Validation, report)),
    }
}

/// Everything counted, in the Prometheus text format. Any token with the scope `read` or
/// `ingest` will do.
#[utoipa::path(
    get, path = "/metrics", tag = "operation", operation_id = "get_metrics",
    responses((status = 200, description = "Prometheus text format 0.0.4", content_type = "text/plain", body = String))
)]
pub async fn metrics(_: Scrape, state: web::Data<AppState>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE)).body(state.metrics.encode())
}
