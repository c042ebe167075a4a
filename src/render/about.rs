//! What an alert is about, by its labels.

use crate::domain::alert::AlertStatus;
use crate::domain::labels::Labels;
use crate::domain::notification::Snapshot;
use crate::render::usable::is_usable;

/// The labels that say what an alert is about, the most telling first. Where a scrape has a
/// label of the same name, `exported_…` is what the series itself said.
const THINGS: [&str; 24] = [
    "exported_pod",
    "pod",
    "pod_name",
    "deployment",
    "statefulset",
    "daemonset",
    "cronjob",
    "persistentvolumeclaim",
    "horizontalpodautoscaler",
    "Hostname",
    "hostname",
    "host",
    "node",
    "nodename",
    "gpu",
    "feature",
    "feature_name",
    "slice",
    "partition",
    "exported_instance",
    "exported_container",
    "exported_job",
    "exported_service",
    "exported_namespace",
];

/// Where the alert was measured: what it is about only if nothing else says it.
const SOURCES: [&str; 7] = ["instance", "device", "container", "rulename", "job", "service", "namespace"];

/// The label that says what an alert is about: its name and its value. With an entry, which
/// says it already, only a part of what the entry stands for is left to name.
pub(super) fn label(labels: &Labels, has_entry: bool) -> Option<(&'static str, &str)> {
    let sources = if has_entry { &[][..] } else { &SOURCES[..] };
    let mut found = THINGS.iter().chain(sources).filter_map(|name| {
        let value = labels.get(*name)?.trim();
        is_usable(value).then_some((*name, value))
    });
    let first = found.clone().next();
    found.find(|(_, value)| !is_exporter(value)).or(first.filter(|_| !has_entry))
}

/// What a message is about in one word: what all its alerts share, else the entry, else what
/// the first alert is about.
pub fn source(snapshot: &Snapshot) -> &str {
    let incident = &snapshot.incident;
    let entry = incident.entry.trim();
    let mut things = snapshot
        .alerts
        .iter()
        .filter(|alert| snapshot.status == AlertStatus::Resolved || alert.status == AlertStatus::Firing)
        .map(|alert| label(&alert.labels, !entry.is_empty()).map_or("", |(_, value)| value));
    let first = things.next().unwrap_or_default();
    let is_shared = things.all(|thing| thing == first);
    let candidates = [if is_shared { first } else { "" }, entry, first, &incident.source];
    candidates.into_iter().find(|word| !word.trim().is_empty()).unwrap_or_default()
}

/// Names of pods, jobs and services that only pass on what they see elsewhere.
fn is_exporter(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.contains("exporter") || value.contains("kube-state-metrics")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const KUBE_STATE_METRICS: [(&str, &str); 4] = [
        ("container", "kube-state-metrics"),
        ("instance", "10.0.3.7:8080"),
        ("job", "kube-state-metrics"),
        ("pod", "kube-state-metrics-7d4f-abcde"),
    ];

    #[test]
    fn the_exporter_is_not_what_an_alert_is_about() {
        let dcgm = [("instance", "10.0.3.9:9400"), ("pod", "nvidia-dcgm-exporter-x7k2p"), ("job", "dcgm")];
        for (exporter, thing) in [
            (&KUBE_STATE_METRICS[..], ("deployment", "fraud-detector")),
            (&KUBE_STATE_METRICS[..], ("exported_pod", "fraud-detector-5c9f")),
            (&KUBE_STATE_METRICS[..], ("node", "gpu-node-7")),
            (&dcgm[..], ("Hostname", "gpu-node-7")),
            (&dcgm[..], ("gpu", "3")),
            (&[("instance", "10.0.3.7:8080")][..], ("pod", "fraud-detector-5c9f")),
        ] {
            let mut all = labels(exporter);
            all.insert(thing.0.to_owned(), thing.1.to_owned());

            assert_eq!(label(&all, false), Some(thing), "{exporter:?}");
            assert_eq!(label(&all, true), Some(thing), "{exporter:?}");
        }
    }

    #[test]
    fn where_it_was_measured_stands_in_unless_an_entry_says_what_it_is_about() {
        let plain = labels(&[("instance", "fraud-1:8080"), ("job", "serving")]);
        assert_eq!(label(&plain, false), Some(("instance", "fraud-1:8080")));
        assert_eq!(label(&plain, true), None);

        let only_exporter = labels(&KUBE_STATE_METRICS);
        assert_eq!(label(&only_exporter, false), Some(("instance", "10.0.3.7:8080")));
        assert_eq!(label(&only_exporter, true), None);
    }

    #[test]
    fn a_message_is_about_what_its_alerts_share_else_about_the_entry() {
        let mut snapshot = samples::firing();
        assert_eq!(source(&snapshot), "fraud-detector");
        snapshot.alerts[0].labels.insert("pod".to_owned(), "fraud-1".to_owned());
        assert_eq!(source(&snapshot), "fraud-1");

        let mut second = snapshot.alerts[0].clone();
        second.labels.insert("pod".to_owned(), "fraud-2".to_owned());
        snapshot.alerts.push(second);
        assert_eq!(source(&snapshot), "fraud-detector");
        snapshot.incident.entry.clear();
        assert_eq!(source(&snapshot), "fraud-1");

        snapshot.alerts.clear();
        assert_eq!(source(&snapshot), "alertmanager");
    }
}
