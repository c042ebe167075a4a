//! What a body is that is JSON but not Alertmanager's: says what was seen (names of keys,
//! never values) and what to do about it.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::senders;
use super::text::head;

/// How many keys are named.
const SHOWN_KEYS: usize = 12;

/// How much of a key is shown, in bytes.
const SHOWN_KEY_BYTES: usize = 40;

const PROMETHEUS_HINT: &str = "this looks like Prometheus pointed at the webhook: point Prometheus at \
    Alertmanager (`alerting.alertmanagers`, POST /api/v2/alerts) and Alertmanager at this address \
    (`webhook_configs.url`)";
const API_ALERT_HINT: &str = "this looks like one alert in the form of Alertmanager's API: post it to \
    Alertmanager (POST /api/v2/alerts), or wrap it as {\"alerts\": [...]}";
const ANSWER_HINT: &str = "this looks like an answer of the API of Alertmanager or Prometheus: nothing needs to \
    copy it here, set this address as the `url` of `webhook_configs` in Alertmanager";
const NOT_A_LIST_HINT: &str = "`alerts` must be a list of alerts; in Alertmanager remove `payload` from the \
    `webhook_configs` of this address";
const DEFAULT_HINT: &str = "expected Alertmanager's webhook body, an object with a list `alerts`; in \
    Alertmanager remove `payload` from the `webhook_configs` of this address";

/// What a body looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sniffed {
    /// What was seen, in words.
    pub seen: String,
    /// What to do about it.
    pub hint: String,
}

/// Looks at a JSON text that is no alert body.
///
/// # Errors
/// When it is no JSON after all.
pub(super) fn sniff(text: &str) -> Result<Sniffed, serde_json::Error> {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => sniff_object(text),
        Some(b'[') => sniff_list(text),
        _ => {
            serde_json::from_str::<IgnoredAny>(text)?;
            Ok(Sniffed { seen: name_kind(text).to_owned(), hint: DEFAULT_HINT.to_owned() })
        }
    }
}

fn sniff_object(text: &str) -> Result<Sniffed, serde_json::Error> {
    let keys: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let has = |key: &str| keys.contains_key(key);
    if let Some(alerts) = keys.get("alerts") {
        let seen = format!("an object whose `alerts` is {}", name_kind(alerts.get()));
        return Ok(Sniffed { seen, hint: NOT_A_LIST_HINT.to_owned() });
    }
    let is_confirmation =
        keys.get("Type").is_some_and(|kind| kind.get().contains("SubscriptionConfirmation"));
    let hint = match senders::recognise(has) {
        // SNS sends nothing else until somebody follows the link in it.
        Some("Amazon SNS") if is_confirmation => senders::SNS_CONFIRMATION.to_owned(),
        Some(sender) => senders::advice(sender),
        None if has("labels") => API_ALERT_HINT.to_owned(),
        None if has("status") && has("data") => ANSWER_HINT.to_owned(),
        None => DEFAULT_HINT.to_owned(),
    };
    Ok(Sniffed { seen: format!("an object {}", name_keys(&keys)), hint })
}

fn sniff_list(text: &str) -> Result<Sniffed, serde_json::Error> {
    // Elements without a size: counting them costs no memory.
    let count = serde_json::from_str::<Vec<IgnoredAny>>(text)?.len();
    let after_bracket = text.trim_start().get(1..).unwrap_or_default();
    let first = serde_json::Deserializer::from_str(after_bracket).into_iter::<&RawValue>().next();
    let Some(Ok(first)) = first.filter(|_| count > 0) else {
        return Ok(Sniffed { seen: "an empty list".to_owned(), hint: DEFAULT_HINT.to_owned() });
    };
    let keys: BTreeMap<String, &RawValue> = serde_json::from_str(first.get()).unwrap_or_default();
    let has = |key: &str| keys.contains_key(key);
    let hint = match senders::recognise(has) {
        Some(sender) => senders::advice(sender),
        // Alertmanager's own API says to whom it told an alert.
        None if has("labels") && has("receivers") => ANSWER_HINT.to_owned(),
        None if has("labels") => PROMETHEUS_HINT.to_owned(),
        None => DEFAULT_HINT.to_owned(),
    };
    let what = match name_kind(first.get()) {
        "an object" => format!("an object {}", name_keys(&keys)),
        other => other.to_owned(),
    };
    Ok(Sniffed { seen: format!("a list of {count}, the first of them {what}"), hint })
}

fn name_keys(keys: &BTreeMap<String, &RawValue>) -> String {
    if keys.is_empty() {
        return "without keys".to_owned();
    }
    let shown: Vec<String> =
        keys.keys().take(SHOWN_KEYS).map(|key| format!("{:?}", head(key, SHOWN_KEY_BYTES))).collect();
    let more = match keys.len().saturating_sub(SHOWN_KEYS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("with the keys {}{more}", shown.join(", "))
}

pub(super) fn name_kind(json: &str) -> &'static str {
    match json.trim_start().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> String {
        let Sniffed { seen, hint } = sniff(text).unwrap();
        format!("{seen} -> {}", hint.split(':').next().unwrap())
    }

    #[test]
    fn wrong_senders_are_recognised() {
        let cases = [
            (
                r#"[{"labels":{"alertname":"A"},"startsAt":"2026-08-20T10:00:00Z"},{}]"#,
                r#"a list of 2, the first of them an object with the keys "labels", "startsAt" -> this looks like Prometheus pointed at the webhook"#,
            ),
            (
                r#"{"labels":{"secret":"x"},"status":{"state":"active"}}"#,
                r#"an object with the keys "labels", "status" -> this looks like one alert in the form of Alertmanager's API"#,
            ),
            (
                r#"{"routing_key":"k","payload":{}}"#,
                r#"an object with the keys "payload", "routing_key" -> this looks like a message for PagerDuty"#,
            ),
            (
                r##"{"channel":"#a","attachments":[]}"##,
                r#"an object with the keys "attachments", "channel" -> this looks like a message for Slack or Microsoft Teams"#,
            ),
            (
                r#"{"ruleUrl":"u","state":"alerting"}"#,
                r#"an object with the keys "ruleUrl", "state" -> this looks like a message of Grafana's legacy alerting"#,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(says(text), expected);
        }
    }

    #[test]
    fn everything_else_is_described_by_its_shape() {
        let kind = |text: &str| sniff(text).unwrap().seen;

        assert_eq!(kind("{}"), "an object without keys");
        assert_eq!(kind("[]"), "an empty list");
        assert_eq!(kind("[1]"), "a list of 1, the first of them a number");
        assert_eq!(kind(" \"x\""), "a string");
        assert_eq!(kind("null"), "null");
        assert_eq!(kind("true"), "a boolean");
        assert_eq!(kind("-1"), "a number");
        assert_eq!(kind(r#"{"alerts": {"0":{}}}"#), "an object whose `alerts` is an object");
        assert_eq!(sniff(r#"{"alerts": "x"}"#).unwrap().hint.as_str(), NOT_A_LIST_HINT);
    }

    #[test]
    fn keys_are_shown_within_bounds() {
        let many: Vec<String> = (0..1_000).map(|n| format!("\"{}{n:04}\":1", "é".repeat(900))).collect();

        let seen = sniff(&format!("{{{}}}", many.join(","))).unwrap().seen;

        assert!(seen.len() < 700, "{}", seen.len());
        assert!(seen.ends_with("and 988 more"), "{seen}");
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "x", "{\"a\":}", "[1,", "{} {}"] {
            assert!(sniff(text).is_err(), "{text:?}");
        }
    }
}
