//! Many entries at once: all of them are checked before any is written, in steps.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::{CatalogError, CatalogService, aside, document_of, entry_write};
use crate::catalog::document::Document;
use crate::catalog::document_checks::{check_document_beside, in_entry};
use crate::catalog::faults::FieldError;
use crate::catalog::plan::{ChangeAction, EntryChange, ImportReport, PlannedEntry, differences, plan_entry};
use crate::catalog::validate::{check_names, folded_names};
use crate::domain::clock::Timestamp;
use crate::domain::entry::EntryRecord;
use crate::store::Tx;
use steps::{Item, Step, in_steps};

mod steps;

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

/// How often what is left of an import is compared with the catalog beside other changes,
/// before it keeps them out.
const COMPARED_ASIDE: usize = 3;

/// What of an import is not made yet.
struct Rest {
    document: Arc<Document>,
    /// Entries of the document, by their place in it.
    places: Vec<usize>,
    /// Entries that the document does not have and that are to go.
    deleted: Vec<String>,
}

/// What the catalog has of that.
struct Facts {
    existing: HashMap<String, EntryRecord>,
    deleted: Vec<EntryRecord>,
}

/// What an import would do.
#[derive(Default)]
struct Plan {
    items: Vec<Item>,
    unchanged: usize,
}

impl CatalogService {
    /// Makes the catalog as the document has it: entries are created or replaced, versions
    /// and deployments join the histories and are never taken away.
    ///
    /// It is compared with the catalog beside everything else; what differs is written in
    /// steps between which others write, each whole and with its audit rows. Little is one step.
    ///
    /// # Errors
    /// [`CatalogError::Invalid`] names every wrong field of every entry; then nothing is
    /// written. What other errors cut short is continued by the same import again.
    pub async fn import(
        &self,
        actor: &str,
        document: Document,
        options: ImportOptions,
    ) -> Result<ImportReport, CatalogError> {
        let now = self.clock.now();
        let document = Arc::new(document);
        let (checked, catalog) = (document.clone(), self.catalog.clone());
        let check = move || {
            let others = match options.missing {
                Missing::Keep => catalog.compiled_without(checked.slugs()),
                Missing::Delete => 0,
            };
            check_document_beside(&checked, now, others)
        };
        let mut problems = aside(check).await;
        let dry_run = options.mode == ImportMode::DryRun;
        let mut report = ImportReport { dry_run, ..ImportReport::default() };
        let mut rest = self.all_of(document, options.missing).await?;
        if !problems.is_empty() {
            let mut tx = self.store.begin_read().await?;
            problems.extend(rest.list_taken_names(&mut tx).await?);
            tx.rollback().await?;
            return Err(CatalogError::Invalid(problems));
        }
        for _ in 0..COMPARED_ASIDE {
            let mut tx = self.store.begin_read().await?;
            let facts = rest.read(&mut tx).await?;
            tx.rollback().await?;
            let plan = self.plan(actor, &rest, facts, now).await;
            report.unchanged += plan.unchanged;
            if dry_run {
                plan.items.iter().for_each(|item| report.add(item.change.clone()));
                return Ok(report);
            }
            let overtaken = self.make(plan, &mut report).await?;
            if overtaken.is_empty() {
                return Ok(report);
            }
            rest.keep(&overtaken);
        }
        // Others change the same entries again and again: now they wait.
        let mut tx = self.store.begin_write().await?;
        let revision = tx.next_catalog_revision().await?;
        let facts = rest.read(&mut tx).await?;
        let plan = self.plan(actor, &rest, facts, now).await;
        report.unchanged += plan.unchanged;
        if plan.items.is_empty() {
            return Ok(report);
        }
        self.write_step(tx, Step::of(plan.items), revision, &mut report).await?;
        Ok(report)
    }

    async fn all_of(&self, document: Arc<Document>, missing: Missing) -> Result<Rest, CatalogError> {
        let mut deleted = Vec::new();
        if missing == Missing::Delete {
            let mut tx = self.store.begin_read().await?;
            deleted = tx.list_catalog_slugs().await?;
            tx.rollback().await?;
            let kept: HashSet<&str> = document.slugs().collect();
            deleted.retain(|slug| !kept.contains(slug.as_str()));
        }
        Ok(Rest { places: (0..document.entries.len()).collect(), document, deleted })
    }

    /// Writes what was planned, step by step. Answers which entries have meanwhile been
    /// changed by others, so that what was planned for them does not hold.
    async fn make(&self, plan: Plan, report: &mut ImportReport) -> Result<HashSet<String>, CatalogError> {
        let mut overtaken = HashSet::new();
        for step in aside(move || in_steps(plan.items)).await {
            let mut tx = self.store.begin_write().await?;
            let revision = tx.next_catalog_revision().await?;
            if step.still_holds(&mut tx).await? {
                self.write_step(tx, step, revision, report).await?;
            } else {
                tx.rollback().await?;
                overtaken.extend(step.into_slugs());
            }
        }
        Ok(overtaken)
    }

