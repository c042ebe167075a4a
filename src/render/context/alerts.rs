//! The member alerts, and what they have in common.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{AlertContext, labels, quantity};
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::Member;
use crate::domain::labels::{ALERTNAME, Labels};
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::severity::Severity;
use crate::render::escape::{clean_line, clean_text};
use crate::render::fit::{ELLIPSIS, Unit, fit};
use crate::render::usable::{NO_VALUE, NO_VALUE_SHOWN, is_usable};
use crate::render::{look, natural, urls, words};

/// How Grafana names the rule in alerts about the rule itself.
const RULE: &str = "rulename";

/// So many alerts of a list are shown by every kind of channel.
const SURELY_SHOWN: usize = 3;
const MAX_LABEL: usize = 1_000;
const MAX_ANNOTATION: usize = 8_000;
const MAX_NAMES: usize = 100;
const MAX_LINE: usize = 300;
/// The most labels that a line names.
const MAX_OWN: usize = 4;

/// What the annotations say in words.
#[derive(Default)]
pub(super) struct Texts {
    pub summary: String,
    pub description: String,
    pub impact: String,
    pub action: String,
    pub runbook: String,
}

/// The alerts as a message tells of them.
pub(super) struct Told<'s> {
    /// Firing first, higher severity first, then in natural order of what sets them apart; the worst
    /// in the first place where it would stand far down.
    pub alerts: Vec<AlertContext>,
    /// The alert that speaks for all of them.
    pub worst: Option<&'s Member>,
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
pub(super) fn all<'s>(
    snapshot: &'s Snapshot,
    external_url: &str,
    labels: &Labels,
    annotations: &Labels,
) -> Told<'s> {
    let url = |member: &Member| match snapshot.kind {
        // Each line stands for an incident of its own.
        NotificationKind::Folded => urls::incident(external_url, &member.fingerprint),
        _ => String::new(),
    };
    let common = Common { at: snapshot.at, has_entry: snapshot.entry.is_some(), labels, annotations };
    let told = |member| (member, AlertContext { url: url(member), ..alert(member, &common) });
    let mut all: Vec<(&Member, AlertContext)> = snapshot.alerts.iter().map(told).collect();
    all.sort_by(|(a, a_told), (b, b_told)| {
        let rank = |member: &Member| (member.status == AlertStatus::Resolved, Reverse(member.severity));
        rank(a).cmp(&rank(b)).then_with(|| natural::compare(&a_told.line, &b_told.line))
    });
    let members: Vec<&Member> = all.iter().map(|(member, _)| *member).collect();
    let worst = worst(&members);
    let is_worst = |member: &&Member| worst.is_some_and(|worst| std::ptr::eq(*member, worst));
    let place = members.iter().position(is_worst);
    // It speaks for all: it must not be one of those that a list leaves out.
    if let Some(place) = place.filter(|place| *place >= SURELY_SHOWN) {
        all[..=place].rotate_right(1);
    }
    Told { worst, alerts: all.into_iter().map(|(_, alert)| alert).collect() }
}

/// Of those that are as severe as the first: the one whose value is farthest from its threshold.
fn worst<'s>(members: &[&'s Member]) -> Option<&'s Member> {
    let first = *members.first()?;
    let peers = members.iter().filter(|m| (m.status, m.severity) == (first.status, first.severity));
    Some(peers.fold(first, |worst, peer| if excess(peer) > excess(worst) { peer } else { worst }))
}

/// How far the value is from its threshold, measured by the threshold; less than nothing when
/// that cannot be said.
fn excess(member: &Member) -> f64 {
    const UNKNOWN: f64 = -1.0;
    let (value, threshold) = (own_value(member), threshold(&member.annotations));
    let (Some((value, unit)), Some((threshold, other))) =
        (quantity::read(&value), quantity::read(&threshold))
    else {
        return UNKNOWN;
    };
    let excess = (value - threshold).abs() / threshold.abs().max(f64::EPSILON);
    if (unit == other || other.is_empty()) && excess.is_finite() { excess } else { UNKNOWN }
}

/// What the annotations of one alert say, each text once; the broken ones say nothing.
pub(super) fn texts(member: Option<&Member>) -> Texts {
    member.map(|member| texts_of(&member.annotations)).unwrap_or_default()
}

/// The summary and the value that annotations tell, as messages show them.
pub fn summary_and_value(annotations: &Labels) -> (String, String) {
    (texts_of(annotations).summary, value(annotations))
}

fn texts_of(annotations: &Labels) -> Texts {
    let usable = |name: &str| first_usable(annotations, &[name]);
    let line = |text: Option<&str>| clean_line(&prose(text.unwrap_or(""))).into_owned();
    let summary = line(["summary", "message", "title", "description"].into_iter().find_map(usable));
    let mut said = vec![summary.clone()];
    let mut description = Vec::new();
    for text in ["description", "message"].into_iter().filter_map(usable) {
        let as_line = line(Some(text));
        if !said.iter().any(|known| is_the_same(known, &as_line)) {
            description.push(prose(text).trim().to_owned());
            said.push(as_line);
        }
    }
    let mut runbook = ["runbook", "runbook_url"].into_iter().filter_map(usable);
    Texts {
        summary,
        description: description.join("\n"),
        impact: line(usable("impact")),
        action: line(["action", "actions", "remediation"].into_iter().find_map(usable)),
        runbook: line(runbook.find(|text| is_in_words(text))),
    }
}

/// Whether it is words rather than an address, be it one that is no link.
fn is_in_words(text: &str) -> bool {
    text.contains(char::is_whitespace) || !text.contains(['/', '\\', ':'])
}

/// Whether two texts say the same: a full stop at the end is no difference.
fn is_the_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

/// The value that the annotations tell.
fn value(annotations: &Labels) -> String {
    line_of(annotations, &["value", "current_value"])
}

/// The value that an alert tells: in an annotation, or as Grafana sends it.
pub(super) fn own_value(member: &Member) -> String {
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

/// What all alerts of a message share.
struct Common<'a> {
    at: Timestamp,
    has_entry: bool,
    labels: &'a Labels,
    annotations: &'a Labels,
}

fn alert(member: &Member, common: &Common<'_>) -> AlertContext {
    let end = match member.status {
        AlertStatus::Firing => common.at,
        AlertStatus::Resolved => member.ends_at.unwrap_or(common.at),
    };
    let mut alert = AlertContext {
        name: clean_line(member.labels.get(ALERTNAME).map_or("", String::as_str)).into_owned(),
        subject: labels::subject(&member.labels, common.has_entry),
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
    alert.line = line(&alert, common);
    alert
}

/// What sets the alert apart from its neighbours, its own value or summary, how long.
fn line(alert: &AlertContext, common: &Common<'_>) -> String {
    let is_own = |(name, value): &(&str, &str)| {
        !common.labels.contains_key(*name) && *name != "severity" && is_usable(value)
    };
    let own = labels::telling_first(pairs(&alert.labels).filter(is_own).collect());
    let apart = match own.as_slice() {
        [] => alert.subject.clone(),
        [(name, value)] if value.chars().all(|c| c.is_ascii_digit()) => format!("{name} {value}"),
        [(_, value)] => (*value).to_owned(),
        several => {
            let several = several.iter().take(MAX_OWN);
            several.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
        }
    };
    let annotations = common.annotations;
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
