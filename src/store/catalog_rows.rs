//! Rows of the catalog and their conversion to domain types.

use std::collections::HashMap;

use super::StoreError;
use super::rows::json;
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, Entry, EntryHistory, EntryRecord, Version};

#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    pub slug: String,
    document: String,
    revision: i64,
    created_at: i64,
    updated_at: i64,
}

/// An entry without its history.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEntry {
    /// What users wrote.
    pub entry: Entry,
    /// The catalog's revision of its last change.
    pub revision: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it or its history last changed.
    pub updated_at: Timestamp,
}

impl StoredEntry {
    /// The entry with its history.
    pub fn with(self, history: EntryHistory) -> EntryRecord {
        let Self { entry, revision, created_at, updated_at } = self;
        EntryRecord { entry, revision, created_at, updated_at, history }
    }
}

impl EntryRow {
    pub fn into_entry(self) -> Result<StoredEntry, StoreError> {
        let entry = json(&self.document).map_err(|detail| StoreError::Corrupt {
            table: "catalog_entries",
            column: "document",
            id: self.slug,
            detail,
        })?;
        Ok(StoredEntry {
            entry,
            revision: self.revision,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct VersionRow {
    slug: String,
    version: String,
    valid_from: i64,
    note: String,
    url: String,
}

impl VersionRow {
    pub fn into_version(self) -> Version {
        let Self { slug: _, version, valid_from, note, url } = self;
        Version { version, valid_from: Timestamp::from_millis(valid_from), note, url }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct DeploymentRow {
    slug: String,
    id: String,
    external_id: String,
    version: String,
    previous_version: String,
    at: i64,
    actor: String,
    commit_id: String,
    url: String,
    rollback_command: String,
}

impl DeploymentRow {
    pub fn into_deployment(self) -> Deployment {
        Deployment {
            id: self.id,
            external_id: self.external_id,
            version: self.version,
            previous_version: self.previous_version,
            at: Timestamp::from_millis(self.at),
            actor: self.actor,
            commit: self.commit_id,
            url: self.url,
            rollback_command: self.rollback_command,
        }
    }
}

/// Histories by slug, from rows that come oldest first.
pub(super) fn histories(
    versions: Vec<VersionRow>,
    deployments: Vec<DeploymentRow>,
) -> HashMap<String, EntryHistory> {
    let mut histories: HashMap<String, EntryHistory> = HashMap::new();
    for row in versions {
        let history = histories.entry(row.slug.clone()).or_default();
        history.versions.push(row.into_version());
    }
    for row in deployments {
        let history = histories.entry(row.slug.clone()).or_default();
        history.deployments.push(row.into_deployment());
    }
    histories
}

/// Joins entries with their histories.
pub(super) fn records(
    entries: Vec<EntryRow>,
    mut histories: HashMap<String, EntryHistory>,
) -> impl Iterator<Item = Result<EntryRecord, StoreError>> {
    entries.into_iter().map(move |row| {
        let history = histories.remove(&row.slug).unwrap_or_default();
        Ok(row.into_entry()?.with(history))
    })
}
