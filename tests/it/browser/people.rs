//! Who looks: people who log in, people who may only read, two people at one thing; and their
//! clocks.

use serde_json::json;

use super::stage::Stage;
use crate::support::browser::{Browser, Look};
use crate::support::service::Service;

const READER: &str = "a-token-that-may-read";
const WRITER: &str = "a-token-that-may-write";

async fn guarded() -> Service {
    let config = json!({"auth": {"tokens": [
        {"name": "reader", "token": READER, "scopes": ["read"]},
        {"name": "writer", "token": WRITER, "scopes": ["write", "ingest"]},
    ]}});
    Service::start_with_token(&config, Some(WRITER)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_in_is_led_to_where_they_wanted_and_sees_what_they_may() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let service = guarded().await;
    service.create("/api/v1/catalog", &json!({"slug": "churn", "owner": "bob"})).await;
    browser.goto(&format!("{}/catalog/churn?x=1", service.url())).await;
    browser.wait_for_text("h1", "Log in").await;
    assert_eq!(browser.accessibility_violations().await, Vec::<String>::new());

    browser.fill("#token", "a-token-of-nobody").await;
    browser.submit(".login form").await;
    browser.wait_for_text("#wrong", "Invalid token").await;
    browser.fill("#token", READER).await;
    browser.submit(".login form").await;
    browser.wait_for_text("h1", "churn").await;
    assert!(browser.url().await.ends_with("/catalog/churn?x=1"));
    browser.wait_for_text(".who", "reader").await;
    assert!(browser.texts(".head .actions *").await.is_empty(), "who may only read is offered no changes");

    browser.goto(&format!("{}/catalog/churn/edit", service.url())).await;
    browser.wait_for_text("[role=status]", "scope write").await;
    assert_eq!(browser.attr("form.card button", "disabled").await.as_deref(), Some("true"));

    browser.click(".who button").await;
    browser.wait_for_text("h1", "Log in").await;
    browser.goto(&format!("{}/catalog", service.url())).await;
    browser.wait_for_text("h1", "Log in").await;
    browser.fill("#token", WRITER).await;
    browser.submit(".login form").await;
    browser.wait_for_text("h1", "Catalog").await;
    browser.wait_for_text(".head", "New entry").await;
    let page = browser.eval("document.documentElement.outerHTML + document.cookie").await.to_string();
    assert!(!page.contains(WRITER) && !page.contains("modelpager_session"), "no script can read the session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_somebody_else_was_faster_with_is_shown_not_overwritten() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let service = Service::start(&json!({})).await;
    service.create("/api/v1/catalog", &json!({"slug": "churn", "owner": "bob", "team": "risk"})).await;
    browser.goto(&format!("{}/catalog/churn/edit", service.url())).await;
    browser.fill("#owner", "ada").await;
    let theirs = json!({"owner": "eve", "team": "growth"}).to_string();
    assert_eq!(service.call("PATCH", "/api/v1/catalog/churn", &theirs).await.unwrap().status, 200);

    browser.submit("form.card").await;

    browser.wait_for_text("[role=alert]", "Someone else changed this entry").await;
    browser.wait_for_text("[role=alert]", "eve").await;
    browser.screenshot("conflict").await;
    assert_eq!(browser.accessibility_violations().await, Vec::<String>::new());
    assert_eq!(
        browser.attr("#owner", "value").await.as_deref(),
        Some("ada"),
        "what was typed is still there"
    );
    assert_eq!(service.get("/api/v1/catalog/churn").await["owner"], "eve", "theirs was not overwritten");
    browser.submit("form.card").await;
    browser.wait_for_text("[role=status]", "Saved").await;
    assert_eq!(service.get("/api/v1/catalog/churn").await["owner"], "ada", "knowing it, one may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_those_of_the_viewers_clock() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let stage = Stage::set().await;
    let incident = stage.newest("incidents").await;
    browser.set_time_zone("Asia/Tokyo").await;

    // Written in UTC at first; the page is written again once the zone is known.
    browser.goto(&stage.url(&format!("/incidents/{incident}"))).await;
    browser.wait_for_text("main", "2026").await;
    browser.reload().await;

    browser.wait_for_text("footer", "Asia/Tokyo").await;
    let began = browser.attr(".badges time", "title").await.unwrap();
    assert!(began.contains("19:00:00.000 JST") && began.contains("2026-08-20T10:00:00.000Z"), "{began}");

    browser.fill("#zone", "Europe/Berlin").await;
    browser.select("#theme", "dark").await;
    browser.submit("footer form").await;
    browser.wait_for_text("footer", "Europe/Berlin").await;
    assert_eq!(browser.attr("html", "data-theme").await.as_deref(), Some("dark"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_phone_the_bar_shows_where_one_is() {
    let Some(browser) = Browser::start(Look::Phone).await else { return };
    let service = Service::start(&json!({})).await;

    browser.goto(&format!("{}/configuration", service.url())).await;

    let right =
        browser.eval("document.querySelector('.bar [aria-current]').getBoundingClientRect().right").await;
    assert!(right.as_f64().unwrap() <= 390.0, "{right}");
}
