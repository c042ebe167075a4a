//! What a template of a message sees: the reference for everybody who writes one.
//!
//! Everything is always there: what is not known is an empty text or an empty list, so
//! that `{{#if …}}` leaves a block out and strict mode is not in the way. Only names under
//! `labels`, `annotations` and `catalog.tags` may be missing: ask with `{{#if labels.x}}`
//! or write `{{default labels.x "…"}}`. Texts hold no control or bidirectional characters
//! and are bounded in length; they are escaped for the medium when written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Link;
use super::links::{LinkTemplates, Window};
use crate::domain::clock::Timestamp;
use crate::domain::entry::Contact;

mod alerts;
mod build;
mod labels;
mod links;
mod notes;
mod quantity;
mod parts;

pub use super::usable::is_usable;
pub use alerts::summary_and_value;

/// What a message needs beyond its snapshot.
#[derive(Clone, Copy, Debug)]
pub struct ContextOptions<'a> {
    /// The address of this server, for links to it.
    pub external_url: &'a str,
    /// The channel's name.
    pub channel: &'a str,
    /// The moment of the attempt to send.
    pub now: Timestamp,
    /// Renders the links of the entry.
    pub links: &'a LinkTemplates,
}

/// The variables of a message.
#[derive(Clone, Debug, Serialize)]
pub struct MessageContext {
    /// Why the message is sent: `firing`, `updated`, `severity_raised`, `severity_lowered`,
    /// `reopened`, `repeated`, `acknowledged`, `resolved`, `test`, `folded`, `other`.
    pub kind: &'static str,
    /// `firing` or `resolved`.
    pub status: &'static str,
    /// Whether it is over.
    pub resolved: bool,
    /// `critical`, `high`, `medium`, `low`, `info`.
    pub severity: &'static str,
    /// The word the alert used for it.
    pub severity_raw: String,
    /// The severity told before, when it changed.
    pub previous_severity: &'static str,
    /// One emoji for severity and status.
    pub emoji: &'static str,
    /// One colour for severity and status, `#rrggbb`.
    pub color: &'static str,
    /// The first words of a title: `CRITICAL`, `CRITICAL, raised from medium`, `RESOLVED`.
    pub lead: String,
    /// What broke, where: `HighLatency on Fraud detector v8`.
    pub headline: String,
    /// The rule's name.
    pub alertname: String,
    /// The catalog entry's slug.
    pub entry: String,
    /// The entry's name for people, else the `subject`.
    pub title: String,
    /// Whether the headline says the whole summary, because there is no `alertname`.
    pub headline_is_summary: bool,
    /// What the alert that speaks for all is about: its pod, deployment, host, …
    pub subject: String,
    /// The same with its label's name, `pod fraud-1`, when there is one alert and the headline
    /// does not say it.
    pub place: String,
    /// Labels that nothing else in the message says, in one line; first those that differ
    /// between the alerts: `feature_name=age, amount · slice=eu`.
    pub label_line: String,
    /// The version the alert names, else the one live when it began, else the current one.
    pub version: String,
    /// What to know when alert and catalog disagree about the version.
    pub version_note: String,
    /// The first usable of the annotations `summary`, `message`, `title`, `description` of the
    /// worst alert; with several that do not say the same: `pod 8 down (and 29 more)`.
    pub summary: String,
    /// The annotations `description` and `message`, what they say beyond the summary.
    pub description: String,
    /// What it costs: the annotation `impact`, then what the catalog says.
    pub impact: String,
    /// What to do: the annotation `action` (or `actions`, `remediation`).
    pub action: String,
    /// The annotation `runbook` when it is no link.
    pub runbook_text: String,
    /// The annotation `value` (or `current_value`) of the worst alert: the most severe, of
    /// those the farthest from its threshold.
    pub value: String,
    /// The annotation `threshold` (or `limit`) of the same alert.
    pub threshold: String,
    /// Value and threshold in one phrase.
    pub measured: String,
    /// Entry, version, tier and environment in one phrase.
    pub model_line: String,
    /// Owner, team and contacts in one phrase.
    pub owner_line: String,
    /// Since when and for how long, in words.
    pub when: String,
    /// For how long it has been firing, or how long it took, in words.
    pub duration: String,
    /// The entry's owner.
    pub owner: String,
    /// The entry's team.
    pub team: String,
    /// Labels that all alerts share.
    pub labels: BTreeMap<String, String>,
    /// Annotations that all alerts share.
    pub annotations: BTreeMap<String, String>,
    /// The member alerts: firing first, higher severity first, then in
    /// natural order; the worst first where it would stand far down.
    pub alerts: Vec<AlertContext>,
    /// Whether there is more than one alert.
    pub several: bool,
    /// How many alerts there are.
    pub counts: Counts,
    /// The incident.
    pub incident: IncidentContext,
    /// What the catalog knows about the entry.
    pub catalog: CatalogContext,
    /// The last deployment not after the incident's begin.
    pub deployment: DeploymentContext,
    /// The links: runbook, dashboard, logs, others of the entry, Prometheus, Alertmanager,
    /// the incident here.
    pub links: Vec<Link>,
    /// The time to look at in dashboards and logs.
    pub window: Window,
    /// Sentences the reader should know: cut alerts, no catalog entry, broken annotations.
    pub notes: Vec<String>,
    /// Why this message was decided.
    pub reason: String,
    /// The same as the last line of a message: `First notification of this incident`.
    pub footer: String,
    /// When it was decided, RFC 3339.
    pub at: String,
    /// The moment of sending, RFC 3339.
    pub now: String,
    /// The channel's name.
    pub channel: String,
}

