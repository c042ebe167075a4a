//! Versions and deployments recorded as they happen.

use serde_json::json;

use super::entries::find;
use super::{CatalogError, CatalogService, DeploymentDocument, VersionDocument, entry_write};
use crate::catalog::faults::FieldError;
use crate::catalog::history::{self, Undated};
use crate::domain::entry::{Deployment, EntryRecord, Version};
use crate::store::Tx;
use crate::store::audit::AuditRecord;

/// Whether a record was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was.
    New,
    /// It was known already; at most its note or URL changed.
    Known,
}

impl CatalogService {
    /// Records which version is live since when. The newest record sets the entry's current
    /// version. Reporting the live version again changes nothing.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] when there is no such entry.
    pub async fn record_version(
        &self,
        actor: &str,
        slug: &str,
        document: VersionDocument,
    ) -> Result<(Version, Recorded), CatalogError> {
        let now = self.clock.now();
        refuse(history::check_version(&document, now))?;
        let mut tx = self.store.begin_write().await?;
        let revision = tx.next_catalog_revision().await?;
        let mut record = find_existing(&mut tx, slug).await?;
        let known = history::find_version(&record.history, &document, Undated::Now);
        let said_before = |known: &&Version| known.note == document.note && known.url == document.url;
        if let Some(known) = known.filter(|known| document.valid_from.is_none() || said_before(known)) {
            return Ok((known.clone(), Recorded::Known));
        }
        let recorded = if known.is_some() { Recorded::Known } else { Recorded::New };
        let version = document.into_version(now);
        let newest_before = history::newest_at(&record.history);
        history::add_version(&mut record.history, version.clone());
        tx.put_catalog_versions(&[(slug.to_owned(), version.clone())]).await?;
        let after = json!(VersionDocument::from(&version));
        let audit = self.audit(actor, "record_version", slug, (json!(null), after));
        let is_newest = newest_before.is_none_or(|newest| version.valid_from >= newest);
        self.finish(tx, record, revision, audit, is_newest.then_some(&version.version)).await?;
        Ok((version, recorded))
    }

    /// Records a deployment. The newest record sets the entry's current version. One whose
    /// external id is known changes nothing.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] when there is no such entry.
    pub async fn record_deployment(
        &self,
        actor: &str,
        slug: &str,
        document: DeploymentDocument,
    ) -> Result<(Deployment, Recorded), CatalogError> {
        let now = self.clock.now();
        refuse(history::check_deployment(&document, now))?;
        let mut tx = self.store.begin_write().await?;
        let revision = tx.next_catalog_revision().await?;
        let mut record = find_existing(&mut tx, slug).await?;
        if let Some(known) = history::find_deployment(&record.history, &document, Undated::Now) {
            return Ok((known.clone(), Recorded::Known));
        }
        let newest_before = history::newest_at(&record.history);
        let deployment = document.into_deployment(self.ids.next_id(), now);
        let deployment = history::add_deployment(&mut record.history, deployment);
        tx.insert_catalog_deployments(&[(slug.to_owned(), deployment.clone())]).await?;
        let after = json!(DeploymentDocument::from(&deployment));
        let audit = self.audit(actor, "record_deployment", slug, (json!(null), after));
        let is_newest = newest_before.is_none_or(|newest| deployment.at >= newest);
        self.finish(tx, record, revision, audit, is_newest.then_some(&deployment.version)).await?;
        Ok((deployment, Recorded::New))
    }

    /// Marks the entry as changed and commits.
    async fn finish(
        &self,
        mut tx: Tx,
        mut record: EntryRecord,
        revision: i64,
        audit: AuditRecord,
        current_version: Option<&String>,
    ) -> Result<(), CatalogError> {
        if let Some(version) = current_version {
            record.entry.current_version.clone_from(version);
        }
        record.revision = revision;
        record.updated_at = self.clock.now();
        tx.put_catalog_entries(&[entry_write(record)]).await?;
        tx.insert_audit(&[audit]).await?;
        self.commit(tx).await
    }
}

async fn find_existing(tx: &mut Tx, slug: &str) -> Result<EntryRecord, CatalogError> {
    find(tx, slug).await?.ok_or_else(|| CatalogError::NotFound(slug.to_owned()))
}

fn refuse(problems: Vec<FieldError>) -> Result<(), CatalogError> {
    if problems.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(problems)) }
}
