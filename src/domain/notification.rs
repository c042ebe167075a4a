//! What one message will say, and the states it passes through.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alert::AlertStatus;
use super::clock::Timestamp;
use super::entry::{Contact, Deployment, EntryKind};
use super::incident::{Incident, Member};
use super::severity::Severity;
use super::words;

/// Why a message is sent: the difference between what is true and what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// The first word about an incident on this channel.
    Firing,
    /// Alerts joined it or left it.
    Updated,
    /// Its severity rose.
    SeverityRaised,
    /// Its severity fell.
    SeverityLowered,
    /// It fires again after it had resolved.
    Reopened,
    /// Nothing changed for as long as the repeat interval.
    Repeated,
    /// Somebody took it on.
    Acknowledged,
    /// It is over.
    Resolved,
    /// Somebody tries the channel.
    Test,
    /// Stands for many messages that waited, more than the channel may send.
    Folded,
    /// One that only a newer release knows, on the same database: what is the case is told.
    #[serde(other)]
    Other,
}

impl NotificationKind {
    /// Every kind that is decided here.
    pub const ALL: [Self; 10] = [
        Self::Firing,
        Self::Updated,
        Self::SeverityRaised,
        Self::SeverityLowered,
        Self::Reopened,
        Self::Repeated,
        Self::Acknowledged,
        Self::Resolved,
        Self::Test,
        Self::Folded,
    ];

    /// The word used in the database, the API, templates, and after `incident.` in the
    /// `type` of webhook bodies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Updated => "updated",
            Self::SeverityRaised => "severity_raised",
            Self::SeverityLowered => "severity_lowered",
            Self::Reopened => "reopened",
            Self::Repeated => "repeated",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Test => "test",
            Self::Folded => "folded",
            Self::Other => "other",
        }
    }
}

/// Where a notification stands. It ends in one of the last four, with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// Owed; waits for its time.
    Pending,
    /// Leased by a worker.
    Sending,
    /// The provider has it.
    Delivered,
    /// Given up; may be sent again by hand.
    Failed,
    /// A newer message told the same and more.
    Superseded,
    /// Withdrawn, for instance because its channel was removed.
    Cancelled,
}

impl NotificationState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Sending, Self::Delivered, Self::Failed, Self::Superseded, Self::Cancelled];

    /// The word used in the database, the API and filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The dedup key of every message that stands for many: they are sent one after the other.
pub const FOLDED_KEY: &str = "modelpager:folded";

/// How many member alerts a snapshot carries; the rest is counted in `alerts_omitted`.
pub const SNAPSHOT_ALERTS: usize = 50;

/// Everything a message may say, frozen when it was decided to send it. Stored as JSON
/// with the notification, so that a message sent late still tells what was true then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Why it is sent.
    pub kind: NotificationKind,
    /// The decision's reason in words.
    pub reason: String,
    /// When it was decided.
    pub at: Timestamp,
    /// Firing or resolved.
    pub status: AlertStatus,
    /// The severity told before, when it changed.
    pub previous_severity: Option<Severity>,
    /// The incident as it was.
    pub incident: Incident,
    /// Its members: firing first, higher severity first, then oldest first; at most
    /// [`SNAPSHOT_ALERTS`].
    pub alerts: Vec<Member>,
    /// How many members were left out of `alerts`.
    pub alerts_omitted: u64,
    /// What the catalog knew; `None` when no entry matched.
    pub entry: Option<EntryFacts>,
    /// The path through the routing tree that led to this channel, root first.
    pub route: Vec<String>,
    /// No child of the routing tree took it: the root's channels stand in.
    #[serde(default)]
    pub by_default_route: bool,
    /// The word in `incident.severity_raw` is in no table: the default severity stands in.
    #[serde(default)]
    pub severity_unknown: bool,
    /// Older messages that were never sent and that this one stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overtook: Option<Overtaken>,
    /// It is told here in place of another channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_in: Option<StandsIn>,
}

/// For which channel a message stands in, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandsIn {
    /// The channel that could not deliver.
    pub channel: String,
    /// Why; `None` when the channel delivers again and this tells the end of what was told
    /// here before.
    pub reason: Option<String>,
}

/// The messages that were never sent because a newer one stands for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overtaken {
    /// How many.
    pub count: u64,
    /// When the first of them was decided.
    pub since: Timestamp,
    /// Of which kinds, each once, the oldest first.
    pub kinds: Vec<NotificationKind>,
}

/// What the catalog knew about the entry when the message was decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryFacts {
    /// The entry's slug.
    pub slug: String,
    /// What sort of thing it is.
    #[serde(deserialize_with = "words::known_or_default")]
    pub kind: EntryKind,
    /// The name for people.
    pub title: String,
    /// One paragraph.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// Which team answers for it.
    pub team: String,
    /// 1 (most important) to 5.
    pub tier: Option<u8>,
    /// `production`, `staging`, …
    pub environment: String,
    /// What it costs when it is down.
    pub business_impact: String,
    /// Where it serves.
    pub endpoint_url: String,
    /// The version live when the incident began, as the catalog's history has it.
    pub version_live: Option<String>,
    /// The version the catalog calls current.
    pub version_current: String,
    /// The last deployment not after the incident's begin.
    pub deployment: Option<Deployment>,
    /// Named links: Handlebars templates of URLs.
    pub links: BTreeMap<String, String>,
    /// Handlebars template of the runbook's URL.
    pub runbook_url: String,
    /// Whom to turn to.
    pub contacts: Vec<Contact>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// How the entry was found: `label model`, `annotation catalog_entry`, `matcher`, …
    pub matched_by: String,
}
