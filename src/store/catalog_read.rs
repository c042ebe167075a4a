//! Reading the catalog: lists for people, and what changed since a revision for the
//! catalog in memory.

use super::catalog_rows::{DeploymentRow, EntryRow, StoredEntry, VersionRow, histories, records};
use super::error::Doing as _;
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, EntryKind, EntryRecord, Version};

/// How many of an entry's newest versions and of its newest deployments the catalog in
/// memory knows.
pub const RECENT_HISTORY: u32 = 100;
/// No version and no deployment is left out.
pub const WHOLE_HISTORY: u32 = u32::MAX;

/// Which entries to list. Texts are compared exactly, `text` within the entry's words.
#[derive(Clone, Debug, Default)]
pub struct CatalogFilter {
    /// Only this kind.
    pub kind: Option<EntryKind>,
    /// Only this owner's.
    pub owner: Option<String>,
    /// Only this team's.
    pub team: Option<String>,
    /// Only this tier.
    pub tier: Option<u8>,
    /// Only those in whose slug, names, description, owner, team or tags this stands.
    pub text: Option<String>,
}

/// What changed since a revision.
#[derive(Clone, Debug, Default)]
pub struct CatalogChanges {
    /// Slugs that are gone. They may have come back: then they are among `records` too.
    pub removed: Vec<String>,
    /// Entries that are new or different, in the order of their change.
    pub records: Vec<EntryRecord>,
    /// Everything up to this revision is in here.
    pub revision: i64,
}

const REVISION: &str = "SELECT value FROM meta WHERE key = 'catalog_revision'";
const REMOVED_SINCE: &str =
    "SELECT slug FROM catalog_changes WHERE revision > $1 AND deleted ORDER BY revision";
// What changed is found by its revision first: reading the whole catalog to learn of one
// change would cost a tenth of a second.
const ENTRIES_SINCE: &str = "SELECT e.slug, e.document, e.revision, e.created_at, e.updated_at \
     FROM catalog_changes c JOIN catalog_entries e ON e.slug = c.slug WHERE c.revision > $1 \
     ORDER BY c.revision, c.slug";
const VERSIONS_SINCE: &str = "SELECT slug, version, valid_from, note, url FROM \
     (SELECT v.*, ROW_NUMBER() OVER (PARTITION BY slug ORDER BY valid_from DESC, version DESC) AS place \
      FROM catalog_versions v WHERE slug IN (SELECT slug FROM catalog_changes WHERE revision > $1)) AS ranked \
     WHERE place <= $2 ORDER BY valid_from, version";
const DEPLOYMENTS_SINCE: &str = "SELECT slug, id, external_id, version, previous_version, at, actor, commit_id, url, \
     rollback_command FROM \
     (SELECT d.*, ROW_NUMBER() OVER (PARTITION BY slug ORDER BY at DESC, id DESC) AS place \
      FROM catalog_deployments d WHERE slug IN (SELECT slug FROM catalog_changes WHERE revision > $1)) AS ranked \
     WHERE place <= $2 ORDER BY at, id";
/// The whole catalog is read in parts of this many entries.
const PART: i64 = 4_096;
const ENTRIES_BY_PART: &str = "SELECT slug, document, revision, created_at, updated_at FROM catalog_entries \
     WHERE slug > $1 ORDER BY slug LIMIT $2";
const VERSIONS_BY_PART: &str = "SELECT slug, version, valid_from, note, url FROM \
     (SELECT v.*, ROW_NUMBER() OVER (PARTITION BY slug ORDER BY valid_from DESC, version DESC) AS place \
      FROM catalog_versions v WHERE slug > $1 AND slug <= $2) AS ranked WHERE place <= $3 ORDER BY valid_from, version";
const DEPLOYMENTS_BY_PART: &str = "SELECT slug, id, external_id, version, previous_version, at, actor, commit_id, url, \
     rollback_command FROM \
     (SELECT d.*, ROW_NUMBER() OVER (PARTITION BY slug ORDER BY at DESC, id DESC) AS place \
      FROM catalog_deployments d WHERE slug > $1 AND slug <= $2) AS ranked WHERE place <= $3 ORDER BY at, id";
const FIND_ENTRY: &str =
    "SELECT slug, document, revision, created_at, updated_at FROM catalog_entries WHERE slug = $1";
