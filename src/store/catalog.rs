//! The catalog's changes, each within one transaction: entries, the names they own, their
//! versions and deployments, and the feed by which replicas learn of them.
//!
//! Whoever changes the catalog first takes the next revision; the row it stands in admits
//! one at a time, so revisions become visible in order and none is ever missed.

use super::catalog_rows::{DeploymentRow, EntryRow, VersionRow, histories, records};
use super::error::Doing as _;
use super::news::News;
use super::rows::to_json;
use super::{StoreError, Tx};
use crate::domain::entry::{Deployment, EntryRecord, Version};

/// An entry about to be written, with what is derived from it.
#[derive(Clone, Debug)]
pub struct EntryWrite {
    /// The entry; its history is written by itself.
    pub record: EntryRecord,
    /// The entry as it is stored: made before the transaction, which is to be short.
    pub document: String,
    /// Every name it owns, in the form in which names are compared.
    pub names: Vec<String>,
    /// What a text filter looks into, in lower case.
    pub search: String,
}

impl EntryWrite {
    /// A record as it is to be written.
    pub fn new(record: EntryRecord, names: Vec<String>, search: String) -> Self {
        Self { document: to_json(&record.entry), record, names, search }
    }
}

const NEXT_REVISION: &str =
    "UPDATE meta SET value = value + 1 WHERE key = 'catalog_revision' RETURNING value";
const ENTRIES_BY_SLUG: &str =
    "SELECT slug, document, revision, created_at, updated_at FROM catalog_entries WHERE slug IN";
const REVISIONS_BY_SLUG: &str = "SELECT slug, revision FROM catalog_entries WHERE slug IN";
const VERSIONS_BY_SLUG: &str =
    "SELECT slug, version, valid_from, note, url FROM catalog_versions WHERE slug IN";
const DEPLOYMENTS_BY_SLUG: &str = "SELECT slug, id, external_id, version, previous_version, at, actor, commit_id, url, \
     rollback_command FROM catalog_deployments WHERE slug IN";
const NAME_OWNERS: &str = "SELECT name, slug FROM catalog_names WHERE name IN";
const ALL_SLUGS: &str = "SELECT slug FROM catalog_entries ORDER BY slug";
const PUT_ENTRIES: &str = "INSERT INTO catalog_entries (slug, kind, owner, team, tier, environment, search, document, \
     revision, created_at, updated_at)";
const PUT_ENTRIES_ANYWAY: &str = "ON CONFLICT (slug) DO UPDATE SET kind = excluded.kind, owner = excluded.owner, \
     team = excluded.team, tier = excluded.tier, environment = excluded.environment, search = excluded.search, \
     document = excluded.document, revision = excluded.revision, updated_at = excluded.updated_at";
const PUT_CHANGES: &str = "INSERT INTO catalog_changes (slug, revision, deleted)";
const PUT_CHANGES_ANYWAY: &str =
    "ON CONFLICT (slug) DO UPDATE SET revision = excluded.revision, deleted = excluded.deleted";
const INSERT_NAMES: &str = "INSERT INTO catalog_names (name, slug)";
const PUT_VERSIONS: &str = "INSERT INTO catalog_versions (slug, version, valid_from, note, url)";
const PUT_VERSIONS_ANYWAY: &str =
    "ON CONFLICT (slug, valid_from, version) DO UPDATE SET note = excluded.note, url = excluded.url";
const INSERT_DEPLOYMENTS: &str = "INSERT INTO catalog_deployments (slug, id, external_id, version, previous_version, at, \
     actor, commit_id, url, rollback_command)";
const DELETE_NAMES: &str = "DELETE FROM catalog_names WHERE slug IN (";
const DELETE_ENTRIES: [&str; 4] = [
    DELETE_NAMES,
    "DELETE FROM catalog_entries WHERE slug IN (",
    "DELETE FROM catalog_versions WHERE slug IN (",
    "DELETE FROM catalog_deployments WHERE slug IN (",
];

