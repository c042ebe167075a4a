//! What a message says of several alerts, of what tells them apart, and in which words.

use super::*;
use crate::domain::incident::Member;
use crate::domain::labels::Labels;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::severity::Severity;
use crate::render::samples;

fn build(snapshot: &Snapshot) -> MessageContext {
    let links = LinkTemplates::default();
    let options =
        ContextOptions { external_url: "http://here/", channel: "c", now: samples::NOW, links: &links };
    MessageContext::build(snapshot, &options)
}

fn firing(change: impl FnOnce(&mut Snapshot)) -> MessageContext {
    let mut snapshot = samples::firing();
    change(&mut snapshot);
    build(&snapshot)
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// As many alerts as there are numbers, each with a pod and a summary of its own.
fn pods(numbers: impl Iterator<Item = u32>) -> Snapshot {
    let mut snapshot = samples::firing();
    let one = snapshot.alerts.remove(0);
    snapshot.alerts = numbers
        .map(|n| {
            let mut member = one.clone();
            member.labels.remove("instance");
            member.labels.insert("pod".to_owned(), format!("pod-{n}"));
            member.annotations = labels(&[("summary", &format!("pod {n} down"))]);
            // The fingerprints are in another order than the numbers.
            member.fingerprint = format!("{:016x}", u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            member
        })
        .collect();
    snapshot.alerts.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    let count = u32::try_from(snapshot.alerts.len()).unwrap();
    (snapshot.incident.firing, snapshot.incident.members) = (count, count);
    snapshot
}

fn with_value(snapshot: &mut Snapshot, pod: &str, change: impl FnOnce(&mut Member)) {
    let member = snapshot.alerts.iter_mut().find(|member| member.labels["pod"] == pod).unwrap();
    change(member);
}

fn annotate(member: &mut Member, pairs: &[(&str, &str)]) {
    member.annotations.extend(labels(pairs));
}

#[test]
fn the_summary_of_one_says_how_many_others_there_are() {
    let told = build(&pods(8..=37));

    assert_eq!(told.summary, "pod 8 down (and 29 more)");
    let lines: Vec<&str> = told.alerts.iter().take(3).map(|alert| alert.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "pod-8 · pod 8 down · for 14 min",
            "pod-9 · pod 9 down · for 14 min",
            "pod-10 · pod 10 down · for 14 min"
        ]
    );
    assert_eq!(build(&pods(8..=8)).summary, "pod 8 down");
    assert_eq!(build(&samples::several()).summary, "p99 latency of fraud-detector is 412 ms");
}

#[test]
fn only_those_that_still_fire_are_counted_beside_one_that_fires() {
    let mut snapshot = pods(1..=3);
    with_value(&mut snapshot, "pod-1", |member| member.status = crate::domain::alert::AlertStatus::Resolved);
    snapshot.incident.firing = 2;

    assert_eq!(build(&snapshot).summary, "pod 2 down (and 1 more)");
}

#[test]
fn the_most_severe_speaks_for_all() {
    let mut snapshot = pods(1..=3);
    for member in &mut snapshot.alerts {
        member.severity = Severity::Medium;
        annotate(
            member,
            &[("value", "0.5"), ("threshold", "0.4"), ("runbook_url", "https://wiki.example/a")],
        );
    }
    with_value(&mut snapshot, "pod-3", |member| {
        member.severity = Severity::Critical;
        annotate(
            member,
            &[("value", "0.9"), ("threshold", "0.8"), ("runbook_url", "https://wiki.example/b")],
        );
    });

    let told = build(&snapshot);

    assert_eq!(told.summary, "pod 3 down (and 2 more)");
    assert_eq!(told.measured, "0.9 (threshold 0.8)");
    assert!(told.links.iter().any(|link| link.url == "https://wiki.example/b"));
}

#[test]
fn of_equally_severe_ones_the_farthest_from_its_threshold_speaks() {
    for (values, threshold, worst) in [
        (["410 ms", "900 ms", "95 ms"], "400 ms", "900 ms"),
        (["0.79", "0.41", "0.7"], "0.8", "0.41"),
        (["12%", "97%", "30%"], "90", "12%"),
        (["-5", "-80", "1"], "0", "-80"),
        (["NaN", "5 s", "7 s"], "1 s", "7 s"),
        (["510ms", "600ms", "2.1s"], "500ms", "2.1s"),
        (["1.2k", "900", "3.4M"], "500", "3.4M"),
        // What cannot be compared is told in order.
        (["7 s", "900 ms", "8000 ms"], "", "7 s"),
        (["7 s", "900 ms", "8000 ms"], "a lot", "7 s"),
    ] {
        let mut snapshot = pods(1..=3);
        for (n, value) in values.iter().enumerate() {
            with_value(&mut snapshot, &format!("pod-{}", n + 1), |member| {
                annotate(member, &[("value", value), ("threshold", threshold)]);
            });
        }

        assert_eq!(build(&snapshot).value, worst, "{values:?}");
    }
}

#[test]
fn what_tells_alerts_apart_is_told() {
    let drift = |features: &[&str]| {
        let mut snapshot = pods(1..=u32::try_from(features.len()).unwrap());
        snapshot.incident.version = "v8".to_owned();
        for (member, feature) in snapshot.alerts.iter_mut().zip(features) {
            member.labels = labels(&[
                ("alertname", "FeatureDrift"),
                ("feature_name", feature),
                ("instance", "10.0.0.1:9100"),
                ("model", "fraud-detector"),
                ("model_version", "v8"),
                ("severity", "critical"),
                ("slice", "eu"),
            ]);
        }
        snapshot
    };

    let one = build(&drift(&["amount"]));
    assert_eq!(
        (one.place.as_str(), one.label_line.as_str()),
        ("feature_name amount", "slice=eu · instance=10.0.0.1:9100")
    );
    assert_eq!(
        build(&drift(&["amount", "age"])).label_line,
        "feature_name=age, amount · slice=eu · instance=10.0.0.1:9100"
    );
    assert_eq!(
        build(&drift(&["f10", "f9", "f1", "f2", "f2"])).label_line,
        "feature_name=f1, f2, f9 and 1 more · slice=eu · instance=10.0.0.1:9100"
    );
    let mut unmatched = drift(&["amount"]);
    unmatched.entry = None;
    unmatched.incident.version.clear();
    assert_eq!(
        build(&unmatched).label_line,
        "feature_name=amount · model=fraud-detector · model_version=v8 · slice=eu · instance=10.0.0.1:9100"
    );
}

#[test]
fn a_label_that_only_some_alerts_have_tells_them_apart() {
    let mut snapshot = pods(1..=2);
    snapshot.alerts[0].labels.insert("canary".to_owned(), "yes".to_owned());
    snapshot.alerts.iter_mut().for_each(|member| {
        member.labels.insert("a".to_owned(), "same".to_owned());
    });

    assert!(build(&snapshot).label_line.starts_with("canary=yes · pod=pod-1, pod-2 · a=same"));
}

#[test]
fn the_line_of_labels_is_short_and_one_line() {
    let told = firing(|s| {
        for n in 0..100 {
            s.alerts[0]
                .labels
                .insert(format!("label_{n}"), format!("value\nOwner: nobody {}", "x".repeat(500)));
        }
    });

    assert!(told.label_line.chars().count() <= 330, "{}", told.label_line);
    assert!(!told.label_line.contains('\n'));
    assert!(told.label_line.ends_with(" more labels"), "{}", told.label_line);
    assert_eq!(build(&samples::folded()).label_line, "");
}

#[test]
fn the_alert_whose_value_is_told_is_named_first() {
    let mut snapshot = pods(1..=12);
    for member in &mut snapshot.alerts {
        let value = if member.labels["pod"] == "pod-12" { "9.9" } else { "1.1" };
        annotate(member, &[("summary", "drifted"), ("value", value), ("threshold", "1")]);
        member.labels.insert("feature_name".to_owned(), member.labels["pod"].replace("pod", "feature"));
    }

    let told = build(&snapshot);

    assert_eq!(told.value, "9.9");
    assert!(
        told.label_line.contains("feature_name=feature-12, feature-1, feature-2 and 9 more"),
        "{}",
        told.label_line
    );
    let list: Vec<&str> = told.alerts.iter().take(3).map(|alert| alert.labels["pod"].as_str()).collect();
    assert_eq!(list, ["pod-12", "pod-1", "pod-2"]);
}

#[test]
fn a_line_of_the_list_names_what_differs_before_what_the_scrape_adds() {
    let mut snapshot = pods(1..=2);
    for (n, member) in snapshot.alerts.iter_mut().enumerate() {
        for name in ["container", "endpoint", "instance", "job", "service", "zone"] {
            member.labels.insert(name.to_owned(), format!("{name}-{n}"));
        }
        member.labels.insert("pod".to_owned(), format!("pod-{n}"));
    }

    assert!(build(&snapshot).alerts[0].line.starts_with("pod=pod-0, zone=zone-0, "));
}

#[test]
fn every_annotation_in_words_is_told_once() {
    let told = firing(|s| {
        annotate(
            &mut s.alerts[0],
            &[
                ("summary", "latency is high"),
                ("description", "Latency is high."),
                ("message", "the queue of fraud-1 is full"),
                ("impact", "checkout fails"),
                ("action", "1. drain\n2. restart"),
                ("runbook", "ask the risk team"),
            ],
        );
    });

    assert_eq!(told.summary, "latency is high");
    assert_eq!(told.description, "the queue of fraud-1 is full");
    assert_eq!(told.impact, "checkout fails · Payments wait or pass unchecked");
    assert_eq!(told.action, "1. drain 2. restart");
    assert_eq!(told.runbook_text, "ask the risk team");

    let linked = firing(|s| {
        annotate(
            &mut s.alerts[0],
            &[
                ("impact", "Payments wait or pass unchecked"),
                ("runbook", "https://wiki.example/x"),
                ("message", "the same"),
                ("description", "the same"),
            ],
        );
    });
    assert_eq!(linked.description, "the same");
    assert_eq!(linked.impact, "Payments wait or pass unchecked");
    assert_eq!(linked.runbook_text, "");
    for address in ["https://ok.example\\@evil.example/", "javascript:alert(1)", "//x.example/y"] {
        let told = firing(|s| annotate(&mut s.alerts[0], &[("runbook", address)]));
        assert_eq!(told.runbook_text, "", "{address}");
    }
}

#[test]
fn without_a_name_of_the_rule_the_summary_is_the_headline() {
    let nameless = |summary: &str, has_entry: bool| {
        firing(|s| {
            s.incident.alertname.clear();
            annotate(&mut s.alerts[0], &[("summary", summary)]);
            s.alerts[0].labels.remove("alertname");
            if !has_entry {
                s.entry = None;
            }
        })
    };

    let told = nameless("p99 is 412 ms", true);
    assert_eq!(
        (told.headline.as_str(), told.headline_is_summary),
        ("p99 is 412 ms on Fraud detector v8", true)
    );
    assert_eq!(nameless("Fraud detector is slow", true).headline, "Fraud detector is slow");
    assert_eq!(nameless("p99 is 412 ms", false).headline, "p99 is 412 ms on fraud-1:8080");
    assert!(!nameless(&"long ".repeat(50), true).headline_is_summary);
    assert!(!build(&samples::firing()).headline_is_summary);
    assert!(!build(&samples::bare()).headline_is_summary);
}

#[test]
fn a_version_has_one_form() {
    let told = firing(|s| {
        s.incident.version = "30".to_owned();
        let entry = s.entry.as_mut().unwrap();
        entry.version_live = Some("31".to_owned());
        let deployment = entry.deployment.as_mut().unwrap();
        (deployment.version, deployment.previous_version) = ("31".to_owned(), "30.1".to_owned());
    });

    assert_eq!(told.deployment.text, "v31 deployed by ci 14 min before the alert began (was v30.1)");
    assert!(told.version_note.starts_with("the alert names version v30; the catalog says v31 since"));
    assert_eq!(told.headline, "HighPredictionLatency on Fraud detector v30");
}

#[test]
fn no_link_asks_for_an_empty_receiver() {
    for receiver in ["", "  "] {
        let told = firing(|s| s.incident.receiver = receiver.to_owned());

        let link = told.links.iter().find(|link| link.name == "alertmanager").unwrap();
        assert_eq!(link.url, "http://alertmanager.example:9093/#/alerts");
    }
}

#[test]
fn the_last_line_says_why_it_was_sent() {
    assert_eq!(build(&samples::firing()).footer, "First notification of this incident");
    assert_eq!(firing(|s| s.reason.clear()).footer, "");
    assert_eq!(firing(|s| s.kind = NotificationKind::Test).footer, "First notification of this incident");
}