const LIST_ENTRIES: &str = "SELECT slug, document, revision, created_at, updated_at FROM catalog_entries \
     WHERE slug > $1 AND ($2 IS NULL OR kind = $2) AND ($3 IS NULL OR owner = $3) AND ($4 IS NULL OR team = $4) \
     AND ($5 IS NULL OR tier = $5) AND ($6 IS NULL OR search LIKE $6 ESCAPE '!') ORDER BY slug LIMIT $7";
const LIST_VERSIONS: &str = "SELECT slug, version, valid_from, note, url FROM catalog_versions \
     WHERE slug = $1 AND (valid_from, version) < ($2, $3) ORDER BY valid_from DESC, version DESC LIMIT $4";
const LIST_DEPLOYMENTS: &str = "SELECT slug, id, external_id, version, previous_version, at, actor, commit_id, url, \
     rollback_command FROM catalog_deployments \
     WHERE slug = $1 AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4";

impl Store {
    /// What changed after revision `since`; from 0, the whole catalog. Histories are cut to
    /// the newest `kept` versions and deployments. An unreadable entry is left out and logged: it must
    /// not keep all others from being found.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_catalog_changes(&self, since: i64, kept: u32) -> Result<CatalogChanges, StoreError> {
        let doing = "read the catalog's changes";
        // The revision first: what is committed while the rest is read comes again later.
        let (revision,): (i64,) =
            with_reader!(self, |conn| sqlx::query_as(REVISION).fetch_one(&mut *conn).await).doing(doing)?;
        if revision <= since {
            return Ok(CatalogChanges { revision, ..CatalogChanges::default() });
        }
        let kept = i64::from(kept);
        if since == 0 {
            let records = self.load_whole_catalog(kept).await?;
            return Ok(CatalogChanges { removed: Vec::new(), records, revision });
        }
        let (removed, entries, versions, deployments) = with_reader!(self, |conn| async {
            let removed: Vec<(String,)> =
                sqlx::query_as(REMOVED_SINCE).bind(since).fetch_all(&mut *conn).await?;
            let entries: Vec<EntryRow> =
                sqlx::query_as(ENTRIES_SINCE).bind(since).fetch_all(&mut *conn).await?;
            let versions: Vec<VersionRow> =
                sqlx::query_as(VERSIONS_SINCE).bind(since).bind(kept).fetch_all(&mut *conn).await?;
            let deployments: Vec<DeploymentRow> =
                sqlx::query_as(DEPLOYMENTS_SINCE).bind(since).bind(kept).fetch_all(&mut *conn).await?;
            Ok((removed, entries, versions, deployments))
        }
        .await)
        .doing(doing)?;
        let records = records(entries, histories(versions, deployments)).filter_map(readable).collect();
        let removed = removed.into_iter().map(|(slug,)| slug).collect();
        Ok(CatalogChanges { removed, records, revision })
    }

    /// Every entry, read part by part; the parts are parsed beside the reading, so that a
    /// start on a large catalog uses more than one processor.
    async fn load_whole_catalog(&self, kept: i64) -> Result<Vec<EntryRecord>, StoreError> {
        let doing = "read the catalog";
        let mut parts = Vec::new();
        let mut after = String::new();
        loop {
            let entries: Vec<EntryRow> = with_reader!(self, |conn| sqlx::query_as(ENTRIES_BY_PART)
                .bind(&after)
                .bind(PART)
                .fetch_all(&mut *conn)
                .await)
            .doing(doing)?;
            let Some(last) = entries.last().map(|row| row.slug.clone()) else { break };
            let (versions, deployments) = with_reader!(self, |conn| async {
                let versions: Vec<VersionRow> = sqlx::query_as(VERSIONS_BY_PART)
                    .bind(&after)
                    .bind(&last)
                    .bind(kept)
                    .fetch_all(&mut *conn)
                    .await?;
                let deployments: Vec<DeploymentRow> = sqlx::query_as(DEPLOYMENTS_BY_PART)
                    .bind(&after)
                    .bind(&last)
                    .bind(kept)
                    .fetch_all(&mut *conn)
                    .await?;
                Ok((versions, deployments))
            }
            .await)
            .doing(doing)?;
            after = last;
            parts.push(tokio::task::spawn_blocking(move || -> Vec<EntryRecord> {
                records(entries, histories(versions, deployments)).filter_map(readable).collect()
            }));
        }
        let mut all = Vec::new();
        for part in parts {
            all.extend(part.await.map_err(|_| sqlx::Error::WorkerCrashed).doing(doing)?);
        }
        Ok(all)
    }

    /// The revision the catalog is at.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catalog_revision(&self) -> Result<i64, StoreError> {
        let (revision,): (i64,) =
            with_reader!(self, |conn| sqlx::query_as(REVISION).fetch_one(&mut *conn).await)
                .doing("read the catalog's revision")?;
        Ok(revision)
    }

    /// The entry of that slug.
    ///
    /// # Errors
    /// When the database does not answer or the entry is unreadable.
    pub async fn find_catalog_entry(&self, slug: &str) -> Result<Option<StoredEntry>, StoreError> {
        let row: Option<EntryRow> =
            with_reader!(self, |conn| sqlx::query_as(FIND_ENTRY).bind(slug).fetch_optional(&mut *conn).await)
                .doing("read a catalog entry")?;
        row.map(EntryRow::into_entry).transpose()
    }

    /// Entries by slug, those after `after` (empty: from the beginning).
    ///
    /// # Errors
    /// When the database does not answer or an entry is unreadable.
    pub async fn list_catalog_entries(
        &self,
        filter: &CatalogFilter,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let rows: Vec<EntryRow> = with_reader!(self, |conn| sqlx::query_as(LIST_ENTRIES)
            .bind(after)
            .bind(filter.kind.map(EntryKind::as_str))
            .bind(&filter.owner)
            .bind(&filter.team)
            .bind(filter.tier.map(i64::from))
            .bind(filter.text.as_deref().map(containing))
            .bind(i64::from(limit))
            .fetch_all(&mut *conn)
            .await)
        .doing("list catalog entries")?;
        rows.into_iter().map(EntryRow::into_entry).collect()
    }

    /// Versions of an entry, newest first, those before the given begin and name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_catalog_versions(
        &self,
        slug: &str,
        before: (Timestamp, &str),
        limit: u32,
    ) -> Result<Vec<Version>, StoreError> {
        let rows: Vec<VersionRow> = with_reader!(self, |conn| sqlx::query_as(LIST_VERSIONS)
            .bind(slug)
            .bind(before.0.as_millis())
            .bind(before.1)
            .bind(i64::from(limit))
            .fetch_all(&mut *conn)
            .await)
        .doing("list catalog versions")?;
        Ok(rows.into_iter().map(VersionRow::into_version).collect())
    }

    /// Deployments of an entry, newest first, those before the given time and id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_catalog_deployments(
        &self,
        slug: &str,
        before: (Timestamp, &str),
        limit: u32,
    ) -> Result<Vec<Deployment>, StoreError> {
        let rows: Vec<DeploymentRow> = with_reader!(self, |conn| sqlx::query_as(LIST_DEPLOYMENTS)
            .bind(slug)
            .bind(before.0.as_millis())
            .bind(before.1)
            .bind(i64::from(limit))
            .fetch_all(&mut *conn)
            .await)
        .doing("list catalog deployments")?;
        Ok(rows.into_iter().map(DeploymentRow::into_deployment).collect())
    }
}

fn readable(record: Result<EntryRecord, StoreError>) -> Option<EntryRecord> {
    record.inspect_err(|error| tracing::error!(%error, "a catalog entry is left out of look-ups")).ok()
}

/// A LIKE pattern for texts that hold `text`, whose own wildcards stand for themselves.
fn containing(text: &str) -> String {
    let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn learning_of_a_change_does_not_read_the_whole_catalog() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let store = Store::open(&url, 1).await.unwrap();

        for query in [REMOVED_SINCE, ENTRIES_SINCE, VERSIONS_SINCE, DEPLOYMENTS_SINCE] {
            let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let steps: Vec<(i64, i64, i64, String)> =
                with_reader!(store, |conn| sqlx::query_as(sql).bind(1).bind(1).fetch_all(&mut *conn).await)
                    .unwrap();
            let reads_a_table = |step: &str| {
                step.starts_with("SCAN") && !step.contains("subquery") && !step.contains("ranked")
            };
            assert!(steps.iter().all(|step| !reads_a_table(&step.3)), "{query}\n{steps:#?}");
        }
    }
}
