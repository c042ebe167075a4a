//! `/api/v1/status`: what runs here, and whether it keeps up.

use actix_web::web;
use serde::Serialize;

use crate::web::auth::Read;
use crate::web::problem::Problem;
use crate::web::state::AppState;

/// What runs here.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// `sqlite` or `postgres`.
    pub storage: &'static str,
    /// SHA-256 of the configuration file in force; empty without a file.
    pub config_digest: String,
}

/// What runs here, and whether it keeps up.
///
/// # Errors
/// When the database does not answer.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "operation",
    responses((status = 200, description = "What runs here", body = Status))
)]
pub async fn get_status(_: Read, state: web::Data<AppState>) -> Result<web::Json<Status>, Problem> {
    let live = state.live.load();
    Ok(web::Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: state.clock.now().since(state.started_at).as_secs(),
        storage: state.store.backend(),
        config_digest: live.digest.clone(),
    }))
}
