//! What the catalog knows about one thing that can be wrong.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::Timestamp;

/// What sort of thing an entry is.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A trained model that serves predictions.
    #[default]
    Model,
    /// A language model, hosted or own.
    Llm,
    /// A prompt with versions of its own.
    Prompt,
    /// A training or data pipeline.
    Pipeline,
    /// A feature store or feature view.
    FeatureStore,
}

impl EntryKind {
    /// Every kind, in the order of the glossary.
    pub const ALL: [Self; 5] = [Self::Model, Self::Llm, Self::Prompt, Self::Pipeline, Self::FeatureStore];

    /// The word used in configuration, API and matchers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Llm => "llm",
            Self::Prompt => "prompt",
            Self::Pipeline => "pipeline",
            Self::FeatureStore => "feature_store",
        }
    }
}

/// One entry of the catalog: the document users read and write over REST.
///
/// `links` values, `runbook_url` and nothing else of it are Handlebars templates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name in URLs and labels: lower-case letters, digits, `-`, `_`, `.`; at most 120.
    pub slug: String,
    /// What sort of thing it is.
    #[serde(default)]
    pub kind: EntryKind,
    /// The name people use; the slug when empty.
    #[serde(default)]
    pub display_name: String,
    /// One paragraph.
    #[serde(default)]
    pub description: String,
    /// The person or rota that answers for it.
    #[serde(default)]
    pub owner: String,
    /// The team that answers for it.
    #[serde(default)]
    pub team: String,
    /// How much it matters, 1 (most) to 5; matched by routes as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<u8>,
    /// `production`, `staging`, …
    #[serde(default)]
    pub environment: String,
    /// What it costs when it is down, in words.
    #[serde(default)]
    pub business_impact: String,
    /// Other names it is known by in labels.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Alertmanager matchers that recognise its alerts when no label names it.
    #[serde(default)]
    pub matchers: Vec<EntryMatcher>,
    /// The version believed live; filled from the newest version or deployment when empty.
    #[serde(default)]
    pub current_version: String,
    /// Where it serves.
    #[serde(default)]
    pub endpoint_url: String,
    /// Named links (`dashboard`, `logs`, `registry`, …): Handlebars templates of URLs.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// Handlebars template of the runbook's URL.
    #[serde(default)]
    pub runbook_url: String,
    /// The runbook itself, Markdown.
    #[serde(default)]
    pub runbook: String,
    /// People and rooms to turn to.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Free tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Entry {
    /// The name for people.
    pub fn title(&self) -> &str {
        if self.display_name.is_empty() { &self.slug } else { &self.display_name }
    }
}

/// A set of matchers that recognises an entry's alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping such as {\"matchers\": [\"job=\\\"serving\\\"\"], \"priority\": 0}"
)]
#[schemars(example = serde_json::json!({"matchers": ["job=\"serving\""], "priority": 0}))]
pub struct EntryMatcher {
    /// Alertmanager matchers, all of which must hold.
    pub matchers: Vec<String>,
    /// Higher goes first; default 0.
    #[serde(default)]
    #[schemars(range(min = i32::MIN, max = i32::MAX))]
    pub priority: i32,
}

/// Someone or some room to turn to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping such as {\"name\": \"#risk-oncall\", \"kind\": \"slack\"}"
)]
#[schemars(example = serde_json::json!({"name": "#risk-oncall", "kind": "slack"}))]
pub struct Contact {
    /// A person's or room's name.
    pub name: String,
    /// `slack`, `email`, `phone`, …
    #[serde(default)]
    pub kind: String,
    /// The address of that kind.
    #[serde(default)]
    pub value: String,
}

/// A version and the moment from which it was the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The version's name.
    pub version: String,
    /// From when it was live.
    pub valid_from: Timestamp,
    /// A remark.
    pub note: String,
    /// Its page in the registry.
    pub url: String,
}

/// A deployment: who brought which version live, and how to take it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Ours.
    pub id: String,
    /// The deployer's own id; a second report of it changes nothing.
    pub external_id: String,
    /// What was deployed.
    pub version: String,
    /// What was live before.
    pub previous_version: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// Of which commit.
    pub commit: String,
    /// Where to read about it.
    pub url: String,
    /// The command that takes it back.
    pub rollback_command: String,
}

/// An entry as it is stored: the document, what happened to it, and when it changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryRecord {
    /// What users wrote.
    pub entry: Entry,
    /// The catalog's revision of its last change, history included; the `ETag`.
    pub revision: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it or its history last changed.
    pub updated_at: Timestamp,
    /// Versions and deployments; see [`EntryHistory`].
    pub history: EntryHistory,
}

/// What is live and what happened last for one entry at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryHistory {
    /// Oldest first.
    pub versions: Vec<Version>,
    /// Oldest first.
    pub deployments: Vec<Deployment>,
}

impl EntryHistory {
    /// The version live at `at`: that of the newest version or deployment not after it.
    pub fn version_at(&self, at: Timestamp) -> Option<&str> {
        let version =
            self.versions.iter().rfind(|v| v.valid_from <= at).map(|v| (v.valid_from, v.version.as_str()));
        let deployed = self.deployment_at(at).map(|d| (d.at, d.version.as_str()));
        version.into_iter().chain(deployed).max_by_key(|(since, _)| *since).map(|(_, version)| version)
    }

    /// The last deployment not after `at`.
    pub fn deployment_at(&self, at: Timestamp) -> Option<&Deployment> {
        self.deployments.iter().rfind(|d| d.at <= at)
    }
}
