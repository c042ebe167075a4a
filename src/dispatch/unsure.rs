//! Claims of which nobody knows whether they happened: the answer to their commit was lost. No
//! sender holds what they may have leased, so it is given back as soon as the database answers,
//! and is claimed anew. The commit itself may arrive even later: each claim is given back again
//! until its lease would have ended.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::clock::Timestamp;

/// A claim that may have happened.
#[derive(Clone, Debug)]
pub(super) struct Unsure {
    /// For which channel.
    pub channel: String,
    /// Its id.
    pub claim: String,
    /// When the probe that it was for counts as lost.
    pub probe_lost_at: Option<Timestamp>,
}

/// Such claims of all channels.
#[derive(Default)]
pub(super) struct UnsureClaims(Mutex<Vec<Kept>>);

struct Kept {
    unsure: Unsure,
    /// On the steady clock: the other one may be set.
    until: Instant,
    was_given_back: bool,
}

impl UnsureClaims {
    /// Keeps a claim for as long as what it leased may stay leased.
    pub fn keep(&self, unsure: Unsure, lease: Duration) {
        tracing::warn!(
            channel = unsure.channel,
            "the answer to a claim of messages was lost: what it leased is given back"
        );
        self.0.lock().push(Kept { unsure, until: Instant::now() + lease, was_given_back: false });
    }

    /// Those of `channel` that were never given back.
    pub fn new_ones(&self, channel: &str) -> Vec<Unsure> {
        let claims = self.0.lock();
        let is_new = |kept: &&Kept| !kept.was_given_back && kept.unsure.channel == channel;
        claims.iter().filter(is_new).map(|kept| kept.unsure.clone()).collect()
    }

    /// All of them; forgets those whose lease has ended.
    pub fn all(&self) -> Vec<Unsure> {
        let mut claims = self.0.lock();
        claims.retain(|kept| kept.until > Instant::now());
        claims.iter().map(|kept| kept.unsure.clone()).collect()
    }

    /// Notes that what they may have leased was given back.
    pub fn note_given_back(&self, claims: &[Unsure]) {
        for kept in self.0.lock().iter_mut() {
            kept.was_given_back |= claims.iter().any(|unsure| unsure.claim == kept.unsure.claim);
        }
    }
}
