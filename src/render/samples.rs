//! Sample messages: what every template is tried against when it is loaded, what previews
//! show, and what the conformance suite of the channels sends. Realistic, and nasty where
//! reality is.

use std::time::Duration;

use crate::domain::alert::{AlertStatus, Extras};
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Contact, Deployment, EntryKind};
use crate::domain::incident::{Incident, IncidentState, Member, ResolveReason, Tally};
use crate::domain::labels::{Labels, fingerprint};
use crate::domain::notification::{EntryFacts, FOLDED_KEY, NotificationKind, Snapshot, StandsIn};
use crate::domain::severity::Severity;

/// The moment at which every sample plays: 2026-08-20T10:48:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_787_222_880_000);

/// One sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it shows: `firing`, `several`, …
    pub name: &'static str,
    /// The message.
    pub snapshot: Snapshot,
}

/// Every sample small enough to be read: firing, several, rise, resolved, unmatched,
/// truncated, unicode, stand_in, overtaking, folded.
pub fn all() -> Vec<Sample> {
    [
        ("firing", firing as fn() -> Snapshot),
        ("several", several),
        ("rise", rise),
        ("resolved", resolved),
        ("unmatched", unmatched),
        ("truncated", truncated),
        ("unicode", unicode),
        ("stand_in", stand_in),
        ("overtaking", overtaking),
        ("folded", folded),
    ]
    .into_iter()
    .map(|(name, make)| Sample { name, snapshot: make() })
    .collect()
}

/// The sample of that name.
pub fn find(name: &str) -> Option<Snapshot> {
    all().into_iter().find(|sample| sample.name == name).map(|sample| sample.snapshot)
}

/// One alert of a known model, minutes after a deployment.
pub fn firing() -> Snapshot {
    let member = member(&[("instance", "fraud-1:8080")], Severity::Critical);
    snapshot(NotificationKind::Firing, "first notification of this incident", vec![member])
}

/// More than a list of ten can hold, some of them over.
pub fn several() -> Snapshot {
    let mut members: Vec<Member> = (1..=14).map(|n| instance(n, Severity::Critical)).collect();
    for (n, member) in members.iter_mut().enumerate().skip(11) {
        member.status = AlertStatus::Resolved;
        member.ends_at = Some(NOW.minus(minutes(n as u64 - 9)));
    }
    let mut snapshot = snapshot(NotificationKind::Updated, "3 alerts joined, 1 left", members);
    snapshot.incident.firing = 11;
    snapshot
}

/// The severity went up; the alert speaks of an older version than the catalog.
pub fn rise() -> Snapshot {
    let mut member = instance(1, Severity::Critical);
    member.labels.insert("model_version".to_owned(), "v7".to_owned());
    let mut snapshot =
        snapshot(NotificationKind::SeverityRaised, "severity rose from medium to critical", vec![member]);
    snapshot.previous_severity = Some(Severity::Medium);
    snapshot.incident.version = "v7".to_owned();
    snapshot
}

/// All over.
pub fn resolved() -> Snapshot {
    let mut members = vec![instance(1, Severity::Critical), instance(2, Severity::Critical)];
    for member in &mut members {
        member.status = AlertStatus::Resolved;
        member.ends_at = Some(NOW);
    }
    let mut snapshot = snapshot(NotificationKind::Resolved, "the last firing alert resolved", members);
    snapshot.status = AlertStatus::Resolved;
    snapshot.incident.state = IncidentState::Resolved;
    snapshot.incident.resolved_at = Some(NOW);
    snapshot.incident.resolve_reason = Some(ResolveReason::Alert);
    snapshot.incident.firing = 0;
    snapshot
}

/// Nothing in the catalog knows these labels, and the annotation is broken.
pub fn unmatched() -> Snapshot {
    let mut member = instance(1, Severity::Medium);
    member.labels = labels(&[
        ("alertname", "DiskWillFillIn4Hours"),
        ("device", "/dev/nvme0n1p1"),
        ("instance", "gpu-node-7:9100"),
        ("severity", "page-me-maybe"),
    ]);
    member.severity_raw = "page-me-maybe".to_owned();
    member.annotations = labels(&[(
        "summary",
        "<error expanding template: error executing template __alert_DiskWillFillIn4Hours: nil data>",
    )]);
    member.fingerprint = fingerprint(&member.labels);
    let dedup_key = format!("DiskWillFillIn4Hours:{}", member.fingerprint);
    let mut snapshot =
        snapshot(NotificationKind::Firing, "first notification of this incident", vec![member]);
    snapshot.entry = None;
    snapshot.incident.entry = String::new();
    snapshot.incident.version = String::new();
    snapshot.incident.alertname = "DiskWillFillIn4Hours".to_owned();
    snapshot.incident.severity = Severity::Medium;
    snapshot.incident.severity_raw = "page-me-maybe".to_owned();
    snapshot.incident.dedup_key = dedup_key;
    snapshot
}

