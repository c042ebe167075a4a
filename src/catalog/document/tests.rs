use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::entry::{Contact, EntryKind, EntryMatcher};

const YAML: &str = r#"
entries:
  - slug: fraud
    kind: model
    tier: 1
    current_version: 1.10
    versions:
      - version: 1.10
        valid_from: 2026-08-20T12:00:00+02:00
    deployments:
      - {external_id: 4711, version: 1.10, commit: 0e12345, at: "2026-08-20T10:00:00Z", rollback_command: "make rollback"}
    links:
      dashboard: https://grafana.example/d/1
"#;

#[test]
fn yaml_scalars_are_texts_where_texts_are_wanted() {
    let document = Document::parse(YAML.as_bytes()).unwrap();

    let [fraud] = document.entries.as_slice() else { panic!("{document:?}") };
    assert_eq!(fraud.entry.current_version, "1.10");
    assert_eq!(fraud.entry.tier, Some(1));
    assert_eq!(fraud.versions[0].version, "1.10");
    assert_eq!(fraud.deployments[0].external_id, "4711");
    assert_eq!(fraud.deployments[0].commit, "0e12345");
    assert_eq!(fraud.versions[0].valid_from, fraud.deployments[0].at);
}

#[test]
fn a_document_that_cannot_be_read_says_where() {
    let error = |text: &str| Document::parse(text.as_bytes()).unwrap_err().to_string();

    let syntax = error("entries:\n  - slug: fraud\n    owner: a: b\n");
    assert_eq!(
        syntax,
        "the document cannot be read: not valid YAML: mapping values are not allowed in this context at line 3 column 13"
    );
    let wrong = error("{\"entries\": [{\"slug\": \"fraud\",\n \"tier\": \"one\"}]}");
    assert!(wrong.contains("line 2"), "{wrong}");
    assert!(matches!(Document::parse(b"\xff"), Err(DocumentError::NotText)));
}

#[test]
fn flow_yaml_and_json_are_both_read() {
    let yaml = Document::parse(b"{entries: [{slug: fraud}]}").unwrap();
    let json = Document::parse(b"\xef\xbb\xbf {\"entries\": [{\"slug\": \"fraud\"}]}").unwrap();

    assert_eq!(yaml, json);
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
    for (name, before) in
        ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"])
    {
        bomb.push_str(&format!(
            "{name}: &{name} [*{before},*{before},*{before},*{before},*{before},*{before}]\n"
        ));
    }
    bomb.push_str("entries: *i\n");

    assert!(Document::parse(bomb.as_bytes()).is_err());
}

#[test]
fn aliases_repeat_little() {
    let entries = format!("entries: [&e {{slug: a}}{}]", ", *e".repeat(90_000));
    let text = format!(
        "entries: [{{slug: a, description: &t {}}}{}]",
        "x".repeat(20_000),
        ", {slug: b, description: *t}".repeat(2_000)
    );
    let nested = format!(
        "a: &a [{}]\nb: &b [{}]\nentries: [{}]",
        "x,".repeat(500),
        "*a,".repeat(500),
        "*b,".repeat(500)
    );

    let told = |refusal: &str| {
        let names_the_limit = ["alias", "budget", "too large"].iter().any(|word| refusal.contains(word));
        assert!(names_the_limit && refusal.len() < 2_000, "{} bytes: {refusal:.300}", refusal.len());
    };

    for document in [&entries, &text] {
        told(&Document::parse(document.as_bytes()).unwrap_err().to_string());
    }
    for document in [&entries, &text, &nested] {
        told(&read_yaml(document).unwrap_err());
    }
}

#[test]
fn entries_may_share_what_is_written_once() {
    let shared = "{name: Ada, kind: mail, value: ada@example.org}";
    let others: String = (0..2_000).map(|i| format!("\n  - {{slug: e{i}, contacts: *c}}")).collect();

    let read =
        Document::parse(format!("entries:\n  - {{slug: a, contacts: &c [{shared}]}}{others}").as_bytes())
            .unwrap();

    assert_eq!(read.entries.len(), 2_001);
    assert_eq!(read.entries[2_000].entry.contacts[0].name, "Ada");
}

fn told(problems: Vec<FieldError>) -> Vec<String> {
    problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
}

#[test]
fn a_body_names_every_wrong_field_at_once() {
    let body = json!({
        "slug": "Not A Slug", "kind": "x", "tier": 9, "ownr": "ada", "owner": "a\0b", "team": null, "revision": 7,
        "aliases": ["ok", 7, "ok"], "links": {"logs": "ftp://a", "grafana.example": []},
        "contacts": ["#ml", {"kind": "mail"}, {"name": ""}],
        "matchers": [{"matchers": ["job=a", "pod=~\"(\"", 7], "priority": 3_000_000_000_u64}, "job=a"],
    });

    insta::assert_snapshot!(told(read_entry(body, None).unwrap_err()).join("\n"));

    let moved = read_entry(json!({"slug": "b", "tier": 9, "owner": "a\nb"}), Some("a")).unwrap_err();
    assert_eq!(moved.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["slug", "owner", "tier"]);
}

