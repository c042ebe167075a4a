//! Imports are compared with the catalog beside other changes: none of those is taken back
//! unseen.

use modelpager::catalog::document::Document;
use modelpager::catalog::service::{ImportOptions, Precondition};
use modelpager::config::Config;
use serde_json::json;

use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::Site;

on_both_databases! {
    an_import_beside_other_changes_knows_what_it_replaces,
}

const ENTRIES: usize = 60;

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
