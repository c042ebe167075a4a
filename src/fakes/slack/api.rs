//! The Web API: HTTP 200 nearly always, and `ok` decides.

use serde_json::{Map, Value, json};

use super::content::{self, Refusal};
use super::workspace::Workspace;
use super::{TOKEN, form};
use crate::fakes::Violations;
use crate::fakes::engine::{Answer, Request};

const BOT: &str = "B0FAKEBOT01";

/// One call on its way through the checks.
struct Call<'a> {
    request: &'a Request,
    fields: Map<String, Value>,
    violations: &'a Violations,
}

impl Call<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn flag(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|v| v == true || v == "true" || v == "1")
    }

    /// An error of the caller's making.
    fn refuse(&self, code: &str) -> Answer {
        self.violations.record("slack.api", code);
        error(code)
    }

    fn refuse_content(&self, refusal: &Refusal) -> Answer {
        // Already noted where the content was read.
        if refusal.problems.is_empty() {
            return error(refusal.code);
        }
        let messages: Vec<String> = refusal.problems.iter().map(|p| format!("[ERROR] {p}")).collect();
        Answer::json(
            200,
            &json!({
                "ok": false,
                "error": refusal.code,
                "errors": refusal.problems,
                "response_metadata": {"messages": messages},
            }),
        )
    }
}

pub(super) fn answer(
    method: &str,
    request: &Request,
    workspace: &mut Workspace,
    violations: &Violations,
) -> Answer {
    let fields = if request.body.is_empty() { Some(Map::new()) } else { form::fields(request) };
    let call = Call { request, fields: fields.clone().unwrap_or_default(), violations };
    if request.method != "POST" {
        return call.refuse("method_not_allowed");
    }
    if fields.is_none() {
        return call.refuse("invalid_json");
    }
    if method == "api.test" {
        return Answer::json(200, &json!({"ok": true, "args": call.fields}));
    }
    if let Some(code) = auth_problem(request) {
        return call.refuse(code);
    }
    match method {
        "auth.test" => auth_test(),
        "chat.postMessage" => post_message(&call, workspace),
        "chat.update" => update(&call, workspace),
        _ => call.refuse("unknown_method"),
    }
}

fn error(code: &str) -> Answer {
    Answer::json(200, &json!({"ok": false, "error": code}))
}

fn auth_problem(request: &Request) -> Option<&'static str> {
    match request.header("authorization") {
        None => Some("not_authed"),
        Some(value) if value.strip_prefix("Bearer ") == Some(TOKEN) => None,
        Some(_) => Some("invalid_auth"),
    }
}

fn auth_test() -> Answer {
    Answer::json(
        200,
        &json!({
            "ok": true, "url": "https://fake.slack.example/", "team": "Fake", "user": "modelpager",
            "team_id": "T0FAKE001", "user_id": "U0FAKEBOT01", "bot_id": BOT,
        }),
    )
}

fn post_message(call: &Call<'_>, workspace: &mut Workspace) -> Answer {
    let channel = call.text("channel").unwrap_or_default();
    if let Err(code) = workspace.check_channel(channel) {
        return call.refuse(code);
    }
    let now = call.request.received_at;
    if let Err(wait) = workspace.take_token(channel, now) {
        let seconds = wait.as_millis().div_ceil(1000).to_string();
        return Answer::json(429, &json!({"ok": false, "error": "ratelimited"}))
            .with_header("Retry-After", seconds);
    }
    if let Err(code) = check_thread(call, workspace, channel) {
        return call.refuse(code);
    }
    let content = match content::read(&call.fields, call.violations) {
        Ok(content) => content,
        Err(refusal) => return call.refuse_content(&refusal),
    };
    check_fallback(call, &content.text);
    let thread_ts = call.text("thread_ts").map(str::to_owned);
    let text = content.text.clone();
    let ts = workspace.post(channel, thread_ts.clone(), call.flag("reply_broadcast"), content, now);
    let mut message = json!({"type": "message", "text": text, "ts": ts, "bot_id": BOT});
    if let Some(thread_ts) = thread_ts {
        message["thread_ts"] = json!(thread_ts);
    }
    Answer::json(200, &json!({"ok": true, "channel": channel, "ts": ts, "message": message}))
}

/// A reply hangs under a parent of the same channel, never under another reply.
fn check_thread(call: &Call<'_>, workspace: &Workspace, channel: &str) -> Result<(), &'static str> {
    let Some(thread_ts) = call.text("thread_ts") else {
        return if call.flag("reply_broadcast") { Err("invalid_arguments") } else { Ok(()) };
    };
    let parent = workspace.find(channel, thread_ts).ok_or("thread_not_found")?;
    if parent.thread_ts.is_some() {
        call.violations.record("slack.thread_parent", format!("{thread_ts} is itself a reply"));
    }
    Ok(())
}

fn update(call: &Call<'_>, workspace: &mut Workspace) -> Answer {
    let channel = call.text("channel").unwrap_or_default();
    if let Err(code) = workspace.check_channel(channel) {
        return call.refuse(code);
    }
    let Some(ts) = call.text("ts").filter(|ts| workspace.find(channel, ts).is_some()) else {
        return call.refuse("message_not_found");
    };
    let content = match content::read(&call.fields, call.violations) {
        Ok(content) => content,
        Err(refusal) => return call.refuse_content(&refusal),
    };
    check_fallback(call, &content.text);
    let text = content.text.clone();
    if let Err(code) = workspace.edit(channel, ts, content) {
        return call.refuse(code);
    }
    let message = json!({"type": "message", "text": text, "bot_id": BOT});
    Answer::json(200, &json!({"ok": true, "channel": channel, "ts": ts, "text": text, "message": message}))
}

/// Blocks without a text leave notifications and screen readers with nothing.
fn check_fallback(call: &Call<'_>, text: &str) {
    if text.trim().is_empty() {
        call.violations.record("slack.fallback_text", "blocks or attachments without a text");
    }
}
