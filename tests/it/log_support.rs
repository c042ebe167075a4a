//! A delivery log with something in it, written through the store as triage and dispatch
//! write it.

use std::time::Duration;

use modelpager::domain::alert::AlertStatus;
use modelpager::domain::clock::Timestamp;
use modelpager::domain::incident::{Conversation, Incident, IncidentState, Member, Tally, Told};
use modelpager::domain::labels::Labels;
use modelpager::domain::notification::{NotificationKind, Snapshot};
use modelpager::domain::outcome::SendOutcome;
use modelpager::domain::severity::Severity;
use modelpager::store::outbox::{Finished, Lease, Next, Recording};
use modelpager::store::triage::{
    Consequences, DecisionRow, IncidentChange, MemberChange, NewNotification, TimelineRow,
};
use serde_json::json;

use crate::web_support::{START, Site};

/// What one notification of the log is to be.
#[derive(Clone)]
pub struct Case {
    pub channel: &'static str,
    pub alertname: &'static str,
    pub entry: &'static str,
    pub severity: Severity,
    pub end: Option<Next>,
}

pub fn told(channel: &'static str, alertname: &'static str) -> Case {
    Case { channel, alertname, entry: "fraud-detector", severity: Severity::High, end: Some(Next::Delivered) }
}

/// The ids of what was written.
pub struct Ids {
    pub incident: String,
    pub notification: String,
}

impl Site {
    /// Writes one incident with one member, a decision, a timeline line and a notification
    /// that has been tried as `what` says.
    pub async fn tell(&self, what: &Case) -> Ids {
        use modelpager::domain::clock::Clock as _;
        self.clock.advance(Duration::from_secs(1));
        let now = self.clock.now();
        let ids = Ids { incident: self.state.ids.next_id(), notification: self.state.ids.next_id() };
        let incident = incident(&ids.incident, what, now);
        let all = consequences(self, what, &ids, incident, now);
        self.state.store.begin_triage().await.unwrap().commit(&all).await.unwrap();
        if let Some(end) = &what.end {
            self.attempt(what.channel, end, now).await;
        }
        ids
    }

    /// Writes many at once, a second apart, without any attempt.
    pub async fn owe_many(&self, cases: &[Case]) -> Vec<Ids> {
        use modelpager::domain::clock::Clock as _;
        let mut all = Vec::new();
        let mut whole = Consequences::default();
        for case in cases {
            self.clock.advance(Duration::from_secs(1));
            let ids = Ids { incident: self.state.ids.next_id(), notification: self.state.ids.next_id() };
            let now = self.clock.now();
            let one = consequences(self, case, &ids, incident(&ids.incident, case, now), now);
            whole.incidents.extend(one.incidents);
            whole.notifications.extend(one.notifications);
            all.push(ids);
        }
        self.state.store.begin_triage().await.unwrap().commit(&whole).await.unwrap();
        all
    }

    /// Tries everything a channel is owed.
    pub async fn attempt(&self, channel: &str, end: &Next, now: Timestamp) {
        let lease =
            Lease { owner: "test", claim: "test", now, length: Duration::from_secs(60), from_priority: 0 };
        let claimed = self.state.store.claim_notifications(channel, &lease, 5_000).await.unwrap();
        let finished = claimed
            .iter()
            .map(|message| Finished {
                attempt_id: self.state.ids.next_id(),
                notification_id: message.id.clone(),
                channel: channel.to_owned(),
                owner: "test".to_owned(),
                series: message.series,
                number: message.attempts,
                started_at: now,
                ended_at: now.plus(Duration::from_millis(120)),
                outcome: if matches!(end, Next::Delivered) { SendOutcome::Accepted } else { SendOutcome::Rejected },
                status: Some(if matches!(end, Next::Delivered) { 200 } else { 404 }),
                error: (!matches!(end, Next::Delivered)).then(|| "the hook is gone".to_owned()),
                response: Some("ok".to_owned()),
                next: end.clone(),
                maybe_twice: false,
                preview: Some(
                    json!({"title": "=Latency is high", "text": "p99 is 2.4 s\nÄrger", "body": "{}", "content_type": "application/json"})
                        .to_string(),
                ),
                reference: None,
            })
            .collect();
        let recording = Recording { finished, ..Recording::default() };
        self.state.store.record_attempts(&recording).await.unwrap();
    }
}

