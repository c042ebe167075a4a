//! The shape of a webhook's body. Times are RFC 3339 in UTC; what is not known is an empty
//! text or absent. Links are ready to use, never templates.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::channels::{Message, shrink};
use crate::domain::alert::Extras;
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Contact, Deployment};
use crate::domain::incident::{Member, ResolveReason};
use crate::domain::labels::Labels;
use crate::domain::notification::EntryFacts;
use crate::domain::severity::Severity;
use crate::render::Link;

/// The envelope that Standard Webhooks asks for.
#[derive(Serialize)]
pub struct Body<'a> {
    /// `incident.` and the kind of the notification.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was decided to tell this: the same in every retry.
    #[serde(serialize_with = "rfc3339")]
    pub timestamp: Timestamp,
    pub data: Data<'a>,
}

#[derive(Serialize)]
pub struct Data<'a> {
    pub notification: Notification<'a>,
    pub incidents: [Incident<'a>; 1],
    /// What a person would read.
    pub text: &'a str,
}

#[derive(Serialize)]
pub struct Notification<'a> {
    pub id: &'a str,
    pub kind: &'static str,
    pub reason: &'a str,
    pub route: &'a [String],
    /// What went wrong with a template, when the built-in text stands in for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_problem: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Incident<'a> {
    pub id: &'a str,
    pub dedup_key: &'a str,
    pub status: &'static str,
    pub severity: &'static str,
    pub severity_raw: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_severity: Option<&'static str>,
    pub alertname: &'a str,
    pub version: &'a str,
    pub source: &'a str,
    pub receiver: &'a str,
    #[serde(serialize_with = "rfc3339")]
    pub started_at: Timestamp,
    #[serde(serialize_with = "rfc3339_or_null")]
    pub resolved_at: Option<Timestamp>,
    pub resolve_reason: Option<&'static str>,
    pub reopened: u32,
    /// How many alerts fire.
    pub firing: u32,
    /// How many alerts it has.
    pub members: u32,
    /// How many alerts Alertmanager itself left out.
    pub truncated_alerts: u64,
    pub entry: Option<Entry<'a>>,
    pub links: &'a [Link],
    pub alerts: Vec<Alert<'a>>,
    /// How many alerts are not in `alerts`.
    pub alerts_omitted: u64,
}

#[derive(Serialize)]
pub struct Entry<'a> {
    pub slug: &'a str,
    pub kind: &'static str,
    pub display_name: &'a str,
    pub description: &'a str,
    pub owner: &'a str,
    pub team: &'a str,
    pub tier: Option<u8>,
    pub environment: &'a str,
    pub business_impact: &'a str,
    pub endpoint_url: &'a str,
    /// Live when the incident began.
    pub version: Option<&'a str>,
    pub current_version: &'a str,
    /// The last one before the incident began.
    pub deployment: Option<DeploymentInfo<'a>>,
    pub contacts: &'a [Contact],
    pub tags: &'a Labels,
    pub matched_by: &'a str,
}

#[derive(Serialize)]
pub struct DeploymentInfo<'a> {
    pub id: &'a str,
    pub external_id: &'a str,
    pub version: &'a str,
    pub previous_version: &'a str,
    #[serde(serialize_with = "rfc3339")]
    pub at: Timestamp,
    pub actor: &'a str,
    pub commit: &'a str,
    pub url: &'a str,
    pub rollback_command: &'a str,
}

#[derive(Serialize)]
pub struct Alert<'a> {
    pub fingerprint: &'a str,
    pub status: &'static str,
    pub severity: &'static str,
    pub severity_raw: &'a str,
    pub labels: &'a Labels,
    pub annotations: Cow<'a, Labels>,
    #[serde(serialize_with = "rfc3339")]
    pub starts_at: Timestamp,
    #[serde(serialize_with = "rfc3339_or_null")]
    pub ends_at: Option<Timestamp>,
    pub generator_url: &'a str,
    pub extras: &'a Extras,
}

