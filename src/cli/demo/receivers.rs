//! The stand-ins for Slack, PagerDuty, a mail server and a webhook receiver, and the
//! configuration that leads to them.

use anyhow::Context as _;

use super::story::{MAIL, PAGERDUTY, SLACK, Slack, WEBHOOK};
use crate::domain::clock::SharedClock;
use crate::fakes::pagerduty::{self, PagerDutyFake};
use crate::fakes::slack::{self, SlackFake};
use crate::fakes::smtp::SmtpFake;
use crate::fakes::webhook::{self, WebhookFake};

/// The four receivers, each on a loopback port of its own.
pub struct Receivers {
    /// A workspace with one channel.
    pub slack: SlackFake,
    /// An account with one integration key.
    pub pagerduty: PagerDutyFake,
    /// A mail server.
    pub mail: SmtpFake,
    /// A receiver of signed webhooks.
    pub webhook: WebhookFake,
}

impl Receivers {
    /// Starts all of them.
    ///
    /// # Errors
    /// When the machine has no port left.
    pub async fn start(clock: &SharedClock) -> anyhow::Result<Self> {
        let start = async || -> std::io::Result<Self> {
            Ok(Self {
                slack: SlackFake::start(clock.clone()).await?,
                pagerduty: PagerDutyFake::start(clock.clone()).await?,
                mail: SmtpFake::start(clock.clone()).await?,
                webhook: WebhookFake::start(clock.clone()).await?,
            })
        };
        start().await.context("could not start the loopback receivers")
    }

    /// The configuration of a service that sends to them. Its times are short, so that the
    /// story need not wait; everything else is as in real life.
    pub fn configuration(&self, listen: &str, external_url: &str, database: &str) -> String {
        let mail = self.mail.address();
        format!(
            r#"server: {{listen: "{listen}", external_url: "{external_url}", shutdown_grace: 5s}}
storage: {{url: "sqlite://{database}"}}
delivery: {{backoff_min: 200ms, backoff_max: 2s}}
channels:
  - {{name: {SLACK}, kind: slack, token: "{token}", channel: {channel}, api_url: "{api}"}}
  - {{name: {PAGERDUTY}, kind: pagerduty, routing_key: {key}, url: "{events}"}}
  - {{name: {MAIL}, kind: email, smtp: {{host: {mail_host}, port: {mail_port}, tls: none}},
     from: "Modelpager <modelpager@demo.example>", to: ["assistants@demo.example"]}}
  - {{name: {WEBHOOK}, kind: webhook, url: "{hook}", secret: "{secret}"}}
route:
  channels: [{SLACK}]
  group_interval: 1s
  routes:
    - {{channels: [{WEBHOOK}], continue: true}}
    - {{matchers: ['severity="critical"'], channels: [{PAGERDUTY}, {SLACK}]}}
    - {{matchers: ['entry.kind="llm"'], channels: [{MAIL}]}}
    - {{channels: [{SLACK}]}}
"#,
            token = slack::TOKEN,
            channel = slack::CHANNEL,
            api = self.slack.api_url(),
            key = pagerduty::ROUTING_KEY,
            events = self.pagerduty.events_url(),
            mail_host = mail.ip(),
            mail_port = mail.port(),
            hook = self.webhook.url(),
            secret = webhook::SECRET,
        )
    }

    /// Lets Slack fail or recover.
    ///
    /// # Errors
    /// When another program took its port meanwhile.
    pub async fn set_slack(&self, slack: Slack) -> anyhow::Result<()> {
        let http = self.slack.http();
        match slack {
            Slack::AsItIs => Ok(()),
            Slack::Fails => {
                http.stop().await;
                Ok(())
            }
            Slack::Recovers => http.restart().await.context("could not restart Slack's stand-in"),
        }
    }

    /// Every rule of a provider that was broken.
    pub fn violations(&self) -> Vec<String> {
        let all = [
            (SLACK, self.slack.violations()),
            (PAGERDUTY, self.pagerduty.violations()),
            (MAIL, self.mail.violations()),
            (WEBHOOK, self.webhook.violations()),
        ];
        let told = all.iter().flat_map(|(name, list)| {
            list.list().into_iter().map(move |violation| format!("{name}: {violation}"))
        });
        told.collect()
    }
}