fn incident(id: &str, what: &Case, now: Timestamp) -> Incident {
    let mut tally = Tally::default();
    tally.join("3fff2c2d7595e046", what.severity);
    Incident {
        id: id.to_owned(),
        dedup_key: format!("{}:{}:{id}", what.alertname, what.entry),
        state: IncidentState::Open,
        severity: what.severity,
        severity_raw: what.severity.as_str().to_owned(),
        entry: what.entry.to_owned(),
        version: "3".to_owned(),
        alertname: what.alertname.to_owned(),
        source: "alertmanager".to_owned(),
        receiver: "modelpager".to_owned(),
        external_url: "http://alertmanager:9093".to_owned(),
        truncated: 0,
        started_at: START,
        opened_at: now,
        updated_at: now,
        last_seen_at: now,
        resolved_at: None,
        resolve_reason: None,
        reopened: 0,
        firing: 1,
        members: 1,
        tally,
    }
}

fn consequences(site: &Site, what: &Case, ids: &Ids, incident: Incident, now: Timestamp) -> Consequences {
    let labels = Labels::from([("alertname".to_owned(), what.alertname.to_owned())]);
    let member = Member {
        fingerprint: "3fff2c2d7595e046".to_owned(),
        status: AlertStatus::Firing,
        severity: what.severity,
        severity_raw: "page".to_owned(),
        labels,
        annotations: Labels::new(),
        starts_at: START,
        ends_at: None,
        generator_url: String::new(),
        extras: modelpager::domain::alert::Extras::default(),
        event_id: "event".to_owned(),
    };
    let told = Told {
        status: AlertStatus::Firing,
        severity: what.severity,
        digest: 1,
        joins: 1,
        reopened: 0,
        at: now,
        notification_id: ids.notification.clone(),
        ended_untold: None,
    };
    let conversation = Conversation {
        channel: what.channel.to_owned(),
        told: Some(told),
        next_due_at: Some(now.plus(Duration::from_secs(14_400))),
        last_answer: String::new(),
    };
    let snapshot = Snapshot {
        kind: NotificationKind::Firing,
        reason: "first word about it here".to_owned(),
        at: now,
        status: AlertStatus::Firing,
        previous_severity: None,
        incident: incident.clone(),
        alerts: vec![member.clone()],
        alerts_omitted: 0,
        entry: None,
        route: vec!["root".to_owned()],
        by_default_route: false,
        severity_unknown: false,
        stands_in: None,
        overtook: None,
    };
    Consequences {
        incidents: vec![IncidentChange { incident, is_current: true }],
        members: vec![MemberChange { incident_id: ids.incident.clone(), at: now, member }],
        timeline: vec![TimelineRow {
            id: site.state.ids.next_id(),
            incident_id: ids.incident.clone(),
            at: now,
            kind: "opened".to_owned(),
            actor: "alertmanager".to_owned(),
            detail: json!({"fingerprint": "3fff2c2d7595e046"}),
        }],
        conversations: vec![(ids.incident.clone(), conversation)],
        decisions: vec![DecisionRow {
            id: site.state.ids.next_id(),
            incident_id: ids.incident.clone(),
            channel: what.channel.to_owned(),
            at: now,
            outcome: "send",
            kind: Some("firing"),
            until: None,
            reason: "first word about it here".to_owned(),
            notification_id: Some(ids.notification.clone()),
            route: vec!["root".to_owned()],
        }],
        notifications: vec![NewNotification {
            follows: None,
            is_flood: false,
            id: ids.notification.clone(),
            channel: what.channel.to_owned(),
            received_at: Some(now),
            expires_at: now.plus(Duration::from_secs(86_400)),
            snapshot,
        }],
        ..Consequences::default()
    }
}
