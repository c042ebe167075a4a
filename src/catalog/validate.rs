//! What must hold of an entry before it is stored. Every wrong field is named at once.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::names::fold;
use crate::domain::entry::{Contact, Entry, EntryMatcher};
use crate::domain::matcher::Matchers;

/// Words that stand in place of a slug in the API's paths.
const RESERVED: [&str; 2] = ["import", "export"];

/// The longest slug, in characters.
pub const MAX_SLUG: usize = 120;
/// The longest name of a person, team, environment, version, link, tag or alias.
pub const MAX_NAME: usize = 250;
/// The longest description or statement of business impact.
pub const MAX_PARAGRAPH: usize = 4_000;
/// The longest URL or template of one.
pub const MAX_URL: usize = 2_048;
/// The longest runbook.
pub const MAX_RUNBOOK: usize = 65_536;
/// The longest matcher.
pub const MAX_MATCHER: usize = 1_000;
/// The most aliases, matcher sets, matchers in a set, links, contacts or tags.
pub const MAX_ITEMS: usize = 100;

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// The field, as a path: `aliases[1]`, `links.dashboard`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl FieldProblem {
    /// A problem of that field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Says what is wrong with the template of a link; handed in by the house that renders.
pub type TemplateCheck = fn(&str) -> Result<(), String>;

/// Everything that is wrong with an entry by itself; empty when nothing is.
pub fn check_entry(entry: &Entry, check_template: TemplateCheck) -> Vec<FieldProblem> {
    let mut report = Report { problems: Vec::new(), check_template };
    report.slug(&entry.slug);
    report.texts(entry);
    report.aliases(entry);
    report.matchers(&entry.matchers);
    report.urls(entry);
    report.contacts(&entry.contacts);
    report.tags(&entry.tags);
    if entry.tier.is_some_and(|tier| !(1..=5).contains(&tier)) {
        report.add("tier", "must be 1 (most important) to 5");
    }
    report.problems
}

