//! What other programs post by mistake, known by the names of its keys.

/// A format and what to do about its sender.
struct Sender {
    name: &'static str,
    /// One of these sets of keys is there, each whole.
    keys: &'static [&'static [&'static str]],
    advice: Advice,
}

enum Advice {
    /// It is what another kind of receiver in `alertmanager.yml` sends.
    OtherConfig(&'static str),
    /// Its webhook can be given a body of one's own: where.
    OwnBody(&'static str),
    /// Its webhook cannot.
    Between,
    /// Something of its own.
    Own(&'static str),
}

/// For a topic of Amazon SNS that was just subscribed to.
pub(super) const SNS_CONFIRMATION: &str = "this is the confirmation of a subscription to a topic of Amazon SNS, and SNS \
    messages are no alerts: let a function between (such as AWS Lambda) post {\"alerts\": [{\"labels\": {\"alertname\": \
    \"…\"}}]} here, and do not subscribe this address to the topic";

/// The more telling first: some wrap others.
const SENDERS: &[Sender] = &[
    Sender {
        name: "Amazon SNS",
        keys: &[&["TopicArn", "Type"], &["TopicArn", "Message"]],
        advice: Advice::Between,
    },
    Sender {
        name: "Amazon CloudWatch or EventBridge",
        keys: &[&["AlarmName"], &["detail-type", "detail"], &["alarmArn"]],
        advice: Advice::Between,
    },
    Sender {
        name: "Datadog",
        keys: &[
            &["event_type", "org"],
            &["last_updated", "org"],
            &["alert_transition"],
            &["alert_query", "alert_status"],
        ],
        advice: Advice::OwnBody("the payload of the webhook integration"),
    },
    Sender { name: "Azure Monitor", keys: &[&["schemaId", "data"]], advice: Advice::Between },
    Sender { name: "Google Cloud Monitoring", keys: &[&["incident", "version"]], advice: Advice::Between },
    Sender {
        name: "New Relic",
        keys: &[&["issueUrl"], &["condition_name", "account_id"]],
        advice: Advice::OwnBody("the template of the webhook workflow"),
    },
    Sender {
        name: "Grafana's legacy alerting",
        keys: &[&["evalMatches"], &["ruleUrl"]],
        advice: Advice::Own("use a webhook contact point of Grafana's unified alerting, or Alertmanager"),
    },
    Sender {
        name: "PagerDuty",
        keys: &[&["routing_key"], &["event_action"], &["service_key"]],
        advice: Advice::OtherConfig("pagerduty_configs"),
    },
    Sender {
        name: "PagerDuty's webhooks",
        keys: &[&["event", "messages"], &["messages"]],
        advice: Advice::Between,
    },
    Sender {
        name: "Opsgenie",
        keys: &[
            &["action", "alert"],
            &["integrationId"],
            &["integrationName"],
            &["alias", "responders"],
            &["message", "priority"],
        ],
        advice: Advice::OtherConfig("opsgenie_configs"),
    },
    Sender {
        name: "Splunk On-Call (VictorOps)",
        keys: &[&["message_type", "entity_id"]],
        advice: Advice::OtherConfig("victorops_configs"),
    },
    Sender {
        name: "Sentry",
        keys: &[&["installation", "data"], &["culprit", "project"], &["project_slug"]],
        advice: Advice::Between,
    },
    Sender {
        name: "GitHub",
        keys: &[&["zen", "hook_id"], &["repository", "sender"], &["hook", "hook_id"]],
        advice: Advice::Between,
    },
    Sender { name: "GitLab", keys: &[&["object_kind"]], advice: Advice::Between },
    Sender { name: "Splunk", keys: &[&["search_name", "sid"]], advice: Advice::Between },
    Sender {
        name: "Uptime Kuma",
        keys: &[&["heartbeat", "monitor"]],
        advice: Advice::OwnBody("the custom body of the webhook notification"),
    },
    Sender { name: "CloudEvents", keys: &[&["specversion", "type"]], advice: Advice::Between },
    Sender { name: "Discord", keys: &[&["embeds"]], advice: Advice::OtherConfig("discord_configs") },
    Sender { name: "Telegram", keys: &[&["chat_id"]], advice: Advice::OtherConfig("telegram_configs") },
    Sender {
        name: "Microsoft Teams",
        keys: &[&["@type", "summary"], &["@type", "sections"], &["themeColor"]],
        advice: Advice::OtherConfig("msteams_configs"),
    },
    Sender {
        name: "Slack or Microsoft Teams",
        keys: &[&["attachments"], &["blocks"]],
        advice: Advice::OtherConfig("slack_configs` or `msteamsv2_configs"),
    },
];

/// Whose format has these keys.
pub(super) fn recognise(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let known = SENDERS.iter().find(|sender| sender.keys.iter().any(|set| set.iter().all(|key| has(key))));
    known.map(|sender| sender.name)
}

/// What to do about one that was recognised.
pub(super) fn advice(name: &'static str) -> String {
    const BODY: &str = "{\"alerts\": [{\"status\": \"firing\", \"labels\": {\"alertname\": \"…\"}}]}";
    let Some(sender) = SENDERS.iter().find(|sender| sender.name == name) else { return String::new() };
    match sender.advice {
        Advice::OtherConfig(section) => format!(
            "this looks like a message for {name}: in Alertmanager use `webhook_configs`, not `{section}`, for this address"
        ),
        Advice::OwnBody(place) => {
            format!("this looks like a message of {name}: set {place} to {BODY}, filled in by its variables")
        }
        Advice::Between => format!(
            "this looks like a message of {name}, which is no alert of Alertmanager: let something between post {BODY} here"
        ),
        Advice::Own(advice) => format!("this looks like a message of {name}: {advice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_known_by_their_keys() {
        let cases: [(&str, &[&str]); 14] = [
            ("Amazon SNS", &["Type", "MessageId", "TopicArn", "Message", "Timestamp", "Signature"]),
            ("Amazon CloudWatch or EventBridge", &["AlarmName", "NewStateValue", "Trigger"]),
            ("Amazon CloudWatch or EventBridge", &["version", "id", "detail-type", "source", "detail"]),
            ("Datadog", &["body", "last_updated", "event_type", "title", "date", "org", "id"]),
            ("Azure Monitor", &["schemaId", "data"]),
            ("Google Cloud Monitoring", &["incident", "version"]),
            ("PagerDuty", &["routing_key", "event_action", "payload"]),
            ("Opsgenie", &["action", "alert", "source", "integrationName", "integrationId"]),
            ("Opsgenie", &["message", "alias", "priority", "responders", "tags"]),
            ("Sentry", &["action", "installation", "data", "actor"]),
            ("GitHub", &["action", "repository", "sender", "alert_number"]),
            ("GitLab", &["object_kind", "project"]),
            ("Discord", &["content", "embeds"]),
            ("Slack or Microsoft Teams", &["text", "attachments"]),
        ];
        for (name, keys) in cases {
            assert_eq!(recognise(|key| keys.contains(&key)), Some(name), "{keys:?}");
            assert!(advice(name).contains(name));
        }
        assert_eq!(recognise(|key| ["labels", "status", "annotations"].contains(&key)), None);
    }

    #[test]
    fn every_hint_says_what_to_do() {
        for sender in SENDERS {
            let advice = advice(sender.name);
            assert!(
                advice.contains("`webhook_configs`")
                    || advice.contains("alerts")
                    || advice.contains("contact point"),
                "{advice}"
            );
            assert!(advice.len() < 400, "Alertmanager logs the whole answer: {advice}");
        }
    }
}
