//! The shape of an Events API v2 event
//! (PagerDuty/developer-docs, `docs/events-API-v2/02-Trigger-Events.md`).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

/// One event.
#[derive(Serialize)]
pub struct Event<'a> {
    pub routing_key: &'a str,
    pub event_action: Action,
    pub dedup_key: String,
    pub payload: Payload<'a>,
    pub links: Vec<EventLink<'a>>,
    pub client: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_url: Option<&'a str>,
}

/// What the event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Open an incident of this dedup key, or bring the open one up to date.
    Trigger,
    /// Somebody took it on.
    Acknowledge,
    /// Close it.
    Resolve,
}

#[derive(Serialize)]
pub struct Payload<'a> {
    pub summary: &'a str,
    pub source: &'a str,
    /// `critical`, `error`, `warning` or `info`.
    pub severity: &'static str,
    /// RFC 3339.
    pub timestamp: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub component: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub class: &'a str,
    pub custom_details: Value,
}

#[derive(Serialize)]
pub struct EventLink<'a> {
    pub href: Cow<'a, str>,
    pub text: Cow<'a, str>,
}
