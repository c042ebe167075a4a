//! Every page in every look: no complaint of the browser's or of axe's, nothing from outside,
//! nothing that jumps; and a picture to look at.

use serde_json::json;

use super::stage::{Stage, WITHOUT_BREAKS};
use crate::support::browser::{Browser, Look};
use crate::support::service::Service;

/// The greatest page, compressed, with its style and script.
const MOST_BYTES: u64 = 100_000;

async fn tour(look: Look) {
    let Some(browser) = Browser::start(look).await else { return };
    let stage = Stage::set().await;
    let incident = stage.newest("incidents").await;
    let without_breaks = stage.newest(&format!("incidents?alertname={WITHOUT_BREAKS}")).await;
    let notification = stage.newest("notifications").await;
    let event = stage.newest("events?state=processed").await;
    let rejected = stage.newest("events?state=rejected").await;
    let pages = [
        ("overview", "/".to_owned()),
        ("incidents", "/incidents".to_owned()),
        ("incidents-asked", "/incidents?state=open&severity=medium&q=hostile".to_owned()),
        ("incident", format!("/incidents/{incident}")),
        ("incident-without-breaks", format!("/incidents/{without_breaks}")),
        ("entry-without-breaks", "/catalog/long-words".to_owned()),
        ("notifications", "/notifications".to_owned()),
        ("notification", format!("/notifications/{notification}")),
        ("catalog", "/catalog".to_owned()),
        ("entry", "/catalog/fraud-detector".to_owned()),
        ("entry-hostile", "/catalog/hostile".to_owned()),
        ("entry-edit", "/catalog/hostile/edit".to_owned()),
        ("entry-new", "/catalog/-/new".to_owned()),
        ("import", "/catalog/-/import".to_owned()),
        ("channels", "/channels".to_owned()),
        ("channel", "/channels/slack".to_owned()),
        ("preview", "/channels/slack/preview".to_owned()),
        ("events", "/events".to_owned()),
        ("event", format!("/events/{event}")),
        ("event-rejected", format!("/events/{rejected}")),
        ("configuration", "/configuration".to_owned()),
        ("configuration-labels", "/configuration?labels=severity%3Dpage+model%3Dchurn-scorer".to_owned()),
        ("nothing-there", "/incidents/nothing".to_owned()),
    ];
    let empty = Service::start(&json!({})).await;
    let guarded =
        json!({"auth": {"tokens": [{"name": "a", "token": "a-token-0123456789", "scopes": ["admin"]}]}});
    let guarded = Service::start_with_token(&guarded, Some("a-token-0123456789")).await;
    let at_stage = pages.into_iter().map(|(name, path)| (name, stage.url(&path)));
    let at_others = [("welcome", empty.url().to_owned()), ("login", format!("{}/login", guarded.url()))];
    let mut complaints = Vec::new();
    for (name, url) in at_stage.chain(at_others) {
        browser.goto(&url).await;
        browser.wait_for("main h1").await;
        browser.screenshot(name).await;
        let mut add = |what: &str, found: Vec<String>| {
            complaints.extend(found.into_iter().map(|one| format!("{name}: {what}: {one}")));
        };
        add("axe", browser.accessibility_violations().await);
        let mut errors = browser.console_errors().await;
        // The answer 404 is what this page is about.
        errors.retain(|line| !(name == "nothing-there" && line.contains("404")));
        add("console", errors);
        if browser.eval("window.hurt === undefined").await != true {
            add("script", vec!["what a stranger wrote was run".to_owned()]);
        }
        let shift = browser.layout_shift().await;
        if shift > 0.01 {
            add("layout", vec![format!("shifted by {shift}")]);
        }
        let bytes = browser.transferred_bytes().await;
        if bytes > MOST_BYTES {
            add("size", vec![format!("{bytes} bytes")]);
        }
        if browser.eval("document.documentElement.scrollWidth > innerWidth").await == true {
            add("width", vec!["is wider than the window".to_owned()]);
        }
    }
    let own = [stage.service.url(), empty.url(), guarded.url()];
    let is_own =
        |url: &String| own.iter().any(|own| url.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')));
    let foreign = browser.requests().await.into_iter().filter(|url| !is_own(url));
    complaints.extend(foreign.map(|url| format!("asked another server: {url}")));
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_faultless_in_light() {
    tour(Look::Light).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_faultless_in_dark() {
    tour(Look::Dark).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_faultless_on_a_phone() {
    tour(Look::Phone).await;
}
