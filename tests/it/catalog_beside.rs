//! Imports beside everything else: no other change is taken back unseen, and deliveries are
//! stored meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use modelpager::catalog::document::Document;
use modelpager::catalog::plan::ImportReport;
use modelpager::catalog::service::{ImportOptions, Missing, Precondition};
use modelpager::config::Config;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::Site;

on_both_databases! {
    an_import_beside_other_changes_knows_what_it_replaces,
    deliveries_are_stored_between_the_steps_of_an_import,
    names_pass_between_entries_that_are_far_apart,
}

const ENTRIES: usize = 60;

/// Imports `entries` beside whatever else happens.
fn import_beside(site: &Arc<Site>, entries: &[Value], missing: Missing) -> JoinHandle<ImportReport> {
    let site = site.clone();
    let document = Document::parse(json!({"entries": entries}).to_string().as_bytes()).unwrap();
    tokio::spawn(async move {
        let options = ImportOptions { missing, ..ImportOptions::default() };
        site.state.catalog.import("ada", document, options).await.unwrap()
    })
}

fn entries(count: usize, alias_of: impl Fn(usize) -> usize) -> Vec<Value> {
    let entry = |n: usize| {
        json!({
            "slug": format!("entry-{n}"), "owner": "ada@example.org", "aliases": [format!("alias-{}", alias_of(n))],
            "links": {"dashboard": "https://grafana.example.org/d/1"}, "tags": {"tribe": "payments"},
            "versions": [{"version": "2.4.1", "valid_from": "2026-08-20T10:00:00Z"}],
        })
    };
    (0..count).map(entry).collect()
}

/// Has one delivery after the other stored until the import is over; answers how long each
/// took and how much of the catalog there was after it.
async fn deliver_beside<T>(site: &Site, import: &JoinHandle<T>) -> Vec<(Duration, usize)> {
    let mut stored = Vec::new();
    while !import.is_finished() {
        let model = format!("model-{}", stored.len());
        let body = crate::spine::body(&[crate::spine::alert(("firing", &model, "high", "i"))]).to_string();
        let begun = Instant::now();
        site.state.inbox.accept(body.into(), "alertmanager").await.unwrap();
        stored.push((begun.elapsed(), site.state.catalog.catalog().len()));
    }
    stored
}

async fn import(site: &Site, owner: &str) {
    let entries: Vec<_> =
        (0..ENTRIES).map(|n| json!({"slug": format!("entry-{n}"), "owner": owner})).collect();
    let text = json!({"entries": entries}).to_string();
    let document = Document::parse(text.as_bytes()).unwrap();
    site.state.catalog.import(owner, document, ImportOptions::default()).await.unwrap();
}

async fn patch(site: &Site, team: &str) {
    for n in 0..20 {
        let patch = json!({"team": format!("{team}-{n}")});
        let slug = format!("entry-{}", n * 7 % ENTRIES);
        site.state.catalog.patch(team, &slug, &patch, Precondition::Anything).await.unwrap();
    }
}

async fn an_import_beside_other_changes_knows_what_it_replaces(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    import(&site, "first").await;

    tokio::join!(import(&site, "ada"), import(&site, "bea"), patch(&site, "ml"), patch(&site, "platform"));

    for n in 0..ENTRIES {
        let lines = site.state.store.list_audit("catalog_entry", &format!("entry-{n}"), 100).await.unwrap();
        assert!(lines.len() >= 3, "entry-{n}: {}", lines.len());
        // Newest first: each change began where the one before it ended.
        for pair in lines.windows(2) {
            assert_eq!(pair[0].before, pair[1].after, "entry-{n}");
        }
    }
}

async fn deliveries_are_stored_between_the_steps_of_an_import(database: Fresh) {
    const MANY: usize = 2_000;
    let site = Arc::new(Site::over(database, Config::default()).await);
    let import = import_beside(&site, &entries(MANY, |n| n), Missing::Keep);

    let stored = deliver_beside(&site, &import).await;

    assert_eq!(import.await.unwrap().created, MANY);
    let between = stored.iter().filter(|(_, entries)| (1..MANY).contains(entries)).count();
    assert!(between >= 2, "{between} of {} deliveries", stored.len());
    assert_eq!(site.state.catalog.catalog().len(), MANY);
}

async fn names_pass_between_entries_that_are_far_apart(database: Fresh) {
    const MANY: usize = 1_200;
    let site = Arc::new(Site::over(database, Config::default()).await);
    let import = async |entries: Vec<Value>, missing| import_beside(&site, &entries, missing).await.unwrap();
    let owner = |n: usize| {
        let name = format!("alias-{n}");
        site.state.catalog.catalog().find_by_name(&name).map(|record| record.entry.slug.clone())
    };
    import(entries(MANY, |n| n), Missing::Keep).await;

    // Each gives its name to the one that gives it its own, and all pass theirs on in a ring.
    for alias_of in [|n| (n + MANY / 2) % MANY, |n| (n + 1) % MANY] {
        let report = import(entries(MANY, alias_of), Missing::Keep).await;

        assert_eq!((report.changed, report.unchanged), (MANY, 0));
        for n in [0, 1, MANY / 2, MANY - 1] {
            assert_eq!(owner(alias_of(n)), Some(format!("entry-{n}")));
        }
    }
    let mut renamed = entries(MANY, |n| n);
    for (n, entry) in renamed.iter_mut().enumerate() {
        entry["slug"] = json!(format!("renamed-{n}"));
        entry["aliases"] = json!([format!("entry-{n}")]);
    }
    let report = import(renamed, Missing::Delete).await;
    assert_eq!((report.created, report.deleted), (MANY, MANY));
    assert_eq!(site.state.catalog.catalog().len(), MANY);
    let found = site.state.catalog.catalog().find_by_name("entry-7").unwrap();
    assert_eq!(found.entry.slug, "renamed-7");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; prints how long deliveries wait while a large catalog is imported"]
async fn a_hundred_thousand_entries_hold_up_no_delivery_for_long() {
    const MANY: usize = 100_000;
    let site = Arc::new(Site::over(Fresh::sqlite(), Config::default()).await);
    let begun = Instant::now();
    let import = import_beside(&site, &entries(MANY, |n| n), Missing::Keep);

    let stored = deliver_beside(&site, &import).await;

    let longest = stored.iter().map(|(took, _)| *took).max().unwrap();
    println!("{:?}, {} deliveries, the longest {longest:?}", begun.elapsed(), stored.len());
    assert_eq!(import.await.unwrap().created, MANY);
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}