/// One of `alerts`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AlertContext {
    /// The rule's name.
    pub name: String,
    /// Its pod, deployment, host, …
    pub subject: String,
    /// One line: what sets it apart, its value, since when.
    pub line: String,
    /// `firing` or `resolved`.
    pub status: &'static str,
    /// Whether it is over.
    pub resolved: bool,
    /// Its own severity.
    pub severity: &'static str,
    /// One emoji for its severity and status.
    pub emoji: &'static str,
    /// When it began, RFC 3339.
    pub starts_at: String,
    /// When it ended, RFC 3339; empty while it fires.
    pub ends_at: String,
    /// How long it has lasted, in words.
    pub duration: String,
    /// Its summary.
    pub summary: String,
    /// Its value.
    pub value: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The link to its expression; empty when it is not one.
    pub generator_url: String,
    /// The page of the incident that this line of a folded message stands for; empty otherwise.
    pub url: String,
    /// Its identity.
    pub fingerprint: String,
}

/// `counts`
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// How many fire.
    pub firing: u64,
    /// How many are over.
    pub resolved: u64,
    /// How many there are in all.
    pub total: u64,
    /// How many are not in `alerts`.
    pub omitted: u64,
    /// How many Alertmanager cut off before it told us.
    pub truncated: u64,
    /// `11 firing, 3 resolved`.
    pub text: String,
}

/// `incident`
#[derive(Clone, Debug, Default, Serialize)]
pub struct IncidentContext {
    /// Its id.
    pub id: String,
    /// Its page here; empty when this server has no address.
    pub url: String,
    /// The name of the problem.
    pub dedup_key: String,
    /// When its first alert began, RFC 3339.
    pub started_at: String,
    /// When it was first heard of, RFC 3339.
    pub opened_at: String,
    /// When it ended, RFC 3339; empty while it goes on.
    pub resolved_at: String,
    /// `alert`, `person` or `stale`; empty while it goes on.
    pub resolve_reason: &'static str,
    /// How long it has lasted, in words.
    pub duration: String,
    /// How long it has lasted, in seconds.
    pub duration_seconds: u64,
    /// How often it fired again after it had resolved.
    pub reopened: u32,
}

/// `catalog`
#[derive(Clone, Debug, Default, Serialize)]
pub struct CatalogContext {
    /// The entry's slug.
    pub slug: String,
    /// `model`, `llm`, `prompt`, `pipeline`, `feature_store`.
    pub kind: &'static str,
    /// `Model`, `LLM`, `Prompt`, `Pipeline`, `Feature store`.
    pub kind_label: &'static str,
    /// The name for people.
    pub title: String,
    /// One paragraph.
    pub description: String,
    /// `1` (most important) to `5`.
    pub tier: String,
    /// `production`, `staging`, …
    pub environment: String,
    /// What it costs when it is down.
    pub business_impact: String,
    /// Where it serves.
    pub endpoint_url: String,
    /// The version live when the incident began.
    pub version_live: String,
    /// The version the catalog calls current.
    pub version_current: String,
    /// Whom to turn to: `name`, `kind`, `value`.
    pub contacts: Vec<Contact>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// How the entry was found.
    pub matched_by: String,
}

/// `deployment`
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeploymentContext {
    /// What was deployed.
    pub version: String,
    /// What was live before.
    pub previous_version: String,
    /// When, RFC 3339.
    pub at: String,
    /// By whom.
    pub actor: String,
    /// Of which commit.
    pub commit: String,
    /// Where to read about it.
    pub url: String,
    /// The command that takes it back.
    pub rollback_command: String,
    /// How long ago, in words.
    pub ago: String,
    /// How long before the alert began, in words.
    pub before_alert: String,
    /// The same in whole minutes; empty when there was no deployment.
    pub minutes_before_alert: String,
    /// All of it in one phrase: `v8 deployed by ci 14 min before the alert began (was v7)`.
    pub text: String,
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod telling_tests;
