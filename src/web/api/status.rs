//! `/api/v1/status`: what runs here, whether it keeps up, and who posts to it.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::clock::Timestamp;
use crate::store::log::Moment;
use crate::store::log_channels::SourceRecord;
use crate::store::outbox_hand::QueueDepth;
use crate::store::replicas::ReplicaRecord;
use crate::web::auth::Read;
use crate::web::problem::Problem;
use crate::web::state::AppState;

/// What runs here.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "version": "0.1.0", "started_at": "2026-08-20T08:00:00.000Z", "uptime_seconds": 7203, "storage": "sqlite",
    "config": {"digest": "42a8c2fe015131312407ae5dc18bb20244b865848104c9600820de7608085ab2",
        "loaded_at": "2026-08-20T08:00:00.000Z"},
    "queues": {"events": {"depth": 0, "oldest_at": null, "oldest_age_seconds": 0},
        "notifications": {"depth": 1, "oldest_at": "2026-08-20T10:00:01.000Z", "oldest_age_seconds": 2}},
    "stopped_workers": [], "replicas": [],
    "alertmanagers": [{"external_url": "http://alertmanager:9093", "receiver": "modelpager",
        "source": "alertmanager", "first_seen_at": "2026-08-20T08:01:00.000Z",
        "last_seen_at": "2026-08-20T10:00:03.125Z", "events": 311}]
}))]
pub struct Status {
    /// The program's version.
    version: &'static str,
    /// When it started.
    started_at: Moment,
    /// Seconds since then.
    uptime_seconds: u64,
    /// Where the data is: `sqlite` or `postgres`.
    storage: &'static str,
    /// The configuration in force.
    config: ConfigStatus,
    /// What waits.
    queues: Queues,
    /// Workers that ought to run and do not; empty when all is well.
    stopped_workers: Vec<String>,
    /// The replicas that share the database and live, this one included; empty on SQLite, which
    /// has one process.
    replicas: Vec<ReplicaRecord>,
    /// Who posts alerts, last heard first; at most 100.
    alertmanagers: Vec<SourceRecord>,
}

/// The configuration in force.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConfigStatus {
    /// SHA-256 of its file; empty without a file.
    digest: String,
    /// When it was loaded.
    loaded_at: Moment,
}

/// What waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Queues {
    /// Events not yet triaged.
    events: QueueStatus,
    /// Notifications not yet delivered.
    notifications: QueueStatus,
}

/// A queue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QueueStatus {
    /// How many wait.
    depth: u64,
    /// Since when the oldest waits.
    oldest_at: Option<Moment>,
    /// How long that is, in seconds.
    oldest_age_seconds: u64,
}

impl QueueStatus {
    fn new(depth: QueueDepth, now: Timestamp) -> Self {
        Self {
            depth: depth.waiting,
            oldest_at: depth.oldest.map(Moment::from),
            oldest_age_seconds: depth.oldest.map_or(0, |oldest| now.since(oldest).as_secs()),
        }
    }
}

/// What runs here, whether it keeps up, and who posts to it.
///
/// # Errors
/// When the database does not answer.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "operation", operation_id = "get_status",
    responses((status = 200, description = "What runs here", body = Status))
)]
pub async fn get_status(_: Read, state: web::Data<AppState>) -> Result<web::Json<Status>, Problem> {
    let now = state.clock.now();
    let queues = Queues {
        events: QueueStatus::new(state.store.events_waiting().await?, now),
        notifications: QueueStatus::new(state.store.notifications_waiting().await?, now),
    };
    let live = state.live.load();
    Ok(web::Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        started_at: state.started_at.into(),
        uptime_seconds: now.since(state.started_at).as_secs(),
        storage: state.store.backend(),
        config: ConfigStatus { digest: live.digest.clone(), loaded_at: live.loaded_at.into() },
        queues,
        stopped_workers: state.operations.stopped_workers(),
        replicas: state.store.list_replicas(now).await?,
        alertmanagers: state.store.list_sources().await?,
    }))
}
