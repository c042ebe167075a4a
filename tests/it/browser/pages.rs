//! The pages of the real program.

use serde_json::json;

use super::harness::size_of;
use crate::support::browser::{Browser, Look};
use crate::support::service::Service;

#[tokio::test]
async fn the_page_of_the_api_opens_without_complaints_and_without_any_other_server() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let service = Service::start(&json!({})).await;

    browser.goto(&format!("{}/docs", service.url())).await;
    browser.wait_for_text("body", "alertmanager").await;

    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    let requests = browser.requests().await;
    assert!(requests.iter().any(|url| url.ends_with("/swagger-ui-bundle.js")), "{requests:?}");
    assert!(requests.iter().all(|url| url.starts_with(&format!("{}/", service.url()))), "{requests:?}");

    let (width, height) = size_of(&browser.screenshot("docs").await);
    assert_eq!(width, 1280);
    assert!(height > 1500, "also what is below the fold: {height}");
}
