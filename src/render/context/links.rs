//! The links of a message, in the order in which a reader needs them.

use super::ContextOptions;
use super::alerts::first_usable;
use crate::domain::alert::Extras;
use crate::domain::incident::Member;
use crate::domain::labels::Labels;
use crate::domain::notification::{EntryFacts, Snapshot};
use crate::render::escape::clean_line;
use crate::render::links::{LinkContext, Window};
use crate::render::urls::{encode, fitting, presentable};
use crate::render::{Link, budget};

/// How many links that are left out have a sentence each.
const MOST_FAULTS: usize = 5;

/// What links are made of beside the snapshot.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    /// The alert whose own links are shown.
    pub worst: Option<&'a Member>,
    pub version: &'a str,
    pub window: Window,
}

/// Links, and a sentence for each that is left out.
#[derive(Default)]
pub(super) struct Links {
    pub links: Vec<Link>,
    pub faults: Vec<String>,
}

/// Runbook, dashboard, logs, the entry's others, Prometheus, Alertmanager, the incident. Of an
/// alert of Grafana also the panel, the rule, where to silence it, the panel's picture, and
/// Grafana in the place of Alertmanager.
pub(super) fn all(
    snapshot: &Snapshot,
    options: &ContextOptions<'_>,
    facts: Facts<'_>,
    incident_url: &str,
) -> Links {
    let mut links = budget::apart(budget::LINKS, || gather(snapshot, options, facts, incident_url));
    let others = links.faults.len().saturating_sub(MOST_FAULTS);
    if others > 0 {
        links.faults.truncate(MOST_FAULTS);
        links.faults.push(format!("{others} more links are left out"));
    }
    links
}

fn gather(snapshot: &Snapshot, options: &ContextOptions<'_>, facts: Facts<'_>, incident_url: &str) -> Links {
    static NONE: Labels = Labels::new();
    let first = facts.worst;
    let annotations = first.map_or(&NONE, |member| &member.annotations);
    let no_extras = Extras::default();
    let extras = first.map_or(&no_extras, |member| &member.extras);
    let context = LinkContext {
        alertname: &snapshot.incident.alertname,
        severity: snapshot.incident.severity.as_str(),
        status: snapshot.status.as_str(),
        entry: &snapshot.incident.entry,
        version: facts.version,
        labels: first.map_or(&NONE, |member| &member.labels),
        annotations,
        window: facts.window,
    };

    let mut links = Links::default();
    if let Some(entry) = &snapshot.entry {
        links.of_entry("runbook", &entry.runbook_url, &context, options);
    }
    links.of_alert("runbook", annotations, &["runbook_url", "runbook"]);
    for name in ["dashboard", "logs"] {
        if let Some(template) = named(snapshot.entry.as_ref(), name) {
            links.of_entry(name, template, &context, options);
        }
        if name == "dashboard" {
            links.of_alert(name, annotations, &["dashboard_url", "dashboard"]);
            links.beside(name, &extras.dashboard_url);
            links.beside("panel", &extras.panel_url);
        }
    }
    let others = snapshot.entry.iter().flat_map(|entry| &entry.links);
    for (name, template) in others.filter(|(name, _)| !["dashboard", "logs"].contains(&name.as_str())) {
        links.of_entry(name, template, &context, options);
    }
    links.push_text(source(first), first.map_or("", |member| &member.generator_url));
    links.beside("silence", &extras.silence_url);
    links.beside("image", &extras.image_url);
    if extras.is_empty() {
        links.push("alertmanager", alertmanager(snapshot));
    } else {
        links.push_text("grafana", &snapshot.incident.external_url);
    }
    links.push_text("incident", incident_url);
    links
}

impl Links {
    fn of_entry(
        &mut self,
        name: &str,
        template: &str,
        context: &LinkContext<'_>,
        options: &ContextOptions<'_>,
    ) {
        match options.links.render_text(template, context) {
            Ok(url) => self.push_text(name, &url),
            Err(fault) => {
                self.faults.push(format!("the catalog's link {:?} is broken: {fault}", clean_line(name)));
            }
        }
    }

    /// The alert's own link; called `alert_NAME` when the catalog has one of that name,
    /// and left out when both are the same.
    fn of_alert(&mut self, name: &str, annotations: &Labels, keys: &[&str]) {
        self.beside(name, first_usable(annotations, keys).unwrap_or_default());
    }

    /// What Grafana links to, in the same manner.
    fn beside(&mut self, name: &str, text: &str) {
        let Some(url) = self.fitting(name, text) else { return };
        if self.links.iter().any(|link| link.url == url) {
            return;
        }
        match self.links.iter().find(|link| link.name == name) {
            Some(_) => self.push(&format!("alert_{name}"), Some(url)),
            None => self.push(name, Some(url)),
        }
    }

    fn push_text(&mut self, name: &str, text: &str) {
        let url = self.fitting(name, text);
        self.push(name, url);
    }

    /// What `text` leads to; a sentence when it is a link that is too long to be shown.
    fn fitting(&mut self, name: &str, text: &str) -> Option<String> {
        fitting(text).unwrap_or_else(|length| {
            let name = label(&clean_line(name));
            self.faults.push(format!("the link {name:?} is left out: it has {length} characters"));
            None
        })
    }

    fn push(&mut self, name: &str, url: Option<String>) {
        let Some(url) = url else { return };
        let name = clean_line(name).into_owned();
        self.links.push(Link { label: label(&name), name, url });
    }
}

fn named<'a>(entry: Option<&'a EntryFacts>, name: &str) -> Option<&'a str> {
    entry?.links.get(name).map(String::as_str)
}

/// What the link to an alert's source is called.
fn source(member: Option<&Member>) -> &'static str {
    let is_rule =
        |member: &Member| !member.extras.is_empty() || member.generator_url.contains("/alerting/grafana/");
    if member.is_some_and(is_rule) { "grafana_rule" } else { "prometheus" }
}

fn alertmanager(snapshot: &Snapshot) -> Option<String> {
    let base = presentable(&snapshot.incident.external_url)?;
    let base = base.trim_end_matches('/');
    let receiver = snapshot.incident.receiver.trim();
    let query = if receiver.is_empty() { String::new() } else { format!("?receiver={}", encode(receiver)) };
    presentable(&format!("{base}/#/alerts{query}"))
}

/// `model_card` becomes `Model card`.
fn label(name: &str) -> String {
    let words = name.replace(['_', '-'], " ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
