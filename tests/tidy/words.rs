//! What a source must say, and what it must not leave unsaid.

use crate::source::SourceFile;

/// Macros that stand for work not done, or left over from looking for a fault.
const UNFINISHED_MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];

/// Files that do not open with `//!`.
pub fn without_module_doc(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{}: does not open with `//!` saying what it is for", file.path))
        .collect()
}

/// Macros and remarks that put work off. A remark may, if it says in brackets what for:
/// `TODO(reason)`.
pub fn unfinished(files: &[SourceFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let halves = crate::source::split(&file.text);
        for (number, (code, comment)) in halves.code.lines().zip(halves.comments.lines()).enumerate() {
            let word = UNFINISHED_MACROS.iter().find(|word| has_word(code, word)).copied();
            if let Some(word) = word.or_else(|| remark_without_reason(comment)) {
                complaints.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
    }
    complaints
}

fn remark_without_reason(comment: &str) -> Option<&'static str> {
    ["TO\u{44}O", "FIX\u{4d}E", "XX\u{58}", "HAC\u{4b}"].into_iter().find(|word| {
        comment.match_indices(word).any(|(at, _)| {
            let rest = &comment[at + word.len()..];
            let reason =
                rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(reason, _)| reason.trim());
            reason.is_none_or(|reason| reason.len() <= 3)
        })
    })
}

fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfinished_in(text: &str) -> Vec<String> {
        unfinished(&[SourceFile::sample("src/a.rs", text)])
    }

    #[test]
    fn a_missing_module_doc_is_seen() {
        let without = SourceFile::sample("src/a.rs", "/// Not of the file.\nfn f() {}");
        let with = SourceFile::sample("src/b.rs", "//! What it is for.\n");

        assert_eq!(without_module_doc(&[without, with]).len(), 1);
    }

    #[test]
    fn work_put_off_is_seen() {
        assert_eq!(unfinished_in("fn f() { todo!() }"), ["src/a.rs:1: todo!"]);
        assert_eq!(unfinished_in("\nfn f() { unimplemented!(\"x\") }"), ["src/a.rs:2: unimplemented!"]);
        assert_eq!(unfinished_in(&format!("// {}O: later", "TOD")).len(), 1);
        assert_eq!(unfinished_in(&format!("// {}O(): later", "TOD")).len(), 1);
    }

    #[test]
    fn a_reason_a_string_and_a_longer_word_are_fine() {
        for text in ["let a = \"todo!\";", "fn my_todo!() {}", "// the word todo! in a comment"] {
            assert_eq!(unfinished_in(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            unfinished_in(&format!("// {}O(when PostgreSQL 14 is gone): drop", "TOD")),
            Vec::<String>::new()
        );
    }
}
