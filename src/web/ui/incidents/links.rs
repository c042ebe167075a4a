//! The catalog's links as the incident's messages have them: filled in with what is known of it,
//! dashboards opened at the right hour.

use std::sync::LazyLock;

use crate::domain::clock::Timestamp;
use crate::domain::entry::Entry;
use crate::domain::labels::Labels;
use crate::render::links::{LinkContext, LinkTemplates, Window, within_one_budget};
use crate::store::log::StoredJson;
use crate::store::log_incidents::IncidentDetail;

/// Each template is compiled once.
static TEMPLATES: LazyLock<LinkTemplates> = LazyLock::new(LinkTemplates::default);

/// Names and addresses; a template that makes no address is left out.
pub fn links(
    incident: &IncidentDetail,
    entry: &Entry,
    version: &str,
    now: Timestamp,
) -> Vec<(String, String)> {
    let summary = &incident.summary;
    let member = incident.members.first();
    let labels = member.map(|member| texts(&member.labels)).unwrap_or_default();
    let annotations = member.map(|member| texts(&member.annotations)).unwrap_or_default();
    let ended = summary.resolved_at.map(Timestamp::from);
    let context = LinkContext {
        alertname: &summary.alertname,
        severity: &summary.severity,
        status: if ended.is_some() { "resolved" } else { "firing" },
        entry: &entry.slug,
        version,
        labels: &labels,
        annotations: &annotations,
        window: Window::around(summary.started_at.into(), ended, now),
    };
    let runbook = ("runbook".to_owned(), &entry.runbook_url);
    let named = entry.links.iter().map(|(name, template)| (name.clone(), template));
    let render =
        |(name, template): (String, &String)| Some((name, TEMPLATES.render_url(template, &context).ok()??));
    within_one_budget(|| std::iter::once(runbook).chain(named).filter_map(render).collect())
}

fn texts(stored: &StoredJson) -> Labels {
    serde_json::from_value(stored.value()).unwrap_or_default()
}
