//! A way to set up a kind of channel, and what the suite asks of its provider's fake. Each kind
//! has its cases beside its code, in `conformance.rs`.

use std::sync::Arc;

use super::*;
use crate::domain::clock::{ManualClock, SharedClock};
use crate::fakes::Violations;
use crate::fakes::engine::{Answer, HttpServer, Request, Step};
use crate::http::classify::{self, RetryHint};

/// The cases of a kind, with this time limit.
pub type Cases = fn(Duration) -> BoxFuture<'static, Vec<Case>>;

/// A channel and its provider.
pub struct Case {
    /// The kind, and which way of it: `slack by webhook`.
    pub name: &'static str,
    pub kind: &'static Kind,
    pub channel: Box<dyn Channel>,
    pub provider: Box<dyn Provider>,
    /// What nobody may ever see.
    pub secrets: Vec<String>,
}

impl Case {
    /// A channel with these settings.
    pub fn new(
        name: &'static str,
        kind: &'static Kind,
        provider: impl Provider + 'static,
        settings: Value,
        timeout: Duration,
        secrets: &[&str],
    ) -> Self {
        let built = (kind.build)(&config(kind.name, settings, timeout), &Proxies::default());
        let channel = built.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Self { name, kind, channel, provider: Box::new(provider), secrets }
    }

    /// Every way in which every kind can be set up.
    pub async fn all(timeout: Duration) -> Vec<Self> {
        let mut all = Vec::new();
        for kind in REGISTRY {
            all.extend((kind.cases)(timeout).await);
        }
        all
    }

    /// Those that talk HTTP.
    pub async fn over_http(timeout: Duration) -> Vec<Self> {
        Self::all(timeout).await.into_iter().filter(|case| case.http().is_some()).collect()
    }

    pub fn http(&self) -> Option<&HttpServer> {
        self.provider.http()
    }

    /// # Panics
    /// When a rule of the provider was broken.
    pub fn assert_clean(&self) {
        if let Some(violations) = self.provider.violations() {
            violations.assert_clean();
        }
    }
}

/// What a provider's fake can be made to do. What it does by default is right for HTTP; a
/// channel that needs nobody leaves everything as it is.
pub trait Provider: Send + Sync {
    /// The HTTP server underneath, if there is one.
    fn http(&self) -> Option<&HttpServer> {
        None
    }

    /// The rules broken so far.
    fn violations(&self) -> Option<&Violations> {
        None
    }

    /// The provider is gone: connecting to it is refused.
    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(http) = self.http() {
                http.stop().await;
            }
        })
    }

    /// It takes the next message and says nothing.
    fn hang(&self) {
        script(self.http(), [Step::hang()]);
    }

    /// It takes the next message and closes the connection.
    fn drop_after_taking(&self) {
        script(self.http(), [Step::reset_after_request()]);
    }

    /// It answers the next two messages with this status and text.
    fn repeat(&self, status: u16, text: &str) {
        let steps = [
            Step::answer(Answer::text(status, text)),
            Step::answer(Answer::json(status, &json!({"ok": false, "error": text}))),
        ];
        script(self.http(), steps);
    }

    /// What came last over the wire, as the preview shows it: without what is address.
    fn last_body(&self) -> Option<String> {
        self.http()?.requests().last().map(Request::text)
    }

    /// The outcome when it is gone.
    fn outcome_when_gone(&self) -> SendOutcome {
        SendOutcome::NotProcessed
    }

    /// The outcome of an answer with that status, and with a body that means nothing.
    fn outcome_of(&self, status: u16) -> SendOutcome {
        classify::outcome(status, RetryHint::Absent)
    }

    /// The outcome of a success whose body cannot be had.
    fn outcome_without_body(&self) -> SendOutcome {
        SendOutcome::Accepted
    }

    /// A text of the preview in the lines that its reader sees.
    fn lines(&self, text: &str) -> String {
        text.to_owned()
    }
}

fn script<const N: usize>(http: Option<&HttpServer>, steps: [Step; N]) {
    if let Some(http) = http {
        http.script(steps);
    }
}

/// For the fakes.
pub fn clock() -> SharedClock {
    Arc::new(ManualClock::at(samples::NOW))
}
