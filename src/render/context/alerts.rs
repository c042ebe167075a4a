//! The member alerts, and what they have in common.

use std::collections::BTreeMap;

use super::AlertContext;
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::Member;
use crate::domain::labels::{ALERTNAME, Labels};
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::severity::Severity;
use crate::render::escape::{clean_line, clean_text};
use crate::render::fit::{ELLIPSIS, Unit, fit};
use crate::render::{look, urls, words};

/// The labels that say what an alert is about, the most telling first.
const SUBJECTS: [&str; 15] = [
    "instance",
    "pod",
    "pod_name",
    "host",
    "hostname",
    "node",
    "device",
    "container",
    "feature",
    "slice",
    "partition",
    "rulename",
    "job",
    "service",
    "namespace",
];

/// How Prometheus begins an annotation whose template failed.
pub(super) const BROKEN: &str = "<error expanding template";

/// How Grafana names the rule in alerts about the rule itself.
const RULE: &str = "rulename";

/// What Go's templates write for a name that does not exist.
const NO_VALUE: &str = "<no value>";

/// And what is shown for it inside a text: no markup, no error.
const NO_VALUE_SHOWN: &str = "(no value)";

const MAX_LABEL: usize = 1_000;
const MAX_ANNOTATION: usize = 8_000;
const MAX_NAMES: usize = 100;
const MAX_LINE: usize = 300;

/// What the annotations say in words.
#[derive(Default)]
pub(super) struct Texts {
    pub summary: String,
    pub description: String,
}

/// Labels and annotations that all of `members` share.
pub(super) fn common(members: &[Member]) -> (Labels, Labels) {
    let Some((first, others)) = members.split_first() else { return Default::default() };
    let shared = |of: fn(&Member) -> &Labels| {
        of(first)
            .iter()
            .filter(|(name, value)| others.iter().all(|member| of(member).get(*name) == Some(*value)))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect::<Vec<_>>()
    };
    let labels = cleaned_labels(shared(|member| &member.labels).into_iter());
    let annotations = cleaned_annotations(shared(|member| &member.annotations).into_iter());
    (labels, annotations)
}

/// Every alert of the snapshot; `labels` and `annotations` are what they share.
pub(super) fn all(
    snapshot: &Snapshot,
    external_url: &str,
    labels: &Labels,
    annotations: &Labels,
) -> Vec<AlertContext> {
    let url = |member: &Member| match snapshot.kind {
        // Each line stands for an incident of its own.
        NotificationKind::Folded => urls::incident(external_url, &member.fingerprint),
        _ => String::new(),
    };
    let alert = |member| AlertContext { url: url(member), ..alert(member, snapshot.at, labels, annotations) };
    snapshot.alerts.iter().map(alert).collect()
}

/// Summary and description of one alert, from the annotations that are not broken.
pub(super) fn texts(member: Option<&Member>) -> Texts {
    member.map(|member| texts_of(&member.annotations)).unwrap_or_default()
}

/// The summary and the value that annotations tell, as messages show them.
pub fn summary_and_value(annotations: &Labels) -> (String, String) {
    (texts_of(annotations).summary, value(annotations))
}

fn texts_of(annotations: &Labels) -> Texts {
    let usable = |name: &'static str| first_usable(annotations, &[name]).map(|text| (name, text));
    let Some((name, summary)) = ["summary", "message", "title", "description"].into_iter().find_map(usable)
    else {
        return Texts::default();
    };
    let description = (name != "description").then(|| first_usable(annotations, &["description"]));
    Texts {
        summary: clean_line(&prose(summary)).into_owned(),
        description: prose(description.flatten().unwrap_or("")).trim().to_owned(),
    }
}

/// What one alert is about, with the label's name.
pub(super) fn place(member: &Member) -> String {
    let named = SUBJECTS.iter().find(|name| first_usable(&member.labels, &[name]).is_some());
    named.map(|name| format!("{name} {}", line_of(&member.labels, &[name]))).unwrap_or_default()
}

/// The value that the annotations tell.
pub(super) fn value(annotations: &Labels) -> String {
    line_of(annotations, &["value", "current_value"])
}

/// The value that all of `members` tell: in an annotation, or as Grafana sends it.
pub(super) fn common_value(members: &[Member], annotations: &Labels) -> String {
    match value(annotations) {
        told if told.is_empty() => {
            let Some((first, others)) = members.split_first() else { return told };
            let is_shared = others.iter().all(|member| member.extras.measured() == first.extras.measured());
            if is_shared { grafana_value(first) } else { told }
        }
        told => told,
    }
}

fn own_value(member: &Member) -> String {
    match value(&member.annotations) {
        told if told.is_empty() => grafana_value(member),
        told => told,
    }
}

fn grafana_value(member: &Member) -> String {
    fit(&clean_line(member.extras.measured()), MAX_LINE, Unit::Chars, ELLIPSIS).into_owned()
}

