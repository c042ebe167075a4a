//! The line of labels that tell alerts apart.

use std::collections::BTreeSet;

use super::super::about;
use crate::domain::incident::Member;
use crate::domain::labels::{ALERTNAME, Labels};
use crate::domain::notification::{EntryFacts, NotificationKind, Snapshot};
use crate::render::escape::clean_line;
use crate::render::fit::{ELLIPSIS, Unit, fit};
use crate::render::natural;
use crate::render::usable::is_usable;

/// Labels that say how something was measured: they tell little and come last.
const OF_THE_SCRAPE: [&str; 14] = [
    "cluster",
    "container",
    "endpoint",
    "exported_job",
    "id",
    "image",
    "instance",
    "job",
    "namespace",
    "pod_template_hash",
    "prometheus",
    "prometheus_replica",
    "service",
    "uid",
];

/// The most characters of a value.
const MAX_VALUE: usize = 60;
/// The most values of one label.
const MAX_VALUES: usize = 3;
/// The most characters of the line where the catalog knows the rest, and where it does not.
const MAX_LINE: usize = 300;
const MAX_LINE_ALONE: usize = 600;

/// Labels in the order in which they tell alerts apart.
pub(super) fn telling_first<'l>(mut labels: Vec<(&'l str, &'l str)>) -> Vec<(&'l str, &'l str)> {
    labels.sort_by_key(|(name, _)| is_of_the_scrape(name));
    labels
}

/// `feature_name=age, amount and 3 more · slice=eu`: what the alerts' labels say and nothing
/// else in the message does, first those that differ; the worst alert's value is always named.
/// `place` is the label said already.
pub(super) fn line(snapshot: &Snapshot, worst: Option<&Member>, place: Option<&str>) -> String {
    // The lines of a message for many stand for incidents, not for alerts.
    if snapshot.kind == NotificationKind::Folded {
        return String::new();
    }
    let names: BTreeSet<&str> =
        snapshot.alerts.iter().flat_map(|alert| alert.labels.keys()).map(String::as_str).collect();
    let mut parts: Vec<(bool, bool, String)> = names
        .into_iter()
        .filter(|name| Some(*name) != place && !is_said(name, snapshot))
        .filter_map(|name| {
            let values = values(name, &snapshot.alerts, worst)?;
            Some((!values.differ, is_of_the_scrape(name), format!("{}={}", clean_line(name), values.text)))
        })
        .collect();
    parts.sort_by_key(|(is_common, is_of_the_scrape, _)| (*is_common, *is_of_the_scrape));
    let max = if snapshot.entry.is_some() { MAX_LINE } else { MAX_LINE_ALONE };
    joined(parts.into_iter().map(|(_, _, text)| text), max)
}

/// Whether other lines of every message say what this label says.
fn is_said(name: &str, snapshot: &Snapshot) -> bool {
    if [ALERTNAME, "severity"].contains(&name) {
        return true;
    }
    let all_say = |said: &dyn Fn(&str) -> bool| {
        snapshot.alerts.iter().filter_map(|alert| alert.labels.get(name)).all(|value| said(value.trim()))
    };
    let version = snapshot.incident.version.trim();
    if !version.is_empty() && all_say(&|value| value == version) {
        return true;
    }
    snapshot
        .entry
        .as_ref()
        .is_some_and(|entry| is_identity(name, entry) || all_say(&|value| names(value, entry)))
}

/// The label by which the entry was found.
fn is_identity(name: &str, entry: &EntryFacts) -> bool {
    entry.matched_by.strip_prefix("label ") == Some(name)
}

/// Whether the message says the value with the entry.
fn names(value: &str, entry: &EntryFacts) -> bool {
    let said = [&entry.slug, &entry.title, &entry.environment, &entry.team, &entry.owner];
    !value.is_empty() && said.into_iter().any(|word| word.eq_ignore_ascii_case(value))
}

struct Values {
    differ: bool,
    text: String,
}

/// The values of one label, if they say anything; an alert without it counts as one that differs.
fn values(name: &str, alerts: &[Member], worst: Option<&Member>) -> Option<Values> {
    let of = |alert: &Member| alert.labels.get(name).filter(|value| is_usable(value)).cloned();
    let all: Vec<Option<String>> = alerts.iter().map(of).collect();
    let differ = all.windows(2).any(|pair| pair[0] != pair[1]);
    let mut distinct: Vec<String> = all.into_iter().flatten().collect();
    distinct.sort_by(|a, b| natural::compare(a, b));
    distinct.dedup();
    let of_worst = worst.and_then(&of);
    let place = distinct.iter().position(|value| Some(value) == of_worst.as_ref());
    if let Some(place) = place.filter(|place| *place >= MAX_VALUES) {
        distinct[..=place].rotate_right(1);
    }
    if distinct.is_empty() {
        return None;
    }
    let left = distinct.len().saturating_sub(MAX_VALUES);
    let shown: Vec<String> = distinct
        .iter()
        .take(MAX_VALUES)
        .map(|value| fit(&clean_line(value), MAX_VALUE, Unit::Chars, ELLIPSIS).into_owned())
        .collect();
    let more = if left > 0 { format!(" and {left} more") } else { String::new() };
    Some(Values { differ, text: format!("{}{more}", shown.join(", ")) })
}

/// As many parts as fit; how many did not.
fn joined(parts: impl Iterator<Item = String>, max: usize) -> String {
    let (mut line, mut left) = (String::new(), 0);
    for part in parts {
        let separator = if line.is_empty() { "" } else { " · " };
        let length = line.chars().count() + separator.chars().count() + part.chars().count();
        if left > 0 || length > max && !line.is_empty() {
            left += 1;
            continue;
        }
        line.push_str(separator);
        line.push_str(&fit(&part, max, Unit::Chars, ELLIPSIS));
    }
    match left {
        0 => line,
        1 => format!("{line} · 1 more label"),
        left => format!("{line} · {left} more labels"),
    }
}

fn is_of_the_scrape(name: &str) -> bool {
    OF_THE_SCRAPE.contains(&name)
}

/// What one alert is about, with the label's name: `pod fraud-1`.
pub(super) fn place(labels: &Labels, has_entry: bool) -> Option<(&'static str, String)> {
    let (name, value) = about::label(labels, has_entry)?;
    Some((name, fit(&clean_line(value), MAX_LINE, Unit::Chars, ELLIPSIS).into_owned()))
}

/// What one alert is about: the value, with the label's name where it is but a number.
pub(super) fn subject(labels: &Labels, has_entry: bool) -> String {
    match place(labels, has_entry) {
        Some((name, value)) if value.chars().all(|c| c.is_ascii_digit()) => format!("{name} {value}"),
        Some((_, value)) => value,
        None => String::new(),
    }
}