/// Alertmanager cut the body, and the snapshot holds fewer members than there are.
pub fn truncated() -> Snapshot {
    let members: Vec<Member> = (1..=50).map(|n| instance(n, Severity::Critical)).collect();
    let mut snapshot = snapshot(NotificationKind::Repeated, "unchanged for 4h", members);
    snapshot.alerts_omitted = 7;
    snapshot.incident.firing = 57;
    snapshot.incident.members = 57;
    snapshot.incident.truncated = 3;
    snapshot
}

/// Began and ended while the provider could not be reached.
pub fn overtaking() -> Snapshot {
    let mut first = firing();
    first.at = NOW.minus(minutes(9));
    let mut snapshot = resolved();
    snapshot.overtake(&first);
    snapshot
}

/// One message for many that waited.
pub fn folded() -> Snapshot {
    let models = ["fraud-detector", "churn", "ranking", "pricing", "speech"];
    let members: Vec<Member> = models
        .iter()
        .zip([Severity::Critical, Severity::High, Severity::High, Severity::Medium, Severity::Low])
        .map(|(model, severity)| Member {
            labels: labels(&[("alertname", "AccuracyDrop"), ("model", model)]),
            annotations: Labels::new(),
            severity_raw: severity.as_str().to_owned(),
            generator_url: String::new(),
            fingerprint: format!("0198d6f1-{model}"),
            ..member(&[], severity)
        })
        .collect();
    let reason = "1 critical, 12 high, 22 medium, 2 low; more waited than this channel may send (1/s)";
    let mut snapshot = snapshot(NotificationKind::Folded, reason, members);
    snapshot.alerts_omitted = 32;
    snapshot.entry = None;
    snapshot.route = Vec::new();
    snapshot.incident.id = String::new();
    snapshot.incident.dedup_key = FOLDED_KEY.to_owned();
    snapshot.incident.entry = String::new();
    snapshot.incident.alertname = "37 more messages of 5 models".to_owned();
    snapshot.incident.firing = 37;
    snapshot.incident.members = 37;
    snapshot
}

/// Text that tries to break out: mentions, markup, right-to-left marks, odd label names.
pub fn unicode() -> Snapshot {
    let mut member = instance(1, Severity::High);
    member.labels = labels(&[
        ("alertname", "Modèle en dérive 📉"),
        ("model", "fraud-detector"),
        ("région.é", "北京"),
        ("instance", "<!channel> & <@U012AB3CD>"),
        ("severity", "high"),
    ]);
    member.annotations = labels(&[
        ("summary", "Dérive de 12 % <b>très</b> \"grave\" & l'équipe <!here> \u{202e}gnihsihp"),
        ("description", "Ligne 1\nLigne 2 ```code``` *gras* <https://evil.example|cliquez>\r\nX-Injected: 1"),
    ]);
    member.generator_url = "javascript:alert(1)".to_owned();
    member.fingerprint = fingerprint(&member.labels);
    let mut snapshot =
        snapshot(NotificationKind::Firing, "first notification of this incident", vec![member]);
    snapshot.incident.alertname = "Modèle en dérive 📉".to_owned();
    snapshot.incident.dedup_key = "Modèle en dérive 📉:fraud-detector".to_owned();
    snapshot.incident.severity = Severity::High;
    snapshot.incident.severity_raw = "high".to_owned();
    if let Some(entry) = &mut snapshot.entry {
        entry.title = "Détecteur de fraude \u{1f50d}".to_owned();
        entry.deployment = None;
    }
    snapshot
}

/// Told here because another channel could not deliver it.
pub fn stand_in() -> Snapshot {
    let reason = "the provider refused it: answered HTTP 404".to_owned();
    Snapshot {
        stands_in: Some(StandsIn { channel: "ml-oncall".to_owned(), reason: Some(reason) }),
        ..firing()
    }
}

/// Ten times more members than a snapshot may carry: the greatest load on a template.
pub fn five_hundred() -> Snapshot {
    let members: Vec<Member> = (1..=500).map(|n| instance(n, Severity::Critical)).collect();
    snapshot(NotificationKind::Updated, "499 alerts joined", members)
}

/// An alert about nothing: no name, no annotations, no entry.
pub fn bare() -> Snapshot {
    let mut snapshot = unmatched();
    snapshot.incident.alertname = String::new();
    snapshot.incident.external_url = String::new();
    snapshot.reason = String::new();
    for member in &mut snapshot.alerts {
        member.labels = labels(&[("job", "x")]);
        member.annotations = Labels::new();
        member.generator_url = String::new();
    }
    snapshot
}

/// An alert whose annotations hold this where numbers are expected.
pub fn measuring(value: &str) -> Snapshot {
    let mut snapshot = firing();
    for member in &mut snapshot.alerts {
        for name in ["value", "threshold", "current_value", "limit"] {
            member.annotations.insert(name.to_owned(), value.to_owned());
        }
    }
    snapshot
}

