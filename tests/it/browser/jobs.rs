//! What users come for, from start to end: point an Alertmanager at it, manage the catalog, read
//! the delivery log; and pages that change while they are looked at.

use serde_json::json;

use super::stage::{Stage, alert};
use crate::e2e::latency_alert;
use crate::support::alertmanager::{Alertmanager, Settings};
use crate::support::browser::{Browser, Key, Look};
use crate::support::service::Service;

async fn finish(browser: &Browser) {
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_first_steps_sees_the_first_alert_arrive() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let service = Service::start(&json!({})).await;
    browser.goto(service.url()).await;
    browser.wait_for_text("h1", "Welcome").await;
    assert_eq!(browser.accessibility_violations().await, Vec::<String>::new());
    let snippet = browser.text(".steps li:nth-child(1) pre").await;
    let url = snippet.lines().find_map(|line| line.trim().strip_prefix("- url: ")).unwrap().to_owned();
    assert_eq!(url, service.webhook_url());

    let settings = Settings::new(&url);
    let Some(alertmanager) = Alertmanager::start("who_follows_the_first_steps", &settings).await else {
        return;
    };
    alertmanager.post_alerts(&[latency_alert("gpu-1:8080")]).await;

    // Nobody reloads.
    browser.wait_for_text("h1", "Overview").await;
    browser.wait_for_text("#overview-incidents", "ModelLatencyHigh").await;
    browser.wait_for_text("#overview-sources", "modelpager").await;
    browser.click_link("ModelLatencyHigh").await;
    browser.wait_for_text("#incident-why", "notified: firing").await;
    browser.wait_for_text("#incident-messages", "p99 latency is 2.4 s").await;
    finish(&browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalog_is_managed_from_the_page() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let service = Service::start(&json!({})).await;
    browser.goto(&format!("{}/catalog", service.url())).await;
    browser.click_link("New entry").await;
    browser.wait_for_text("h1", "New entry").await;
    browser.fill("#slug", "Fraud Detector").await;
    browser.fill("#owner", "ada@ml.example").await;
    browser.submit("form.card").await;
    browser.wait_for_text("[role=alert]", "slug").await;
    assert_eq!(
        browser.attr("#owner", "value").await.as_deref(),
        Some("ada@ml.example"),
        "nothing typed is lost"
    );
    assert_eq!(browser.accessibility_violations().await, Vec::<String>::new());

    browser.fill("#slug", "fraud-detector").await;
    browser.fill("#links", "dashboard: https://grafana.example/d/fraud").await;
    browser.fill("#runbook", "# Roll back\n\nRun `make rollback`.").await;
    browser.submit("form.card").await;
    browser.wait_for_text("[role=status]", "Created").await;
    browser.wait_for_text(".prose h3", "Roll back").await;

    browser.click_link("Edit").await;
    browser.wait_for("#tier").await;
    browser.select("#tier", "1").await;
    browser.submit("form.card").await;
    browser.wait_for_text(".badges", "tier 1").await;
    let stored = service.get("/api/v1/catalog/fraud-detector").await;
    assert_eq!(stored["links"]["dashboard"], "https://grafana.example/d/fraud");
    assert_eq!(stored["tier"], 1);

    browser.goto(&format!("{}/catalog/-/import", service.url())).await;
    browser
        .fill("#document", "entries:\n  - {slug: churn, owner: bob}\n  - {slug: fraud-detector, owner: eve}")
        .await;
    browser.click("button[value=compare]").await;
    browser.wait_for_text("h2", "Preview of changes").await;
    browser.wait_for_text("main", "1 created, 1 changed").await;
    browser.screenshot("import-compared").await;
    assert_eq!(browser.accessibility_violations().await, Vec::<String>::new());
    assert_eq!(service.get("/api/v1/catalog/fraud-detector").await["owner"], "ada@ml.example");
    browser.click("button[value=apply]").await;
    browser.wait_for_text("[role=status]", "Imported").await;
    assert_eq!(service.get("/api/v1/catalog/fraud-detector").await["owner"], "eve");

    browser.eval("window.confirm = () => true").await;
    browser.click_link("churn").await;
    browser.wait_for_text("h1", "churn").await;
    browser.eval("window.confirm = () => true").await;
    browser.submit("form[action$=delete]").await;
    browser.wait_for_text("[role=status]", "Deleted").await;
    assert_eq!(browser.texts("td.main").await.len(), 1);
    let errors = browser.console_errors().await;
    assert!(errors.iter().all(|line| line.contains("422")), "{errors:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_delivery_log_is_searched_read_and_sent_again() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let stage = Stage::set().await;
    browser.goto(&stage.url("/notifications")).await;

    browser.fill("input[type=search]", "GpuMemoryLow").await;
    browser.submit("form.filters").await;
    browser.wait_for_url("q=GpuMemoryLow").await;
    assert_eq!(browser.texts("#notifications tbody tr").await.len(), 4);
    browser.select("select[name=channel]", "slack").await;
    browser.wait_for_url("channel=slack").await;
    browser.wait_for_text(".chips", "slack").await;
    assert_eq!(browser.texts("#notifications tbody tr").await.len(), 1);
    assert!(!browser.url().await.contains("state="), "what is not asked for is not in the address");

    browser.click("#notifications tbody a").await;
    browser.wait_for_text(".message", "412 ms").await;
    browser.wait_for_text("#notification-attempts", "accepted").await;
    browser.eval("window.confirm = () => true").await;
    browser.click(".head .actions button").await;
    browser.wait_for_text("[role=status]", "Resending").await;
    browser.wait_for_text("#notification-attempts", "series 2").await;
    finish(&browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_appear_and_change_while_they_are_looked_at() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let stage = Stage::set().await;
    browser.goto(&stage.url("/incidents?entry=churn-scorer")).await;
    browser.wait_for_text(".pulse", "Live").await;
    browser.eval("window.loadedOnce = true").await;

    stage.service.deliver(&alert("DriftHigh", "churn-scorer", "warning", "drifted")).await;
    browser.wait_for_text("#incidents", "DriftHigh").await;
    let mut ended = alert("DriftHigh", "churn-scorer", "warning", "drifted");
    ended["alerts"][0]["status"] = json!("resolved");
    ended["alerts"][0]["endsAt"] = json!("2026-08-20T11:30:00Z");
    stage.service.deliver(&ended).await;
    browser.wait_for_text("#incidents", "resolved").await;

    assert_eq!(browser.eval("window.loadedOnce").await, true, "the page was never loaded again");
    finish(&browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_without_javascript() {
    let Some(browser) = Browser::start_without_javascript(Look::Light).await else { return };
    let stage = Stage::set().await;
    browser.goto(&stage.url("/incidents")).await;
    browser.select("select[name=severity]", "critical").await;
    browser.submit("form.filters").await;
    browser.wait_for_text(".chips", "critical").await;
    assert_eq!(browser.texts("#incidents tbody tr").await.len(), 2);

    browser.goto(&stage.url("/catalog/churn-scorer/edit")).await;
    browser.fill("#owner", "somebody else").await;
    browser.submit("form.card").await;
    browser.wait_for_text("[role=status]", "Saved").await;

    browser.goto(&stage.url("/notifications?state=delivered&channel=mail")).await;
    browser.click("#notifications input[type=checkbox]").await;
    browser.click(".pager button").await;
    browser.wait_for_text("[role=status]", "Resending").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keyboard_alone_is_enough() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let stage = Stage::set().await;
    browser.goto(&stage.url("/incidents")).await;
    // A key that is pressed before the page has taken up its work may go nowhere.
    browser.wait_for_text(".pulse", "Live").await;

    browser.press(Key::Tab).await;
    assert_eq!(browser.eval("document.activeElement.className").await, "skip");
    browser.press(Key::Enter).await;
    browser.press(Key::Tab).await;
    assert_eq!(browser.eval("document.activeElement.name").await, "q", "what comes first in the page itself");

    browser.eval("document.activeElement.blur()").await;
    browser.press('/').await;
    for letter in "GpuMemoryLow".chars() {
        browser.press(letter).await;
    }
    browser.press(Key::Enter).await;
    browser.wait_for_url("q=GpuMemoryLow").await;
    browser.wait_for("#incidents tbody a").await;
    browser.eval("document.querySelector('.scroll').focus()").await;
    browser.press(Key::Tab).await;
    browser.press(Key::Enter).await;
    browser.wait_for_text("h1", "GpuMemoryLow").await;
    finish(&browser).await;
}
