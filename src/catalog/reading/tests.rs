use std::fmt::Write as _;

use super::*;
use crate::catalog::faults::MAX_LISTED;

const YAML: &str = include_str!("../../../tests/fixtures/catalog/faults.yml");
const JSON: &str = include_str!("../../../tests/fixtures/catalog/faults.json");
const NOW: Timestamp = Timestamp::from_millis(1_787_220_003_125);

fn read(text: &str) -> Result<Document, DocumentError> {
    read_checked_document(text.as_bytes(), NOW)
}

fn faults(text: &str) -> Faults {
    match read(text) {
        Err(DocumentError::Wrong(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

fn told(faults: &Faults) -> Vec<String> {
    let line = |problem: &FieldError| {
        let (line, column) = (problem.line.unwrap_or_default(), problem.column.unwrap_or_default());
        format!("{line}:{column} {}: {}", problem.field, problem.message)
    };
    faults.listed().iter().map(line).collect()
}

/// Lines and fields, which is what most tests are about.
fn places(text: &str) -> Vec<(u64, String)> {
    let faults = faults(text);
    faults.listed().iter().map(|problem| (problem.line.unwrap_or_default(), problem.field.clone())).collect()
}

fn place(line: u64, field: &str) -> (u64, String) {
    (line, field.to_owned())
}

#[test]
fn every_fault_of_a_yaml_document_is_told_at_once_with_its_line_and_once() {
    insta::assert_snapshot!(told(&faults(YAML)).join("\n"));
}

#[test]
fn every_fault_of_a_json_document_is_told_at_once_with_its_line_and_once() {
    insta::assert_snapshot!(told(&faults(JSON)).join("\n"));
}

#[test]
fn faults_of_a_document_that_can_be_read_have_lines_too() {
    let found = places(
        "entries:\n- slug: a\n  tags:\n    a.b: x\n    a.b.c: \"y\\nz\"\n- slug: A\n  aliases:\n  - b\n  - B\n  - c\n- slug: C\n",
    );

    let expected = [
        place(5, "entries[0].tags.a.b.c"),
        place(6, "entries[1].slug"),
        place(6, "entries[1].slug"),
        place(9, "entries[1].aliases[1]"),
        place(11, "entries[2].slug"),
        place(11, "entries[2].slug"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_stands_around_the_entries_is_told_with_them() {
    let cases: [(&str, &[(u64, &str)]); 7] = [
        ("entrys: []\n", &[(0, "entries"), (1, "entrys")]),
        ("entries: {a: {slug: a}}\n", &[(1, "entries")]),
        ("[]", &[(0, "")]),
        ("- entries: []", &[(0, "")]),
        ("entries:\n- {slug: a, x: 1}\nentries: []\n", &[(2, "entries[0].x"), (3, "entries")]),
        ("entries:\nx: 1\n", &[(2, "x")]),
        ("{\"entries\": [7,\n null]}", &[(1, "entries[0]"), (2, "entries[1]")]),
    ];
    for (text, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|(line, field)| place(*line, field)).collect();
        assert_eq!(places(text), expected, "{text}");
    }
    assert!(matches!(read(""), Err(DocumentError::Wrong(_) | DocumentError::Unreadable(_))));
}

#[test]
fn where_the_text_breaks_off_what_was_wrong_before_is_told_too() {
    let broken = "entries:\n- slug: a\n  ownr: x\n- slug: b\n  owner: x: y\n- slug: c\n  tier: x\n";
    assert_eq!(places(broken), [place(3, "entries[0].ownr"), place(5, "")]);

    let only = read("entries:\n- slug: a\n  owner: x: y\n").unwrap_err();
    assert!(matches!(&only, DocumentError::Unreadable(problem) if problem.line == Some(3)), "{only:?}");
    let half = read("{\"entries\": [{\"slug\": \"a\", \"owner\": \"\\ud83d\"}]}").unwrap_err();
    assert!(half.to_string().contains("lone surrogate"), "{half}");
}

#[test]
fn what_the_types_take_is_no_fault_beside_others() {
    let yaml = "entries:\n- slug: 7\n  tier: \"1\"\n  aliases:\n  links:\n  owner: .inf\n  current_version: 1.10\n  \
        versions: [{version: 1.10, valid_from: }]\n  matchers: [{matchers: ['a=\"b\"'], priority: \"2\"}]\n  x: 1\n";
    assert_eq!(places(yaml), [place(10, "entries[0].x")]);
    assert!(read(&yaml.replace("  x: 1\n", "")).is_ok());

    let merged = "entries:\n- &first {slug: a, owner: ada, x: 1}\n- {<<: *first, slug: b}\n";
    assert_eq!(places(merged), [place(2, "entries[0].x"), place(3, "entries[1].x")]);
}

#[test]
fn a_fault_that_only_the_types_find_is_told_as_well() {
    let found = places("entries:\n- slug: a\n  tier: 1.0\n- slug: b\n  ownr: x\n");

    assert_eq!(found, [place(3, "entries[0].tier"), place(5, "entries[1].ownr")]);
}

#[test]
fn the_first_hundred_faults_are_listed_and_the_others_counted() {
    let mut wrong_keys = "entries:\n".to_owned();
    let mut wrong_values = wrong_keys.clone();
    for n in 0..3_000 {
        writeln!(wrong_keys, "- {{slug: e{n}, ownr: a, tier: x}}").unwrap();
        writeln!(wrong_values, "- {{slug: E{n}, tier: 9}}").unwrap();
    }
    let many_in_one = format!("entries: [{{slug: a, aliases: [{}]}}]", "[],".repeat(3_000));

    for (text, all) in [(wrong_keys, 6_000), (wrong_values, 6_000), (many_in_one, 3_001)] {
        let found = faults(&text);
        assert_eq!((found.listed().len(), found.omitted()), (MAX_LISTED, all - MAX_LISTED), "{text:.60}");
        assert!(found.listed().iter().all(|problem| problem.line.is_some()), "{:?}", told(&found));
    }
}

#[test]
fn an_entry_without_end_is_looked_at_in_part() {
    let text = format!("entries:\n- slug: a\n  ownr: x\n  aliases: [{}]\n", "a,".repeat(MAX_ENTRY_VALUES));

    let found = told(&faults(&text));

    assert!(found.iter().any(|line| line.contains("has more than 100000 values")), "{:?}", &found[..3]);
    assert!(
        found.iter().any(|line| line.starts_with("3:3 entries[0].ownr: unknown key")),
        "{:?}",
        &found[..3]
    );
}

#[test]
fn aliases_are_bounded_in_the_second_reading_too() {
    let bomb = format!("entries: [{{slug: x, ownr: y}}, &e {{slug: a}}{}]\n", ", *e".repeat(90_000));
    let nested = format!(
        "entries: [{{slug: x, ownr: y}}]\na: &a [{}]\nb: &b [{}]\nc: [{}]",
        "x,".repeat(500),
        "*a,".repeat(500),
        "*b,".repeat(500)
    );
    for text in [bomb, nested] {
        let found = told(&faults(&text));
        assert!(found[0].contains("entries[0].ownr"), "{:?}", &found[..1]);
        assert!(
            found.iter().any(|line| line.contains("aliases expand to too much")),
            "{:.500}",
            found.join("\n")
        );
    }
    let deep = format!("entries: [{{slug: x, ownr: {}{}}}]", "[".repeat(5_000), "]".repeat(5_000));
    let found = told(&read(&deep).unwrap_err().into_faults());
    assert!(found.len() == 1 && found[0].contains("recursion limit"), "{found:?}");
}
