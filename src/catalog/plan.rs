//! What an import would change: compared entry by entry before anything is written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{DeploymentDocument, Document, EntryDocument, VersionDocument, told};
use super::history::{self, Undated};
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, Entry, EntryHistory, EntryRecord, Version};
use crate::domain::ids::IdMaker;

/// How many changed entries a report describes; the rest is counted.
pub const MAX_DESCRIBED: usize = 1_000;

/// What became, or would become, of an import.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "dry_run": true, "created": 0, "changed": 1, "deleted": 0, "unchanged": 41,
    "entries": [{
        "slug": "fraud-detector", "action": "changed",
        "fields": [{"field": "tier", "before": 2, "after": 1}]
    }],
    "entries_omitted": 0
}))]
pub struct ImportReport {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// How many entries are new.
    pub created: usize,
    /// How many entries, or their histories, are different.
    pub changed: usize,
    /// How many entries are gone, because the document does not have them.
    pub deleted: usize,
    /// How many entries are as they were.
    pub unchanged: usize,
    /// The new, different and gone entries; at most 1,000.
    pub entries: Vec<EntryChange>,
    /// How many more were left out of `entries`.
    pub entries_omitted: usize,
}

/// What happens to one entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EntryChange {
    /// The entry.
    pub slug: String,
    /// Created, changed or deleted.
    pub action: ChangeAction,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Versions that join the history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<VersionDocument>,
    /// Deployments that join the history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<DeploymentDocument>,
}

/// What is done to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAction {
    /// It is new.
    Created,
    /// It, or its history, is different.
    Changed,
    /// It is gone.
    Deleted,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldChange {
    /// The field: `owner`, `links.dashboard`.
    pub field: String,
    /// What it was; null when it was not there.
    pub before: Value,
    /// What it becomes; null when it goes.
    pub after: Value,
}

/// One entry's part of an import.
#[derive(Debug)]
pub(super) struct PlannedEntry {
    pub entry: Entry,
    pub versions: Vec<Version>,
    pub deployments: Vec<Deployment>,
    /// `None` when nothing differs.
    pub change: Option<EntryChange>,
}

/// Compares an entry of a document with what is stored.
pub(super) fn plan_entry(
    document: EntryDocument,
    existing: Option<&EntryRecord>,
    now: Timestamp,
    ids: &IdMaker,
) -> PlannedEntry {
    let mut history = existing.map(|record| record.history.clone()).unwrap_or_default();
    let versions = join_versions(&mut history, document.versions, now);
    let deployments = join_deployments(&mut history, document.deployments, now, ids);
    let entry = with_current_version(document.entry, &history);
    let change = EntryChange {
        slug: entry.slug.clone(),
        action: if existing.is_some() { ChangeAction::Changed } else { ChangeAction::Created },
        fields: differences(existing.map(|record| &record.entry), Some(&entry)),
        versions: versions.iter().map(VersionDocument::from).collect(),
        deployments: deployments.iter().map(DeploymentDocument::without_id).collect(),
    };
    let differs = existing.is_none_or(|record| record.entry != entry)
        || !versions.is_empty()
        || !deployments.is_empty();
    PlannedEntry { entry, versions, deployments, change: differs.then_some(change) }
}

/// The entries of a document as an empty catalog would hold them once it was imported.
pub fn imagine(document: Document, now: Timestamp, ids: &IdMaker) -> Vec<EntryRecord> {
    let record = |document| {
        let PlannedEntry { entry, versions, deployments, .. } = plan_entry(document, None, now, ids);
        let mut history = EntryHistory::default();
        versions.into_iter().for_each(|version| history::add_version(&mut history, version));
        for deployment in deployments {
            history::add_deployment(&mut history, deployment);
        }
        EntryRecord { entry, revision: 1, created_at: now, updated_at: now, history }
    };
    document.entries.into_iter().map(record).collect()
}

fn join_versions(
    history: &mut EntryHistory,
    documents: Vec<VersionDocument>,
    now: Timestamp,
) -> Vec<Version> {
    let mut joined = Vec::new();
    for document in documents {
        let known = history::find_version(history, &document, Undated::Once);
        if known.is_some_and(|known| known.note == document.note && known.url == document.url) {
            continue;
        }
        let since = known.map_or(now, |known| known.valid_from);
        let version = document.into_version(since);
        history::add_version(history, version.clone());
        joined.push(version);
    }
    joined
}

fn join_deployments(
    history: &mut EntryHistory,
    documents: Vec<DeploymentDocument>,
    now: Timestamp,
    ids: &IdMaker,
) -> Vec<Deployment> {
    let mut joined = Vec::new();
    for document in documents {
        if history::find_deployment(history, &document, Undated::Once).is_none() {
            joined.push(history::add_deployment(history, document.into_deployment(ids.next_id(), now)));
        }
    }
    joined
}

/// The entry, its current version taken from the history where it has none.
pub(super) fn with_current_version(mut entry: Entry, history: &EntryHistory) -> Entry {
    if entry.current_version.is_empty() {
        entry.current_version = history::current(history).unwrap_or_default().to_owned();
    }
    entry
}

/// The fields in which two states of an entry differ; links and tags one by one.
pub fn differences(before: Option<&Entry>, after: Option<&Entry>) -> Vec<FieldChange> {
    let before = before.map(told).unwrap_or_default();
    let after = after.map(told).unwrap_or_default();
    let mut changes = Vec::new();
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    for key in after.keys().chain(gone) {
        let (old, new) = (before.get(key), after.get(key));
        match (old, new) {
            _ if old == new || key == "slug" => {}
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let gone = old.keys().filter(|name| !new.contains_key(*name));
                let fields = new
                    .keys()
                    .chain(gone)
                    .map(|name| (format!("{key}.{name}"), old.get(name), new.get(name)));
                changes.extend(fields.filter_map(|(field, old, new)| field_change(field, old, new)));
            }
            _ => changes.extend(field_change(key.clone(), old, new)),
        }
    }
    changes
}

fn field_change(field: String, before: Option<&Value>, after: Option<&Value>) -> Option<FieldChange> {
    let owned = |value: Option<&Value>| value.cloned().unwrap_or_default();
    (before != after).then(|| FieldChange { field, before: owned(before), after: owned(after) })
}

impl ImportReport {
    /// Counts and, up to the limit, describes a change.
    pub(super) fn add(&mut self, change: EntryChange) {
        match change.action {
            ChangeAction::Created => self.created += 1,
            ChangeAction::Changed => self.changed += 1,
            ChangeAction::Deleted => self.deleted += 1,
        }
        if self.entries.len() < MAX_DESCRIBED {
            self.entries.push(change);
        } else {
            self.entries_omitted += 1;
        }
    }
}
