//! What must hold of an entry before it is stored. Every wrong field is named at once.

use std::collections::{BTreeMap, HashMap};

pub use super::checks::MAX_COMPILED;
pub(super) use super::checks::too_many_expressions;
use super::checks::{
    MAX_MATCHER, MAX_NAME, MAX_PARAGRAPH, MAX_RUNBOOK, MAX_SLUG, MAX_URL, NUL_MESSAGE, Report, compiled_size,
};
use super::faults::FieldError;
use super::names::fold;
use crate::domain::entry::{Contact, Entry, EntryMatcher};
use crate::domain::matcher::{Engine, Matchers};
use crate::render::links::LinkTemplates;

/// How much memory the compiled expressions of one entry may take, in bytes: compiling them takes
/// time, and others wait for a change.
const MAX_COMPILED_ENTRY: usize = 4 * 1024 * 1024;
/// After so many problems no further expressions are compiled.
const ENOUGH_PROBLEMS: usize = 50;

/// Words that stand in place of a slug in the API's paths.
const RESERVED: [&str; 2] = ["import", "export"];

/// Everything that is wrong with an entry by itself; empty when nothing is.
pub fn check_entry(entry: &Entry) -> Vec<FieldError> {
    weigh_entry(entry).0
}

/// [`check_entry`], and what the entry's compiled expressions count of [`MAX_COMPILED`].
pub(super) fn weigh_entry(entry: &Entry) -> (Vec<FieldError>, usize) {
    let mut report = Report::default();
    slug(&mut report, &entry.slug);
    texts(&mut report, entry);
    aliases(&mut report, entry);
    matchers(&mut report, &entry.matchers);
    urls(&mut report, entry);
    contacts(&mut report, &entry.contacts);
    tags(&mut report, &entry.tags);
    if entry.tier.is_some_and(|tier| !(1..=5).contains(&tier)) {
        report.add("tier", "must be 1 (most important) to 5");
    }
    (report.problems, report.compiled)
}

/// The names of an entry that others have: `owner_of` knows the entry of a folded name.
pub fn check_names(entry: &Entry, owner_of: impl Fn(&str) -> Option<String>) -> Vec<FieldError> {
    let fields = std::iter::once(("slug".to_owned(), &entry.slug))
        .chain(entry.aliases.iter().enumerate().map(|(i, alias)| (format!("aliases[{i}]"), alias)));
    fields
        .filter_map(|(field, name)| {
            let owner = owner_of(&fold(name)).filter(|owner| *owner != entry.slug)?;
            Some(FieldError::new(field, format!("{name:?} already names the entry {owner:?}")))
        })
        .collect()
}

/// The folded names an entry answers to, each once.
pub fn folded_names(entry: &Entry) -> Vec<String> {
    let mut names: Vec<String> =
        std::iter::once(&entry.slug).chain(&entry.aliases).map(|name| fold(name).into_owned()).collect();
    names.sort();
    names.dedup();
    names
}

fn slug(report: &mut Report, slug: &str) {
    let is_sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let begins_well = slug.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if slug.is_empty() {
        report.add("slug", "must not be empty");
    } else if slug.contains('\0') {
        report.add("slug", NUL_MESSAGE);
    } else if !begins_well || !slug.chars().all(is_sign) || slug.len() > MAX_SLUG {
        report.add(
                "slug",
                format!(
                    "must be at most {MAX_SLUG} lower-case letters, digits, '-', '_' and '.', beginning with a letter or digit"
                ),
            );
    } else if RESERVED.contains(&slug) {
        report.add("slug", format!("{slug:?} is a word of the API; choose another"));
    }
}

fn texts(report: &mut Report, entry: &Entry) {
    let lines = [
        ("display_name", &entry.display_name),
        ("owner", &entry.owner),
        ("team", &entry.team),
        ("environment", &entry.environment),
        ("current_version", &entry.current_version),
    ];
    for (field, text) in lines {
        report.line(field, text, MAX_NAME);
    }
    report.text("description", &entry.description, MAX_PARAGRAPH);
    report.text("business_impact", &entry.business_impact, MAX_PARAGRAPH);
    report.text("runbook", &entry.runbook, MAX_RUNBOOK);
}

