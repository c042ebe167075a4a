//! Many entries at once, all or nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::{CatalogError, CatalogService, aside, document_of, entry_write};
use crate::catalog::document::{Document, EntryDocument};
use crate::catalog::history::{check_deployment, check_version};
use crate::catalog::plan::{ChangeAction, EntryChange, ImportReport, PlannedEntry, differences, plan_entry};
use crate::catalog::validate::{FieldProblem, check_entry, check_names, folded_names};
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, EntryRecord, Version};
use crate::store::Tx;
use crate::store::audit::AuditRecord;
use crate::store::catalog::EntryWrite;

/// Whether an import is made or only compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportMode {
    /// It is made.
    #[default]
    Apply,
    /// Nothing is written.
    DryRun,
}

/// What becomes of entries that the document does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// They stay.
    #[default]
    Keep,
    /// They are deleted.
    Delete,
}

/// How to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Made or only compared.
    pub mode: ImportMode,
    /// Entries the document does not have.
    pub missing: Missing,
}

/// How often an import is compared with the catalog beside other changes, before it keeps
/// them out.
const COMPARED_ASIDE: usize = 3;

/// What the catalog has of a document.
struct Facts {
    existing: HashMap<String, EntryRecord>,
    /// Entries that the document does not have and that are to go.
    deleted: Vec<EntryRecord>,
}

/// What an import would do.
struct Plan {
    report: ImportReport,
    writes: Writes,
}

impl Plan {
    fn is_change(&self) -> bool {
        let ImportReport { dry_run, created, changed, deleted, .. } = self.report;
        !dry_run && created + changed + deleted > 0
    }
}

impl Facts {
    async fn read(
        tx: &mut Tx,
        document: &Document,
        slugs: &[String],
        missing: Missing,
    ) -> Result<Self, CatalogError> {
        let deleted = match missing {
            Missing::Keep => Vec::new(),
            Missing::Delete => slugs_missing(tx, slugs).await?,
        };
        check_owners(tx, document, &deleted).await?;
        let existing = records_by_slug(tx, slugs).await?;
        let deleted = tx.find_catalog_records(&deleted).await?;
        Ok(Self { existing, deleted })
    }
}

/// What an import writes.
#[derive(Default)]
struct Writes {
    entries: Vec<EntryWrite>,
    versions: Vec<(String, Version)>,
    deployments: Vec<(String, Deployment)>,
    deleted: Vec<String>,
    audit: Vec<AuditRecord>,
}

impl CatalogService {
    /// Makes the catalog as the document has it: entries are created or replaced, versions
    /// and deployments join the histories and are never taken away.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] names every wrong field of every entry; then and on any
    /// other error nothing is written.
    pub async fn import(
        &self,
        actor: &str,
        document: Document,
        options: ImportOptions,
    ) -> Result<ImportReport, CatalogError> {
        let now = self.clock.now();
        let document = Arc::new(document);
        let (checked, slugs) = aside({
            let document = document.clone();
            move || {
                let slugs = document.entries.iter().map(|d| d.entry.slug.clone()).collect::<Vec<String>>();
                (check_document(&document, now), slugs)
            }
        })
        .await;
        if !checked.is_empty() {
            return Err(CatalogError::Invalid(checked));
        }
        // Comparing takes long: nobody else has to wait for it. It holds if the catalog is
        // still the same when it is written; the last time it is made sure of.
        for _ in 0..COMPARED_ASIDE {
            let basis = self.store.catalog_revision().await?;
            let mut tx = self.store.begin_read().await?;
            let facts = Facts::read(&mut tx, &document, &slugs, options.missing).await?;
            tx.rollback().await?;
            let plan = self.plan(actor, &document, facts, (basis + 1, now), options.mode).await;
            if !plan.is_change() {
                return Ok(plan.report);
            }
            let mut tx = self.store.begin_write().await?;
            if tx.next_catalog_revision().await? == basis + 1 {
                return self.make(tx, plan, basis + 1).await;
            }
            tx.rollback().await?;
        }
        let mut tx = self.store.begin_write().await?;
        let revision = tx.next_catalog_revision().await?;
        let facts = Facts::read(&mut tx, &document, &slugs, options.missing).await?;
        let plan = self.plan(actor, &document, facts, (revision, now), options.mode).await;
        if plan.is_change() { self.make(tx, plan, revision).await } else { Ok(plan.report) }
    }

