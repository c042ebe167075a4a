//! What can be wrong with a document by itself.

use std::collections::{HashMap, HashSet};

use super::document::{Document, EntryDocument};
use super::faults::FieldError;
use super::history::{check_deployment, check_version};
use super::validate::{MAX_COMPILED, check_names, folded_names, too_many_expressions, weigh_entry};
use crate::domain::clock::Timestamp;

/// Everything wrong with a document by itself: its entries, and names that two of them claim.
pub fn check_document(document: &Document, now: Timestamp) -> Vec<FieldError> {
    check_document_beside(document, now, 0)
}

/// The same where the compiled expressions of entries that stay count `others` already.
pub(super) fn check_document_beside(document: &Document, now: Timestamp, others: usize) -> Vec<FieldError> {
    let mut checks = DocumentChecks::new(now);
    let mut problems = Vec::new();
    for (index, entry) in document.entries.iter().enumerate() {
        let found = checks.check(index, entry).into_iter();
        problems.extend(found.map(|problem| in_entry(index, problem)));
    }
    let room = MAX_COMPILED.saturating_sub(others);
    problems.extend(too_many_expressions("entries", checks.compiled, room));
    problems
}

/// A problem of an entry as one of its document.
pub(super) fn in_entry(index: usize, problem: FieldError) -> FieldError {
    problem.inside(&format!("entries[{index}]"))
}

/// The checks of a document, entry by entry.
pub(super) struct DocumentChecks {
    now: Timestamp,
    slugs: HashSet<String>,
    /// The entry that claims a folded name.
    claimed: HashMap<String, String>,
    /// What the compiled expressions of all entries count.
    compiled: usize,
}

impl DocumentChecks {
    /// No entry was seen yet.
    pub fn new(now: Timestamp) -> Self {
        Self { now, slugs: HashSet::new(), claimed: HashMap::new(), compiled: 0 }
    }

    /// What is wrong with the next entry, which stands at that index.
    pub fn check(&mut self, index: usize, document: &EntryDocument) -> Vec<FieldError> {
        let entry = &document.entry;
        let (mut problems, compiled) = weigh_entry(entry);
        self.compiled += compiled;
        if self.slugs.insert(entry.slug.clone()) {
            problems.extend(check_names(entry, |name| self.claimed.get(name).cloned()));
        } else {
            problems.push(FieldError::new("slug", format!("{:?} stands in the document twice", entry.slug)));
        }
        problems.extend(check_history(document, self.now));
        let name = if entry.slug.is_empty() { format!("entries[{index}]") } else { entry.slug.clone() };
        for folded in folded_names(entry) {
            self.claimed.entry(folded).or_insert_with(|| name.clone());
        }
        problems
    }
}

fn check_history(document: &EntryDocument, now: Timestamp) -> Vec<FieldError> {
    let EntryDocument { versions, deployments, .. } = document;
    let mut problems = Vec::new();
    for (i, version) in versions.iter().enumerate() {
        problems.extend(inside(&format!("versions[{i}]"), check_version(version, now)));
        if versions.len() > 1 && version.valid_from.is_none() {
            let field = format!("versions[{i}].valid_from");
            problems.push(FieldError::new(field, "must be given where there are several versions"));
        }
    }
    for (i, deployment) in deployments.iter().enumerate() {
        problems.extend(inside(&format!("deployments[{i}]"), check_deployment(deployment, now)));
        if deployments.len() > 1 && deployment.at.is_none() {
            let field = format!("deployments[{i}].at");
            problems.push(FieldError::new(field, "must be given where there are several deployments"));
        }
    }
    problems
}

fn inside(place: &str, problems: Vec<FieldError>) -> impl Iterator<Item = FieldError> {
    problems.into_iter().map(move |problem| problem.inside(place))
}
