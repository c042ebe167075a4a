//! A receiver that checks the signature, an address and a header with secrets.

use serde_json::json;

use super::*;
use crate::channels::conformance::{Case, Provider, clock};
use crate::fakes::Violations;
use crate::fakes::engine::HttpServer;
use crate::fakes::webhook::{SECRET, WebhookFake};

const HEADER: &str = "canary-header-token-0001";
const QUERY: &str = "canary-query-token-0001";

impl Provider for WebhookFake {
    fn http(&self) -> Option<&HttpServer> {
        Some(self.http())
    }

    fn violations(&self) -> Option<&Violations> {
        Some(self.violations())
    }
}

pub fn cases(timeout: Duration) -> BoxFuture<'static, Vec<Case>> {
    Box::pin(async move {
        let fake = WebhookFake::start(clock()).await.unwrap();
        let settings = json!({
            "url": format!("{}?key={QUERY}", fake.url()),
            "secret": SECRET,
            "headers": {"Authorization": format!("Bearer {HEADER}")},
        });
        vec![Case::new("webhook", &KIND, fake, settings, timeout, &[QUERY, SECRET, HEADER])]
    })
}
