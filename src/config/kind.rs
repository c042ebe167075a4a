//! What is special of a kind of channel and does not depend on its provider's interface: the
//! kinds say it (`channels::Kind`), and it comes to the channels of a configuration with its
//! reading.

use crate::domain::rate::RateLimit;

/// How a kind of channel is sent to unless its configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindPolicy {
    /// How many messages may be sent, as far as the provider's limits and its readers call for one.
    pub rate_limit: RateLimit,
    /// A newer message takes the place of an older one of the same incident that was never
    /// sent.
    pub supersede: bool,
    /// Many messages that wait may become one.
    pub bundle: bool,
    /// A conversation is about one incident, however routes group: the provider has incidents of
    /// its own.
    pub one_per_incident: bool,
    /// It is the program's own log: nobody has to be reached, and it hardly ever fails.
    pub own_log: bool,
}

impl KindPolicy {
    /// That of a program which counts on every change.
    pub const DEFAULT: Self = Self {
        rate_limit: RateLimit::None,
        supersede: false,
        bundle: true,
        one_per_incident: false,
        own_log: false,
    };
}

impl Default for KindPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
