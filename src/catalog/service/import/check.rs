//! What can be wrong with a document by itself.

use std::collections::{HashMap, HashSet};

use crate::catalog::document::{Document, EntryDocument};
use crate::catalog::history::{check_deployment, check_version};
use crate::catalog::validate::{FieldProblem, check_entry, check_names, folded_names};
use crate::domain::clock::Timestamp;

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

pub(super) fn in_entry(index: usize, problem: FieldProblem) -> FieldProblem {
    FieldProblem { field: format!("entries[{index}].{}", problem.field), message: problem.message }
}