    async fn make(&self, mut tx: Tx, plan: Plan, revision: i64) -> Result<ImportReport, CatalogError> {
        plan.writes.apply(&mut tx, revision).await?;
        self.commit(tx).await?;
        Ok(plan.report)
    }

    /// What an import would do to the catalog as it was read.
    async fn plan(
        &self,
        actor: &str,
        document: &Arc<Document>,
        facts: Facts,
        moment: (i64, Timestamp),
        mode: ImportMode,
    ) -> Plan {
        let (service, actor, document) = (self.clone(), actor.to_owned(), document.clone());
        aside(move || {
            let Facts { mut existing, deleted } = facts;
            let report = ImportReport { dry_run: mode == ImportMode::DryRun, ..ImportReport::default() };
            let mut plan = Plan { report, writes: Writes::default() };
            for document in &document.entries {
                let before = existing.remove(&document.entry.slug);
                let planned = plan_entry(document.clone(), before.as_ref(), moment.1, &service.ids);
                service.plan_write(&actor, planned, before, moment, &mut plan.report, &mut plan.writes);
            }
            for record in &deleted {
                service.plan_delete(&actor, record, &mut plan.report, &mut plan.writes);
            }
            plan
        })
        .await
    }

    fn plan_write(
        &self,
        actor: &str,
        planned: PlannedEntry,
        before: Option<EntryRecord>,
        (revision, now): (i64, Timestamp),
        report: &mut ImportReport,
        writes: &mut Writes,
    ) {
        let PlannedEntry { entry, versions, deployments, change } = planned;
        let Some(change) = change else {
            report.unchanged += 1;
            return;
        };
        report.add(change);
        let slug = entry.slug.clone();
        let created_at = before.as_ref().map_or(now, |record| record.created_at);
        let before = before.map(|record| document_of(&record.entry)).unwrap_or_default();
        writes.audit.push(self.audit(actor, "import", &slug, (before, document_of(&entry))));
        writes.versions.extend(versions.into_iter().map(|version| (slug.clone(), version)));
        writes.deployments.extend(deployments.into_iter().map(|deployment| (slug.clone(), deployment)));
        writes.entries.push(entry_write(EntryRecord {
            entry,
            revision,
            created_at,
            updated_at: now,
            // Written by itself, and read back by the catalog in memory.
            history: Default::default(),
        }));
    }

    fn plan_delete(&self, actor: &str, record: &EntryRecord, report: &mut ImportReport, writes: &mut Writes) {
        let slug = record.entry.slug.clone();
        writes.audit.push(self.audit(actor, "import", &slug, (document_of(&record.entry), Value::Null)));
        report.add(EntryChange {
            slug: slug.clone(),
            action: ChangeAction::Deleted,
            fields: differences(Some(&record.entry), None),
            versions: Vec::new(),
            deployments: Vec::new(),
        });
        writes.deleted.push(slug);
    }
}

impl Writes {
    async fn apply(self, tx: &mut Tx, revision: i64) -> Result<(), CatalogError> {
        tx.delete_catalog_entries(&self.deleted, revision).await?;
        tx.put_catalog_entries(&self.entries).await?;
        tx.put_catalog_versions(&self.versions).await?;
        tx.insert_catalog_deployments(&self.deployments).await?;
        tx.insert_audit(&self.audit).await?;
        Ok(())
    }
}

