//! The life of one dedup key, and what each channel has been told of it. Data only:
//! transitions and the decision are the triage's.

use serde::{Deserialize, Serialize};

use super::alert::{AlertStatus, Extras};
use super::clock::Timestamp;
use super::labels::Labels;
use super::severity::Severity;
use super::words;

/// The source of alerts about Modelpager itself.
pub const OURSELVES: &str = "modelpager";

/// The source of the alert by which Grafana tests a contact point. Grafana never says that it
/// ends.
pub const GRAFANA_TEST: &str = "grafana-test";

/// How long an incident of [`GRAFANA_TEST`] stays open after it was last heard of.
pub const TEST_LASTS: std::time::Duration = std::time::Duration::from_mins(5);

/// Whether an incident goes on or is over, and why it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// At least one member fires.
    Open,
    /// Over.
    Resolved,
}

impl IncidentState {
    /// Every state.
    pub const ALL: [Self; 2] = [Self::Open, Self::Resolved];

    /// The word used in the database, the API and filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
        }
    }

    /// What is told of an incident in this state.
    pub const fn told_as(self) -> AlertStatus {
        match self {
            Self::Open => AlertStatus::Firing,
            Self::Resolved => AlertStatus::Resolved,
        }
    }
}

/// What ended an incident. Absence is not among them: silence is not recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResolveReason {
    /// The last firing member was reported resolved.
    Alert,
    /// Somebody said so.
    Person,
    /// Nothing was heard of it for longer than the staleness limit.
    Stale,
}

impl ResolveReason {
    /// The word used in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Person => "person",
            Self::Stale => "stale",
        }
    }
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Ours.
    pub id: String,
    /// The name of the problem.
    pub dedup_key: String,
    /// Open or over.
    pub state: IncidentState,
    /// The highest severity among firing members; the last such when none fires.
    pub severity: Severity,
    /// The word the alert used for it.
    pub severity_raw: String,
    /// The catalog entry's slug; empty when none matched.
    pub entry: String,
    /// The version an alert's label named; empty when none did.
    pub version: String,
    /// The rule's name; may be empty.
    pub alertname: String,
    /// Where it came from: `alertmanager`.
    pub source: String,
    /// Alertmanager's receiver, as sent (regular expression quoting undone).
    pub receiver: String,
    /// Alertmanager's own address, for links.
    pub external_url: String,
    /// How many alerts Alertmanager cut from the last body (`max_alerts`).
    pub truncated: u64,
    /// The earliest `startsAt` among the members of the present life.
    pub started_at: Timestamp,
    /// When we first heard of it.
    pub opened_at: Timestamp,
    /// When anything about it last changed.
    pub updated_at: Timestamp,
    /// When an alert of it was last heard.
    pub last_seen_at: Timestamp,
    /// When it ended, while it is over: the latest end that its alerts told, else when that was
    /// heard. See [`Incident::end_heard_at`].
    pub resolved_at: Option<Timestamp>,
    /// Why it ended, while it is over.
    #[serde(default, deserialize_with = "words::known_or_default")]
    pub resolve_reason: Option<ResolveReason>,
    /// How often it fired again after it had resolved; 0 at first.
    pub reopened: u32,
    /// How many members fire.
    pub firing: u32,
    /// How many members it has in all.
    pub members: u32,
    /// Sums over the members, kept with every change.
    #[serde(default)]
    pub tally: Tally,
}

impl Incident {
    /// When it was heard that it is over, while it is: later than its end when the news came
    /// late. What waits after an end (cooldown, retention) counts from here.
    pub fn end_heard_at(&self) -> Option<Timestamp> {
        self.resolved_at.map(|_| self.updated_at)
    }
}

/// Sums over an incident's members, so that no transition needs to read all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Firing members by severity, in the order of [`Severity::ALL`].
    pub firing: [u32; 5],
    /// The firing set as one number: the fingerprints' mixed bits, xored.
    pub digest: u64,
    /// How often a member began to fire, ever.
    pub joins: u64,
    /// The latest end of a member in the present life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_end: Option<Timestamp>,
}

impl Tally {
    /// A member begins to fire.
    pub fn join(&mut self, fingerprint: &str, severity: Severity) {
        self.firing[position(severity)] += 1;
        self.digest ^= mixed(fingerprint);
        self.joins += 1;
    }

    /// A firing member ceases to.
    pub fn leave(&mut self, fingerprint: &str, severity: Severity) {
        let count = &mut self.firing[position(severity)];
        *count = count.saturating_sub(1);
        self.digest ^= mixed(fingerprint);
    }

    /// A member ended then.
    pub fn note_end(&mut self, at: Timestamp) {
        self.latest_end = self.latest_end.max(Some(at));
    }

    /// How many fire.
    pub fn total(&self) -> u32 {
        self.firing.iter().sum()
    }

    /// The highest severity among those that fire.
    pub fn highest(&self) -> Option<Severity> {
        Severity::ALL.into_iter().zip(self.firing).find(|(_, count)| *count > 0).map(|(severity, _)| severity)
    }
}

fn position(severity: Severity) -> usize {
    Severity::ALL.iter().position(|s| *s == severity).unwrap_or(0)
}

/// The fingerprint's bits, mixed so that sets rarely xor to the same number.
fn mixed(fingerprint: &str) -> u64 {
    let bits = fingerprint.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (bits ^ (bits >> 32)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// One alert as a member of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The alert's identity.
    pub fingerprint: String,
    /// Its own status.
    pub status: AlertStatus,
    /// Its own severity, normalised.
    pub severity: Severity,
    /// The word it used.
    pub severity_raw: String,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations, as last heard while firing.
    pub annotations: Labels,
    /// When its condition began.
    pub starts_at: Timestamp,
    /// When it ceased.
    pub ends_at: Option<Timestamp>,
    /// The link to its expression.
    pub generator_url: String,
    /// What Grafana adds.
    #[serde(default)]
    pub extras: Extras,
    /// The event by which it was heard of last: ids rise with the order of arrival. For triage
    /// alone.
    #[serde(skip)]
    pub event_id: String,
}

/// What one incident has already said on one channel: compared with what is true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What was said to be the case.
    pub status: AlertStatus,
    /// At which severity.
    pub severity: Severity,
    /// [`Tally::digest`] of the firing members told.
    pub digest: u64,
    /// [`Tally::joins`] when it was told.
    pub joins: u64,
    /// Which life of the incident (`Incident::reopened`).
    pub reopened: u32,
    /// When it was decided to tell this.
    pub at: Timestamp,
    /// By which notification.
    pub notification_id: String,
    /// When it ended last without that being told here: a cooldown counts from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_untold: Option<Timestamp>,
}

/// The memory of one incident on one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The channel's name.
    pub channel: String,
    /// The last state told; `None` before the first message.
    pub told: Option<Told>,
    /// When to decide again although nothing happened.
    pub next_due_at: Option<Timestamp>,
    /// The last answer's outcome and reason, so that an equal one is not stored again.
    pub last_answer: String,
}
