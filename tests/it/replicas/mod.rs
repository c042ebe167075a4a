//! Several real replicas on one PostgreSQL, with everything that can go wrong: replicas are
//! killed, the database restarts, every delivery comes twice. In the end all is as with one
//! replica that nothing ever happened to.

mod chaos;
mod scenario;
mod wake;

use std::sync::Arc;

use modelpager::domain::clock::SystemClock;
use modelpager::fakes::webhook::WebhookFake;
use serde_json::{Value, json};

use crate::support::service::Service;

/// Everything is told on the first channel, what is critical on the second, too.
pub const CHANNELS: [&str; 2] = ["all", "oncall"];

/// A receiver for each channel.
pub struct Receivers([WebhookFake; 2]);

impl Receivers {
    pub async fn start() -> Self {
        Self([unsigned().await, unsigned().await])
    }

    pub fn of(&self, channel: &str) -> &WebhookFake {
        &self.0[CHANNELS.iter().position(|name| *name == channel).unwrap()]
    }

    /// The configuration of every replica.
    pub fn config(&self, database: &str) -> Value {
        let channel = |name: &str| json!({"name": name, "kind": "webhook", "timeout": "3s", "url": self.of(name).url()});
        json!({
            "storage": {"url": database},
            "intake": {"dedup_window": "30m"},
            "delivery": {"backoff_min": "50ms", "backoff_max": "500ms"},
            "channels": CHANNELS.map(channel),
            "route": {"channels": ["all"], "routes": [
                {"channels": ["oncall"], "matchers": ["severity=\"critical\""], "continue": true},
                {"channels": ["all"]},
            ]},
        })
    }
}

async fn unsigned() -> WebhookFake {
    WebhookFake::unsigned(Arc::new(SystemClock)).await.unwrap()
}

/// The models that the alerts of [`scenario`] are about.
pub async fn describe_models(service: &Service) {
    for model in scenario::MODELS {
        service.create("/api/v1/catalog", &json!({"slug": model, "kind": "model"})).await;
    }
}
