//! What Alertmanager posts (version 4), for the description of the API. Nothing is read into
//! these types: `intake` takes more than they say, field by field.

#![allow(dead_code, reason = "described, never made")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use crate::domain::alert::AlertStatus;

/// The body of Alertmanager's webhook, version 4. What else it holds is kept with the event;
/// only `alerts` must be there.
#[derive(ToSchema)]
pub struct WebhookBody {
    /// `4`.
    version: Option<String>,
    /// What the alerts are grouped by, as Alertmanager names it.
    #[schema(rename = "groupKey")]
    group_key: Option<String>,
    /// How many alerts Alertmanager cut from the list.
    #[schema(rename = "truncatedAlerts")]
    truncated_alerts: Option<u64>,
    /// `firing` when an alert of the list does; each alert's own status is what counts.
    status: Option<AlertStatus>,
    /// The receiver of Alertmanager's configuration.
    receiver: Option<String>,
    /// The labels the alerts are grouped by.
    #[schema(rename = "groupLabels")]
    group_labels: Option<BTreeMap<String, String>>,
    /// The labels all alerts share.
    #[schema(rename = "commonLabels")]
    common_labels: Option<BTreeMap<String, String>>,
    /// The annotations all alerts share.
    #[schema(rename = "commonAnnotations")]
    common_annotations: Option<BTreeMap<String, String>>,
    /// Alertmanager's own address.
    #[schema(rename = "externalURL")]
    external_url: Option<String>,
    /// The alerts.
    alerts: Vec<WebhookAlert>,
}

/// One alert of the body.
#[derive(ToSchema)]
pub struct WebhookAlert {
    /// Whether it fires; without it, `endsAt` says so.
    status: Option<AlertStatus>,
    /// At least one; `alertname` is the rule's name.
    labels: BTreeMap<String, String>,
    /// What the rule says about it.
    annotations: Option<BTreeMap<String, String>>,
    /// When its condition began, RFC 3339; the time of receipt without it.
    #[schema(rename = "startsAt", format = DateTime)]
    starts_at: Option<String>,
    /// When it ceased, RFC 3339; year 1 while it fires.
    #[schema(rename = "endsAt", format = DateTime)]
    ends_at: Option<String>,
    /// The link to its expression.
    #[schema(rename = "generatorURL")]
    generator_url: Option<String>,
    /// Alertmanager's fingerprint of the labels.
    fingerprint: Option<String>,
}
