//! The catalog in memory. Changes are applied one by one, so that one change among
//! 100,000 entries costs microseconds and readers never wait for more.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::RwLock;

use super::matchers::{Compiled, MatcherIndex};
use super::names::fold;
use crate::config::CatalogConfig;
use crate::domain::entry::EntryRecord;

/// How many changes are applied before waiting readers are let in.
const CHANGES_AT_ONCE: usize = 256;

/// One change to the catalog, as committed.
#[derive(Clone, Debug)]
pub enum Change {
    /// The entry is now this.
    Put(Arc<EntryRecord>),
    /// There is no entry of this slug any more.
    Removed(String),
}

/// A change whose matchers are compiled.
enum Prepared {
    Put(Arc<EntryRecord>, Compiled),
    Removed(String),
}

impl Prepared {
    fn of(change: Change) -> Self {
        match change {
            Change::Put(record) => {
                let compiled = Compiled::of(&record);
                Self::Put(record, compiled)
            }
            Change::Removed(slug) => Self::Removed(slug),
        }
    }
}

/// The catalog in memory, shared by everyone who looks something up.
#[derive(Debug, Default)]
pub struct Catalog {
    settings: ArcSwap<CatalogConfig>,
    index: RwLock<Index>,
}

/// Entries by every name they answer to, and the rules that recognise them.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Folded slugs and aliases.
    names: HashMap<String, Arc<EntryRecord>>,
    pub(super) matchers: MatcherIndex,
    entries: usize,
    revision: i64,
}

impl Catalog {
    /// An empty catalog that finds entries by these settings.
    pub fn new(settings: CatalogConfig) -> Self {
        Self { settings: ArcSwap::from_pointee(settings), index: RwLock::default() }
    }

    /// Takes other settings from the next look-up on.
    pub fn configure(&self, settings: CatalogConfig) {
        self.settings.store(Arc::new(settings));
    }

    /// Replaces everything.
    pub fn replace(&self, records: Vec<EntryRecord>, revision: i64) {
        let mut index = Index { revision, ..Index::default() };
        index.names.reserve(records.len());
        for record in records {
            index.apply(Prepared::of(Change::Put(Arc::new(record))));
        }
        // The old index is dropped after the lock is let go.
        let _old = std::mem::replace(&mut *self.index.write(), index);
    }

    /// Applies what was committed up to `revision`, in the order given. Nothing happens
    /// when the catalog is there already.
    pub fn apply(&self, changes: Vec<Change>, revision: i64) {
        if self.revision() >= revision {
            return;
        }
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            // Compiled before the lock is taken: look-ups wait for it.
            let prepared: Vec<Prepared> = changes.by_ref().take(CHANGES_AT_ONCE).map(Prepared::of).collect();
            let mut index = self.index.write();
            prepared.into_iter().for_each(|change| index.apply(change));
        }
        self.index.write().revision = revision;
    }

    /// The revision of the store this catalog shows.
    pub fn revision(&self) -> i64 {
        self.index.read().revision
    }

    /// The entry of that slug.
    pub fn get(&self, slug: &str) -> Option<Arc<EntryRecord>> {
        self.find_by_name(slug).filter(|record| record.entry.slug == slug)
    }

    /// The entry that answers to that slug or alias; case and outer space do not matter.
    pub fn find_by_name(&self, name: &str) -> Option<Arc<EntryRecord>> {
        self.index.read().named(&fold(name)).cloned()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.index.read().entries
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the compiled expressions of all entries but some count.
    pub(super) fn compiled_without<'s>(&self, slugs: impl Iterator<Item = &'s str>) -> usize {
        self.index.read().matchers.compiled_without(slugs)
    }

    pub(super) fn read<T>(&self, look_up: impl FnOnce(&CatalogConfig, &Index) -> T) -> T {
        let settings = self.settings.load();
        look_up(&settings, &self.index.read())
    }
}

impl Index {
    /// The entry that answers to a folded name.
    pub(super) fn named(&self, folded: &str) -> Option<&Arc<EntryRecord>> {
        self.names.get(folded)
    }

    fn apply(&mut self, change: Prepared) {
        match change {
            Prepared::Put(record, matchers) => self.put(&record, matchers),
            Prepared::Removed(slug) => self.remove(&slug),
        }
    }

    fn put(&mut self, record: &Arc<EntryRecord>, matchers: Compiled) {
        self.remove(&record.entry.slug);
        for name in names_of(record) {
            self.names.insert(name, record.clone());
        }
        self.matchers.insert(matchers);
        self.entries += 1;
    }

    fn remove(&mut self, slug: &str) {
        let Some(old) = self.names.get(slug).filter(|record| record.entry.slug == slug).cloned() else {
            return;
        };
        for name in names_of(&old) {
            // A name may have passed to another entry since.
            if self.names.get(&name).is_some_and(|owner| owner.entry.slug == slug) {
                self.names.remove(&name);
            }
        }
        self.matchers.remove(slug);
        self.entries -= 1;
    }
}

fn names_of(record: &EntryRecord) -> impl Iterator<Item = String> {
    std::iter::once(&record.entry.slug).chain(&record.entry.aliases).map(|name| fold(name).into_owned())
}

#[cfg(test)]
mod tests;
