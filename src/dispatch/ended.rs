//! What is known once an attempt has ended: for the recorder, and for the channel's breaker.

use super::breaker::{Evidence, Pass};
use crate::domain::clock::Timestamp;
use crate::store::outbox::Finished;
use crate::store::stand_ins::StandIn;

/// The end of one attempt, with what only the sender knew.
pub(super) struct Ended {
    pub finished: Finished,
    /// The incident the message was about, and the message's kind.
    pub about: Option<(String, &'static str)>,
    pub paused_until: Option<Timestamp>,
    pub received_at: Option<Timestamp>,
    /// What the attempt says about the channel.
    pub evidence: Evidence,
    /// By which right it was made.
    pub pass: Pass,
    /// The provider asked not to see this message sooner.
    pub not_before: Option<Timestamp>,
    /// After this the message fails for good.
    pub expires_at: Timestamp,
    /// The message stands for many.
    pub stands_for_many: bool,
    /// It may have arrived: a person has to say whether it is sent again.
    pub held: bool,
    /// What the fallback channel is owed because of it.
    pub stand_in: Option<StandIn>,
}