fn instance(number: u64, severity: Severity) -> Member {
    let name = format!("fraud-{number}:8080");
    let mut member = member(&[("instance", &name)], severity);
    member.starts_at = NOW.minus(minutes(14 + number % 5));
    member
}

fn member(extra: &[(&str, &str)], severity: Severity) -> Member {
    let mut all = labels(&[
        ("alertname", "HighPredictionLatency"),
        ("env", "production"),
        ("model", "fraud-detector"),
        ("severity", severity.as_str()),
    ]);
    all.extend(labels(extra));
    Member {
        fingerprint: fingerprint(&all),
        status: AlertStatus::Firing,
        severity,
        severity_raw: severity.as_str().to_owned(),
        labels: all,
        annotations: labels(&[
            ("summary", "p99 latency of fraud-detector is 412 ms"),
            ("description", "Checkout waits for the score; the limit is 200 ms."),
            ("value", "412 ms"),
            ("threshold", "200 ms"),
        ]),
        starts_at: NOW.minus(minutes(14)),
        ends_at: None,
        generator_url: "http://prometheus.example:9090/graph?g0.expr=p99%3E0.2&g0.tab=1".to_owned(),
        extras: Extras::default(),
        event_id: String::new(),
    }
}

fn snapshot(kind: NotificationKind, reason: &str, alerts: Vec<Member>) -> Snapshot {
    let started_at = alerts.iter().map(|member| member.starts_at).min().unwrap_or(NOW);
    let count = u32::try_from(alerts.len()).unwrap_or(u32::MAX);
    Snapshot {
        kind,
        reason: reason.to_owned(),
        at: NOW,
        status: AlertStatus::Firing,
        previous_severity: None,
        incident: incident(started_at, count),
        alerts,
        alerts_omitted: 0,
        entry: Some(entry()),
        route: vec!["(default)".to_owned(), "severity=\"critical\"".to_owned()],
        by_default_route: false,
        severity_unknown: false,
        stands_in: None,
        overtook: None,
    }
}

fn incident(started_at: Timestamp, members: u32) -> Incident {
    Incident {
        id: "0198c6f0-5e2a-7000-8000-00000000a11e".to_owned(),
        dedup_key: "HighPredictionLatency:fraud-detector".to_owned(),
        state: IncidentState::Open,
        severity: Severity::Critical,
        severity_raw: "critical".to_owned(),
        entry: "fraud-detector".to_owned(),
        version: String::new(),
        alertname: "HighPredictionLatency".to_owned(),
        source: "alertmanager".to_owned(),
        receiver: "modelpager".to_owned(),
        external_url: "http://alertmanager.example:9093".to_owned(),
        truncated: 0,
        started_at,
        opened_at: started_at.plus(Duration::from_secs(30)),
        updated_at: NOW,
        last_seen_at: NOW,
        resolved_at: None,
        resolve_reason: None,
        reopened: 0,
        firing: members,
        members,
        tally: Tally::default(),
    }
}

/// What the catalog knows in every sample but `unmatched`.
pub fn entry() -> EntryFacts {
    EntryFacts {
        slug: "fraud-detector".to_owned(),
        kind: EntryKind::Model,
        title: "Fraud detector".to_owned(),
        description: "Scores every card payment.".to_owned(),
        owner: "Dana Petrova".to_owned(),
        team: "risk-ml".to_owned(),
        tier: Some(1),
        environment: "production".to_owned(),
        business_impact: "Payments wait or pass unchecked".to_owned(),
        endpoint_url: "http://fraud.example/v1/score".to_owned(),
        version_live: Some("v8".to_owned()),
        version_current: "v8".to_owned(),
        deployment: Some(deployment()),
        links: labels(&[
            (
                "dashboard",
                "https://grafana.example/d/fraud?from={{window.from_ms}}&to={{window.to_ms}}&var-model={{entry}}",
            ),
            ("logs", "https://logs.example/search?q=model:{{entry}}%20instance:{{labels.instance}}"),
            ("registry", "https://mlflow.example/#/models/{{entry}}/versions/{{version}}"),
        ]),
        runbook_url: "https://runbooks.example/{{entry}}/{{alertname}}".to_owned(),
        contacts: vec![Contact {
            name: "#risk-oncall".to_owned(),
            kind: "slack".to_owned(),
            value: "C0RISK".to_owned(),
        }],
        tags: labels(&[("framework", "xgboost")]),
        matched_by: "label model".to_owned(),
    }
}

fn deployment() -> Deployment {
    Deployment {
        id: "0198c6e0-0000-7000-8000-00000000dep1".to_owned(),
        external_id: "ci-4711".to_owned(),
        version: "v8".to_owned(),
        previous_version: "v7".to_owned(),
        at: NOW.minus(minutes(28)),
        actor: "ci".to_owned(),
        commit: "9f2c1ab".to_owned(),
        url: "https://ci.example/runs/4711".to_owned(),
        rollback_command: "kubectl rollout undo deploy/fraud-detector".to_owned(),
    }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
