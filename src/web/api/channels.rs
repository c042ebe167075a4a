//! `/api/v1/channels`: destinations, how they fare, and trying one.

use std::collections::HashMap;

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::ChannelConfig;
use crate::dispatch::{Trial, TrialError};
use crate::domain::clock::Timestamp;
use crate::store::log::Moment;
use crate::store::log_channels::{ChannelBacklog, ChannelHealth};
use crate::web::auth::{Admin, Read};
use crate::web::problem::Problem;
use crate::web::state::AppState;

mod health;

pub use health::{HealthState, HealthView};

/// How a channel fares, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// The last attempt was accepted.
    Healthy,
    /// The last attempt was not.
    Failing,
    /// Its provider asked for quiet.
    Paused,
    /// Nothing was ever sent through it.
    Untried,
    /// Switched off in the configuration.
    Disabled,
}

impl ChannelState {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::Paused => "paused",
            Self::Untried => "untried",
            Self::Disabled => "disabled",
        }
    }
}

/// A channel and how it fares. Its settings are not shown: they hold secrets.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "name": "ml-alerts", "kind": "slack", "state": "healthy", "enabled": true, "send_resolved": true, "fallback": "ml-mail", "failures": 0,
    "paused_until": null, "last_success_at": "2026-08-20T10:00:03.402Z", "last_failure_at": null, "last_error": null,
    "delivered": 128, "failed": 0, "waiting": 0, "oldest_waiting_at": null,
    "health": {"state": "healthy", "since": null, "reason": null, "last_error": null, "next_probe_at": null,
        "failures": 0, "failed_probes": 0}
}))]
pub struct ChannelView {
    /// The name routes use.
    pub name: String,
    /// `log`, `webhook`, `slack`, `pagerduty`, `email`.
    pub kind: String,
    /// How it fares.
    pub state: ChannelState,
    /// Whether it sends at all.
    pub enabled: bool,
    /// Whether it tells when an incident is over.
    pub send_resolved: bool,
    /// The channel that stands in for it.
    pub fallback: Option<String>,
    /// Failed attempts since the last success.
    pub failures: i64,
    /// Until when its provider asked for quiet.
    pub paused_until: Option<Moment>,
    /// The last success.
    pub last_success_at: Option<Moment>,
    /// The last failure.
    pub last_failure_at: Option<Moment>,
    /// What it was; without secrets.
    pub last_error: Option<String>,
    /// Messages delivered, ever.
    pub delivered: i64,
    /// Messages given up, ever.
    pub failed: i64,
    /// Messages that wait for it.
    pub waiting: i64,
    /// When the oldest of them was decided.
    pub oldest_waiting_at: Option<Moment>,
    /// Whether it delivers, and if not, since when and when it is tried again.
    pub health: HealthView,
}

/// Every channel; there are never so many that they need pages.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelList {
    /// In the order of the configuration.
    items: Vec<ChannelView>,
    /// Always null.
    next_cursor: Option<String>,
}

/// How trying a channel ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "notification_id": "01990c1e-7c53-7d1c-8000-1c6b1d3f9a10", "outcome": "rejected", "status": 404,
    "error": "the provider says the webhook is gone", "response": "no_service", "duration_ms": 131
}))]
pub struct TestResult {
    /// The notification in the delivery log.
    notification_id: String,
    /// `accepted`, `rejected`, `not_processed`, `ambiguous`.
    outcome: &'static str,
    /// The provider's status code.
    status: Option<u16>,
    /// Why it did not end well; without secrets.
    error: Option<String>,
    /// The head of the provider's answer; without secrets.
    response: Option<String>,
    /// How long it took, in milliseconds.
    duration_ms: u64,
}

impl From<Trial> for TestResult {
    fn from(trial: Trial) -> Self {
        Self {
            notification_id: trial.notification_id,
            outcome: trial.outcome.as_str(),
            status: trial.status,
            error: trial.error,
            response: trial.response,
            duration_ms: trial.duration_ms,
        }
    }
}

/// Every channel and how it fares.
///
/// # Errors
/// When the database does not answer.
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "channels", operation_id = "list_channels",
    responses((status = 200, description = "Every channel", body = ChannelList))
)]
pub async fn list(_: Read, state: web::Data<AppState>) -> Result<web::Json<ChannelList>, Problem> {
    Ok(web::Json(ChannelList { items: all(&state).await?, next_cursor: None }))
}

/// Every channel, in the order of the configuration.
///
/// # Errors
/// When the database does not answer.
pub async fn all(state: &AppState) -> Result<Vec<ChannelView>, Problem> {
    let mut health: HashMap<String, ChannelHealth> =
        state.store.channel_health().await?.into_iter().map(|row| (row.channel.clone(), row)).collect();
    let mut backlog: HashMap<String, ChannelBacklog> =
        state.store.channel_backlog().await?.into_iter().map(|row| (row.channel.clone(), row)).collect();
    let now = state.clock.now();
    let live = state.live.load();
    let items = live
        .config
        .channels
        .iter()
        .map(|channel| view(channel, health.remove(&channel.name), backlog.remove(&channel.name), now))
        .collect();
    Ok(items)
}

