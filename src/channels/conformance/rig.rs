//! Each kind of channel, pointed at the fake of its provider.

use std::sync::Arc;

use super::*;
use crate::domain::clock::{ManualClock, SharedClock};
use crate::fakes::engine::HttpServer;
use crate::fakes::pagerduty::PagerDutyFake;
use crate::fakes::slack::{self, SlackFake};
use crate::fakes::smtp::SmtpFake;
use crate::fakes::webhook::{self, WebhookFake};

const ROUTING_KEY: &str = "canary0routing0key00000000000001";
const HEADER: &str = "canary-header-token-0001";
const QUERY: &str = "canary-query-token-0001";
const PASSWORD: &str = "canary-smtp-password-0001";

/// A channel and its provider.
pub struct Rig {
    /// The kind, and which way of it: `slack by webhook`.
    pub name: &'static str,
    pub kind: &'static Kind,
    pub channel: Box<dyn Channel>,
    pub provider: Provider,
    /// What nobody may ever see.
    pub secrets: Vec<String>,
}

/// The provider's fake.
pub enum Provider {
    /// The channel needs nobody.
    Nobody,
    Webhook(WebhookFake),
    Slack(SlackFake),
    PagerDuty(PagerDutyFake),
    Mail(SmtpFake),
}

impl Rig {
    /// Every way in which every kind can be set up.
    pub async fn all(timeout: Duration) -> Vec<Self> {
        vec![
            Self::log(timeout),
            Self::webhook(timeout).await,
            Self::slack_webhook(timeout).await,
            Self::slack_api(timeout).await,
            Self::pagerduty(timeout).await,
            Self::email(timeout).await,
        ]
    }

    /// Those that talk HTTP.
    pub async fn over_http(timeout: Duration) -> Vec<Self> {
        Self::all(timeout).await.into_iter().filter(|rig| rig.http().is_some()).collect()
    }

    fn new(
        name: &'static str,
        provider: Provider,
        settings: Value,
        timeout: Duration,
        secrets: &[&str],
    ) -> Self {
        let kind = find_kind(name.split(' ').next().unwrap()).unwrap();
        let built = (kind.build)(&config(kind.name, settings, timeout), &Proxies::default());
        let channel = built.unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Self { name, kind, channel, provider, secrets }
    }

    fn log(timeout: Duration) -> Self {
        Self::new("log", Provider::Nobody, json!({}), timeout, &[])
    }

    async fn webhook(timeout: Duration) -> Self {
        let fake = WebhookFake::start(clock()).await.unwrap();
        let settings = json!({
            "url": format!("{}?key={QUERY}", fake.url()),
            "secret": webhook::SECRET,
            "headers": {"Authorization": format!("Bearer {HEADER}")},
        });
        let secrets = [QUERY, webhook::SECRET, HEADER];
        Self::new("webhook", Provider::Webhook(fake), settings, timeout, &secrets)
    }

    async fn slack_webhook(timeout: Duration) -> Self {
        let fake = SlackFake::start(clock()).await.unwrap();
        let settings = json!({"webhook_url": fake.webhook_url()});
        let secrets = [slack::WEBHOOK_PATH.rsplit('/').next().unwrap()];
        Self::new("slack by webhook", Provider::Slack(fake), settings, timeout, &secrets)
    }

    async fn slack_api(timeout: Duration) -> Self {
        let fake = SlackFake::start(clock()).await.unwrap();
        let settings = json!({"token": slack::TOKEN, "channel": slack::CHANNEL, "api_url": fake.api_url()});
        Self::new("slack by API", Provider::Slack(fake), settings, timeout, &[slack::TOKEN])
    }

    async fn pagerduty(timeout: Duration) -> Self {
        let fake = PagerDutyFake::start(clock()).await.unwrap();
        fake.add_routing_key(ROUTING_KEY);
        let settings = json!({"routing_key": ROUTING_KEY, "url": fake.events_url()});
        Self::new("pagerduty", Provider::PagerDuty(fake), settings, timeout, &[ROUTING_KEY])
    }

    async fn email(timeout: Duration) -> Self {
        let fake = SmtpFake::start(clock()).await.unwrap();
        fake.require_login("modelpager", PASSWORD);
        let address = fake.address();
        let settings = json!({
            "smtp": {
                "host": address.ip().to_string(), "port": address.port(), "tls": "none",
                "username": "modelpager", "password": PASSWORD, "helo": "modelpager.example",
            },
            "from": "Modelpager <modelpager@example.org>",
            "to": ["team@example.org"],
        });
        Self::new("email", Provider::Mail(fake), settings, timeout, &[PASSWORD])
    }

    /// The HTTP server underneath, if there is one.
    pub fn http(&self) -> Option<&HttpServer> {
        match &self.provider {
            Provider::Nobody | Provider::Mail(_) => None,
            Provider::Webhook(fake) => Some(fake.http()),
            Provider::Slack(fake) => Some(fake.http()),
            Provider::PagerDuty(fake) => Some(fake.http()),
        }
    }

    /// The provider is gone: connecting to it is refused.
    pub async fn stop(&self) {
        match (&self.provider, self.http()) {
            (Provider::Mail(fake), _) => fake.stop().await,
            (_, Some(http)) => http.stop().await,
            (_, None) => {}
        }
    }

    /// # Panics
    /// When a rule of the provider was broken.
    pub fn assert_clean(&self) {
        match &self.provider {
            Provider::Nobody => {}
            Provider::Webhook(fake) => fake.violations().assert_clean(),
            Provider::Slack(fake) => fake.violations().assert_clean(),
            Provider::PagerDuty(fake) => fake.violations().assert_clean(),
            Provider::Mail(fake) => fake.violations().assert_clean(),
        }
    }

    /// What came last over the wire, of providers that got anything.
    pub fn last_body(&self) -> Option<String> {
        match &self.provider {
            Provider::Mail(fake) => {
                fake.mails().last().map(|mail| String::from_utf8_lossy(&mail.raw).into_owned())
            }
            _ => self.http()?.requests().last().map(crate::fakes::engine::Request::text),
        }
    }

    /// The body as a preview shows it: the Web API carries the channel's id in the body,
    /// and SMTP ends the last line of a mail by itself.
    pub fn without_address(&self, body: &str) -> String {
        match self.provider {
            Provider::Slack(_) => body.replace(&format!(",\"channel\":\"{}\"", slack::CHANNEL), ""),
            Provider::Mail(_) => body.trim_end().to_owned() + "\r\n",
            _ => body.to_owned(),
        }
    }
}

fn clock() -> SharedClock {
    Arc::new(ManualClock::at(samples::NOW))
}
