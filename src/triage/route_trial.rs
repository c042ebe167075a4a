//! Where an alert with these labels would go. The alert is made and goes through the same
//! steps as a real one: [`observe_alert`], the working_set, and the walk through the tree. Pure.

use std::sync::Arc;

use super::evaluate::routed;
use super::incidents::{Observation, Origin};
use super::loaded::Context;
use super::observe::observe_alert;
use super::rehearsal::ids_at;
use super::routes::{Node, destinations_of};
use super::rules::Rules;
use super::subject::{ENTRY, FACT_NAMES, FACTS, set_entry_field};
use super::working_set::WorkingSet;
use crate::catalog::Catalog;
use crate::config::CatalogConfig;
use crate::domain::alert::{Alert, AlertStatus, Extras};
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Entry, EntryRecord};
use crate::domain::labels::{Labels, fingerprint};
use crate::domain::severity::Severity;

/// The slug of an entry that was described without one.
const UNNAMED: &str = "unnamed";

/// What the tree does with labels.
#[derive(Debug)]
pub struct RouteTrial<'t> {
    /// The severity they stand for.
    pub severity: Severity,
    /// The catalog entry and how it was found; `None` when nothing was.
    pub entry: Option<(String, String)>,
    /// The nodes that take them, in the order of the tree.
    pub nodes: Vec<&'t Node>,
    /// The channels reached, each once.
    pub channels: Vec<&'t str>,
}

impl RouteTrial<'_> {
    /// Whether the labels pass this node on their way.
    pub fn passes(&self, node: &Node) -> bool {
        let is_taken = self.nodes.iter().any(|taken| std::ptr::eq(*taken, node));
        is_taken || node.children().iter().any(|child| self.passes(child))
    }
}

/// Tries labels. `mp.NAME=VALUE` says what no label can: what the body context the alert says
/// (`mp.receiver`, `mp.status`, `mp.source`) or which version was found; `entry.FIELD=VALUE`
/// is taken for what the catalog knows, whatever it knows.
///
/// # Errors
/// What cannot be said of an alert.
pub fn try_labels<'t>(
    rules: &'t Rules,
    catalog: &Catalog,
    given: &[(String, String)],
    now: Timestamp,
) -> Result<RouteTrial<'t>, String> {
    let asked = Asked::read(given, now)?;
    let mut seen = observe_alert(asked.alert, &asked.origin, rules, catalog);
    let described = describe_entry(&asked.entry, &mut seen, catalog)?;
    if asked.version.is_some() {
        seen.version = asked.version;
    }
    let catalog = described.as_ref().unwrap_or(catalog);
    let ids = ids_at(now);
    let mut working_set = WorkingSet::default();
    working_set.take_in(std::slice::from_ref(&seen), false, &Context { rules, catalog, ids: &ids, now });
    // The working_set has the incident of what it just took in.
    let nodes = working_set.loaded(&seen.dedup_key).map(|loaded| routed(loaded, &rules.tree, catalog));
    let nodes = nodes.unwrap_or_default();
    Ok(RouteTrial {
        severity: seen.severity,
        entry: (!seen.entry.is_empty()).then_some((seen.entry, seen.matched_by)),
        channels: destinations_of(&nodes).iter().map(|destination| destination.channel).collect(),
        nodes,
    })
}

/// The names that matchers look at and that only the catalog could answer; `given` says some
/// of them itself.
pub fn unanswered_names<'r>(rules: &'r Rules, given: &[(String, String)]) -> Vec<&'r str> {
    let is_of_catalog = |name: &&str| name.starts_with(ENTRY) || matches!(*name, "mp.version" | "version");
    let is_given = |name: &str| given.iter().any(|(known, _)| known == name);
    rules.tree.label_names().into_iter().filter(is_of_catalog).filter(|name| !is_given(name)).collect()
}

/// What was asked, as a body would have said it.
struct Asked {
    alert: Alert,
    origin: Origin,
    version: Option<String>,
    entry: Vec<(String, String)>,
}

impl Asked {
    fn read(given: &[(String, String)], now: Timestamp) -> Result<Self, String> {
        let mut labels = Labels::new();
        let mut status = AlertStatus::Firing;
        let mut origin = Origin { source: "alertmanager".to_owned(), received_at: now, ..Origin::default() };
        let mut version = None;
        let mut entry = Vec::new();
        for (name, value) in given {
            if let Some(field) = name.strip_prefix(ENTRY) {
                entry.push((field.to_owned(), value.clone()));
                continue;
            }
            match name.strip_prefix(FACTS) {
                None => drop(labels.insert(name.clone(), value.clone())),
                Some("receiver") => origin.receiver.clone_from(value),
                Some("source") => origin.source.clone_from(value),
                Some("version") => version = Some(value.clone()),
                Some("status") => status = read_status(value)?,
                Some("severity") => {
                    return Err("mp.severity follows from the label severity: give that one".to_owned());
                }
                Some(_) => {
                    let known = FACT_NAMES.map(|fact| format!("{FACTS}{fact}")).join(", ");
                    return Err(format!("there is no {name}; there are {known}"));
                }
            }
        }
        let alert = Alert {
            fingerprint: fingerprint(&labels),
            status,
            labels,
            annotations: Labels::new(),
            starts_at: now,
            ends_at: (status == AlertStatus::Resolved).then_some(now),
            generator_url: String::new(),
            extras: Extras::default(),
        };
        Ok(Self { alert, origin, version, entry })
    }
}

fn read_status(value: &str) -> Result<AlertStatus, String> {
    let both = [AlertStatus::Firing, AlertStatus::Resolved];
    let found = both.into_iter().find(|status| status.as_str() == value);
    found.ok_or_else(|| format!("mp.status is firing or resolved, not {value:?}"))
}

/// Lets `seen` be an alert of an entry with those fields: the one that was found, changed, or
/// a new one. Answers a catalog that holds it.
fn describe_entry(
    fields: &[(String, String)],
    seen: &mut Observation,
    catalog: &Catalog,
) -> Result<Option<Catalog>, String> {
    if fields.is_empty() {
        return Ok(None);
    }
    let found = catalog.get(&seen.entry).map(Arc::unwrap_or_clone);
    let mut record = found.unwrap_or_else(|| EntryRecord {
        entry: Entry { slug: UNNAMED.to_owned(), ..Entry::default() },
        ..EntryRecord::default()
    });
    for (field, value) in fields {
        set_entry_field(&mut record.entry, field, value)
            .map_err(|error| format!("{ENTRY}{field}: {error}"))?;
    }
    seen.entry.clone_from(&record.entry.slug);
    "as given".clone_into(&mut seen.matched_by);
    let described = Catalog::new(CatalogConfig::default());
    described.replace(vec![record], 1);
    Ok(Some(described))
}

/// One label as it is written: `severity=page` or `severity="page"`.
///
/// # Errors
/// What would be right.
pub fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), unquote(value).to_owned())),
        _ => Err("expected LABEL=VALUE, such as severity=critical".to_owned()),
    }
}

/// The quotes of `severity="critical"` belong to the matcher syntax, not to the value.
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
#[path = "route_trial_tests.rs"]
mod tests;
