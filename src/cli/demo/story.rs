//! The story as data: what happens, in which words, and which messages must follow.
//!
//! Labels and annotations are what rules for such models really carry. Who tells the story
//! is `play`; how it is posted stands in `alertmanager`.

/// The channels of the demo's configuration.
pub const SLACK: &str = "ml-alerts";
pub const PAGERDUTY: &str = "ml-oncall";
pub const MAIL: &str = "ml-mail";
pub const WEBHOOK: &str = "event-bus";

const LATENCY: &str = "FraudLatencyHigh:fraud-detector";
const RANKING: &str = "RankingQualityLow:search-ranker";
const COST: &str = "LlmCostBurnRate:support-assistant";
/// Without an entry the key is the rule and the alert's fingerprint.
const UNMATCHED: &str = "DriftScoreHigh:*";

/// One step of the story.
pub struct Step {
    /// A few words.
    pub title: &'static str,
    /// One line.
    pub tells: &'static str,
    /// What happens to Slack first.
    pub slack: Slack,
    /// What Alertmanager posts then.
    pub posts: &'static [Post],
    /// What cannot be delivered now is seen tried this often before the story goes on.
    pub tried: Option<(Expected, u64)>,
    /// The messages that must be delivered before the story goes on.
    pub expects: &'static [Expected],
    /// How long the reader is given, in seconds.
    pub pause: u64,
}

/// What happens to the Slack stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slack {
    /// It stays as it is.
    AsItIs,
    /// It refuses every connection.
    Fails,
    /// It takes messages again.
    Recovers,
}

/// A message owed to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The channel.
    pub channel: &'static str,
    /// The dedup key; `*` at the end stands for anything.
    pub key: &'static str,
    /// The notification's kind.
    pub kind: &'static str,
}

impl Expected {
    /// Whether a line of the log is this message.
    pub fn is(&self, channel: &str, key: &str, kind: &str) -> bool {
        let same_key = match self.key.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => key == self.key,
        };
        self.channel == channel && self.kind == kind && same_key
    }
}

/// One body: a group of alerts, all firing or all resolved.
pub struct Post {
    /// Alertmanager's word.
    pub status: &'static str,
    /// The group.
    pub alerts: &'static [&'static Alert],
}

/// One alert.
pub struct Alert {
    /// The rule.
    pub name: &'static str,
    /// The word the rule uses.
    pub severity: &'static str,
    /// Labels beside `alertname` and `severity`.
    pub labels: &'static [(&'static str, &'static str)],
    /// Annotations.
    pub annotations: &'static [(&'static str, &'static str)],
}

const fn expect(channel: &'static str, key: &'static str, kind: &'static str) -> Expected {
    Expected { channel, key, kind }
}

const fn firing(alerts: &'static [&'static Alert]) -> Post {
    Post { status: "firing", alerts }
}

const fn resolved(alerts: &'static [&'static Alert]) -> Post {
    Post { status: "resolved", alerts }
}

/// The story, from the first alert to the last word.
pub const STORY: &[Step] = &[
    Step {
        title: "An alert fires",
        tells: "14 minutes after v8 went live, the fraud detector leaves its latency budget.",
        slack: Slack::AsItIs,
        posts: &[firing(&[&FRAUD_1])],
        tried: None,
        expects: &[expect(SLACK, LATENCY, "firing"), expect(WEBHOOK, LATENCY, "firing")],
        pause: 18,
    },
    Step {
        title: "Others join it",
        tells: "Two more instances of the same model: no new message, the first one is brought up to date.",
        slack: Slack::AsItIs,
        posts: &[firing(&[&FRAUD_1, &FRAUD_2, &FRAUD_3])],
        tried: None,
        expects: &[expect(SLACK, LATENCY, "updated"), expect(WEBHOOK, LATENCY, "updated")],
        pause: 14,
    },
    Step {
        title: "It gets worse",
        tells: "A critical alert joins. A rise is told at once, and the route now adds PagerDuty.",
        slack: Slack::AsItIs,
        posts: &[firing(&[&FRAUD_1, &FRAUD_2, &FRAUD_3, &FRAUD_CRITICAL])],
        tried: None,
        expects: &[
            expect(SLACK, LATENCY, "severity_raised"),
            expect(PAGERDUTY, LATENCY, "firing"),
            expect(WEBHOOK, LATENCY, "severity_raised"),
        ],
        pause: 18,
    },
    Step {
        title: "Slack is down",
        tells: "Search results get worse while Slack refuses connections. The message waits and is retried.",
        slack: Slack::Fails,
        posts: &[firing(&[&RANKER])],
        tried: Some((expect(SLACK, RANKING, "firing"), 2)),
        expects: &[expect(WEBHOOK, RANKING, "firing")],
        pause: 14,
    },
    Step {
        title: "Slack is back",
        tells: "The next attempt gets through. Nothing was lost, nothing came twice.",
        slack: Slack::Recovers,
        posts: &[],
        tried: None,
        expects: &[expect(SLACK, RANKING, "firing")],
        pause: 14,
    },
    Step {
        title: "A model nobody registered",
        tells: "No catalog entry matches: the alert is delivered all the same, and says so.",
        slack: Slack::AsItIs,
        posts: &[firing(&[&UNKNOWN])],
        tried: None,
        expects: &[expect(SLACK, UNMATCHED, "firing"), expect(WEBHOOK, UNMATCHED, "firing")],
        pause: 14,
    },
    Step {
        title: "A language model burns money",
        tells: "The label says openai/gpt-5-mini; the catalog knows whose that is. Routed by kind, to mail.",
        slack: Slack::AsItIs,
        posts: &[firing(&[&LLM])],
        tried: None,
        expects: &[expect(MAIL, COST, "firing"), expect(WEBHOOK, COST, "firing")],
        pause: 14,
    },
    Step {
        title: "All of it is over",
        tells: "Resolved is told exactly where firing was told, in place and in the same threads.",
        slack: Slack::AsItIs,
        posts: &[
            resolved(&[&FRAUD_1, &FRAUD_2, &FRAUD_3, &FRAUD_CRITICAL]),
            resolved(&[&RANKER]),
            resolved(&[&UNKNOWN]),
            resolved(&[&LLM]),
        ],
        tried: None,
        expects: &[
            expect(SLACK, LATENCY, "resolved"),
            expect(PAGERDUTY, LATENCY, "resolved"),
            expect(WEBHOOK, LATENCY, "resolved"),
            expect(SLACK, RANKING, "resolved"),
            expect(WEBHOOK, RANKING, "resolved"),
            expect(SLACK, UNMATCHED, "resolved"),
            expect(WEBHOOK, UNMATCHED, "resolved"),
            expect(MAIL, COST, "resolved"),
            expect(WEBHOOK, COST, "resolved"),
        ],
        pause: 0,
    },
];

