//! What fields of every sort must satisfy, and the list of those that do not.

use std::collections::HashSet;

use super::faults::FieldError;
use crate::domain::matcher::{Matcher, Matchers};
use crate::render::urls::presentable;

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
/// How much memory the compiled expressions of all entries together may take, in bytes. It also bounds
/// how many there are, and so the time that an alert may have to be compared with all of them.
pub const MAX_COMPILED: usize = 48 * 1024 * 1024;
/// What an expression counts at least, in bytes.
const LEAST_COMPILED: usize = 4 * 1024;
/// The most aliases, matcher sets, matchers in a set, links, contacts or tags.
pub const MAX_ITEMS: usize = 100;

/// What is said of a text with a NUL character: no database stores it.
pub const NUL_MESSAGE: &str = "contains a NUL character (U+0000): take it out";

/// The wrong fields found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub problems: Vec<FieldError>,
    with_nul: HashSet<String>,
    /// What the entry's compiled expressions count.
    pub compiled: usize,
}

impl Report {
    /// Notes a problem of a field. Of one with a NUL character nothing more is said.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let problem = FieldError::new(field, message);
        if self.with_nul.contains(&problem.field) {
            return;
        }
        if problem.message == NUL_MESSAGE {
            self.with_nul.insert(problem.field.clone());
        }
        self.problems.push(problem);
    }

    /// A URL, absent when empty.
    pub fn url(&mut self, field: &str, url: &str) {
        self.line(field, url, MAX_URL);
        if !url.is_empty() && !is_web_url(url) {
            self.add(field, "must be a URL that begins with http:// or https:// and names a host, without a user name before it");
        }
    }

    /// A line that must say something.
    pub fn filled(&mut self, field: &str, text: &str, limit: usize) {
        if text.trim().is_empty() {
            self.add(field, "must not be empty");
        } else {
            self.line(field, text, limit);
        }
    }

    /// One line of at most `limit` characters.
    pub fn line(&mut self, field: &str, text: &str, limit: usize) {
        if text.contains('\0') {
            self.add(field, NUL_MESSAGE);
        } else if text.contains(char::is_control) {
            self.add(field, "must be one line without control characters");
        }
        self.length(field, text, limit);
    }

    /// Any text of at most `limit` characters.
    pub fn text(&mut self, field: &str, text: &str, limit: usize) {
        if text.contains('\0') {
            self.add(field, NUL_MESSAGE);
        }
        self.length(field, text, limit);
    }

    fn length(&mut self, field: &str, text: &str, limit: usize) {
        if text.chars().nth(limit).is_some() {
            self.add(field, format!("must be at most {limit} characters"));
        }
    }

    /// At most [`MAX_ITEMS`] items.
    pub fn count(&mut self, field: &str, count: usize) {
        if count > MAX_ITEMS {
            self.add(field, format!("must be at most {MAX_ITEMS}, not {count}"));
        }
    }
}

/// What the compiled expressions among these matchers count of [`MAX_COMPILED`].
pub(super) fn compiled_size(matchers: &Matchers) -> usize {
    let sizes = matchers.iter().map(Matcher::compiled_bytes).filter(|bytes| *bytes > 0);
    sizes.map(|bytes| bytes.max(LEAST_COMPILED)).sum()
}

/// The problem of a catalog whose expressions count `size` when they may count `room`.
pub(super) fn too_many_expressions(field: &str, size: usize, room: usize) -> Option<FieldError> {
    let mib = |bytes: usize| format!("{}.{} MiB", bytes >> 20, ((bytes & 0xF_FFFF) * 10) >> 20);
    (size > room).then(|| {
        FieldError::new(
            field,
            format!(
                "the regular expressions take {} when compiled, and {} of the {} for the whole catalog are left; \
                 write fewer or smaller repetitions ([a-z]+ for [a-z]{{1,300}}), plain beginnings (fraud-.*), or names \
                 as aliases",
                mib(size),
                mib(room),
                mib(MAX_COMPILED)
            ),
        )
    })
}

/// Whether this is an absolute http or https URL without white space whose host is the same
/// for every program.
pub(super) fn is_web_url(url: &str) -> bool {
    !url.contains(char::is_whitespace) && presentable(url).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_web_urls_are_urls() {
        for url in ["http://h", "https://h:1/p?q#f", "HTTPS://h", "http://[::1]/"] {
            assert!(is_web_url(url), "{url}");
        }
        for url in [
            "",
            "h",
            "ftp://h",
            "http://",
            "http:///p",
            "https://a b",
            "javascript://h\u{a0}x",
            "//h",
            "https://ok.example\\@evil.example/",
            "https://user@evil.example/",
        ] {
            assert!(!is_web_url(url), "{url}");
        }
    }
}
