//! The Dockerfile: pinned, not root, watched, and with everything in it that the sources
//! embed at compile time.

use std::collections::BTreeSet;
use std::path::Path;

use super::local::repository;

fn lines() -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("Dockerfile")).unwrap().replace("\\\n", " ");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn arguments(instruction: &str) -> Vec<String> {
    lines()
        .iter()
        .filter_map(|line| line.strip_prefix(instruction))
        .map(|rest| rest.trim().to_owned())
        .collect()
}

#[test]
fn the_stages_are_pinned_and_the_compiler_stays_behind() {
    let stages = arguments("FROM ");

    assert_eq!(stages.len(), 2, "{stages:?}");
    for stage in &stages {
        let tag = stage.split_whitespace().next().and_then(|image| image.split_once(':')).map(|(_, tag)| tag);
        assert!(
            tag.is_some_and(|tag| tag != "latest" && tag.contains(|c: char| c.is_ascii_digit())),
            "{stage}"
        );
    }
    assert!(stages[0].starts_with("rust:") && !stages[1].starts_with("rust:"), "{stages:?}");
}

#[test]
fn the_program_is_not_root_and_is_watched() {
    let after_last_stage =
        lines().into_iter().rev().take_while(|line| !line.starts_with("FROM ")).collect::<Vec<_>>();
    let has = |start: &str| after_last_stage.iter().any(|line| line.starts_with(start));

    let user = arguments("USER ").pop().unwrap();
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert!(
        has("HEALTHCHECK ")
            && has("VOLUME /data")
            && has("EXPOSE 9095")
            && has("ENTRYPOINT [\"modelpager\"]")
    );
    assert!(arguments("HEALTHCHECK ")[0].ends_with("[\"modelpager\", \"healthcheck\"]"));
}

/// `include_str!` and `migrate!` of a file that the image's build does not copy would break
/// only there.
#[test]
fn the_build_copies_what_the_sources_embed() {
    let copied: BTreeSet<String> = arguments("COPY ")
        .iter()
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let ignored = std::fs::read_to_string(repository().join(".dockerignore")).unwrap();
    let embedded = embedded_tops(&repository().join("src"));
    assert!(embedded.contains("migrations") && embedded.contains("templates"), "{embedded:?}");

    for top in embedded.iter().map(String::as_str).chain(["src", "build.rs", "Cargo.toml", "Cargo.lock"]) {
        assert!(copied.contains(top), "the Dockerfile does not copy {top}");
        assert!(ignored.lines().any(|line| line == format!("!{top}")), ".dockerignore hides {top}");
    }
}

/// The first parts of all paths outside `src` that the sources embed.
fn embedded_tops(folder: &Path) -> BTreeSet<String> {
    let mut tops = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Built for tests alone.
        if ["channels/conformance", "conformance.rs", "tests"].iter().any(|end| path.ends_with(end)) {
            continue;
        }
        if path.is_dir() {
            tops.extend(embedded_tops(&path));
        } else if !path.to_string_lossy().ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for marker in ["include_str!(\"", "include_bytes!(\"", "migrate!(\""] {
                let found = code.split(marker).skip(1).filter_map(|rest| rest.split('"').next());
                tops.extend(found.filter_map(|file| top_of(&path, file, marker.starts_with("migrate"))));
            }
        }
    }
    tops
}

fn top_of(source: &Path, file: &str, from_root: bool) -> Option<String> {
    let base = if from_root { repository() } else { source.parent()?.to_owned() };
    let full = base.join(file).canonicalize().ok()?;
    let inside = full.strip_prefix(repository().canonicalize().ok()?).ok()?.to_owned();
    let top = inside.iter().next()?.to_str()?.to_owned();
    (top != "src").then_some(top)
}
