//! Speaks as Alertmanager does: the bodies it would post for the story's alerts.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::story::{Alert, Post};
use crate::domain::clock::Timestamp;

/// Where Alertmanager and Prometheus would be, for the links in the messages.
const ALERTMANAGER: &str = "http://localhost:9093";
const PROMETHEUS: &str = "http://localhost:9090";

/// How long a rule of the story holds before Alertmanager tells (`for` and `group_wait`).
pub const LEAD: Duration = Duration::from_secs(45);

/// An Alertmanager that remembers since when each alert fires.
#[derive(Default)]
pub struct Alertmanager {
    begun: HashMap<String, Timestamp>,
}

impl Alertmanager {
    /// The webhook body of one group, version 4.
    pub fn body(&mut self, post: &Post, now: Timestamp) -> Value {
        let alerts: Vec<Value> =
            post.alerts.iter().map(|alert| self.alert(alert, post.status, now)).collect();
        let name = post.alerts.first().map_or("", |alert| alert.name);
        json!({
            "version": "4",
            "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
            "truncatedAlerts": 0,
            "status": post.status,
            "receiver": "modelpager",
            "groupLabels": {"alertname": name},
            "commonLabels": {"alertname": name},
            "commonAnnotations": {},
            "externalURL": ALERTMANAGER,
            "alerts": alerts,
        })
    }

    fn alert(&mut self, alert: &Alert, status: &str, now: Timestamp) -> Value {
        let mut labels = texts(alert.labels);
        labels.insert("alertname".to_owned(), json!(alert.name));
        labels.insert("severity".to_owned(), json!(alert.severity));
        let identity = format!("{labels:?}");
        let begun = *self.begun.entry(identity).or_insert_with(|| now.minus(LEAD));
        let ends_at = if status == "resolved" { now.to_rfc3339() } else { "0001-01-01T00:00:00Z".to_owned() };
        json!({
            "status": status,
            "labels": labels,
            "annotations": texts(alert.annotations),
            "startsAt": begun.to_rfc3339(),
            "endsAt": ends_at,
            "generatorURL": format!("{PROMETHEUS}/graph?g0.expr=ALERTS%7Balertname%3D%22{}%22%7D", alert.name),
        })
    }
}

fn texts(pairs: &[(&str, &str)]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
}
