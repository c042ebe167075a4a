//! What Slack's answers mean. HTTP 200 is not success: the Web API says `ok` in its JSON,
//! an incoming webhook answers with the text `ok` and nothing else.

use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::http::redact::Redactor;
use crate::http::retry_after::CAP;
use crate::http::{Answer, BodyEnd};

/// How the Web API answered.
#[derive(Debug)]
pub enum ApiAnswer {
    /// `ok: true`, with the message's identity where the method gives one.
    Done {
        /// The channel's id.
        channel: Option<String>,
        /// The message's identity in the channel.
        ts: Option<String>,
        /// The report of success.
        report: SendReport,
    },
    /// `ok: false` or an HTTP error.
    Failed {
        /// Slack's word for it; empty without one.
        error: String,
        /// What follows.
        report: SendReport,
    },
}

/// Reads an answer of the Web API.
pub fn read_api(answer: &Answer, redactor: &Redactor, now: Timestamp) -> ApiAnswer {
    let mut report = answer.report(redactor, now);
    let json = answer.json();
    let word = |name: &str| json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
    let ok = json.as_ref().and_then(|json| json.get("ok")).and_then(Value::as_bool);
    let error = word("error").unwrap_or_default().to_owned();
    if report.outcome != SendOutcome::Accepted {
        mark_limits(&mut report, &error);
        return ApiAnswer::Failed { error, report };
    }
    match ok {
        Some(true) => ApiAnswer::Done {
            channel: word("channel").map(ToOwned::to_owned),
            ts: word("ts").map(ToOwned::to_owned),
            report,
        },
        Some(false) => {
            report.outcome = outcome_of(&error);
            report.refuses_channel = refuses_channel(&error);
            report.error = Some(redactor.redact(&format!("slack said {}", name_of(&error))));
            mark_limits(&mut report, &error);
            ApiAnswer::Failed { error, report }
        }
        None => {
            report.outcome = SendOutcome::Ambiguous;
            report.error = Some("answered success, but not in a way that could be read".to_owned());
            ApiAnswer::Failed { error, report }
        }
    }
}

/// Reads an answer of an incoming webhook.
pub fn read_webhook(answer: &Answer, redactor: &Redactor, now: Timestamp) -> SendReport {
    let mut report = answer.report(redactor, now);
    let text = answer.text();
    let word = answer.json().and_then(|json| Some(json.get("error")?.as_str()?.to_owned()));
    let word = word.or_else(|| text.map(ToOwned::to_owned)).unwrap_or_default();
    if report.outcome == SendOutcome::Accepted && text != Some("ok") {
        let readable = answer.body_end == BodyEnd::Complete && !word.is_empty();
        report.outcome = match word.as_str() {
            "rate_limited" | "ratelimited" => SendOutcome::NotProcessed,
            _ if readable => SendOutcome::Rejected,
            _ => SendOutcome::Ambiguous,
        };
        report.error = Some("answered success with something else than ok".to_owned());
    }
    if report.outcome != SendOutcome::Accepted {
        mark_limits(&mut report, &word);
    }
    report
}

/// What an error of the Web API means for the message: it was not taken in, unless Slack
/// itself does not know.
fn outcome_of(error: &str) -> SendOutcome {
    match error {
        "ratelimited"
        | "rate_limited"
        | "message_limit_exceeded"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => SendOutcome::NotProcessed,
        "fatal_error" | "internal_error" => SendOutcome::Ambiguous,
        _ => SendOutcome::Rejected,
    }
}

/// Errors that no other message would escape: the token's or the channel's, not the text's.
fn refuses_channel(error: &str) -> bool {
    matches!(
        error,
        "invalid_auth"
            | "not_authed"
            | "account_inactive"
            | "token_revoked"
            | "token_expired"
            | "no_permission"
            | "missing_scope"
            | "not_allowed_token_type"
            | "channel_not_found"
            | "not_in_channel"
            | "is_archived"
    )
}

/// Throttling concerns the whole channel; a workspace that is full stays so for a while
/// and does not say how long.
fn mark_limits(report: &mut SendReport, error: &str) {
    match error {
        "ratelimited" | "rate_limited" => report.slows_channel = true,
        "message_limit_exceeded" => {
            report.slows_channel = true;
            report.retry_after = Some(CAP);
        }
        _ => {}
    }
}

/// Slack's words are lower case with underscores; anything else is not repeated.
fn name_of(error: &str) -> &str {
    let is_word =
        error.chars().all(|c| c.is_ascii_lowercase() || c == '_') && (1..=64).contains(&error.len());
    if is_word { error } else { "no, without a known reason" }
}
