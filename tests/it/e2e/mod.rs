//! The whole way: a real Alertmanager, the real program, and strict stand-ins of the
//! providers, looked at as their users would.

mod auth;
mod faults;
mod hostile;
mod mail;
mod reload;
mod restart;
mod silence;
mod story;
mod twins;

use std::sync::Arc;

use modelpager::domain::clock::{SharedClock, SystemClock};
use modelpager::fakes::pagerduty::{self, PagerDutyFake};
use modelpager::fakes::slack::{self, SlackFake};
use modelpager::fakes::smtp::SmtpFake;
use modelpager::fakes::webhook::{self, WebhookFake};
use serde_json::{Value, json};

use crate::support::alertmanager;
use crate::support::service::Service;

/// Every provider there is, each behind a channel named like its field.
pub struct Providers {
    pub slack: SlackFake,
    pub pagerduty: PagerDutyFake,
    pub webhook: WebhookFake,
    pub mail: SmtpFake,
}

/// The channels' names, in the order of the configuration.
pub const CHANNELS: [&str; 4] = ["slack", "pagerduty", "webhook", "mail"];

impl Providers {
    pub async fn start() -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        Self {
            slack: SlackFake::start(clock.clone()).await.unwrap(),
            pagerduty: PagerDutyFake::start(clock.clone()).await.unwrap(),
            webhook: WebhookFake::start(clock.clone()).await.unwrap(),
            mail: SmtpFake::start(clock).await.unwrap(),
        }
    }

    /// A configuration that tells everything everywhere, at once.
    pub fn config(&self) -> Value {
        json!({
            "delivery": {"backoff_min": "50ms", "backoff_max": "500ms"},
            // Every message counts here: none may be folded or overtaken.
            "channels": [
                {"name": "slack", "kind": "slack", "rate_limit": "none", "supersede": false, "timeout": "2s", "api_url": self.slack.api_url(),
                    "token": slack::TOKEN, "channel": slack::CHANNEL},
                {"name": "pagerduty", "kind": "pagerduty", "rate_limit": "none", "timeout": "2s",
                    "url": self.pagerduty.events_url(), "routing_key": pagerduty::ROUTING_KEY},
                {"name": "webhook", "kind": "webhook", "timeout": "2s", "url": self.webhook.url(),
                    "secret": webhook::SECRET},
                {"name": "mail", "kind": "email", "supersede": false, "timeout": "5s", "from": "Modelpager <pager@ml.example>",
                    "to": ["team@ml.example"],
                    "smtp": {"host": "127.0.0.1", "port": self.mail.address().port(), "tls": "none"}},
            ],
            "route": {"channels": CHANNELS, "group_interval": "50ms"},
        })
    }

    /// Ends a test: nobody has a complaint.
    pub fn assert_clean(&self) {
        self.slack.violations().assert_clean();
        self.pagerduty.violations().assert_clean();
        self.webhook.violations().assert_clean();
        self.mail.violations().assert_clean();
    }

    /// What the webhook was told, in order: `incident.firing`, …
    pub fn webhook_types(&self) -> Vec<String> {
        self.webhook.messages().iter().map(|m| m.body["type"].as_str().unwrap().to_owned()).collect()
    }
}

/// A critical latency alert of the model `fraud-detector` on one instance.
pub fn latency_alert(instance: &str) -> Value {
    alertmanager::firing(
        &[
            ("alertname", "ModelLatencyHigh"),
            ("model", "fraud-detector"),
            ("severity", "critical"),
            ("instance", instance),
        ],
        &[("summary", "p99 latency is 2.4 s"), ("description", "The limit is 1 s")],
    )
}

/// The kinds of these notifications, in order.
pub fn kinds(notifications: &[Value]) -> Vec<&str> {
    notifications.iter().map(|one| one["kind"].as_str().unwrap()).collect()
}

/// A body as Alertmanager posts it, with one firing alert of that name.
pub fn delivery(alertname: &str) -> Value {
    json!({
        "version": "4", "status": "firing", "receiver": "modelpager", "externalURL": "http://alertmanager:9093",
        "groupKey": format!("{{}}:{{alertname=\"{alertname}\"}}"), "truncatedAlerts": 0,
        "groupLabels": {"alertname": alertname}, "commonLabels": {}, "commonAnnotations": {},
        "alerts": [{
            "status": "firing", "labels": {"alertname": alertname, "severity": "critical"}, "annotations": {},
            "startsAt": "2026-08-20T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        }],
    })
}

/// Puts the model of [`latency_alert`] and its last deployment into the catalog.
pub async fn describe_the_model(service: &Service) {
    let entry = json!({
        "slug": "fraud-detector", "kind": "model", "display_name": "Fraud detector", "tier": 1,
        "owner": "ada@ml.example", "team": "risk", "current_version": "2.4.1",
        "runbook_url": "https://runbooks.example/fraud?alert={{alertname}}",
    });
    service.create("/api/v1/catalog", &entry).await;
    let deployment = json!({
        "external_id": "run-4711", "version": "2.4.1", "previous_version": "2.4.0", "actor": "deploy-bot",
        "commit": "9f2c1e7", "at": "2026-01-05T08:00:00Z", "rollback_command": "make rollback VERSION=2.4.0",
    });
    service.create("/api/v1/catalog/fraud-detector/deployments", &deployment).await;
}

/// Waits until every channel was told `count` messages.
pub async fn wait_everywhere(service: &Service, count: usize) {
    for channel in CHANNELS {
        service.wait_for_delivered(channel, count).await;
    }
}
