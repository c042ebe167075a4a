//! Reading the repository: its files, and Rust sources without the parts a rule must not
//! see (comments, literals, tests).

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Relative to the repository's root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl SourceFile {
    /// A file that exists only in a test of a rule.
    #[cfg(test)]
    pub fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the whole file is test code: by its name or by a folder's.
    pub fn is_test(&self) -> bool {
        let parts = self.path.trim_end_matches(".rs").split('/');
        parts.into_iter().any(|part| matches!(part, "tests" | "conformance") || part.ends_with("_tests"))
    }

    /// The code without comments, literals and `#[cfg(test)]` items; line breaks stay.
    pub fn code(&self) -> String {
        if self.is_test() { String::new() } else { without_test_items(&split(&self.text).code) }
    }

    /// The comments alone; line breaks stay.
    pub fn comments(&self) -> String {
        split(&self.text).comments
    }
}

/// Every text file that git tracks or would track; without git, every file of the known
/// folders.
pub fn repository() -> Vec<SourceFile> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut paths = listed_by_git(&root).unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(&root, &root, &mut found);
        found
    });
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| Some(SourceFile { text: std::fs::read_to_string(root.join(&path)).ok()?, path }))
        .collect()
}

fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    let listing = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<_> = listing.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                walk(root, &path, found);
            }
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// A source taken apart; both halves keep every line break.
pub struct Halves {
    /// Code, with the inside of literals blanked.
    pub code: String,
    /// Comments, documentation included.
    pub comments: String,
}

/// Takes Rust source apart into code and comments.
pub fn split(text: &str) -> Halves {
    let chars: Vec<char> = text.chars().collect();
    let mut halves = Halves { code: String::new(), comments: String::new() };
    let mut at = 0;
    while at < chars.len() {
        let (end, part) = next_part(&chars, at);
        for &c in &chars[at..end] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            let (code, comment) = match part {
                Part::Code => (c, blank),
                Part::Comment => (blank, c),
                Part::Literal => (blank, blank),
            };
            halves.code.push(code);
            halves.comments.push(comment);
        }
        at = end;
    }
    halves
}

#[derive(Clone, Copy)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// The part that starts at `at`, and where it ends.
fn next_part(chars: &[char], at: usize) -> (usize, Part) {
    let rest = &chars[at..];
    let before_is_word = at > 0 && is_word(chars[at - 1]);
    match rest {
        ['/', '/', ..] => (at + length_until(rest, &['\n']), Part::Comment),
        ['/', '*', ..] => (at + block_comment_length(rest), Part::Comment),
        ['"', ..] => (at + string_length(rest), Part::Literal),
        ['r', '"' | '#', ..] | ['b', 'r', '"' | '#', ..] if !before_is_word => {
            match raw_string_length(rest) {
                Some(length) => (at + length, Part::Literal),
                None => (at + 1, Part::Code),
            }
        }
        ['\'', '\\', ..] => (at + 2 + length_until(&rest[2..], &['\'']).max(1) + 1, Part::Literal),
        ['\'', _, '\'', ..] => (at + 3, Part::Literal),
        _ => (at + 1, Part::Code),
    }
    .clamp_to(chars.len())
}

trait ClampEnd {
    fn clamp_to(self, limit: usize) -> Self;
}

impl ClampEnd for (usize, Part) {
    fn clamp_to(self, limit: usize) -> Self {
        (self.0.min(limit), self.1)
    }
}

fn length_until(rest: &[char], ends: &[char]) -> usize {
    rest.iter().position(|c| ends.contains(c)).unwrap_or(rest.len())
}

fn block_comment_length(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string_length(rest: &[char]) -> Option<usize> {
    let start = rest.iter().position(|&c| c == 'r')? + 1;
    let hashes = rest[start..].iter().take_while(|&&c| c == '#').count();
    let open = start + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let closes =
        |at: usize| rest[at] == '"' && rest[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
    (open + 1..rest.len()).find(|&at| closes(at)).map(|at| at + 1 + hashes)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks every item that is compiled for tests only.
fn without_test_items(code: &str) -> String {
    const MARKER: &str = "#[cfg(test)]";
    let mut rest = code;
    let mut kept = String::new();
    while let Some(start) = rest.find(MARKER) {
        kept.push_str(&rest[..start]);
        let item = &rest[start..];
        let end = item_end(item);
        kept.extend(item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &item[end..];
    }
    kept + rest
}

/// Where the item ends: at its closing brace, or at a semicolon before any brace.
fn item_end(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in item.char_indices() {
        match c {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let halves =
            split("let a = \"// no {\"; // yes\nlet b = r#\"raw \" {\"#; let c = '{'; let d: &'a str = b;");

        assert!(!halves.code.contains('{'), "{}", halves.code);
        assert!(halves.code.contains("let d: &'a str = b;"), "{}", halves.code);
        assert_eq!(halves.comments.trim(), "// yes");
    }

    #[test]
    fn test_items_are_not_code() {
        let file = SourceFile::sample(
            "src/a.rs",
            "fn kept() {}\n#[cfg(test)]\nmod tests { fn gone() { {} } }\nfn also_kept() {}\n#[cfg(test)]\nmod more;\n",
        );

        let code = file.code();

        assert!(code.contains("kept") && code.contains("also_kept"), "{code}");
        assert!(!code.contains("gone") && !code.contains("more"), "{code}");
        assert_eq!(code.lines().count(), file.text.lines().count());
    }

    #[test]
    fn the_repository_is_not_empty() {
        assert!(repository().iter().any(|file| file.path == "src/lib.rs"));
    }
}