    async fn write_step(
        &self,
        mut tx: Tx,
        step: Step,
        revision: i64,
        report: &mut ImportReport,
    ) -> Result<(), CatalogError> {
        let changes = step.write(&mut tx, revision).await?;
        self.commit(tx).await?;
        changes.into_iter().for_each(|change| report.add(change));
        Ok(())
    }

    /// What an import would do to the catalog as it was read.
    async fn plan(&self, actor: &str, rest: &Rest, facts: Facts, now: Timestamp) -> Plan {
        let (service, actor) = (self.clone(), actor.to_owned());
        let (document, places) = (rest.document.clone(), rest.places.clone());
        aside(move || {
            let Facts { mut existing, deleted } = facts;
            let mut plan = Plan::default();
            for document in places.into_iter().map(|place| &document.entries[place]) {
                let before = existing.remove(&document.entry.slug);
                let planned = plan_entry(document.clone(), before.as_ref(), now, &service.ids);
                match service.item(&actor, planned, before, now) {
                    Some(item) => plan.items.push(item),
                    None => plan.unchanged += 1,
                }
            }
            plan.items.extend(deleted.into_iter().map(|record| service.deletion(&actor, &record)));
            plan
        })
        .await
    }

    /// What is to be done about an entry of the document; `None` when nothing differs.
    fn item(
        &self,
        actor: &str,
        planned: PlannedEntry,
        before: Option<EntryRecord>,
        now: Timestamp,
    ) -> Option<Item> {
        let PlannedEntry { entry, versions, deployments, change } = planned;
        let change = change?;
        let basis = before.as_ref().map(|record| record.revision);
        let names_before = before.as_ref().map(|record| folded_names(&record.entry)).unwrap_or_default();
        let created_at = before.as_ref().map_or(now, |record| record.created_at);
        let before = before.map(|record| document_of(&record.entry)).unwrap_or_default();
        let audit = self.audit(actor, "import", &entry.slug, (before, document_of(&entry)));
        // Its revision is given when it is written; its history is written by itself, and read
        // back by the catalog in memory.
        let (revision, history) = Default::default();
        let write = entry_write(EntryRecord { entry, revision, created_at, updated_at: now, history });
        Some(Item { change, basis, names_before, write: Some(write), versions, deployments, audit })
    }

    fn deletion(&self, actor: &str, record: &EntryRecord) -> Item {
        let entry = &record.entry;
        Item {
            change: EntryChange {
                slug: entry.slug.clone(),
                action: ChangeAction::Deleted,
                fields: differences(Some(entry), None),
                versions: Vec::new(),
                deployments: Vec::new(),
            },
            basis: Some(record.revision),
            names_before: folded_names(entry),
            write: None,
            versions: Vec::new(),
            deployments: Vec::new(),
            audit: self.audit(actor, "import", &entry.slug, (document_of(entry), Value::Null)),
        }
    }
}

impl Rest {
    /// What the catalog has of it.
    async fn read(&self, tx: &mut Tx) -> Result<Facts, CatalogError> {
        let taken = self.list_taken_names(tx).await?;
        if !taken.is_empty() {
            return Err(CatalogError::Invalid(taken));
        }
        let slugs: Vec<&str> = self.places.iter().map(|place| self.slug(*place)).collect();
        let existing = tx.find_catalog_records(&slugs).await?;
        let existing = existing.into_iter().map(|record| (record.entry.slug.clone(), record)).collect();
        let deleted: Vec<&str> = self.deleted.iter().map(String::as_str).collect();
        let deleted = tx.find_catalog_records(&deleted).await?;
        Ok(Facts { existing, deleted })
    }

    /// Names owned by entries that are neither in the document nor deleted by it.
    async fn list_taken_names(&self, tx: &mut Tx) -> Result<Vec<FieldError>, CatalogError> {
        let entry = |place: usize| &self.document.entries[place].entry;
        let names: Vec<String> = self.places.iter().flat_map(|place| folded_names(entry(*place))).collect();
        let deleted = self.deleted.iter().map(String::as_str);
        let leaving: HashSet<&str> =
            self.places.iter().map(|place| self.slug(*place)).chain(deleted).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let owners = tx.find_catalog_name_owners(&names).await?;
        let mut owners: HashMap<String, String> = owners.into_iter().collect();
        owners.retain(|_, owner| !leaving.contains(owner.as_str()));
        let taken = |place: usize| {
            let taken = check_names(entry(place), |name| owners.get(name).cloned());
            taken.into_iter().map(move |problem| in_entry(place, problem))
        };
        Ok(self.places.iter().flat_map(|place| taken(*place)).collect())
    }

    /// Only these are left.
    fn keep(&mut self, slugs: &HashSet<String>) {
        let document = &self.document;
        self.places.retain(|place| slugs.contains(&document.entries[*place].entry.slug));
        self.deleted.retain(|slug| slugs.contains(slug));
    }

    fn slug(&self, place: usize) -> &str {
        &self.document.entries[place].entry.slug
    }
}