fn aliases(report: &mut Report, entry: &Entry) {
    report.count("aliases", entry.aliases.len());
    let mut seen = HashMap::from([(fold(&entry.slug), "the slug".to_owned())]);
    for (i, alias) in entry.aliases.iter().enumerate() {
        let field = format!("aliases[{i}]");
        report.filled(&field, alias, MAX_NAME);
        if let Some(first) = seen.get(&fold(alias)) {
            report.add(field, format!("{alias:?} is the same name as {first}"));
        } else {
            seen.insert(fold(alias), field);
        }
    }
}

fn matchers(report: &mut Report, sets: &[EntryMatcher]) {
    report.count("matchers", sets.len());
    for (i, set) in sets.iter().enumerate() {
        if report.compiled > MAX_COMPILED_ENTRY {
            let limit = MAX_COMPILED_ENTRY >> 20;
            let message = format!(
                "the regular expressions up to here take more than {limit} MiB when compiled; use fewer"
            );
            return report.add(format!("matchers[{i}]"), message);
        }
        if report.problems.len() > ENOUGH_PROBLEMS {
            return report.add(format!("matchers[{i}]"), "not looked at: too much is wrong before it");
        }
        let field = format!("matchers[{i}].matchers");
        report.count(&field, set.matchers.len());
        for (j, text) in set.matchers.iter().enumerate() {
            report.text(&format!("{field}[{j}]"), text, MAX_MATCHER);
        }
        match Matchers::parse_all_with(&set.matchers, Engine::Table) {
            Ok(parsed) => {
                report.compiled += compiled_size(&parsed);
                selective(report, field, &parsed);
            }
            Err(faults) => {
                for (j, fault) in faults {
                    report.add(format!("{field}[{j}]"), fault.to_string());
                }
            }
        }
    }
}

/// Matchers that hold for an alert without labels hold for nearly every alert.
fn selective(report: &mut Report, field: String, matchers: &Matchers) {
    if matchers.is_empty() {
        report.add(field, "must hold at least one matcher");
    } else if matchers.matches(|_| "") {
        report.add(field, "must hold a matcher that does not match a missing label");
    }
}

fn urls(report: &mut Report, entry: &Entry) {
    report.url("endpoint_url", &entry.endpoint_url);
    url_template(report, "runbook_url", &entry.runbook_url);
    report.count("links", entry.links.len());
    for (name, url) in &entry.links {
        let field = format!("links.{name}");
        report.filled(&field, name, MAX_NAME);
        if url.is_empty() {
            report.add(field, "must not be empty");
        } else {
            url_template(report, &field, url);
        }
    }
}

fn contacts(report: &mut Report, contacts: &[Contact]) {
    report.count("contacts", contacts.len());
    for (i, contact) in contacts.iter().enumerate() {
        report.filled(&format!("contacts[{i}].name"), &contact.name, MAX_NAME);
        report.line(&format!("contacts[{i}].kind"), &contact.kind, MAX_NAME);
        report.line(&format!("contacts[{i}].value"), &contact.value, MAX_URL);
    }
}

fn tags(report: &mut Report, tags: &BTreeMap<String, String>) {
    report.count("tags", tags.len());
    for (name, value) in tags {
        let field = format!("tags.{name}");
        report.filled(&field, name, MAX_NAME);
        report.line(&field, value, MAX_PARAGRAPH);
    }
}

fn url_template(report: &mut Report, field: &str, url: &str) {
    if !url.contains("{{") {
        return report.url(field, url);
    }
    report.line(field, url, MAX_URL);
    if let Err(fault) = LinkTemplates::check(url) {
        report.add(field, fault.to_string());
    }
}

#[cfg(test)]
mod tests;