/// Everything wrong with a document by itself: its entries, and names that two of them claim.
pub fn check_document(document: &Document, now: Timestamp) -> Vec<FieldProblem> {
    let mut claimed: HashMap<String, String> = HashMap::new();
    let mut slugs = HashSet::new();
    let mut problems = Vec::new();
    for (i, document) in document.entries.iter().enumerate() {
        let entry = &document.entry;
        let mut found = check_entry(entry);
        if slugs.insert(entry.slug.as_str()) {
            found.extend(check_names(entry, |name| claimed.get(name).cloned()));
        } else {
            found.push(FieldProblem::new("slug", format!("{:?} stands in the document twice", entry.slug)));
        }
        found.extend(check_history(document, now));
        let place = |problem: FieldProblem| in_entry(i, problem);
        problems.extend(found.into_iter().map(place));
        for name in folded_names(entry) {
            claimed.entry(name).or_insert_with(|| entry.slug.clone());
        }
    }
    problems
}

fn check_history(document: &EntryDocument, now: Timestamp) -> Vec<FieldProblem> {
    let EntryDocument { versions, deployments, .. } = document;
    let mut problems = Vec::new();
    for (i, version) in versions.iter().enumerate() {
        problems.extend(inside(&format!("versions[{i}]"), check_version(version, now)));
        if versions.len() > 1 && version.valid_from.is_none() {
            let field = format!("versions[{i}].valid_from");
            problems.push(FieldProblem::new(field, "must be given where there are several versions"));
        }
    }
    for (i, deployment) in deployments.iter().enumerate() {
        problems.extend(inside(&format!("deployments[{i}]"), check_deployment(deployment, now)));
        if deployments.len() > 1 && deployment.at.is_none() {
            let field = format!("deployments[{i}].at");
            problems.push(FieldProblem::new(field, "must be given where there are several deployments"));
        }
    }
    problems
}

fn inside(place: &str, problems: Vec<FieldProblem>) -> impl Iterator<Item = FieldProblem> {
    problems.into_iter().map(move |problem| FieldProblem {
        field: format!("{place}.{}", problem.field),
        message: problem.message,
    })
}

fn in_entry(index: usize, problem: FieldProblem) -> FieldProblem {
    FieldProblem { field: format!("entries[{index}].{}", problem.field), message: problem.message }
}

/// The slugs of the catalog that the document does not have.
async fn slugs_missing(tx: &mut Tx, slugs: &[String]) -> Result<Vec<String>, CatalogError> {
    let kept: HashSet<&String> = slugs.iter().collect();
    let mut all = tx.list_catalog_slugs().await?;
    all.retain(|slug| !kept.contains(slug));
    Ok(all)
}

/// Names owned by entries that are neither in the document nor deleted by it.
async fn check_owners(tx: &mut Tx, document: &Document, deleted: &[String]) -> Result<(), CatalogError> {
    let names: Vec<String> = document.entries.iter().flat_map(|d| folded_names(&d.entry)).collect();
    let leaving: HashSet<&str> = document
        .entries
        .iter()
        .map(|d| d.entry.slug.as_str())
        .chain(deleted.iter().map(String::as_str))
        .collect();
    let owners: HashMap<String, String> = tx
        .find_catalog_name_owners(&names)
        .await?
        .into_iter()
        .filter(|(_, owner)| !leaving.contains(owner.as_str()))
        .collect();
    let problems: Vec<FieldProblem> = document
        .entries
        .iter()
        .enumerate()
        .flat_map(|(i, d)| {
            let taken = check_names(&d.entry, |name| owners.get(name).cloned());
            taken.into_iter().map(move |problem| in_entry(i, problem))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(problems)) }
}

async fn records_by_slug(
    tx: &mut Tx,
    slugs: &[String],
) -> Result<HashMap<String, EntryRecord>, CatalogError> {
    let records = tx.find_catalog_records(slugs).await?;
    Ok(records.into_iter().map(|record| (record.entry.slug.clone(), record)).collect())
}
