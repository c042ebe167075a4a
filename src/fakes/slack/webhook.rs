//! The incoming webhook: `ok` or a word of plain text.

use serde_json::{Map, Value};

use super::workspace::Workspace;
use super::{WEBHOOK_PATH, content, form};
use crate::fakes::Violations;
use crate::fakes::engine::{Answer, Request};

pub(super) fn answer(request: &Request, workspace: &mut Workspace, violations: &Violations) -> Answer {
    if request.path != WEBHOOK_PATH {
        violations.record("slack.webhook_path", "a path of no known webhook");
        return Answer::text(404, "no_service");
    }
    if request.method != "POST" {
        violations.record("slack.method", request.method.clone());
        return Answer::text(400, "invalid_payload");
    }
    let Some(fields) = payload(request) else {
        violations.record("slack.payload", "neither JSON nor a form with a JSON payload");
        return Answer::text(400, "invalid_payload");
    };
    let channel = workspace.webhook_channel();
    match workspace.check_channel(&channel) {
        Err("is_archived") => return Answer::text(410, "channel_is_archived"),
        Err(_) => return Answer::text(404, "channel_not_found"),
        Ok(()) => {}
    }
    if let Err(wait) = workspace.take_token(&channel, request.received_at) {
        let seconds = wait.as_millis().div_ceil(1000).to_string();
        return Answer::text(429, "rate_limited").with_header("Retry-After", seconds);
    }
    let content = match content::read(&fields, violations) {
        Ok(content) => content,
        Err(refusal) => return Answer::text(400, refusal.code),
    };
    let thread_ts = fields.get("thread_ts").and_then(Value::as_str).map(str::to_owned);
    workspace.post(&channel, thread_ts, false, content, request.received_at);
    Answer::text(200, "ok")
}

fn payload(request: &Request) -> Option<Map<String, Value>> {
    let fields = form::fields(request)?;
    if request.media_type() == "application/json" {
        return Some(fields);
    }
    match serde_json::from_str(fields.get("payload")?.as_str()?).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}
