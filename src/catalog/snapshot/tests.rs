use super::*;
use crate::domain::entry::{Entry, EntryMatcher};
use crate::domain::labels::Labels;

fn record(slug: &str, aliases: &[&str], matchers: &[(&[&str], i32)]) -> EntryRecord {
    let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<String>>();
    let entry = Entry {
        slug: slug.to_owned(),
        aliases: owned(aliases),
        matchers: matchers
            .iter()
            .map(|(texts, priority)| EntryMatcher { matchers: owned(texts), priority: *priority })
            .collect(),
        ..Entry::default()
    };
    EntryRecord { entry, ..EntryRecord::default() }
}

fn put(record: EntryRecord) -> Change {
    Change::Put(Arc::new(record))
}

fn catalog(records: Vec<EntryRecord>) -> Catalog {
    let catalog = Catalog::default();
    catalog.replace(records, 1);
    catalog
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The slug found and how.
fn found(catalog: &Catalog, pairs: &[(&str, &str)]) -> Option<(String, String)> {
    let found = catalog.find_entry(&labels(pairs), &Labels::new())?;
    Some((found.entry.entry.slug.clone(), found.matched_by))
}

fn slug(catalog: &Catalog, pairs: &[(&str, &str)]) -> Option<String> {
    found(catalog, pairs).map(|(slug, _)| slug)
}

#[test]
fn the_entry_label_decides_before_all_others() {
    let catalog = catalog(vec![record("fraud", &[], &[]), record("churn", &[], &[])]);

    let by_label = found(&catalog, &[("catalog_entry", "Churn"), ("model", "fraud")]);
    let by_annotation =
        catalog.find_entry(&labels(&[("model", "fraud")]), &labels(&[("catalog_entry", "churn")]));

    assert_eq!(by_label, Some(("churn".into(), "label catalog_entry".into())));
    assert_eq!(by_annotation.unwrap().matched_by, "annotation catalog_entry");
}

#[test]
fn the_first_label_whose_value_names_an_entry_decides() {
    let catalog = catalog(vec![record("fraud", &["Fraud Detector"], &[]), record("checkout", &[], &[])]);

    let disk_then_alias = found(
        &catalog,
        &[("model", "SAMSUNG MZ7"), ("model_name", " fraud detector "), ("service", "checkout")],
    );

    assert_eq!(disk_then_alias, Some(("fraud".into(), "label model_name".into())));
    assert_eq!(slug(&catalog, &[("model", "unknown"), ("instance", "fraud")]), None);
}

#[test]
fn a_value_may_be_a_path_or_carry_a_provider() {
    let catalog = catalog(vec![record("gpt-4o", &[], &[]), record("claude", &["anthropic/claude-3"], &[])]);

    assert_eq!(slug(&catalog, &[("model", "openai/GPT-4o")]), Some("gpt-4o".into()));
    assert_eq!(slug(&catalog, &[("model", "openai:gpt-4o")]), Some("gpt-4o".into()));
    assert_eq!(slug(&catalog, &[("model", "bedrock/anthropic/claude-3")]), Some("claude".into()));
}

#[test]
fn the_version_is_read_only_once_an_entry_matched() {
    let catalog = catalog(vec![record("fraud", &[], &[])]);
    let version = |pairs: &[(&str, &str)]| {
        catalog.find_entry(&labels(pairs), &Labels::new()).map(|found| found.version)
    };

    assert_eq!(
        version(&[("model", "fraud"), ("version", "v7"), ("model_version", " ")]),
        Some(Some("v7".into()))
    );
    assert_eq!(version(&[("model", "fraud")]), Some(None));
    assert_eq!(version(&[("model", "other"), ("version", "v7")]), None);
}

#[test]
fn matchers_decide_by_priority_then_slug_when_no_label_names_an_entry() {
    let catalog = catalog(vec![
        record("a-any-pod", &[], &[(&["namespace=\"ml\""], 0)]),
        record("b-any-pod", &[], &[(&["namespace=\"ml\""], 0)]),
        record("fraud", &[], &[(&["namespace=\"ml\"", "pod=~\"fraud-.*\""], 10)]),
        record("rest", &[], &[(&["job!~\"node|kubelet\"", "job!=\"\""], -5)]),
    ]);

    let fraud = [("namespace", "ml"), ("pod", "fraud-1"), ("job", "pods")];
    assert_eq!(found(&catalog, &fraud), Some(("fraud".into(), "matcher".into())));
    assert_eq!(
        slug(&catalog, &[("namespace", "ml"), ("pod", "x"), ("job", "pods")]),
        Some("a-any-pod".into())
    );
    assert_eq!(slug(&catalog, &[("job", "pods")]), Some("rest".into()));
    assert_eq!(slug(&catalog, &[("job", "node")]), None);
    assert_eq!(slug(&catalog, &[("model", "b-any-pod"), ("namespace", "ml")]), Some("b-any-pod".into()));
}

#[test]
fn a_change_is_seen_at_once_and_leaves_nothing_of_the_old_behind() {
    let catalog = catalog(vec![record("fraud", &["old-name"], &[(&["pod=~\"fraud-.*\""], 0)])]);

    catalog.apply(vec![put(record("fraud", &["new-name"], &[(&["pod=\"x\""], 0)]))], 2);
    assert_eq!(slug(&catalog, &[("model", "new-name")]), Some("fraud".into()));
    assert_eq!(slug(&catalog, &[("model", "old-name")]), None);
    assert_eq!(slug(&catalog, &[("pod", "fraud-1")]), None);
    assert_eq!(slug(&catalog, &[("pod", "x")]), Some("fraud".into()));

    catalog.apply(vec![Change::Removed("fraud".into())], 3);
    assert_eq!(slug(&catalog, &[("model", "new-name"), ("pod", "x")]), None);
    assert!(catalog.is_empty());
    let index = catalog.index.read();
    assert!(index.names.is_empty() && index.matchers.is_empty());
}

#[test]
fn what_the_catalog_has_seen_already_changes_nothing() {
    let catalog = catalog(vec![record("fraud", &[], &[])]);

    catalog.apply(vec![Change::Removed("fraud".into())], 1);

    assert_eq!(catalog.len(), 1);
}

#[test]
fn an_alias_may_pass_from_one_entry_to_another() {
    let catalog = catalog(vec![record("a", &["shared"], &[]), record("b", &[], &[])]);

    catalog.apply(vec![put(record("b", &["shared"], &[])), put(record("a", &[], &[]))], 3);

    assert_eq!(catalog.find_by_name("shared").unwrap().entry.slug, "b");
    assert_eq!(catalog.get("shared"), None);
    assert_eq!(catalog.len(), 2);
}

#[test]
fn an_alert_is_compared_with_few_of_many_matchers() {
    let records = (0..20_000)
        .map(|n| {
            let pod = format!("pod=~\"model-{n}-.*\"");
            record(&format!("model-{n}"), &[], &[(&["namespace=\"ml\"", &pod], 0)])
        })
        .collect();
    let catalog = catalog(records);

    let pod = labels(&[("namespace", "ml"), ("pod", "model-777-abc")]);
    assert_eq!(slug(&catalog, &[("namespace", "ml"), ("pod", "model-777-abc")]), Some("model-777".into()));
    // Only the first was filed under the namespace, when nobody else was.
    assert!(catalog.index.read().matchers.candidates(&pod) <= 2);
}

/// In a debug build on a busy machine; the engine's default settings took a hundred times as long.
#[test]
fn a_name_is_compared_with_a_thousand_expressions_in_no_time() {
    let records = (0..1_000)
        .map(|n| {
            record(&format!("model-{n}"), &[], &[(&[&format!("app=~\"[a-z-]{{1,{}}}x\"", 50 + n % 50)], 0)])
        })
        .collect();
    let catalog = catalog(records);
    let alert = [("app", "support-assistant-with-a-longer-name")];
    let look_up = || {
        let began = std::time::Instant::now();
        assert_eq!(slug(&catalog, &alert), None);
        began.elapsed()
    };

    let fastest = (0..5).map(|_| look_up()).min().unwrap();

    assert!(fastest < std::time::Duration::from_millis(500), "{fastest:?}");
    assert_eq!(slug(&catalog, &[("app", "abx")]), Some("model-0".into()));
}

#[test]
fn expressions_are_not_compared_with_very_long_values_and_plain_beginnings_are() {
    let catalog = catalog(vec![
        record("plain", &[], &[(&["pod=~\"fraud-.*\""], 0)]),
        record("expression", &[], &[(&["pod=~\"churn-[a-z]+\""], 0)]),
        record("other", &[], &[(&["app=\"x\"", "pod!~\"[0-9]+\""], 0)]),
    ]);
    let long = |begin: &str, length: usize| format!("{begin}{}", "x".repeat(length - begin.len()));

    assert_eq!(slug(&catalog, &[("pod", &long("fraud-", 16_000))]), Some("plain".into()));
    assert_eq!(slug(&catalog, &[("pod", &long("churn-", 1_024))]), Some("expression".into()));
    assert_eq!(slug(&catalog, &[("pod", &long("churn-", 1_025))]), None);
    assert_eq!(slug(&catalog, &[("app", "x"), ("pod", &long("", 1_024))]), Some("other".into()));
    assert_eq!(slug(&catalog, &[("app", "x"), ("pod", &long("", 1_025))]), None);
}

#[test]
fn what_expressions_take_is_known_and_forgotten_with_their_entries() {
    let catalog = catalog(vec![record("a", &[], &[(&["pod=~\"x[a-z]+\""], 0)]), record("b", &[], &[])]);
    let all = catalog.compiled_without(std::iter::empty());
    assert!(all >= 4 * 1024);

    catalog.apply(vec![put(record("b", &[], &[(&["pod=~\"x[a-z]+\""], 0)]))], 2);
    assert_eq!(catalog.compiled_without(std::iter::empty()), 2 * all);
    assert_eq!(catalog.compiled_without(["a", "c"].into_iter()), all);

    catalog.apply(vec![Change::Removed("a".to_owned()), put(record("b", &[], &[]))], 3);
    assert_eq!(catalog.compiled_without(std::iter::empty()), 0);
}
