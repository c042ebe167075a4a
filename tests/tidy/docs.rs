//! What the documents point to is there: links, files, and the tests that hold a rule.

use std::collections::BTreeSet;

use crate::source::SourceFile;

/// Top folders whose paths a document may quote.
const CODE_FOLDERS: &[&str] =
    &["src/", "tests/", "docs/", "deploy/", "migrations/", "templates/", "scripts/", ".ci/"];

/// Links to files that are not there, quoted paths that are not there, and tests named
/// after `Held by` that no source has.
pub fn stale(documents: &[SourceFile], repository: &[SourceFile]) -> Vec<String> {
    let paths: BTreeSet<&str> = repository.iter().map(|file| file.path.as_str()).collect();
    let tests: BTreeSet<&str> = repository
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .flat_map(|file| functions(&file.text))
        .collect();
    let exists = |path: &str| {
        let folder = format!("{}/", path.trim_end_matches('/'));
        path.is_empty() || paths.contains(path) || paths.iter().any(|known| known.starts_with(&folder))
    };
    let mut complaints = Vec::new();
    for document in documents {
        let mut complain =
            |what: &str, name: &str| complaints.push(format!("{}: {what} {name}", document.path));
        for link in links(&document.text) {
            if !exists(&beside(&document.path, link)) {
                complain("links to a missing file", link);
            }
        }
        for path in quoted(&document.text).filter(|word| is_code_path(word)) {
            if !exists(path) {
                complain("names a missing file", path);
            }
        }
        for name in document.text.split("Held by").skip(1).flat_map(|rest| quoted(paragraph(rest))) {
            if !tests.contains(name.rsplit("::").next().unwrap_or(name)) {
                complain("names a missing test", name);
            }
        }
    }
    complaints
}

/// Fields of the message context, given its source, and helpers, given theirs, that the
/// reference for template authors does not name.
pub fn missing_from_reference(reference: &str, context: &str, helpers: &str) -> Vec<String> {
    let fields = context.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    let names =
        helpers.split("NAMES: &[&str] = &[").nth(1).and_then(|rest| rest.split("];").next()).unwrap_or("");
    let helpers = names.split('"').skip(1).step_by(2);
    let known: BTreeSet<&str> = quoted(reference).flat_map(words).collect();
    fields
        .map(|(name, _)| name)
        .chain(helpers)
        .filter(|name| !known.contains(name))
        .map(str::to_owned)
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.split("fn ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
}

/// Targets of `[text](target)` that are files, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).filter(|target| {
        !target.is_empty()
            && !target.contains("://")
            && !target.starts_with("mailto:")
            && !target.contains(' ')
    })
}

/// What stands before the next blank line.
fn paragraph(text: &str) -> &str {
    text.split("\n\n").next().unwrap_or(text)
}

/// The words between single backticks on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("```"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_code_path(word: &str) -> bool {
    let plain = !word.contains(|c: char| c.is_whitespace() || "*{}<>…".contains(c))
        && !["KIND", "NNNN"].iter().any(|part| word.contains(part));
    plain && CODE_FOLDERS.iter().any(|folder| word.starts_with(folder))
}

/// `target` as seen from the folder of `document`.
fn beside(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_about(text: &str) -> Vec<String> {
        let repository = [
            SourceFile::sample("src/app.rs", "#[test]\nfn it_holds() {}"),
            SourceFile::sample("docs/a.md", ""),
        ];
        stale(&[SourceFile::sample("docs/b.md", text)], &repository)
    }

    #[test]
    fn what_is_not_there_is_seen() {
        assert_eq!(
            complaints_about("[x](../src/gone.rs)"),
            ["docs/b.md: links to a missing file ../src/gone.rs"]
        );
        assert_eq!(complaints_about("see `src/gone.rs`"), ["docs/b.md: names a missing file src/gone.rs"]);
        assert_eq!(
            complaints_about("Held by `it_holds`,\n`it_broke`."),
            ["docs/b.md: names a missing test it_broke"]
        );
    }

    #[test]
    fn a_name_without_a_word_in_the_reference_is_seen() {
        let context = "pub struct X {\n    pub kind: A,\n    pub status: B,\n}";
        let helpers = "const NAMES: &[&str] = &[\n    \"upper\",\n    \"lower\",\n];";

        assert_eq!(missing_from_reference("`kind` and `{{upper x}}`", context, helpers), ["status", "lower"]);
    }

    #[test]
    fn what_is_there_is_fine() {
        let text = "[x](a.md#part), [y](../src/app.rs), [z](https://x.example), `src/`, `src/app.rs`, `src/*/x`\nHeld by `tests::it_holds`.";

        assert_eq!(complaints_about(text), Vec::<String>::new());
    }
}
