//! A webhook of a channel.

use serde_json::json;

use super::*;
use crate::channels::conformance::{Case, Provider, clock};
use crate::domain::outcome::SendOutcome;
use crate::fakes::Violations;
use crate::fakes::discord::{DiscordFake, TOKEN};
use crate::fakes::engine::HttpServer;
use crate::http::classify::{self, RetryHint};

impl Provider for DiscordFake {
    fn http(&self) -> Option<&HttpServer> {
        Some(self.http())
    }

    fn violations(&self) -> Option<&Violations> {
        Some(self.violations())
    }

    /// A success names the message that was saved.
    fn outcome_of(&self, status: u16) -> SendOutcome {
        match status {
            200..=299 => SendOutcome::Ambiguous,
            _ => classify::outcome(status, RetryHint::Absent),
        }
    }

    fn outcome_without_body(&self) -> SendOutcome {
        SendOutcome::Ambiguous
    }
}

pub fn cases(timeout: Duration) -> BoxFuture<'static, Vec<Case>> {
    Box::pin(async move {
        let fake = DiscordFake::start(clock()).await.unwrap();
        let settings = json!({"webhook_url": fake.webhook_url()});
        vec![Case::new("discord", &KIND, fake, settings, timeout, &[TOKEN])]
    })
}
