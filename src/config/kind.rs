//! What each kind of channel does unless its configuration says otherwise, as far as its
//! provider's limits and its readers call for it.

use crate::domain::rate::{Rate, RateLimit};
use std::time::Duration;

/// What a channel does unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindDefaults {
    /// How many messages it may send.
    pub rate_limit: RateLimit,
    /// A newer message takes the place of an older one of the same incident that was never
    /// sent.
    pub supersede: bool,
    /// Many messages that wait may become one. A provider that opens and closes incidents by
    /// our messages needs each of them.
    pub fold: bool,
}

/// What channels of that kind do.
pub fn defaults_of(kind: &str) -> KindDefaults {
    let rate =
        |count, seconds, burst| RateLimit::Rate(Rate { count, per: Duration::from_secs(seconds), burst });
    match kind {
        // One message a second and channel; short bursts are tolerated.
        "slack" => KindDefaults { rate_limit: rate(1, 1, 10), supersede: true, fold: true },
        // 120 events a minute and integration key, counted over a sliding minute.
        "pagerduty" => KindDefaults { rate_limit: rate(120, 60, 10), supersede: false, fold: false },
        "email" => KindDefaults { rate_limit: RateLimit::None, supersede: true, fold: true },
        // Programs count on every change, and a log is never full.
        _ => KindDefaults { rate_limit: RateLimit::None, supersede: false, fold: true },
    }
}
