//! The rules of the house, read from the sources: who may import whom, where an outside
//! crate may live, how long a file may be, and that what is written is what is there.
//!
//! Each rule is a function from files to complaints and lives in `tests/tidy/` with a test
//! of its own that shows it a sinner, so that none of them can only ever be green.

#[path = "tidy/budget.rs"]
mod budget;
#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/homes.rs"]
mod homes;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/migrations.rs"]
mod migrations;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/templates.rs"]
mod templates;
#[path = "tidy/words.rs"]
mod words;

use source::{SourceFile, repository};

/// The files of the repository that stand under `folder` and end in `suffix`, if any.
fn find_files(folder: &str, suffix: &str) -> Vec<SourceFile> {
    let wanted = |file: &SourceFile| file.path.starts_with(folder) && file.path.ends_with(suffix);
    repository().into_iter().filter(wanted).collect()
}

/// The same, where finding none would mean that the rule checks nothing.
fn files(folder: &str, suffix: &str) -> Vec<SourceFile> {
    let found = find_files(folder, suffix);
    assert!(!found.is_empty(), "no {suffix} file under {folder:?}: the rule would check nothing");
    found
}

/// Fails with every complaint, one a line.
fn assert_tidy(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn imports_point_one_way() {
    assert_tidy(&imports::against_the_direction(&files("src/", ".rs")));
}

#[test]
fn files_of_a_house_have_no_import_cycle() {
    assert_tidy(&imports::cycles(&files("src/", ".rs")));
}

#[test]
fn outside_crates_stay_in_their_homes() {
    assert_tidy(&homes::strays(&files("src/", ".rs")));
}

#[test]
fn only_the_clock_reads_the_time() {
    assert_tidy(&homes::clock_readers(&files("src/", ".rs")));
}

#[test]
fn files_are_short() {
    assert_tidy(&budget::too_long(&files("src/", ".rs")));
}

#[test]
fn every_file_says_what_it_is_for() {
    let sources: Vec<_> = files("src/", ".rs").into_iter().filter(|file| !file.is_test()).collect();
    assert_tidy(&words::without_module_doc(&sources));
    assert_tidy(&words::without_module_doc(&files("tests/", ".rs")));
}

#[test]
fn nothing_is_left_to_do() {
    assert_tidy(&words::unfinished(&files("src/", ".rs")));
    assert_tidy(&words::unfinished(&files("tests/", ".rs")));
}

#[test]
fn no_path_of_one_machine() {
    assert_tidy(&paths::machine_paths(&repository()));
}

#[test]
fn both_databases_have_the_same_migrations() {
    let sqlite = files("migrations/sqlite/", ".sql");
    let postgres = files("migrations/postgres/", ".sql");
    assert_tidy(&migrations::differences(&sqlite, &postgres));
    assert_tidy(&migrations::by_language(&postgres));
}

#[test]
fn every_template_belongs_to_a_kind() {
    assert_tidy(&templates::orphans(&find_files("templates/", ".hbs"), &templates::registered()));
}

#[test]
fn documents_name_only_what_exists() {
    assert_tidy(&docs::stale(&files("", ".md"), &repository()));
}

#[test]
fn the_template_reference_names_everything() {
    let text = |path: &str| files(path, "").remove(0).text;
    let (context, helpers) = (text("src/render/context.rs"), text("src/render/helpers.rs"));
    let seen_by_templates = &context[context.find("pub struct MessageContext").unwrap()..];
    assert_tidy(&docs::missing_from_reference(&text("docs/templates.md"), seen_by_templates, &helpers));
}
