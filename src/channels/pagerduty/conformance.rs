//! An account with one integration key.

use serde_json::json;

use super::*;
use crate::channels::conformance::{Case, Provider, clock};
use crate::fakes::Violations;
use crate::fakes::engine::HttpServer;
use crate::fakes::pagerduty::PagerDutyFake;

const ROUTING_KEY: &str = "canary0routing0key00000000000001";

impl Provider for PagerDutyFake {
    fn http(&self) -> Option<&HttpServer> {
        Some(self.http())
    }

    fn violations(&self) -> Option<&Violations> {
        Some(self.violations())
    }
}

pub fn cases(timeout: Duration) -> BoxFuture<'static, Vec<Case>> {
    Box::pin(async move {
        let fake = PagerDutyFake::start(clock()).await.unwrap();
        fake.add_routing_key(ROUTING_KEY);
        let settings = json!({"routing_key": ROUTING_KEY, "url": fake.events_url()});
        vec![Case::new("pagerduty", &KIND, fake, settings, timeout, &[ROUTING_KEY])]
    })
}
