//! From an alert to an observation: which entry, which severity, which problem.

use super::incidents::{Observation, Origin};
use super::rules::Rules;
use super::subject::SEVERITY;
use crate::catalog::Catalog;
use crate::domain::alert::Alert;
use crate::domain::index_key::index_key;
use crate::render::links::{LinkContext, Window};

/// What triage finds out about one alert.
pub fn observe_alert(alert: Alert, origin: &Origin, rules: &Rules, catalog: &Catalog) -> Observation {
    let matched = catalog.find_entry(&alert.labels, &alert.annotations);
    let severity_raw = alert.labels.get(SEVERITY).map(String::as_str);
    let severity = rules.severity.normalise(severity_raw);
    let (entry, matched_by, version) = match matched {
        Some(found) => (found.entry.entry.slug.clone(), found.matched_by, found.version),
        None => (String::new(), String::new(), None),
    };
    let dedup_key = dedup_key(&alert, &entry, version.as_deref(), severity.as_str(), rules);
    Observation {
        severity,
        severity_raw: severity_raw.unwrap_or_default().to_owned(),
        dedup_key,
        entry,
        matched_by,
        version,
        origin: origin.clone(),
        alert,
    }
}

/// The name of the problem: by the configured template for an alert with an entry, by rule
/// and fingerprint for one without (two unknown things must not fall into one).
fn dedup_key(alert: &Alert, entry: &str, version: Option<&str>, severity: &str, rules: &Rules) -> String {
    if entry.is_empty() {
        let name = index_key(alert.name());
        return format!("{name}:{}", alert.fingerprint);
    }
    let context = LinkContext {
        alertname: alert.name(),
        severity,
        status: alert.status.as_str(),
        entry,
        version: version.unwrap_or_default(),
        labels: &alert.labels,
        annotations: &alert.annotations,
        window: Window::default(),
    };
    match rules.dedup_key.render(&context) {
        Ok(key) if !key.is_empty() => index_key(&key).into_owned(),
        // The built-in key stands in: an alert is never lost to a template.
        Ok(_) | Err(_) => index_key(&format!("{}:{entry}", alert.name())).into_owned(),
    }
}
