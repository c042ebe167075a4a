//! How long a file may be, its tests not counted: a reader should hold it in the head.

use crate::source::SourceFile;

/// Half of the files are no longer than this.
const MEDIAN: usize = 150;
/// No file is longer than this.
const LIMIT: usize = 500;

/// Files over the limit, and a median over its own.
pub fn too_long(files: &[SourceFile]) -> Vec<String> {
    let mut lengths: Vec<(usize, &str)> =
        files.iter().filter(|file| !file.is_test()).map(|file| (length(file), file.path.as_str())).collect();
    lengths.sort_unstable();
    let mut complaints: Vec<String> = lengths
        .iter()
        .filter(|(lines, _)| *lines > LIMIT)
        .map(|(lines, path)| format!("{path}: {lines} lines without its tests, more than {LIMIT}; split it"))
        .collect();
    if let Some((median, path)) = lengths.get(lengths.len() / 2).filter(|(median, _)| *median > MEDIAN) {
        complaints.push(format!("the median file ({path}) has {median} lines, more than {MEDIAN}"));
    }
    complaints
}

/// Lines that are not blank once test items are gone; comments count, they are read too.
fn length(file: &SourceFile) -> usize {
    let code = file.code();
    let comments = file.comments();
    code.lines()
        .zip(comments.lines())
        .filter(|(code, comment)| !(code.trim().is_empty() && comment.trim().is_empty()))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(lines: usize, more: &str) -> SourceFile {
        SourceFile::sample("src/a.rs", &("let a = 1; // one\n".repeat(lines) + more))
    }

    #[test]
    fn one_line_over_the_limit_is_seen() {
        let small = || file_of(1, "");

        assert_eq!(too_long(&[small(), small(), file_of(LIMIT, "")]), Vec::<String>::new());
        assert_eq!(too_long(&[small(), small(), file_of(LIMIT + 1, "")]).len(), 1);
    }

    #[test]
    fn a_median_over_its_limit_is_seen() {
        assert_eq!(too_long(&[file_of(MEDIAN, "")]), Vec::<String>::new());
        assert_eq!(too_long(&[file_of(MEDIAN + 1, "")]).len(), 1);
    }

    #[test]
    fn tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "let b = 2;\n".repeat(LIMIT));

        assert_eq!(too_long(&[file_of(MEDIAN, &tests)]), Vec::<String>::new());
    }
}
