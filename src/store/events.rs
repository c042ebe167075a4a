//! Events: what arrived, as it is stored.

use crate::domain::clock::Timestamp;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// Stored, not yet triaged.
    Pending,
    /// Triaged.
    Processed,
    /// Not an alert body: kept, never triaged.
    Rejected,
    /// Triage could not make sense of it: kept, may be replayed.
    Failed,
}

impl EventState {
    /// The word in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// One inbound body about to be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Rises with every event of this process.
    pub id: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// `Pending` or `Rejected`.
    pub state: EventState,
    /// `alertmanager`.
    pub source: &'static str,
    /// The sender's receiver name.
    pub receiver: String,
    /// Alertmanager's group key; may be empty.
    pub group_key: String,
    /// Alertmanager's own address; may be empty.
    pub external_url: String,
    /// The token's name.
    pub actor: String,
    /// How many alerts were taken.
    pub alerts: usize,
    /// How many alerts were refused.
    pub rejected: usize,
    /// How many alerts the sender cut.
    pub truncated: u64,
    /// The event this one repeats by hand.
    pub replay_of: Option<String>,
    /// Why it was rejected; empty otherwise.
    pub reason: String,
    /// JSON array of refused alerts.
    pub verdicts: String,
    /// The body, or its head when rejected.
    pub body: Vec<u8>,
    /// What twins have in common, and until when a second one counts as such.
    pub twin: Option<TwinKey>,
}

/// What became of a [`NewEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in the log under its own id.
    New,
    /// An equal delivery was there first.
    TwinOf(String),
}

/// What equal deliveries have in common.
#[derive(Clone, Debug)]
pub struct TwinKey {
    /// A digest.
    pub key: String,
    /// Under which the latest turn of its group is kept: a digest of another form.
    pub turn_key: String,
    /// Whether it tells the end of an alert: what was said before may be said anew.
    pub tells_end: bool,
    /// From this moment on an equal delivery is a new one.
    pub expires_at: Timestamp,
}