#[test]
fn a_record_names_every_wrong_field_at_once() {
    let body = json!({"version": 1.10, "at": "yesterday", "comit": "x", "actor": ["ada"]});

    let problems = read_record::<DeploymentDocument>(body).unwrap_err();

    let mut fields: Vec<&str> = problems.iter().map(|p| p.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["actor", "at", "comit", "version"]);
}

#[test]
fn a_body_takes_its_slug_from_the_path_and_may_repeat_what_was_told() {
    let answered = json!({"kind": "llm", "revision": 3, "created_at": "x", "updated_at": "y"});

    let entry = read_entry(answered, Some("gpt-4o")).unwrap();
    assert_eq!((entry.slug.as_str(), entry.kind), ("gpt-4o", EntryKind::Llm));

    assert_eq!(read_entry(json!({"slug": "other"}), Some("gpt-4o")).unwrap_err()[0].field, "slug");
    assert_eq!(
        told(read_entry(json!({"tier": "x"}), None).unwrap_err()),
        ["tier: expected a whole number, got text `x`", "slug: the key `slug` is missing"]
    );
    assert_eq!(read_entry(json!([]), None).unwrap_err()[0].field, "");
}

#[test]
fn what_says_nothing_is_not_exported() {
    let document =
        EntryDocument { entry: Entry { slug: "a".into(), ..Entry::default() }, ..EntryDocument::default() };

    assert_eq!(serde_json::to_value(document).unwrap(), json!({"slug": "a", "kind": "model"}));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        any::<String>().prop_map(|s| s.replace('\0', "")),
        prop::sample::select(vec![
            "yes",
            "null",
            "~",
            "1.10",
            "0x1f",
            "- a",
            "a: b",
            "# c",
            " lead",
            "trail ",
            "two\nlines",
            "\n\n",
            "1e3",
            "2026-01-01",
            "---",
            "!tag",
            "&a",
            "*a",
            "<<",
            "|",
            ">",
            "'",
            "\"",
            "\t",
            "x\r\ny",
            "\u{85}",
            "\u{feff}",
        ])
        .prop_map(str::to_owned),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let sets = (prop::collection::vec(text(), 0..3), any::<i32>())
        .prop_map(|(matchers, priority)| EntryMatcher { matchers, priority });
    let contacts = (text(), text(), text()).prop_map(|(name, kind, value)| Contact { name, kind, value });
    (
        (
            "[a-z0-9][a-z0-9._-]{0,10}",
            prop::sample::select(EntryKind::ALL.to_vec()),
            prop::option::of(1..=5_u8),
        ),
        prop::collection::vec(text(), 9),
        prop::collection::vec(text(), 0..3),
        prop::collection::vec(sets, 0..3),
        prop::collection::vec(contacts, 0..3),
        prop::collection::btree_map(text(), text(), 0..3),
    )
        .prop_map(|((slug, kind, tier), mut texts, aliases, matchers, contacts, tags)| {
            let mut text = || texts.pop().unwrap_or_default();
            Entry {
                slug,
                kind,
                tier,
                display_name: text(),
                description: text(),
                owner: text(),
                team: text(),
                environment: text(),
                business_impact: text(),
                current_version: text(),
                runbook: text(),
                runbook_url: text(),
                aliases,
                matchers,
                contacts,
                links: tags.clone(),
                tags,
                endpoint_url: String::new(),
            }
        })
}

fn document() -> impl Strategy<Value = Document> {
    let time = prop::option::of((0..4_000_000_000_000_i64).prop_map(Timestamp::from_millis));
    let versions = (text(), time.clone(), text(), text())
        .prop_map(|(version, valid_from, note, url)| VersionDocument { version, valid_from, note, url });
    let deployments = (prop::collection::vec(text(), 7), time).prop_map(|(texts, at)| {
        let [external_id, version, previous_version, actor, commit, url, rollback_command] =
            <[String; 7]>::try_from(texts).unwrap();
        let id = String::new();
        DeploymentDocument {
            id,
            external_id,
            version,
            previous_version,
            at,
            actor,
            commit,
            url,
            rollback_command,
        }
    });
    let entries = (entry(), prop::collection::vec(versions, 0..3), prop::collection::vec(deployments, 0..3))
        .prop_map(|(entry, versions, deployments)| EntryDocument { entry, versions, deployments });
    prop::collection::vec(entries, 0..4).prop_map(|entries| Document { entries })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(document in document()) {
        for format in [Format::Yaml, Format::Json] {
            let written = document.write(format).unwrap();
            let read = Document::parse(written.as_bytes());
            prop_assert_eq!(read.as_ref().ok(), Some(&document), "{}\n{:?}", written, read);
        }
    }
}
