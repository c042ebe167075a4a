//! The words that labels take: fixed ones, so that the number of series is bounded.

/// What became of an inbound body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventResult {
    /// Stored.
    Accepted,
    /// Stored before, by a twin's delivery.
    Duplicate,
    /// Can never be accepted.
    Rejected,
    /// Could not be stored now; the sender was told to come again.
    Unavailable,
}

impl EventResult {
    pub(super) const ALL: [Self; 4] = [Self::Accepted, Self::Duplicate, Self::Rejected, Self::Unavailable];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
        }
    }
}

/// A decision's outcome: told, held back for now, or nothing to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// A notification was written.
    Send,
    /// To be decided again at a known time.
    Wait,
    /// Nothing to tell.
    Nothing,
}

impl DecisionOutcome {
    pub(super) const ALL: [Self; 3] = [Self::Send, Self::Wait, Self::Nothing];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Wait => "wait",
            Self::Nothing => "nothing",
        }
    }
}

/// What waits for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Events not yet triaged.
    Events,
    /// Notifications not yet delivered.
    Notifications,
}

impl Queue {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Notifications => "notifications",
        }
    }
}

/// The method is the client's to choose: only known ones become a label.
pub(super) fn bounded_method(method: &str) -> &str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if KNOWN.contains(&method) { method } else { "other" }
}