/// The names of an entry that others have: `owner_of` knows the entry of a folded name.
pub fn check_names(entry: &Entry, owner_of: impl Fn(&str) -> Option<String>) -> Vec<FieldProblem> {
    let fields = std::iter::once(("slug".to_owned(), &entry.slug))
        .chain(entry.aliases.iter().enumerate().map(|(i, alias)| (format!("aliases[{i}]"), alias)));
    fields
        .filter_map(|(field, name)| {
            let owner = owner_of(&fold(name)).filter(|owner| *owner != entry.slug)?;
            Some(FieldProblem::new(field, format!("{name:?} already names the entry {owner:?}")))
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

struct Report {
    problems: Vec<FieldProblem>,
    check_template: TemplateCheck,
}

impl Report {
    fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(FieldProblem::new(field, message));
    }

    fn slug(&mut self, slug: &str) {
        let is_sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        let begins_well = slug.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if slug.is_empty() {
            self.add("slug", "must not be empty");
        } else if !begins_well || !slug.chars().all(is_sign) || slug.len() > MAX_SLUG {
            self.add(
                "slug",
                format!(
                    "must be at most {MAX_SLUG} lower-case letters, digits, '-', '_' and '.', beginning with a letter or digit"
                ),
            );
        } else if RESERVED.contains(&slug) {
            self.add("slug", format!("{slug:?} is a word of the API; choose another"));
        }
    }

    fn texts(&mut self, entry: &Entry) {
        let lines = [
            ("display_name", &entry.display_name),
            ("owner", &entry.owner),
            ("team", &entry.team),
            ("environment", &entry.environment),
            ("current_version", &entry.current_version),
        ];
        for (field, text) in lines {
            self.line(field, text, MAX_NAME);
        }
        self.text("description", &entry.description, MAX_PARAGRAPH);
        self.text("business_impact", &entry.business_impact, MAX_PARAGRAPH);
        self.text("runbook", &entry.runbook, MAX_RUNBOOK);
    }

    fn aliases(&mut self, entry: &Entry) {
        self.count("aliases", entry.aliases.len());
        let mut seen = HashMap::from([(fold(&entry.slug), "the slug".to_owned())]);
        for (i, alias) in entry.aliases.iter().enumerate() {
            let field = format!("aliases[{i}]");
            self.filled(&field, alias, MAX_NAME);
            if let Some(first) = seen.get(&fold(alias)) {
                self.add(field, format!("{alias:?} is the same name as {first}"));
            } else {
                seen.insert(fold(alias), field);
            }
        }
    }

    fn matchers(&mut self, sets: &[EntryMatcher]) {
        self.count("matchers", sets.len());
        for (i, set) in sets.iter().enumerate() {
            let field = format!("matchers[{i}].matchers");
            self.count(&field, set.matchers.len());
            for (j, text) in set.matchers.iter().enumerate() {
                self.text(&format!("{field}[{j}]"), text, MAX_MATCHER);
            }
            match Matchers::parse_all(&set.matchers) {
                Ok(parsed) => self.selective(field, &parsed),
                Err(faults) => {
                    for (j, fault) in faults {
                        self.add(format!("{field}[{j}]"), fault.to_string());
                    }
                }
            }
        }
    }

    /// Matchers that hold for an alert without labels hold for nearly every alert.
    fn selective(&mut self, field: String, matchers: &Matchers) {
        if matchers.is_empty() {
            self.add(field, "must hold at least one matcher");
        } else if matchers.matches(|_| None) {
            self.add(field, "must hold a matcher that does not match a missing label");
        }
    }

    fn urls(&mut self, entry: &Entry) {
        self.url("endpoint_url", &entry.endpoint_url);
        self.url_template("runbook_url", &entry.runbook_url);
        self.count("links", entry.links.len());
        for (name, url) in &entry.links {
            let field = format!("links.{name}");
            self.filled(&field, name, MAX_NAME);
            if url.is_empty() {
                self.add(field, "must not be empty");
            } else {
                self.url_template(&field, url);
            }
        }
    }

    fn contacts(&mut self, contacts: &[Contact]) {
        self.count("contacts", contacts.len());
        for (i, contact) in contacts.iter().enumerate() {
            self.filled(&format!("contacts[{i}].name"), &contact.name, MAX_NAME);
            self.line(&format!("contacts[{i}].kind"), &contact.kind, MAX_NAME);
            self.line(&format!("contacts[{i}].value"), &contact.value, MAX_URL);
        }
    }

    fn tags(&mut self, tags: &BTreeMap<String, String>) {
        self.count("tags", tags.len());
        for (name, value) in tags {
            let field = format!("tags.{name}");
            self.filled(&field, name, MAX_NAME);
            self.line(&field, value, MAX_PARAGRAPH);
        }
    }

    fn url_template(&mut self, field: &str, url: &str) {
        if !url.contains("{{") {
            return self.url(field, url);
        }
        self.line(field, url, MAX_URL);
        if let Err(problem) = (self.check_template)(url) {
            self.add(field, problem);
        }
    }

    fn url(&mut self, field: &str, url: &str) {
        self.line(field, url, MAX_URL);
        if !url.is_empty() && !is_web_url(url) {
            self.add(field, "must be a URL that begins with http:// or https:// and names a host");
        }
    }

    fn filled(&mut self, field: &str, text: &str, limit: usize) {
        if text.trim().is_empty() {
            self.add(field, "must not be empty");
        } else {
            self.line(field, text, limit);
        }
    }

    fn line(&mut self, field: &str, text: &str, limit: usize) {
        if text.contains(char::is_control) {
            self.add(field, "must be one line without control characters");
        }
        self.length(field, text, limit);
    }

    fn text(&mut self, field: &str, text: &str, limit: usize) {
        if text.contains('\0') {
            self.add(field, "must not contain a zero character");
        }
        self.length(field, text, limit);
    }

    fn length(&mut self, field: &str, text: &str, limit: usize) {
        if text.chars().nth(limit).is_some() {
            self.add(field, format!("must be at most {limit} characters"));
        }
    }

    fn count(&mut self, field: &str, count: usize) {
        if count > MAX_ITEMS {
            self.add(field, format!("must be at most {MAX_ITEMS}, not {count}"));
        }
    }
}

/// Whether this is an absolute http or https URL with a host and no white space.
pub(crate) fn is_web_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    is_web && !host.is_empty() && !url.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests;