/// The rule that all of `members` are about, where the alert's name does not say it: Grafana
/// calls every rule without data `DatasourceNoData`.
pub(super) fn grafana_rule(members: &[Member]) -> Option<String> {
    let (first, others) = members.split_first()?;
    let rule = first_usable(&first.labels, &[RULE])?;
    let is_shared = others.iter().all(|member| member.labels.get(RULE) == first.labels.get(RULE));
    (is_shared && rule != first.labels.get(ALERTNAME).map_or("", String::as_str))
        .then(|| line_of(&first.labels, &[RULE]))
}

/// The threshold that the annotations tell.
pub(super) fn threshold(annotations: &Labels) -> String {
    line_of(annotations, &["threshold", "limit"])
}

/// One emoji for what is the case.
pub(super) fn emoji(status: AlertStatus, severity: Severity) -> &'static str {
    match status {
        AlertStatus::Firing => look::emoji(severity),
        AlertStatus::Resolved => look::RESOLVED_EMOJI,
    }
}

/// The first of `names` whose annotation can be shown.
pub(super) fn first_usable<'a>(annotations: &'a Labels, names: &[&str]) -> Option<&'a str> {
    names
        .iter()
        .filter_map(|name| annotations.get(*name))
        .map(|text| text.trim())
        .find(|text| is_usable(text))
}

/// Whether it says anything: not what templates of rules leave behind when they fail.
pub fn is_usable(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text != NO_VALUE && text != NO_VALUE_SHOWN && !text.starts_with(BROKEN)
}

fn alert(member: &Member, at: Timestamp, labels: &Labels, annotations: &Labels) -> AlertContext {
    let end = match member.status {
        AlertStatus::Firing => at,
        AlertStatus::Resolved => member.ends_at.unwrap_or(at),
    };
    let mut alert = AlertContext {
        name: clean_line(member.labels.get(ALERTNAME).map_or("", String::as_str)).into_owned(),
        subject: line_of(&member.labels, &SUBJECTS),
        line: String::new(),
        status: member.status.as_str(),
        resolved: member.status == AlertStatus::Resolved,
        severity: member.severity.as_str(),
        emoji: emoji(member.status, member.severity),
        starts_at: member.starts_at.to_rfc3339(),
        ends_at: member.ends_at.map(Timestamp::to_rfc3339).unwrap_or_default(),
        duration: words::duration(end.since(member.starts_at)),
        summary: texts(Some(member)).summary,
        value: own_value(member),
        labels: cleaned_labels(pairs(&member.labels)),
        annotations: cleaned_annotations(pairs(&member.annotations)),
        generator_url: urls::fitting(&member.generator_url).ok().flatten().unwrap_or_default(),
        url: String::new(),
        fingerprint: clean_line(&member.fingerprint).into_owned(),
    };
    alert.line = line(&alert, labels, annotations);
    alert
}

/// What sets the alert apart from its neighbours, its own value or summary, how long.
fn line(alert: &AlertContext, labels: &Labels, annotations: &Labels) -> String {
    let own: Vec<(&str, &str)> = pairs(&alert.labels)
        .filter(|(name, value)| !labels.contains_key(*name) && *name != "severity" && is_usable(value))
        .take(4)
        .collect();
    let apart = match own.as_slice() {
        [] => alert.subject.clone(),
        [(_, value)] => (*value).to_owned(),
        several => {
            several.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
        }
    };
    let says_value = !alert.value.is_empty() && value(annotations) != alert.value;
    let says_summary =
        !says_value && !alert.summary.is_empty() && !annotations.values().any(|v| *v == alert.summary);
    let lasted = if alert.resolved { "resolved after" } else { "for" };
    let parts = [
        apart,
        if says_value { alert.value.clone() } else { String::new() },
        if says_summary { alert.summary.clone() } else { String::new() },
        format!("{lasted} {}", alert.duration),
    ];
    let line = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    fit(&clean_line(&line), MAX_LINE, Unit::Chars, ELLIPSIS).into_owned()
}

fn line_of(map: &Labels, names: &[&str]) -> String {
    let text = prose(first_usable(map, names).unwrap_or(""));
    fit(&clean_line(&text), MAX_LINE, Unit::Chars, ELLIPSIS).into_owned()
}

fn pairs(map: &Labels) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// A label's value is one line.
fn cleaned_labels<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let value = |value: &str| clean_line(&bounded(value, MAX_LABEL)).into_owned();
    pairs.take(MAX_NAMES).map(|(name, text)| (clean_line(name).into_owned(), value(text))).collect()
}

/// Annotations may be prose and keep their lines.
fn cleaned_annotations<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    pairs.take(MAX_NAMES).map(|(name, text)| (clean_line(name).into_owned(), prose(text))).collect()
}

/// A text of several lines, bounded.
fn prose(text: &str) -> String {
    clean_text(&bounded(text, MAX_ANNOTATION)).replace(NO_VALUE, NO_VALUE_SHOWN)
}

fn bounded(text: &str, max: usize) -> std::borrow::Cow<'_, str> {
    fit(text, max, Unit::Chars, ELLIPSIS)
}
