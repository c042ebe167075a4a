//! The catalog through its service, on both databases: every change is stored whole with
//! its audit row, and seen at once by the next look-up and, after a refresh, by replicas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use modelpager::catalog::document::{DeploymentDocument, Document, Format, VersionDocument};
use modelpager::catalog::plan::ChangeAction;
use modelpager::catalog::service::{
    CatalogError, CatalogService, ImportMode, ImportOptions, Missing, Outcome, Precondition, Recorded,
};
use modelpager::catalog::{Catalog, facts};
use modelpager::domain::clock::{Clock as _, ManualClock, Timestamp};
use modelpager::domain::entry::{Entry, EntryKind, EntryMatcher};
use modelpager::domain::ids::IdMaker;
use modelpager::domain::labels::Labels;
use modelpager::domain::random::SeededRandom;
use modelpager::store::Store;
use modelpager::store::catalog_read::CatalogFilter;
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_millis(1_787_220_003_125);
const HOUR: Duration = Duration::from_secs(3_600);

struct Fixture {
    store: Store,
    service: CatalogService,
    /// Another process on the same database, as far as the catalog can tell.
    replica: CatalogService,
    clock: ManualClock,
}

impl Fixture {
    async fn open(url: &str) -> Self {
        let store = Store::open(url, 8).await.unwrap();
        let clock = ManualClock::at(START);
        let service = |seed| {
            let ids = IdMaker::new(Arc::new(clock.clone()), Arc::new(SeededRandom::new(seed)));
            let catalog = Arc::new(Catalog::new(Default::default()));
            CatalogService::new(store.clone(), catalog, Arc::new(clock.clone()), ids)
        };
        Self { service: service(1), replica: service(2), store, clock }
    }

    fn found(&self, label: &str, value: &str) -> Option<String> {
        let labels = Labels::from([(label.to_owned(), value.to_owned())]);
        let found = self.service.catalog().find_entry(&labels, &Labels::new())?;
        Some(found.entry.entry.slug.clone())
    }

    async fn import(&self, yaml: &str, options: ImportOptions) -> Result<Value, CatalogError> {
        let document = Document::parse(yaml.as_bytes()).unwrap();
        let report = self.service.import("importer", document, options).await?;
        Ok(serde_json::to_value(report).unwrap())
    }
}

macro_rules! on_both_databases {
    ($($name:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}", folder.path().join("test.db").display());
                super::$name(super::Fixture::open(&url).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let name = concat!(module_path!(), "::", stringify!($name));
                let Some(database) = crate::support::postgres::create_database(name).await else { return };
                super::$name(super::Fixture::open(database.url()).await).await;
            })*
        }
    };
}

on_both_databases! {
    a_change_is_seen_by_the_next_look_up_and_by_replicas_after_a_refresh,
    a_write_of_the_same_changes_nothing,
    preconditions_are_held,
    a_patch_changes_what_it_names,
    a_name_belongs_to_one_entry,
    wrong_fields_are_named_together_and_nothing_is_stored,
    the_audit_log_says_who_changed_what,
    history_answers_what_was_live_when,
    a_deployment_reported_twice_is_one,
    a_rollback_is_a_new_record,
    an_import_is_shown_before_it_is_made,
    an_import_with_one_wrong_field_writes_nothing,
    an_import_may_delete_and_pass_names_on,
    an_export_imports_without_difference,
    lists_are_filtered_and_paged,
    changes_at_the_same_time_are_all_kept,
    long_histories_are_cut_in_memory_only,
}

fn entry(slug: &str) -> Entry {
    Entry { slug: slug.to_owned(), ..Entry::default() }
}

