//! Whether a channel delivers, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::log::Moment;
use crate::store::log_channels::ChannelHealth;

/// Whether a channel delivers, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Nothing speaks against it.
    Healthy,
    /// Its last attempts failed; it is still tried with every message.
    Degraded,
    /// It does not deliver: its messages wait, and one now and then is sent as a probe.
    Open,
    /// A probe is under way.
    HalfOpen,
}

/// Whether a channel delivers, and if not, since when and when it is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HealthView {
    /// In a word.
    pub state: HealthState,
    /// Since when its messages wait.
    pub since: Option<Moment>,
    /// Why they wait; without secrets.
    pub reason: Option<String>,
    /// What the last failed attempt ended with; without secrets.
    pub last_error: Option<String>,
    /// When the next probe may go; while one is under way, when it counts as lost.
    pub next_probe_at: Option<Moment>,
    /// Failed attempts since the last success.
    pub failures: i64,
    /// How many probes in a row have failed.
    pub failed_probes: i64,
}

impl HealthView {
    /// Of a channel that may never have been tried.
    pub(super) fn of(health: Option<&ChannelHealth>) -> Self {
        let state = match health {
            None => HealthState::Healthy,
            Some(health) => match (health.breaker.as_str(), health.failures) {
                ("open", _) => HealthState::Open,
                ("half_open", _) => HealthState::HalfOpen,
                (_, 0) => HealthState::Healthy,
                _ => HealthState::Degraded,
            },
        };
        Self {
            state,
            since: health.and_then(|h| h.opened_at),
            reason: health.and_then(|h| h.opened_reason.clone()),
            last_error: health.and_then(|h| h.last_error.clone()),
            next_probe_at: health.and_then(|h| h.probe_at),
            failures: health.map_or(0, |h| h.failures),
            failed_probes: health.map_or(0, |h| h.failed_probes),
        }
    }
}
