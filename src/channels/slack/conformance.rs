//! A workspace, by its incoming webhook and by the Web API.

use serde_json::json;

use super::*;
use crate::channels::conformance::{Case, Provider, clock};
use crate::domain::outcome::SendOutcome;
use crate::fakes::Violations;
use crate::fakes::engine::{HttpServer, Request};
use crate::fakes::slack::{CHANNEL, SlackFake, TOKEN, WEBHOOK_PATH};
use crate::http::classify::{self, RetryHint};

/// What a success says in which way.
enum Way {
    Webhook,
    Api,
}

struct Workspace {
    fake: SlackFake,
    way: Way,
}

impl Provider for Workspace {
    fn http(&self) -> Option<&HttpServer> {
        Some(self.fake.http())
    }

    fn violations(&self) -> Option<&Violations> {
        Some(self.fake.violations())
    }

    /// The Web API carries the channel's id in the body.
    fn last_body(&self) -> Option<String> {
        let body = self.fake.http().requests().last().map(Request::text)?;
        Some(body.replace(&format!(",\"channel\":\"{CHANNEL}\""), ""))
    }

    fn outcome_of(&self, status: u16) -> SendOutcome {
        let is_success = (200..=299).contains(&status);
        match self.way {
            // No body at all: the standard forbids it.
            Way::Webhook if status == 204 => SendOutcome::Ambiguous,
            // The body is not `ok`.
            Way::Webhook if is_success => SendOutcome::Rejected,
            // The body is not JSON.
            Way::Api if is_success => SendOutcome::Ambiguous,
            _ => classify::outcome(status, RetryHint::Absent),
        }
    }

    fn outcome_without_body(&self) -> SendOutcome {
        SendOutcome::Ambiguous
    }
}

pub fn cases(timeout: Duration) -> BoxFuture<'static, Vec<Case>> {
    Box::pin(async move {
        let fake = SlackFake::start(clock()).await.unwrap();
        let settings = json!({"webhook_url": fake.webhook_url()});
        let secrets = [WEBHOOK_PATH.rsplit('/').next().unwrap()];
        let workspace = Workspace { fake, way: Way::Webhook };
        let webhook = Case::new("slack by webhook", &KIND, workspace, settings, timeout, &secrets);
        let fake = SlackFake::start(clock()).await.unwrap();
        let settings = json!({"token": TOKEN, "channel": CHANNEL, "api_url": fake.api_url()});
        let workspace = Workspace { fake, way: Way::Api };
        vec![webhook, Case::new("slack by API", &KIND, workspace, settings, timeout, &[TOKEN])]
    })
}
