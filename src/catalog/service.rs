//! The one door through which the catalog changes: check, store with the audit row in one
//! transaction, then bring the catalog in memory up to date before the answer.
//!
//! The catalog in memory learns of every change the same way, whether this process or
//! another replica made it: by what the store says happened since the revision it shows.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::document::{DeploymentDocument, Document, EntryDocument, VersionDocument, told};
use super::faults::FieldError;
use super::snapshot::{Catalog, Change};
use super::validate::{MAX_COMPILED, check_names, folded_names, too_many_expressions, weigh_entry};
use crate::domain::clock::SharedClock;
use crate::domain::entry::{Entry, EntryRecord};
use crate::domain::ids::IdMaker;
use crate::store::audit::AuditRecord;
use crate::store::catalog::EntryWrite;
use crate::store::catalog_read::{RECENT_HISTORY, WHOLE_HISTORY};
use crate::store::{Store, StoreError, Tx};

mod entries;
mod history;
mod import;

pub use entries::{Outcome, Precondition};
pub use history::Recorded;
pub use import::{ImportMode, ImportOptions, Missing};

/// What the audit log calls the catalog's entries.
pub const SUBJECT: &str = "catalog_entry";

/// Changes the catalog.
#[derive(Clone)]
pub struct CatalogService {
    store: Store,
    catalog: Arc<Catalog>,
    clock: SharedClock,
    ids: IdMaker,
    /// Whoever holds it brings the catalog in memory up to date.
    turn: Arc<Mutex<()>>,
    /// Whoever holds it reads and makes an import: a large document takes much memory.
    importing: Arc<Mutex<()>>,
}

/// Why the catalog was not changed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no entry of that slug.
    #[error("the catalog has no entry {0:?}")]
    NotFound(String),
    /// There is an entry of that slug already.
    #[error("the catalog has an entry {0:?} already")]
    Exists(String),
    /// The entry is not at the revision the change was meant for.
    #[error("the catalog entry {slug:?} is {}", match revision { Some(r) => format!("at revision {r}"), None => "not there".to_owned() })]
    Changed {
        /// The entry.
        slug: String,
        /// Its revision; `None` when it does not exist.
        revision: Option<i64>,
    },
    /// Fields are wrong; all of them are named.
    #[error("{} fields are wrong", .0.len())]
    Invalid(Vec<FieldError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CatalogService {
    /// A door to `store` that keeps `catalog` up to date.
    pub fn new(store: Store, catalog: Arc<Catalog>, clock: SharedClock, ids: IdMaker) -> Self {
        Self { store, catalog, clock, ids, turn: Arc::default(), importing: Arc::default() }
    }

    /// The catalog in memory.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The turn to import, to be held from before the document is read until the import is
    /// made; `None` while another has it.
    pub fn begin_import(&self) -> Option<OwnedMutexGuard<()>> {
        self.importing.clone().try_lock_owned().ok()
    }

    /// Brings the catalog in memory up to date with the store: at the start, and from time
    /// to time for what other replicas changed. Costs one small query when nothing did.
    ///
    /// # Errors
    /// When the database does not answer; the catalog in memory stays as it is.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let shown = self.catalog.revision();
        let changes = self.store.load_catalog_changes(shown, RECENT_HISTORY).await?;
        if changes.revision < shown {
            // The database was put back to an older state: begin anew.
            let whole = self.store.load_catalog_changes(0, RECENT_HISTORY).await?;
            return self.show(move |catalog| catalog.replace(whole.records, whole.revision)).await;
        }
        if shown == 0 {
            return self.show(move |catalog| catalog.replace(changes.records, changes.revision)).await;
        }
        let show = move |catalog: &Catalog| {
            let removed = changes.removed.into_iter().map(Change::Removed);
            let put = changes.records.into_iter().map(|record| Change::Put(Arc::new(record)));
            catalog.apply(removed.chain(put).collect(), changes.revision);
        };
        self.show(show).await
    }

    /// Changes the catalog in memory, which for many entries takes longer than a thread may
    /// be kept from answering requests.
    async fn show(&self, change: impl FnOnce(&Catalog) + Send + 'static) -> Result<(), StoreError> {
        let catalog = self.catalog.clone();
        aside(move || change(&catalog)).await;
        Ok(())
    }

    /// The whole catalog as a document, by slug; imported again it changes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn export(&self) -> Result<Document, StoreError> {
        let mut records = self.store.load_catalog_changes(0, WHOLE_HISTORY).await?.records;
        records.sort_by(|a, b| a.entry.slug.cmp(&b.entry.slug));
        let entries = records.into_iter().map(|record| EntryDocument::of(record.entry, &record.history));
        Ok(Document { entries: entries.collect() })
    }

    /// Commits a change and shows it. Once committed the change is a fact: when it cannot be
    /// shown now, the next refresh does.
    async fn commit(&self, tx: Tx) -> Result<(), CatalogError> {
        tx.commit().await?;
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "a change of the catalog is stored but not yet seen by look-ups");
        }
        Ok(())
    }

    /// Every problem of an entry, the names others own included.
    async fn check(&self, tx: &mut Tx, entry: &Entry) -> Result<(), CatalogError> {
        let (mut problems, compiled) = weigh_entry(entry);
        let others = self.catalog.compiled_without(std::iter::once(entry.slug.as_str()));
        let room = MAX_COMPILED.saturating_sub(others);
        problems.extend(too_many_expressions("matchers", compiled, room));
        let names = folded_names(entry);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let owners = tx.find_catalog_name_owners(&names).await?;
        problems.extend(check_names(entry, |name| {
            owners.iter().find(|(owned, _)| owned == name).map(|(_, slug)| slug.clone())
        }));
        if problems.is_empty() { Ok(()) } else { Err(CatalogError::Invalid(problems)) }
    }

    fn audit(&self, actor: &str, action: &'static str, slug: &str, change: (Value, Value)) -> AuditRecord {
        let text = |value: Value| (!value.is_null()).then(|| value.to_string());
        AuditRecord {
            id: self.ids.next_id(),
            at: self.clock.now(),
            actor: actor.to_owned(),
            action: action.into(),
            subject_kind: SUBJECT,
            subject: slug.to_owned(),
            before: text(change.0),
            after: text(change.1),
        }
    }
}

/// Does work that takes long on a thread of its own. A panic there is one here.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// An entry as the audit log keeps it.
fn document_of(entry: &Entry) -> Value {
    Value::Object(told(entry))
}

/// The entry as it is written, with what is derived from it.
fn entry_write(record: EntryRecord) -> EntryWrite {
    let entry = &record.entry;
    let texts = [&entry.slug, &entry.display_name, &entry.description, &entry.owner, &entry.team]
        .into_iter()
        .chain(&entry.aliases)
        .chain(entry.tags.iter().flat_map(|(name, value)| [name, value]));
    // A line feed keeps a filter from matching across two texts.
    let search = texts.map(|text| text.to_lowercase()).collect::<Vec<_>>().join("\n");
    let names = folded_names(entry);
    EntryWrite::new(record, names, search)
}