const fn fraud(instance: &'static [(&'static str, &'static str)], value: &'static Annotations) -> Alert {
    Alert { name: "FraudLatencyHigh", severity: "warning", labels: instance, annotations: value }
}

type Annotations = [(&'static str, &'static str); 3];

const fn latency(value: &'static str) -> Annotations {
    [
        ("summary", "p99 latency of the fraud detector is above 250 ms"),
        ("value", value),
        ("threshold", "250 ms"),
    ]
}

const FRAUD_1: Alert = fraud(
    &[("model", "fraud-detector"), ("model_version", "v8"), ("instance", "fraud-1:8080")],
    &latency("412 ms"),
);
const FRAUD_2: Alert = fraud(
    &[("model", "fraud-detector"), ("model_version", "v8"), ("instance", "fraud-2:8080")],
    &latency("388 ms"),
);
const FRAUD_3: Alert = fraud(
    &[("model", "fraud-detector"), ("model_version", "v8"), ("instance", "fraud-3:8080")],
    &latency("395 ms"),
);
const FRAUD_CRITICAL: Alert = Alert {
    name: "FraudLatencyHigh",
    severity: "critical",
    labels: &[("model", "fraud-detector"), ("model_version", "v8"), ("instance", "fraud-1:8080")],
    annotations: &[
        ("summary", "p99 latency of the fraud detector is above 1 s: payments time out"),
        ("value", "1.38 s"),
        ("threshold", "1 s"),
    ],
};
const RANKER: Alert = Alert {
    name: "RankingQualityLow",
    severity: "high",
    labels: &[("registered_model", "shop/ranking/Search-Ranker"), ("slice", "mobile")],
    annotations: &[
        ("summary", "NDCG@10 on mobile fell below its baseline"),
        ("value", "0.341"),
        ("threshold", "0.402"),
    ],
};
const UNKNOWN: Alert = Alert {
    name: "DriftScoreHigh",
    severity: "P2",
    labels: &[("model", "churn-experiment-7"), ("feature", "days_since_login")],
    annotations: &[
        ("summary", "PSI of days_since_login is 0.31 against the training data"),
        ("value", "0.31"),
        ("threshold", "0.2"),
    ],
};
const LLM: Alert = Alert {
    name: "LlmCostBurnRate",
    severity: "warning",
    labels: &[("requested_model", "openai/gpt-5-mini"), ("tenant", "shop-eu")],
    annotations: &[
        ("summary", "At this rate the day's token budget is gone by 14:00"),
        ("value", "$ 61 per hour"),
        ("threshold", "$ 25 per hour"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_expected_once_and_each_firing_has_its_end() {
        let all: Vec<&Expected> = STORY.iter().flat_map(|step| step.expects).collect();

        for (n, expected) in all.iter().enumerate() {
            assert!(!all[n + 1..].contains(expected), "{expected:?} is expected twice");
            let end = Expected { kind: "resolved", ..**expected };
            assert!(all.contains(&&end), "{expected:?} never ends");
        }
    }

    #[test]
    fn the_story_takes_about_two_minutes_and_fits_its_lines() {
        let seconds: u64 = STORY.iter().map(|step| step.pause).sum();

        assert!((90..=130).contains(&seconds), "{seconds} s");
        for step in STORY {
            assert!(step.tells.chars().count() <= 95, "{}", step.tells);
        }
    }

    #[test]
    fn a_key_without_an_entry_is_known_by_its_rule() {
        let unmatched = expect(SLACK, UNMATCHED, "firing");

        assert!(unmatched.is(SLACK, "DriftScoreHigh:00ff", "firing"));
        assert!(!unmatched.is(SLACK, "DriftScoreLow:00ff", "firing"));
        assert!(!unmatched.is(MAIL, "DriftScoreHigh:00ff", "firing"));
        assert!(!expect(SLACK, LATENCY, "firing").is(SLACK, "FraudLatencyHigh:other", "firing"));
    }
}
