//! No tracked file names a folder of somebody's machine.

use crate::source::SourceFile;

/// Top folders that belong to a machine and not to the product.
const MACHINE_FOLDERS: &[&str] = &["tmp", "work", "home", "root", "Users"];

/// Absolute paths below a machine's own folders.
pub fn machine_paths(files: &[SourceFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| names_below(line, folder)) {
                complaints.push(format!("{}:{}: a path below /{folder}", file.path, number + 1));
            }
        }
    }
    complaints
}

/// Whether the line has `/FOLDER/x` as an absolute path: not as the middle of another path
/// or of a URL.
fn names_below(line: &str, folder: &str) -> bool {
    let wanted = format!("/{folder}/");
    line.match_indices(&wanted).any(|(at, _)| {
        let absolute = !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_./-{}$".contains(c));
        let goes_on = line[at + wanted.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '.');
        absolute && goes_on
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_path_is_seen_and_a_relative_or_a_url_is_not() {
        for folder in MACHINE_FOLDERS {
            let bad = SourceFile::sample("a.md", &format!("see \"/{folder}/me/x\""));
            let fine = SourceFile::sample(
                "b.md",
                &format!("https://x.example/{folder}/me, tests/{folder}/x, /{folder}"),
            );

            assert_eq!(machine_paths(&[bad, fine]).len(), 1, "{folder}");
        }
    }
}
