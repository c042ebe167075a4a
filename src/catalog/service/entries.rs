//! One entry created, replaced, patched or deleted.

use serde_json::Value;

use super::{CatalogError, CatalogService, document_of, entry_write};
use crate::catalog::document::read_entry;
use crate::catalog::plan::with_current_version;
use crate::domain::entry::{Entry, EntryRecord};
use crate::store::{StoredEntry, Tx};

/// What must hold of the stored entry for a change to be made (`If-Match`, `If-None-Match`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    Anything,
    /// It exists.
    Exists,
    /// It does not exist.
    Absent,
    /// It is at one of these revisions.
    OneOf(Vec<i64>),
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The entry is new.
    Created,
    /// The entry is different.
    Changed,
    /// The entry was so already; its revision stays.
    Unchanged,
}

impl Precondition {
    fn check(&self, slug: &str, existing: Option<&EntryRecord>) -> Result<(), CatalogError> {
        let revision = existing.map(|record| record.revision);
        let holds = match self {
            Self::Anything => true,
            Self::Exists => revision.is_some(),
            Self::Absent => revision.is_none(),
            Self::OneOf(wanted) => revision.is_some_and(|revision| wanted.contains(&revision)),
        };
        if holds { Ok(()) } else { Err(CatalogError::Changed { slug: slug.to_owned(), revision }) }
    }
}

impl CatalogService {
    /// Creates an entry.
    ///
    /// # Errors
    /// [`CatalogError::Exists`] when its slug is taken; see there for the others.
    pub async fn create(&self, actor: &str, entry: Entry) -> Result<StoredEntry, CatalogError> {
        let slug = entry.slug.clone();
        let created = self.write(actor, &slug, Precondition::Anything, |existing| match existing {
            Some(_) => Err(CatalogError::Exists(entry.slug.clone())),
            None => Ok(entry),
        });
        created.await.map(|(stored, _)| stored)
    }

    /// Writes an entry, whether or not there was one of its slug.
    ///
    /// # Errors
    /// [`CatalogError::Changed`] when the precondition does not hold.
    pub async fn put(
        &self,
        actor: &str,
        entry: Entry,
        precondition: Precondition,
    ) -> Result<(StoredEntry, Outcome), CatalogError> {
        let slug = entry.slug.clone();
        self.write(actor, &slug, precondition, |_| Ok(entry)).await
    }

    /// Applies a JSON merge patch (RFC 7396) to an entry.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] when there is no such entry.
    pub async fn patch(
        &self,
        actor: &str,
        slug: &str,
        patch: &Value,
        precondition: Precondition,
    ) -> Result<(StoredEntry, Outcome), CatalogError> {
        self.write(actor, slug, precondition, |existing| {
            let existing = existing.ok_or_else(|| CatalogError::NotFound(slug.to_owned()))?;
            let mut document = document_of(&existing.entry);
            merge(&mut document, patch);
            read_entry(document, Some(slug)).map_err(CatalogError::Invalid)
        })
        .await
    }

    /// Deletes an entry and its history.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`] when there is no such entry.
    pub async fn delete(
        &self,
        actor: &str,
        slug: &str,
        precondition: Precondition,
    ) -> Result<(), CatalogError> {
        let mut tx = self.store.begin_write().await?;
        let revision = tx.next_catalog_revision().await?;
        let existing = find(&mut tx, slug).await?.ok_or_else(|| CatalogError::NotFound(slug.to_owned()))?;
        precondition.check(slug, Some(&existing))?;
        tx.delete_catalog_entries(&[slug.to_owned()], revision).await?;
        let change = (document_of(&existing.entry), Value::Null);
        tx.insert_audit(&[self.audit(actor, "delete", slug, change)]).await?;
        self.commit(tx).await
    }

    async fn write(
        &self,
        actor: &str,
        slug: &str,
        precondition: Precondition,
        make: impl FnOnce(Option<&EntryRecord>) -> Result<Entry, CatalogError>,
    ) -> Result<(StoredEntry, Outcome), CatalogError> {
        let now = self.clock.now();
        let mut tx = self.store.begin_write().await?;
        let revision = tx.next_catalog_revision().await?;
        let existing = find(&mut tx, slug).await?;
        precondition.check(slug, existing.as_ref())?;
        let entry = make(existing.as_ref())?;
        self.check(&mut tx, &entry).await?;
        let history = existing.as_ref().map(|record| record.history.clone()).unwrap_or_default();
        let entry = with_current_version(entry, &history);
        if let Some(same) = existing.as_ref().filter(|record| record.entry == entry) {
            return Ok((stored(same), Outcome::Unchanged));
        }
        let (action, outcome) =
            if existing.is_some() { ("change", Outcome::Changed) } else { ("create", Outcome::Created) };
        let created_at = existing.as_ref().map_or(now, |record| record.created_at);
        let record = EntryRecord { entry, revision, created_at, updated_at: now, history };
        let before = existing.map(|record| document_of(&record.entry)).unwrap_or_default();
        let audit = self.audit(actor, action, slug, (before, document_of(&record.entry)));
        let answer = stored(&record);
        tx.put_catalog_entries(&[entry_write(record)]).await?;
        tx.insert_audit(&[audit]).await?;
        self.commit(tx).await?;
        Ok((answer, outcome))
    }
}

/// The entry of a slug with its whole history.
pub(super) async fn find(tx: &mut Tx, slug: &str) -> Result<Option<EntryRecord>, CatalogError> {
    Ok(tx.find_catalog_records(&[slug]).await?.pop())
}

fn stored(record: &EntryRecord) -> StoredEntry {
    StoredEntry {
        entry: record.entry.clone(),
        revision: record.revision,
        created_at: record.created_at,
        updated_at: record.updated_at,
    }
}

/// JSON merge patch: null takes a key away, objects are merged, anything else replaces.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_does_as_the_rfc_says() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (mut target, patch, expected) in cases {
            merge(&mut target, &patch);
            assert_eq!(target, expected, "{patch}");
        }
    }
}