fn problems(error: CatalogError) -> Vec<String> {
    match error {
        CatalogError::Invalid(problems) => problems.into_iter().map(|p| p.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn version(name: &str, valid_from: Option<Timestamp>) -> VersionDocument {
    VersionDocument { version: name.to_owned(), valid_from, ..VersionDocument::default() }
}

fn deployment(name: &str, external_id: &str) -> DeploymentDocument {
    DeploymentDocument {
        version: name.to_owned(),
        external_id: external_id.to_owned(),
        ..DeploymentDocument::default()
    }
}

async fn a_change_is_seen_by_the_next_look_up_and_by_replicas_after_a_refresh(f: Fixture) {
    let matchers = vec![EntryMatcher { matchers: vec!["pod=~\"fraud-.*\"".into()], priority: 0 }];
    let fraud = Entry { aliases: vec!["Fraud Detector".into()], matchers, ..entry("fraud") };

    f.service.create("ada", fraud).await.unwrap();
    assert_eq!(f.found("model", "fraud detector").as_deref(), Some("fraud"));
    assert_eq!(f.found("pod", "fraud-1").as_deref(), Some("fraud"));
    assert_eq!(f.replica.catalog().len(), 0);
    f.replica.refresh().await.unwrap();
    assert_eq!(f.replica.catalog().get("fraud"), f.service.catalog().get("fraud"));

    f.service.patch("ada", "fraud", &json!({"aliases": ["other"]}), Precondition::Anything).await.unwrap();
    assert_eq!(f.found("model", "fraud detector"), None);
    assert_eq!(f.found("model", "other").as_deref(), Some("fraud"));

    f.service.delete("ada", "fraud", Precondition::Anything).await.unwrap();
    assert_eq!(f.found("model", "fraud"), None);
    f.replica.refresh().await.unwrap();
    assert!(f.replica.catalog().is_empty());
    assert!(matches!(
        f.service.delete("ada", "fraud", Precondition::Anything).await,
        Err(CatalogError::NotFound(_))
    ));

    f.service.create("ada", entry("fraud")).await.unwrap();
    f.replica.refresh().await.unwrap();
    assert_eq!(f.replica.catalog().get("fraud").unwrap().history, Default::default());
}

async fn a_write_of_the_same_changes_nothing(f: Fixture) {
    let (first, created) = f.service.put("ada", entry("fraud"), Precondition::Anything).await.unwrap();
    f.clock.advance(HOUR);
    let (second, unchanged) = f.service.put("bob", entry("fraud"), Precondition::Anything).await.unwrap();
    let owned = Entry { owner: "ada".into(), ..entry("fraud") };
    let (third, changed) = f.service.put("ada", owned, Precondition::Anything).await.unwrap();

    assert_eq!((created, unchanged, changed), (Outcome::Created, Outcome::Unchanged, Outcome::Changed));
    assert_eq!(second, first);
    assert!(third.revision > first.revision);
    assert_eq!((third.created_at, third.updated_at), (START, START.plus(HOUR)));
    assert_eq!(f.store.list_audit("catalog_entry", "fraud", 10).await.unwrap().len(), 2);
}

async fn preconditions_are_held(f: Fixture) {
    let put = async |owner: &str, precondition| {
        let entry = Entry { owner: owner.to_owned(), ..entry("fraud") };
        f.service.put("ada", entry, precondition).await.map(|(stored, _)| stored.revision)
    };
    let current = |result: Result<i64, CatalogError>| match result {
        Err(CatalogError::Changed { revision, .. }) => revision,
        other => panic!("{other:?}"),
    };

    assert_eq!(current(put("a", Precondition::Exists).await), None);
    assert_eq!(current(put("a", Precondition::OneOf(vec![1])).await), None);
    let first = put("a", Precondition::Absent).await.unwrap();
    assert_eq!(current(put("b", Precondition::Absent).await), Some(first));
    let second = put("b", Precondition::OneOf(vec![first])).await.unwrap();
    assert_eq!(current(put("c", Precondition::OneOf(vec![first])).await), Some(second));
    put("c", Precondition::Exists).await.unwrap();
    let stale = f.service.delete("ada", "fraud", Precondition::OneOf(vec![second])).await;
    assert!(matches!(stale, Err(CatalogError::Changed { .. })));
    assert!(matches!(f.service.create("ada", entry("fraud")).await, Err(CatalogError::Exists(_))));
}

async fn a_patch_changes_what_it_names(f: Fixture) {
    let links =
        BTreeMap::from([("logs".into(), "https://l".into()), ("dashboard".into(), "https://d".into())]);
    f.service.create("ada", Entry { tier: Some(1), links, ..entry("fraud") }).await.unwrap();
    let patch = async |patch: Value| f.service.patch("ada", "fraud", &patch, Precondition::Anything).await;

    let (stored, _) =
        patch(json!({"owner": "bob", "tier": null, "links": {"logs": null, "registry": "https://r"}}))
            .await
            .unwrap();
    let links: Vec<&str> = stored.entry.links.keys().map(String::as_str).collect();
    assert_eq!((stored.entry.owner.as_str(), stored.entry.tier), ("bob", None));
    assert_eq!(links, ["dashboard", "registry"]);

    assert_eq!(problems(patch(json!({"slug": "other"})).await.unwrap_err()), ["slug"]);
    assert_eq!(problems(patch(json!({"tier": 9, "ownr": "x"})).await.unwrap_err()), ["ownr", "tier"]);
    assert_eq!(problems(patch(json!([])).await.unwrap_err()), [""]);
    let absent = f.service.patch("ada", "absent", &json!({}), Precondition::Anything).await;
    assert!(matches!(absent, Err(CatalogError::NotFound(_))));
}

async fn a_name_belongs_to_one_entry(f: Fixture) {
    f.service.create("ada", Entry { aliases: vec!["Shared".into()], ..entry("a") }).await.unwrap();

    let taken = Entry { aliases: vec!["free".into(), " shared".into(), "A".into()], ..entry("b") };
    assert_eq!(problems(f.service.create("ada", taken).await.unwrap_err()), ["aliases[1]", "aliases[2]"]);
    let slug = f.service.create("ada", entry("shared")).await.unwrap_err();
    assert_eq!(problems(slug), ["slug"]);

    f.service.delete("ada", "a", Precondition::Anything).await.unwrap();
    f.service.create("ada", entry("shared")).await.unwrap();
    assert_eq!(f.found("model", "SHARED").as_deref(), Some("shared"));
}

async fn wrong_fields_are_named_together_and_nothing_is_stored(f: Fixture) {
    let wrong = Entry { tier: Some(0), endpoint_url: "x".into(), ..entry("Fraud") };

    let error = f.service.create("ada", wrong).await.unwrap_err();

    assert_eq!(problems(error), ["slug", "endpoint_url", "tier"]);
    assert!(f.service.catalog().is_empty());
    assert_eq!(f.service.export().await.unwrap(), Document::default());
    assert!(f.store.list_audit("catalog_entry", "Fraud", 10).await.unwrap().is_empty());
}

async fn the_audit_log_says_who_changed_what(f: Fixture) {
    f.service.create("ada", entry("fraud")).await.unwrap();
    f.service.patch("bob", "fraud", &json!({"owner": "bob"}), Precondition::Anything).await.unwrap();
    f.service.record_version("ci", "fraud", version("7", None)).await.unwrap();
    f.service.delete("eve", "fraud", Precondition::Anything).await.unwrap();

    let log = f.store.list_audit("catalog_entry", "fraud", 10).await.unwrap();

    let acts: Vec<(&str, &str)> = log.iter().rev().map(|r| (r.actor.as_str(), &*r.action)).collect();
    assert_eq!(acts, [("ada", "create"), ("bob", "change"), ("ci", "record_version"), ("eve", "delete")]);
    let change: (Value, Value) = (
        serde_json::from_str(log[2].before.as_ref().unwrap()).unwrap(),
        serde_json::from_str(log[2].after.as_ref().unwrap()).unwrap(),
    );
    assert_eq!(change.0, json!({"slug": "fraud", "kind": "model"}));
    assert_eq!(change.1, json!({"slug": "fraud", "kind": "model", "owner": "bob"}));
    assert_eq!((log[3].before.is_none(), log[0].after.is_none()), (true, true));
}

async fn history_answers_what_was_live_when(f: Fixture) {
    f.service.create("ada", entry("fraud")).await.unwrap();
    let ago = |hours: u32| START.minus(HOUR * hours);
    f.service.record_version("ci", "fraud", version("7", Some(ago(10)))).await.unwrap();
    f.service.record_deployment("ci", "fraud", deployment("8", "run-8")).await.unwrap();
    // Reported late: it is not the newest, so it is not the current one.
    f.service.record_version("ci", "fraud", version("6", Some(ago(20)))).await.unwrap();

    let record = f.service.catalog().get("fraud").unwrap();
    let live = |at| record.history.version_at(at).map(str::to_owned);
    assert_eq!(live(ago(21)), None);
    assert_eq!(live(ago(20)).as_deref(), Some("6"));
    assert_eq!(live(ago(1)).as_deref(), Some("7"));
    assert_eq!(live(START).as_deref(), Some("8"));
    let told = facts(&record, ago(1), "label model");
    assert_eq!((told.version_live.as_deref(), told.version_current.as_str()), (Some("7"), "8"));
    assert_eq!(facts(&record, START, "").deployment.unwrap().previous_version, "7");
    assert_eq!(f.store.find_catalog_entry("fraud").await.unwrap().unwrap().entry.current_version, "8");

    let future = f.service.record_version("ci", "fraud", version("9", Some(START.plus(HOUR)))).await;
    assert_eq!(problems(future.unwrap_err()), ["valid_from"]);
    let absent = f.service.record_version("ci", "absent", version("9", None)).await;
    assert!(matches!(absent, Err(CatalogError::NotFound(_))));
    let newest_first = f.store.list_catalog_versions("fraud", (START, ""), 10).await.unwrap();
    assert_eq!(newest_first.iter().map(|v| v.version.as_str()).collect::<Vec<_>>(), ["7", "6"]);
}

async fn a_deployment_reported_twice_is_one(f: Fixture) {
    f.service.create("ada", entry("fraud")).await.unwrap();
    f.service.create("ada", entry("churn")).await.unwrap();

    let (first, new) = f.service.record_deployment("ci", "fraud", deployment("8", "run-1")).await.unwrap();
    f.clock.advance(HOUR);
    let (again, known) = f.service.record_deployment("ci", "fraud", deployment("9", "run-1")).await.unwrap();
    let (_, other_entry) =
        f.service.record_deployment("ci", "churn", deployment("8", "run-1")).await.unwrap();
    let (_, same_version) = f.service.record_deployment("ci", "fraud", deployment("8", "")).await.unwrap();

    assert_eq!((new, known, other_entry), (Recorded::New, Recorded::Known, Recorded::New));
    assert_eq!(again, first);
    assert_eq!(same_version, Recorded::Known, "without an id, the live version is not deployed again");
    let after_all = (Timestamp::from_millis(i64::MAX), "");
    assert_eq!(f.store.list_catalog_deployments("fraud", after_all, 10).await.unwrap(), [first]);
}

async fn a_rollback_is_a_new_record(f: Fixture) {
    f.service.create("ada", entry("fraud")).await.unwrap();
    for name in ["7", "8", "7"] {
        f.clock.advance(HOUR);
        let (_, recorded) = f.service.record_deployment("ci", "fraud", deployment(name, "")).await.unwrap();
        assert_eq!(recorded, Recorded::New);
    }

    let record = f.service.catalog().get("fraud").unwrap();
    let before: Vec<&str> = record.history.deployments.iter().map(|d| d.previous_version.as_str()).collect();
    assert_eq!(before, ["", "7", "8"]);
    assert_eq!(record.entry.current_version, "7");
}

const IMPORT: &str = r#"
entries:
  - slug: fraud
    owner: ada
    links: {logs: "https://l"}
    versions: [{version: 7, valid_from: "2026-08-20T09:00:00Z"}]
    deployments:
      - {version: 7, at: "2026-08-20T09:00:00Z", external_id: run-7}
      - {version: 8, at: "2026-08-20T10:00:00Z", external_id: run-8}
  - {slug: gpt-4o, kind: llm, versions: [{version: 2026-05-13}]}
"#;

async fn an_import_is_shown_before_it_is_made(f: Fixture) {
    let dry_run = ImportOptions { mode: ImportMode::DryRun, ..ImportOptions::default() };

    let shown = f.import(IMPORT, dry_run).await.unwrap();
    assert!(f.service.catalog().is_empty());
    assert_eq!(f.service.export().await.unwrap(), Document::default());
    let made = f.import(IMPORT, ImportOptions::default()).await.unwrap();
    f.clock.advance(HOUR);
    let again = f.import(IMPORT, ImportOptions::default()).await.unwrap();

    assert_eq!((&shown["created"], &shown["dry_run"]), (&json!(2), &json!(true)));
    assert_eq!((&made["created"], &made["dry_run"]), (&json!(2), &json!(false)));
    assert_eq!((&again["unchanged"], &again["entries"]), (&json!(2), &json!([])));
    assert_eq!(f.found("model", "gpt-4o").as_deref(), Some("gpt-4o"));
    let changed = IMPORT.replace("owner: ada", "owner: bob").replace("https://l", "https://m");
    let changed = changed.replace("run-8}", "run-8}\n      - {version: 9, at: \"2026-08-20T11:00:00Z\"}");
    let report = f.import(&changed, dry_run).await.unwrap();
    insta::assert_json_snapshot!("an_import_is_shown", report);
}

async fn an_import_with_one_wrong_field_writes_nothing(f: Fixture) {
    f.service.create("ada", Entry { aliases: vec!["taken".into()], ..entry("other") }).await.unwrap();
    let wrong = "
entries:
  - {slug: good, aliases: [same]}
  - {slug: bad, tier: 7, aliases: [Same, taken]}
  - {slug: good}
  - {slug: old, versions: [{version: ''}, {version: 1, url: x}], deployments: [{version: 1, at: '2030-01-01T00:00:00Z'}]}
";

    let error = f.import(wrong, ImportOptions::default()).await.unwrap_err();

    assert_eq!(
        problems(error),
        [
            "entries[1].tier",
            "entries[1].aliases[0]",
            "entries[2].slug",
            "entries[3].versions[0].version",
            "entries[3].versions[0].valid_from",
            "entries[3].versions[1].url",
            "entries[3].versions[1].valid_from",
            "entries[3].deployments[0].at",
            "entries[1].aliases[1]",
        ]
    );
    let taken =
        f.import("entries: [{slug: good}, {slug: bad, aliases: [taken]}]", ImportOptions::default()).await;
    assert_eq!(problems(taken.unwrap_err()), ["entries[1].aliases[0]"]);
    assert_eq!(f.service.catalog().len(), 1);
    assert_eq!(f.service.export().await.unwrap().entries.len(), 1);
}

async fn an_import_may_delete_and_pass_names_on(f: Fixture) {
    f.import(
        "entries: [{slug: a, aliases: [x]}, {slug: b, aliases: [y]}, {slug: c, aliases: [z]}]",
        ImportOptions::default(),
    )
    .await
    .unwrap();
    let prune = ImportOptions { missing: Missing::Delete, ..ImportOptions::default() };

    let kept = f.import("entries: [{slug: d}]", ImportOptions::default()).await.unwrap();
    assert_eq!((&kept["created"], &kept["deleted"]), (&json!(1), &json!(0)));
    let swapped = "entries: [{slug: a, aliases: [y]}, {slug: b, aliases: [x, z]}]";
    let report = f.import(swapped, prune).await.unwrap();

    assert_eq!((&report["changed"], &report["deleted"]), (&json!(2), &json!(2)));
    let deleted = report["entries"].as_array().unwrap().iter().filter(|e| e["action"] == "deleted").count();
    assert_eq!(deleted, 2);
    assert_eq!(serde_json::to_value(ChangeAction::Deleted).unwrap(), "deleted");
    for (name, slug) in [("x", Some("b")), ("y", Some("a")), ("z", Some("b")), ("c", None), ("d", None)] {
        assert_eq!(f.found("model", name).as_deref(), slug, "{name}");
    }
    assert_eq!(f.service.catalog().len(), 2);
}

async fn an_export_imports_without_difference(f: Fixture) {
    f.import(IMPORT, ImportOptions::default()).await.unwrap();
    f.service.record_deployment("ci", "gpt-4o", deployment("2026-08-06", "")).await.unwrap();

    for format in [Format::Yaml, Format::Json] {
        let exported = f.service.export().await.unwrap().write(format).unwrap();
        let report = f
            .import(&exported, ImportOptions { missing: Missing::Delete, ..Default::default() })
            .await
            .unwrap();
        assert_eq!((&report["unchanged"], &report["entries"]), (&json!(2), &json!([])), "{exported}");
    }
}

async fn lists_are_filtered_and_paged(f: Fixture) {
    let entries = [
        Entry { owner: "ada".into(), team: "ml".into(), tier: Some(1), ..entry("a.1") },
        Entry {
            owner: "Ada".into(), kind: EntryKind::Llm, description: "100% ÄPFEL".into(), ..entry("a-2")
        },
        Entry { tags: BTreeMap::from([("area".into(), "pay_ments".into())]), ..entry("b_3") },
        Entry { aliases: vec!["Apfel".into()], tier: Some(2), ..entry("0") },
    ];
    for entry in entries {
        f.service.create("ada", entry).await.unwrap();
    }
    let list = async |filter: CatalogFilter, after: &str, limit| {
        let found = f.store.list_catalog_entries(&filter, after, limit).await.unwrap();
        found.into_iter().map(|stored| stored.entry.slug).collect::<Vec<_>>()
    };
    let all = CatalogFilter::default;
    let text = |text: &str| CatalogFilter { text: Some(text.to_owned()), ..all() };

    assert_eq!(list(all(), "", 10).await, ["0", "a-2", "a.1", "b_3"]);
    assert_eq!(list(all(), "a-2", 1).await, ["a.1"]);
    assert_eq!(list(CatalogFilter { kind: Some(EntryKind::Llm), ..all() }, "", 10).await, ["a-2"]);
    assert_eq!(list(CatalogFilter { owner: Some("ada".into()), ..all() }, "", 10).await, ["a.1"]);
    assert_eq!(list(CatalogFilter { team: Some("ml".into()), ..all() }, "", 10).await, ["a.1"]);
    assert_eq!(list(CatalogFilter { tier: Some(2), ..all() }, "", 10).await, ["0"]);
    assert_eq!(list(text("äpfel"), "", 10).await, ["a-2"]);
    assert_eq!(list(text("APFEL"), "", 10).await, ["0"]);
    assert_eq!(list(text("0%"), "", 10).await, ["a-2"]);
    assert_eq!(list(text("y_m"), "", 10).await, ["b_3"]);
    assert_eq!(list(text("ada\nml"), "", 10).await, ["a.1"]);
    assert_eq!(
        list(CatalogFilter { tier: Some(1), kind: Some(EntryKind::Llm), ..all() }, "", 10).await,
        [""; 0]
    );
}

async fn changes_at_the_same_time_are_all_kept(f: Fixture) {
    f.service.create("ada", entry("shared")).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let door = if n % 2 == 0 { f.service.clone() } else { f.replica.clone() };
            tokio::spawn(async move {
                door.create("ada", entry(&format!("model-{n}"))).await.unwrap();
                let patch = json!({"tags": {(format!("t{n}")): "x"}});
                door.patch("ada", "shared", &patch, Precondition::Anything).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    f.service.refresh().await.unwrap();
    f.replica.refresh().await.unwrap();

    for catalog in [f.service.catalog(), f.replica.catalog()] {
        assert_eq!(catalog.len(), 17);
        assert_eq!(catalog.get("shared").unwrap().entry.tags.len(), 16);
        assert_eq!(catalog.revision(), 33);
    }
}

async fn long_histories_are_cut_in_memory_only(f: Fixture) {
    f.service.create("ada", entry("fraud")).await.unwrap();
    let mut document = f.service.export().await.unwrap();
    let now = f.clock.now();
    document.entries[0].versions =
        (0..150_u32).map(|n| version(&format!("v{n}"), Some(now.minus(HOUR * (150 - n))))).collect();
    f.service.import("ada", document, ImportOptions::default()).await.unwrap();

    let record = f.service.catalog().get("fraud").unwrap();
    assert_eq!(record.history.versions.len(), 100);
    assert_eq!(record.history.version_at(now), Some("v149"));
    assert_eq!(record.entry.current_version, "v149");
    assert_eq!(f.service.export().await.unwrap().entries[0].versions.len(), 150);
}
