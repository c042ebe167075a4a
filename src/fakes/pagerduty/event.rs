//! One event of the Events API v2 and everything that can be wrong with it.

use serde_json::Value;

use crate::domain::clock::Timestamp;

/// What an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open an alert, or update the open one.
    Trigger,
    /// Somebody is on it.
    Acknowledge,
    /// It is over.
    Resolve,
}

/// An event that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The integration key.
    pub routing_key: String,
    /// What it asks for.
    pub action: Action,
    /// The name of the problem; empty when left to PagerDuty.
    pub dedup_key: String,
    /// The headline; empty on acknowledge and resolve without payload.
    pub summary: String,
    /// `critical`, `error`, `warning`, `info`; empty like the summary.
    pub severity: String,
    /// The event as sent.
    pub body: Value,
}

/// Reads and checks an event.
///
/// # Errors
/// Everything wrong with it, in PagerDuty's words where they are known.
pub(super) fn parse(body: &Value) -> Result<Event, Vec<String>> {
    let mut check = Check { errors: Vec::new() };
    if !body.is_object() {
        return Err(vec!["Invalid JSON".to_owned()]);
    }
    let routing_key = check.required(body, "routing_key", "");
    if !routing_key.is_empty() && routing_key.chars().count() != 32 {
        check.fail("Length of 'routing_key' is incorrect (should be 32 characters)");
    }
    let action = check.action(body);
    let dedup_key = match action {
        Some(Action::Acknowledge | Action::Resolve) => check.required(body, "dedup_key", ""),
        _ => check.optional(body, "dedup_key", ""),
    };
    check.length(&dedup_key, "dedup_key", 255);
    if action == Some(Action::Trigger) || body.get("payload").is_some() {
        check.payload(body.get("payload").unwrap_or(&Value::Null));
    }
    check.images(body.get("images"));
    check.links(body.get("links"));
    check.optional(body, "client", "");
    check.url(&check.text(body, "client_url"), "client_url", &["http://", "https://"]);
    match action {
        Some(action) if check.errors.is_empty() => {
            let payload = body.get("payload").unwrap_or(&Value::Null);
            Ok(Event {
                routing_key,
                action,
                dedup_key,
                summary: check.text(payload, "summary"),
                severity: check.text(payload, "severity"),
                body: body.clone(),
            })
        }
        _ => Err(check.errors),
    }
}

struct Check {
    errors: Vec<String>,
}

impl Check {
    fn fail(&mut self, error: impl Into<String>) {
        self.errors.push(error.into());
    }

    fn text(&self, owner: &Value, name: &str) -> String {
        owner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A text that must be there; `prefix` is the path of its owner.
    fn required(&mut self, owner: &Value, name: &str, prefix: &str) -> String {
        let text = self.text(owner, name);
        if text.trim().is_empty() {
            self.fail(format!("'{prefix}{name}' is missing or blank"));
        }
        text
    }

    fn optional(&mut self, owner: &Value, name: &str, prefix: &str) -> String {
        if owner.get(name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            self.fail(format!("'{prefix}{name}' is invalid (must be a string)"));
        }
        self.text(owner, name)
    }

    fn length(&mut self, text: &str, name: &str, most: usize) {
        if text.chars().count() > most {
            self.fail(format!("Length of '{name}' is incorrect (should be at most {most} characters)"));
        }
    }

    fn url(&mut self, text: &str, name: &str, schemes: &[&str]) {
        if !text.is_empty() && !schemes.iter().any(|scheme| text.starts_with(scheme)) {
            self.fail(format!("'{name}' is invalid (must start with {})", schemes.join(" or ")));
        }
    }

    fn action(&mut self, body: &Value) -> Option<Action> {
        match self.required(body, "event_action", "").as_str() {
            "trigger" => Some(Action::Trigger),
            "acknowledge" => Some(Action::Acknowledge),
            "resolve" => Some(Action::Resolve),
            "" => None,
            _ => {
                self.fail(
                    "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')",
                );
                None
            }
        }
    }

    fn payload(&mut self, payload: &Value) {
        const PREFIX: &str = "payload.";
        if !payload.is_object() {
            return self.fail("'payload' is missing or blank");
        }
        let summary = self.required(payload, "summary", PREFIX);
        self.length(&summary, "payload.summary", 1024);
        self.required(payload, "source", PREFIX);
        let severity = self.required(payload, "severity", PREFIX);
        if !severity.is_empty() && !["critical", "warning", "error", "info"].contains(&severity.as_str()) {
            self.fail(
                "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')",
            );
        }
        for name in ["component", "group", "class"] {
            self.optional(payload, name, PREFIX);
        }
        let timestamp = self.optional(payload, "timestamp", PREFIX);
        if !timestamp.is_empty() && Timestamp::parse_rfc3339(&timestamp).is_err() {
            self.fail("'payload.timestamp' is invalid (must be an ISO 8601 time)");
        }
        if payload.get("custom_details").is_some_and(|v| !v.is_object() && !v.is_null()) {
            self.fail("'payload.custom_details' is invalid (must be an object)");
        }
    }

    fn list<'a>(&mut self, value: Option<&'a Value>, name: &str) -> &'a [Value] {
        match value {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.fail(format!("'{name}' is invalid (must be a list)"));
                &[]
            }
        }
    }

    fn images(&mut self, images: Option<&Value>) {
        for image in self.list(images, "images") {
            let src = self.required(image, "src", "images.");
            self.url(&src, "images.src", &["https://"]);
            self.url(&self.text(image, "href"), "images.href", &["http://", "https://"]);
            self.optional(image, "alt", "images.");
        }
    }

    fn links(&mut self, links: Option<&Value>) {
        for link in self.list(links, "links") {
            let href = self.required(link, "href", "links.");
            self.url(&href, "links.href", &["http://", "https://"]);
            self.optional(link, "text", "links.");
        }
    }
}
