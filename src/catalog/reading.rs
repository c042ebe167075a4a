//! From the text of a document to a [`Document`], or to everything that is wrong with it.
//!
//! A document without fault is read once, into its types. Only one with faults is read again,
//! entry by entry and with the place of every value: that takes little memory beside the text.

use std::collections::BTreeSet;

use super::document::parse::{Refusal, parse, tolerant_yaml_options};
use super::document::shape::{self, Shape};
use super::document::{Document, DocumentError, EntryDocument, Format};
use super::document_checks::{DocumentChecks, check_document, in_entry};
use super::faults::{Faults, FieldError};
use crate::domain::clock::Timestamp;
use crate::yaml::{self, Items, Listing, read_items};

/// More values of one entry are not looked at: no sensible entry comes near.
const MAX_ENTRY_VALUES: usize = 100_000;
/// The key of the list.
const ENTRIES: &str = "entries";

/// Reads a document. The rules for entries ([`check_document`]) are applied only to one that
/// cannot be read, so that everything about it is told at once.
///
/// # Errors
/// Everything that is wrong with a document that cannot be read.
pub fn read_document(bytes: &[u8], now: Timestamp) -> Result<Document, DocumentError> {
    let text = text_of(bytes)?;
    let Refusal { problem, again } = match parse(text) {
        Ok(document) => return Ok(document),
        Err(refusal) => refusal,
    };
    let Some(format) = again else { return Err(DocumentError::Unreadable(problem)) };
    Err(read_again(text, format, problem, now))
}

/// Reads a document and applies the rules for entries.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read_checked_document(bytes: &[u8], now: Timestamp) -> Result<Document, DocumentError> {
    let document = read_document(bytes, now)?;
    let problems = check_document(&document, now);
    if problems.is_empty() { Ok(document) } else { Err(DocumentError::Wrong(place(bytes, problems))) }
}

/// Problems of a document that was read, with their places in its text.
pub fn place(bytes: &[u8], problems: Vec<FieldError>) -> Faults {
    let faults = Faults::from(problems);
    let Ok(text) = text_of(bytes) else { return faults };
    let wanted: BTreeSet<usize> =
        faults.listed().iter().filter_map(|p| split(&p.field)).map(|(i, _)| i).collect();
    let mut placing = Placing { faults };
    let is_wanted = |index: usize| wanted.contains(&index);
    read_items(text, &listing(&|| tolerant_yaml_options(text), &is_wanted), &mut placing);
    placing.faults.sorted()
}

fn text_of(bytes: &[u8]) -> Result<&str, DocumentError> {
    let text = std::str::from_utf8(bytes).map_err(|_| DocumentError::NotText)?;
    Ok(text.trim_start_matches('\u{feff}'))
}

fn listing<'a>(
    options: &'a (dyn Fn() -> serde_saphyr::Options + Sync),
    is_wanted: &'a (dyn Fn(usize) -> bool + Sync),
) -> Listing<'a> {
    Listing { key: ENTRIES, options, room: MAX_ENTRY_VALUES, is_wanted }
}

/// `entries[3].owner` as its entry and the field there.
fn split(field: &str) -> Option<(usize, &str)> {
    let (index, rest) = field.strip_prefix(ENTRIES)?.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest.strip_prefix('.').unwrap_or(rest)))
}

/// Everything that is wrong with a document; `first` is what its first reading ended with.
fn read_again(text: &str, format: Format, first: FieldError, now: Timestamp) -> DocumentError {
    let mut entries = Entries {
        format,
        shape: Shape::of::<EntryDocument>(),
        checks: DocumentChecks::new(now),
        faults: Faults::default(),
    };
    let (rest, end) = read_items(text, &listing(&|| tolerant_yaml_options(text), &|_| true), &mut entries);
    let mut faults = entries.faults;
    let head = Shape::of::<Document>().fit(rest.value, rest.marks, format, faults.room());
    let duplicates = rest.duplicates.iter().map(|(at, place)| duplicate(at, Some(*place)));
    let is_readable = !(faults.is_empty() && end.is_some());
    match end {
        // A document that ends early may not have come to what is missing.
        Some((position, message)) => {
            let known = head.problems.into_iter().filter(|problem| problem.field != ENTRIES);
            known.chain(duplicates).for_each(|problem| faults.push(problem));
            faults.insist(FieldError::new("", message).at(position));
        }
        None => head.problems.into_iter().chain(duplicates).for_each(|problem| faults.push(problem)),
    }
    faults.omit(head.omitted);
    if faults.is_empty() {
        faults.push(first);
    }
    match faults.listed() {
        [only] if !is_readable => DocumentError::Unreadable(only.clone()),
        _ => DocumentError::Wrong(faults.sorted()),
    }
}

fn duplicate(at: &str, place: Option<yaml::Position>) -> FieldError {
    let field = yaml::pointer::dotted(at);
    let key = at.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
    FieldError::new(field, format!("the key `{key}` stands here twice; keep one of them")).at(place)
}

/// Takes the entries of a document with faults.
struct Entries {
    format: Format,
    shape: Shape,
    checks: DocumentChecks,
    faults: Faults,
}

impl Items for Entries {
    fn take(&mut self, index: usize, item: yaml::Document, is_whole: bool) {
        let yaml::Document { value, marks, duplicates } = item;
        let mut fit = self.shape.fit(value, marks, self.format, self.faults.room());
        let read = fit.read::<EntryDocument>();
        let mut problems = std::mem::take(&mut fit.problems);
        problems.extend(duplicates.iter().map(|(at, place)| duplicate(at, Some(*place))));
        if !is_whole {
            let message = format!("has more than {MAX_ENTRY_VALUES} values: the rest was not checked");
            problems.push(fit.place(FieldError::new("", message)));
        }
        let checked = read.map(|entry| self.checks.check(index, &entry)).unwrap_or_default();
        let unknown = checked.into_iter().filter(|problem| !fit.knows(&problem.field));
        problems.extend(unknown.map(|problem| fit.place(problem)));
        problems.into_iter().for_each(|problem| self.faults.push(in_entry(index, problem)));
        self.faults.omit(fit.omitted);
    }
}

/// Finds the places of faults that are known.
struct Placing {
    faults: Faults,
}

impl Items for Placing {
    fn take(&mut self, index: usize, item: yaml::Document, _: bool) {
        let placed = |problem: FieldError| match split(&problem.field) {
            Some((entry, field)) if entry == index => {
                let found = shape::place(FieldError::new(field, ""), &item.value, &item.marks);
                FieldError { line: found.line, column: found.column, ..problem }
            }
            _ => problem,
        };
        self.faults = std::mem::take(&mut self.faults).map(placed);
    }
}

#[cfg(test)]
mod tests;