impl<'a> Body<'a> {
    /// All there is to tell, with `text` as its text for people.
    pub fn of(message: &Message<'a>, text: &'a str) -> Self {
        let snapshot = message.snapshot;
        Self {
            kind: format!("incident.{}", snapshot.kind.as_str()),
            timestamp: snapshot.at,
            data: Data {
                notification: Notification {
                    id: message.notification_id,
                    kind: snapshot.kind.as_str(),
                    reason: &snapshot.reason,
                    route: &snapshot.route,
                    template_problem: message.rendered.problem.as_deref(),
                },
                incidents: [Incident::of(message)],
                text,
            },
        }
    }
}

impl Body<'_> {
    /// Cuts every annotation to so many characters.
    pub fn shorten_annotations(&mut self, chars: usize) {
        let [incident] = &mut self.data.incidents;
        for text in incident.alerts.iter_mut().flat_map(|alert| alert.annotations.to_mut().values_mut()) {
            shrink::cut_text(text, chars);
        }
    }
}

impl<'a> Incident<'a> {
    fn of(message: &Message<'a>) -> Self {
        let snapshot = message.snapshot;
        let incident = &snapshot.incident;
        Self {
            id: &incident.id,
            dedup_key: message.dedup_key,
            status: snapshot.status.as_str(),
            severity: incident.severity.as_str(),
            severity_raw: &incident.severity_raw,
            previous_severity: snapshot.previous_severity.map(Severity::as_str),
            alertname: &incident.alertname,
            version: &incident.version,
            source: &incident.source,
            receiver: &incident.receiver,
            started_at: incident.started_at,
            resolved_at: incident.resolved_at,
            resolve_reason: incident.resolve_reason.map(ResolveReason::as_str),
            reopened: incident.reopened,
            firing: incident.firing,
            members: incident.members,
            truncated_alerts: incident.truncated,
            entry: snapshot.entry.as_ref().map(Entry::of),
            links: &message.rendered.links,
            alerts: snapshot.alerts.iter().map(Alert::of).collect(),
            alerts_omitted: snapshot.alerts_omitted,
        }
    }
}

impl<'a> Entry<'a> {
    fn of(facts: &'a EntryFacts) -> Self {
        Self {
            slug: &facts.slug,
            kind: facts.kind.as_str(),
            display_name: &facts.title,
            description: &facts.description,
            owner: &facts.owner,
            team: &facts.team,
            tier: facts.tier,
            environment: &facts.environment,
            business_impact: &facts.business_impact,
            endpoint_url: &facts.endpoint_url,
            version: facts.version_live.as_deref(),
            current_version: &facts.version_current,
            deployment: facts.deployment.as_ref().map(DeploymentInfo::of),
            contacts: &facts.contacts,
            tags: &facts.tags,
            matched_by: &facts.matched_by,
        }
    }
}

impl<'a> DeploymentInfo<'a> {
    fn of(deployment: &'a Deployment) -> Self {
        Self {
            id: &deployment.id,
            external_id: &deployment.external_id,
            version: &deployment.version,
            previous_version: &deployment.previous_version,
            at: deployment.at,
            actor: &deployment.actor,
            commit: &deployment.commit,
            url: &deployment.url,
            rollback_command: &deployment.rollback_command,
        }
    }
}

impl<'a> Alert<'a> {
    fn of(member: &'a Member) -> Self {
        Self {
            fingerprint: &member.fingerprint,
            status: member.status.as_str(),
            severity: member.severity.as_str(),
            severity_raw: &member.severity_raw,
            labels: &member.labels,
            annotations: Cow::Borrowed(&member.annotations),
            starts_at: member.starts_at,
            ends_at: member.ends_at,
            generator_url: &member.generator_url,
            extras: &member.extras,
        }
    }
}

fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

fn rfc3339_or_null<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
