//! The policy: one pure function that says what an incident has to tell a channel.
//!
//! It compares what is true with what was last told, never "what just happened", so it
//! gives the same answer after a crash, on a timer, or when an event is processed twice.
//! Everything that delays or folds a message is an input of it and nothing else.
//!
//! Promises: a difference is told at once or at a stated moment, never dropped; a rise of
//! severity is never held; nothing is repeated before the repeat interval has passed.

use std::time::Duration;

use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Incident, IncidentState, Told};
use crate::domain::notification::NotificationKind;

/// How one channel wants to be told, from the route that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Tell again after this long without change; `None`: never.
    pub repeat_interval: Option<Duration>,
    /// Changes of the members are told at most once in this time.
    pub group_interval: Duration,
    /// A re-fire sooner than this after the end was told, or came without being told, waits
    /// until then.
    pub cooldown: Duration,
    /// Whether to tell the end, and that members left.
    pub send_resolved: SendResolved,
}

/// Whether a channel hears that something is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendResolved {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// The answer to "what is to be told here, now?"
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Tell this, now.
    Send {
        /// What sort of message.
        kind: NotificationKind,
        /// Why, in words.
        reason: String,
    },
    /// Decide again at that moment at the latest.
    Wait {
        /// The moment.
        until: Timestamp,
        /// What is waited for, in words.
        reason: String,
    },
    /// Nothing, until something changes.
    Nothing {
        /// Why, in words.
        reason: String,
    },
}

impl Decision {
    /// The word in the database and the API: `send`, `wait`, `nothing`.
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Wait { .. } => "wait",
            Self::Nothing { .. } => "nothing",
        }
    }

    /// Why, in words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Send { reason, .. } | Self::Wait { reason, .. } | Self::Nothing { reason } => reason,
        }
    }
}

/// Decides what `incident` has to tell a channel that was last told `told`.
pub fn decide(incident: &Incident, told: Option<&Told>, policy: &Policy, now: Timestamp) -> Decision {
    match incident.state {
        IncidentState::Resolved => decide_resolved(told, policy),
        IncidentState::Open => decide_open(incident, told, policy, now),
    }
}

fn decide_resolved(told: Option<&Told>, policy: &Policy) -> Decision {
    match told {
        None => nothing("resolved before firing was sent to this channel"),
        Some(told) if told.status == AlertStatus::Resolved => nothing("resolved was already sent"),
        Some(_) if policy.send_resolved == SendResolved::No => nothing("send_resolved is false"),
        Some(_) => send(NotificationKind::Resolved, "resolved, and firing was sent to this channel"),
    }
}

fn decide_open(incident: &Incident, told: Option<&Told>, policy: &Policy, now: Timestamp) -> Decision {
    let Some(told) = told else {
        return send(NotificationKind::Firing, "first notification of this incident");
    };
    let fires_again = told.status == AlertStatus::Resolved || told.reopened != incident.reopened;
    if fires_again {
        return decide_reopened(incident, told, policy, now);
    }
    if incident.severity > told.severity {
        return send(
            NotificationKind::SeverityRaised,
            format!("severity rose from {} to {}", told.severity, incident.severity),
        );
    }
    if let Some((kind, reason)) = lesser_change(incident, told, policy) {
        let due = told.at.plus(policy.group_interval);
        return if now >= due {
            send(kind, reason)
        } else {
            wait(due, format!("{reason}; waiting for group_interval"))
        };
    }
    decide_repeat(told, policy, now)
}

fn decide_reopened(incident: &Incident, told: &Told, policy: &Policy, now: Timestamp) -> Decision {
    if incident.severity > told.severity {
        let reason =
            format!("firing again, and severity rose from {} to {}", told.severity, incident.severity);
        return send(NotificationKind::Reopened, reason);
    }
    let quiet_since = told.ended_untold.map_or(told.at, |ended| ended.max(told.at));
    let due = quiet_since.plus(policy.cooldown);
    if now < due {
        return wait(due, "firing again; waiting for cooldown");
    }
    send(NotificationKind::Reopened, "firing again after it was resolved")
}

/// A change that may be folded with others for as long as the group interval.
fn lesser_change(incident: &Incident, told: &Told, policy: &Policy) -> Option<(NotificationKind, String)> {
    if incident.severity < told.severity {
        let reason = format!("severity fell from {} to {}", told.severity, incident.severity);
        return Some((NotificationKind::SeverityLowered, reason));
    }
    if incident.tally.digest == told.digest {
        return None;
    }
    if incident.tally.joins > told.joins {
        return Some((NotificationKind::Updated, "new alerts".to_owned()));
    }
    (policy.send_resolved == SendResolved::Yes)
        .then(|| (NotificationKind::Updated, "some alerts resolved".to_owned()))
}

fn decide_repeat(told: &Told, policy: &Policy, now: Timestamp) -> Decision {
    let Some(repeat_interval) = policy.repeat_interval else {
        return nothing("already sent, and no longer routed here: only changes and resolved follow");
    };
    let due = told.at.plus(repeat_interval);
    if now >= due {
        return send(NotificationKind::Repeated, "still firing and repeat_interval has passed");
    }
    wait(due, "already sent; waiting for repeat_interval")
}

fn send(kind: NotificationKind, reason: impl Into<String>) -> Decision {
    Decision::Send { kind, reason: reason.into() }
}

fn wait(until: Timestamp, reason: impl Into<String>) -> Decision {
    Decision::Wait { until, reason: reason.into() }
}

fn nothing(reason: &str) -> Decision {
    Decision::Nothing { reason: reason.to_owned() }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