/// One channel and how it fares.
///
/// # Errors
/// 404 for a channel that is unknown.
#[utoipa::path(
    get, path = "/api/v1/channels/{name}", tag = "channels", operation_id = "get_channel",
    params(("name" = String, Path, description = "The channel's name", example = "ml-alerts")),
    responses((status = 200, description = "The channel", body = ChannelView))
)]
pub async fn get(
    _: Read,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<web::Json<ChannelView>, Problem> {
    read_one(&name, &state).await.map(web::Json)
}

/// One channel.
///
/// # Errors
/// 404 for a channel that is unknown.
pub async fn read_one(name: &str, state: &AppState) -> Result<ChannelView, Problem> {
    let live = state.live.load();
    let channel = live.config.channels.iter().find(|channel| channel.name == name);
    let Some(channel) = channel else { return Err(Problem::not_found("channel", name)) };
    let health = state.store.channel_health().await?.into_iter().find(|row| row.channel == name);
    let backlog = state.store.channel_backlog().await?.into_iter().find(|row| row.channel == name);
    Ok(view(channel, health, backlog, state.clock.now()))
}

fn view(
    channel: &ChannelConfig,
    health: Option<ChannelHealth>,
    backlog: Option<ChannelBacklog>,
    now: Timestamp,
) -> ChannelView {
    let state = state_of(channel, health.as_ref(), now);
    let paused_until = health.as_ref().and_then(|h| h.paused_until).filter(|at| Timestamp::from(*at) > now);
    ChannelView {
        name: channel.name.clone(),
        kind: channel.kind.clone(),
        state,
        enabled: channel.enabled,
        send_resolved: channel.send_resolved,
        fallback: channel.fallback.clone(),
        failures: health.as_ref().map_or(0, |h| h.failures),
        paused_until,
        last_success_at: health.as_ref().and_then(|h| h.last_success_at),
        last_failure_at: health.as_ref().and_then(|h| h.last_failure_at),
        delivered: health.as_ref().map_or(0, |h| h.delivered),
        failed: health.as_ref().map_or(0, |h| h.failed),
        health: HealthView::of(health.as_ref()),
        last_error: health.and_then(|h| h.last_error),
        waiting: backlog.as_ref().map_or(0, |b| b.waiting),
        oldest_waiting_at: backlog.map(|b| b.oldest_at),
    }
}

fn state_of(channel: &ChannelConfig, health: Option<&ChannelHealth>, now: Timestamp) -> ChannelState {
    let Some(health) = health else {
        return if channel.enabled { ChannelState::Untried } else { ChannelState::Disabled };
    };
    let is_paused = health.paused_until.is_some_and(|at| Timestamp::from(at) > now);
    match health {
        _ if !channel.enabled => ChannelState::Disabled,
        _ if is_paused => ChannelState::Paused,
        ChannelHealth { failures: 1.., .. } => ChannelState::Failing,
        ChannelHealth { last_success_at: Some(_), .. } => ChannelState::Healthy,
        ChannelHealth { last_failure_at: Some(_), .. } => ChannelState::Failing,
        _ => ChannelState::Untried,
    }
}

/// Sends one test message through a channel now, without retries. It stands in the
/// delivery log. A message that the provider did not take is an answer, not an error: see
/// `outcome`.
///
/// # Errors
/// 404 for a channel that is unknown or disabled.
#[utoipa::path(
    post, path = "/api/v1/channels/{name}/test", tag = "channels", operation_id = "test_channel",
    params(("name" = String, Path, description = "The channel's name", example = "ml-alerts")),
    responses((status = 200, description = "The result", body = TestResult))
)]
pub async fn test(
    who: Admin,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<web::Json<TestResult>, Problem> {
    Ok(web::Json(try_out(&state, &who.0.name, &name).await?.into()))
}

/// Sends one test message through a channel for whoever asks.
///
/// # Errors
/// 404 for a channel that is unknown or disabled.
pub async fn try_out(state: &AppState, actor: &str, name: &str) -> Result<Trial, Problem> {
    state.dispatcher.send_test(name, actor).await.map_err(|error| match error {
        TrialError::UnknownChannel(_) => Problem::not_found("enabled channel", name),
        TrialError::Store(error) => error.into(),
        TrialError::Stopping => Problem::unavailable("the service is stopping", error),
    })
}

/// Gives a channel that is held back a new chance: its messages are sent again at once. For
/// when what was wrong has been mended; a change of its settings and a successful test do
/// the same. The audit log says who did it.
///
/// # Errors
/// 404 for a channel that is unknown or disabled.
#[utoipa::path(
    post, path = "/api/v1/channels/{name}/reset", tag = "channels", operation_id = "reset_channel",
    params(("name" = String, Path, description = "The channel's name", example = "ml-alerts")),
    responses((status = 200, description = "The channel after the change", body = ChannelView))
)]
pub async fn reset(
    who: Admin,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<web::Json<ChannelView>, Problem> {
    give_new_chance(&state, &who.0.name, &name).await?;
    read_one(&name, &state).await.map(web::Json)
}

/// Sends what waits for a channel again.
///
/// # Errors
/// 404 for a channel that is unknown or disabled.
pub async fn give_new_chance(state: &AppState, actor: &str, name: &str) -> Result<(), Problem> {
    let known = state.dispatcher.reset_channel(name, actor).await?;
    known.map(|_| ()).ok_or_else(|| Problem::not_found("enabled channel", name))
}
