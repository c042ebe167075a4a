//! `intake`, `incidents` and `delivery`: the times and limits of an alert's way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::duration::PromDuration;

/// `intake`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeConfig {
    /// How long an equal delivery counts as a twin's duplicate, unless an alert of its group
    /// was told to have ended in between. On SQLite the last 250,000 deliveries are compared.
    pub dedup_window: PromDuration,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self { dedup_window: PromDuration(std::time::Duration::from_secs(60)) }
    }
}

/// `incidents`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentsConfig {
    /// An open incident not heard of for this long is resolved as stale, and says so.
    pub stale_after: PromDuration,
}

impl Default for IncidentsConfig {
    fn default() -> Self {
        Self { stale_after: PromDuration(std::time::Duration::from_secs(120 * 3600)) }
    }
}

/// `delivery`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryConfig {
    /// After this age an undelivered notification fails for good; it stays replayable.
    pub max_age: PromDuration,
    /// The first retry waits up to this long.
    pub backoff_min: PromDuration,
    /// No retry waits longer than this, unless the provider asks for it.
    pub backoff_max: PromDuration,
    /// How many messages one channel sends at the same time.
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: usize,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        let seconds = |s| PromDuration(std::time::Duration::from_secs(s));
        Self {
            max_age: seconds(24 * 3600),
            backoff_min: seconds(1),
            backoff_max: seconds(600),
            concurrency: 16,
        }
    }
}
