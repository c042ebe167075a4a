//! The steps in which an import is written. Each is one transaction, short enough that those
//! who wait for the next one do not notice.

use std::collections::{BTreeMap, HashMap};

use crate::catalog::plan::EntryChange;
use crate::domain::entry::{Deployment, Version};
use crate::store::audit::AuditRecord;
use crate::store::catalog::EntryWrite;
use crate::store::{StoreError, Tx};

/// About how many rows of entries and histories one step writes.
const STEP: usize = 256;

/// What is to be done about one entry.
pub(super) struct Item {
    /// What the report says of it.
    pub change: EntryChange,
    /// The revision it was planned on; `None` when there was no such entry.
    pub basis: Option<i64>,
    /// The names it owned then.
    pub names_before: Vec<String>,
    /// The entry as it is to be; `None` when it is to be deleted.
    pub write: Option<EntryWrite>,
    /// What joins its history.
    pub versions: Vec<Version>,
    /// And this.
    pub deployments: Vec<Deployment>,
    /// Who did it.
    pub audit: AuditRecord,
}

/// What is written in one transaction.
#[derive(Default)]
pub(super) struct Step(Vec<Item>);

impl Item {
    fn slug(&self) -> &str {
        &self.change.slug
    }

    fn names(&self) -> &[String] {
        self.write.as_ref().map_or(&[], |write| write.names.as_slice())
    }

    fn rows(&self) -> usize {
        1 + self.versions.len() + self.deployments.len()
    }
}

/// Cuts items into steps, in their order, but what passes names to each other stays together:
/// a name belongs to one entry at any time.
pub(super) fn in_steps(items: Vec<Item>) -> Vec<Step> {
    let mut steps = vec![Step::default()];
    let mut rows = 0;
    for group in groups(items) {
        let more: usize = group.iter().map(Item::rows).sum();
        if rows > 0 && rows + more > STEP {
            steps.push(Step::default());
            rows = 0;
        }
        rows += more;
        if let Some(step) = steps.last_mut() {
            step.0.extend(group);
        }
    }
    steps.retain(|step| !step.0.is_empty());
    steps
}

/// Items by whether names pass between them, directly or over others.
fn groups(items: Vec<Item>) -> impl Iterator<Item = Vec<Item>> {
    let mut owners: HashMap<&str, usize> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        owners.extend(item.names_before.iter().map(|name| (name.as_str(), i)));
    }
    let mut leaders: Vec<usize> = (0..items.len()).collect();
    for (i, item) in items.iter().enumerate() {
        for owner in item.names().iter().filter_map(|name| owners.get(name.as_str())) {
            let (one, other) = (leader(&mut leaders, i), leader(&mut leaders, *owner));
            leaders[one.max(other)] = one.min(other);
        }
    }
    let mut groups: BTreeMap<usize, Vec<Item>> = BTreeMap::new();
    for (i, item) in items.into_iter().enumerate() {
        groups.entry(leader(&mut leaders, i)).or_default().push(item);
    }
    groups.into_values()
}

/// The first of the group to which `member` belongs.
fn leader(leaders: &mut [usize], mut member: usize) -> usize {
    while leaders[member] != member {
        leaders[member] = leaders[leaders[member]];
        member = leaders[member];
    }
    member
}

impl Step {
    /// All of it in one step.
    pub fn of(items: Vec<Item>) -> Self {
        Self(items)
    }

    /// The entries it is about.
    pub fn into_slugs(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|item| item.change.slug)
    }

    /// Whether its entries are as they were when it was planned, and the names they take free.
    pub async fn still_holds(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let slugs: Vec<&str> = self.0.iter().map(Item::slug).collect();
        let revisions: HashMap<String, i64> = tx.find_catalog_revisions(&slugs).await?.into_iter().collect();
        if self.0.iter().any(|item| revisions.get(item.slug()).copied() != item.basis) {
            return Ok(false);
        }
        let names: Vec<&str> = self.0.iter().flat_map(Item::names).map(String::as_str).collect();
        let owners = tx.find_catalog_name_owners(&names).await?;
        Ok(owners.iter().all(|(_, owner)| revisions.contains_key(owner)))
    }

    /// Writes it under that revision; answers what it did.
    pub async fn write(self, tx: &mut Tx, revision: i64) -> Result<Vec<EntryChange>, StoreError> {
        let mut changes = Vec::new();
        let (mut writes, mut deleted, mut audit) = (Vec::new(), Vec::new(), Vec::new());
        let (mut versions, mut deployments) = (Vec::new(), Vec::new());
        for item in self.0 {
            let slug = &item.change.slug;
            versions.extend(item.versions.into_iter().map(|version| (slug.clone(), version)));
            deployments.extend(item.deployments.into_iter().map(|deployment| (slug.clone(), deployment)));
            match item.write {
                Some(mut write) => {
                    write.record.revision = revision;
                    writes.push(write);
                }
                None => deleted.push(slug.clone()),
            }
            audit.push(item.audit);
            changes.push(item.change);
        }
        tx.delete_catalog_entries(&deleted, revision).await?;
        tx.put_catalog_entries(&writes).await?;
        tx.put_catalog_versions(&versions).await?;
        tx.insert_catalog_deployments(&deployments).await?;
        tx.insert_audit(&audit).await?;
        Ok(changes)
    }
}
