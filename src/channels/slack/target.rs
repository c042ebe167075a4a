//! Where a Slack channel's messages go, out of its settings.

use super::Settings;
use crate::channels::settings::Problems;
use crate::domain::secret::Secret;
use crate::http::{Endpoint, Headers};

const DEFAULT_API: &str = "https://slack.com/api";

/// One of the two ways into Slack.
pub enum Target {
    /// An incoming webhook.
    Webhook(Endpoint),
    /// The Web API.
    Api(Box<ApiTarget>),
}

/// What the Web API needs to know.
pub struct ApiTarget {
    /// The channel to write to.
    pub channel: String,
    /// `chat.postMessage`
    pub post_message: Endpoint,
    /// `chat.update`
    pub update: Endpoint,
    /// The authorization.
    pub headers: Headers,
}

impl Target {
    /// The target that the settings describe; `None` when there is a problem.
    pub fn from_settings(settings: &Settings, problems: &mut Problems) -> Option<Self> {
        match (&settings.webhook_url, &settings.token, &settings.channel) {
            (Some(url), None, None) => {
                if settings.api_url.is_some() {
                    problems.add("api_url", "belongs to token and channel, not to webhook_url");
                }
                problems.endpoint("webhook_url", url).map(Self::Webhook)
            }
            (None, Some(token), Some(channel)) => {
                let default = Secret::new(DEFAULT_API);
                let api_url = settings.api_url.as_ref().unwrap_or(&default);
                let api = ApiTarget::new(api_url, token, channel, problems)?;
                Some(Self::Api(Box::new(api)))
            }
            (Some(_), _, _) => {
                problems.add("webhook_url", "cannot stand beside token or channel: keep one of the two ways");
                None
            }
            (None, Some(_), None) => {
                problems.add("channel", "is missing: the id of the channel to write to, such as C0123456789");
                None
            }
            (None, None, Some(_)) => {
                problems.add("token", "is missing: a bot's token (xoxb-…) with the scope chat:write");
                None
            }
            (None, None, None) => {
                problems.add("", "needs webhook_url, or token and channel");
                None
            }
        }
    }
}

impl ApiTarget {
    fn new(api_url: &Secret, token: &Secret, channel: &str, problems: &mut Problems) -> Option<Self> {
        let api = problems.endpoint("api_url", api_url);
        let mut headers = Headers::default();
        let authorization = format!("Bearer {}", token.expose().trim());
        problems.take("token", headers.set("authorization", &authorization));
        if token.expose().trim().is_empty() {
            problems.add("token", "is empty");
        }
        let channel = channel.trim();
        if channel.is_empty() {
            problems.add("channel", "is empty");
        }
        let api = api?;
        Some(Self {
            channel: channel.to_owned(),
            post_message: api.join("chat.postMessage"),
            update: api.join("chat.update"),
            headers,
        })
    }
}