impl Tx {
    /// Takes the next revision of the catalog. Everyone else who changes the catalog waits
    /// until this transaction ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_catalog_revision(&mut self) -> Result<i64, StoreError> {
        let (revision,): (i64,) =
            with_tx!(*self, |conn| sqlx::query_as(NEXT_REVISION).fetch_one(&mut *conn).await)
                .doing("take the catalog's next revision")?;
        self.announce(News { catalog: true, ..News::default() });
        Ok(revision)
    }

    /// The entries of those slugs that exist, with their whole histories, in no order.
    ///
    /// # Errors
    /// When the database does not answer or an entry is unreadable.
    pub async fn find_catalog_records(&mut self, slugs: &[&str]) -> Result<Vec<EntryRecord>, StoreError> {
        let doing = "read catalog entries";
        let entries = read_by_keys!(*self, EntryRow, slugs, ENTRIES_BY_SLUG, "").doing(doing)?;
        let versions =
            read_by_keys!(*self, VersionRow, slugs, VERSIONS_BY_SLUG, "ORDER BY valid_from, version")
                .doing(doing)?;
        let deployments = read_by_keys!(*self, DeploymentRow, slugs, DEPLOYMENTS_BY_SLUG, "ORDER BY at, id")
            .doing(doing)?;
        records(entries, histories(versions, deployments)).collect()
    }

    /// At which revision those of the slugs are that exist.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_catalog_revisions(&mut self, slugs: &[&str]) -> Result<Vec<(String, i64)>, StoreError> {
        read_by_keys!(*self, (String, i64), slugs, REVISIONS_BY_SLUG, "").doing("look up catalog entries")
    }

    /// Which of the names are owned, and by which slug.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_catalog_name_owners(
        &mut self,
        names: &[&str],
    ) -> Result<Vec<(String, String)>, StoreError> {
        // Nothing has a name with NUL, and PostgreSQL does not take one in a question.
        let names: Vec<&str> = names.iter().copied().filter(|name| !name.contains('\0')).collect();
        read_by_keys!(*self, (String, String), &names, NAME_OWNERS, "").doing("look up catalog names")
    }

    /// Every slug there is, in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_catalog_slugs(&mut self) -> Result<Vec<String>, StoreError> {
        let slugs: Vec<(String,)> =
            with_tx!(*self, |conn| sqlx::query_as(ALL_SLUGS).fetch_all(&mut *conn).await)
                .doing("list catalog slugs")?;
        Ok(slugs.into_iter().map(|(slug,)| slug).collect())
    }

    /// Creates or replaces entries. Their slugs differ from each other.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a name is owned by another entry.
    pub async fn put_catalog_entries(&mut self, entries: &[EntryWrite]) -> Result<(), StoreError> {
        let doing = "write catalog entries";
        let names: Vec<(&str, &str)> = entries
            .iter()
            .flat_map(|write| {
                write.names.iter().map(|name| (name.as_str(), write.record.entry.slug.as_str()))
            })
            .collect();
        // All are let go before any is taken: a name may pass from one entry to another.
        write_rows!(*self, entries, 1, DELETE_NAMES, ")", |query, write| query
            .bind(&write.record.entry.slug))
        .doing(doing)?;
        write_rows!(*self, entries, 11, PUT_ENTRIES, PUT_ENTRIES_ANYWAY, |query, write| query
            .bind(&write.record.entry.slug)
            .bind(write.record.entry.kind.as_str())
            .bind(&write.record.entry.owner)
            .bind(&write.record.entry.team)
            .bind(write.record.entry.tier.map(i64::from))
            .bind(&write.record.entry.environment)
            .bind(&write.search)
            .bind(&write.document)
            .bind(write.record.revision)
            .bind(write.record.created_at.as_millis())
            .bind(write.record.updated_at.as_millis()))
        .doing(doing)?;
        write_rows!(*self, &names, 2, INSERT_NAMES, "", |query, name| query.bind(name.0).bind(name.1))
            .doing(doing)?;
        let changes: Vec<(&str, i64)> =
            entries.iter().map(|write| (write.record.entry.slug.as_str(), write.record.revision)).collect();
        self.put_changes(&changes, false).await
    }

    /// Deletes entries and all that belongs to them.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn delete_catalog_entries(
        &mut self,
        slugs: &[String],
        revision: i64,
    ) -> Result<(), StoreError> {
        for statement in DELETE_ENTRIES {
            write_rows!(*self, slugs, 1, statement, ")", |query, slug| query.bind(slug))
                .doing("delete catalog entries")?;
        }
        let changes: Vec<(&str, i64)> = slugs.iter().map(|slug| (slug.as_str(), revision)).collect();
        self.put_changes(&changes, true).await
    }

    async fn put_changes(&mut self, changes: &[(&str, i64)], deleted: bool) -> Result<(), StoreError> {
        write_rows!(*self, changes, 3, PUT_CHANGES, PUT_CHANGES_ANYWAY, |query, change| query
            .bind(change.0)
            .bind(change.1)
            .bind(deleted))
        .map(|_| ())
        .doing("write the catalog's changes")
    }

    /// Writes versions of entries; one known by its name and begin gets the new note and URL.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn put_catalog_versions(&mut self, versions: &[(String, Version)]) -> Result<(), StoreError> {
        write_rows!(*self, versions, 5, PUT_VERSIONS, PUT_VERSIONS_ANYWAY, |query, row| query
            .bind(&row.0)
            .bind(&row.1.version)
            .bind(row.1.valid_from.as_millis())
            .bind(&row.1.note)
            .bind(&row.1.url))
        .map(|_| ())
        .doing("write catalog versions")
    }

    /// Writes deployments of entries.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when an external id of the same entry is known.
    pub async fn insert_catalog_deployments(
        &mut self,
        deployments: &[(String, Deployment)],
    ) -> Result<(), StoreError> {
        write_rows!(*self, deployments, 10, INSERT_DEPLOYMENTS, "", |query, row| query
            .bind(&row.0)
            .bind(&row.1.id)
            .bind(&row.1.external_id)
            .bind(&row.1.version)
            .bind(&row.1.previous_version)
            .bind(row.1.at.as_millis())
            .bind(&row.1.actor)
            .bind(&row.1.commit)
            .bind(&row.1.url)
            .bind(&row.1.rollback_command))
        .map(|_| ())
        .doing("write catalog deployments")
    }
}
