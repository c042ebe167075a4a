//! What messages say in the cases the samples do not show.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::domain::alert::{AlertStatus, Extras};
use crate::domain::entry::EntryKind;
use crate::domain::incident::ResolveReason;
use crate::domain::labels::Labels;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::domain::severity::Severity;
use crate::render::samples;

fn build(snapshot: &Snapshot) -> MessageContext {
    build_at(snapshot, samples::NOW)
}

fn build_at(snapshot: &Snapshot, now: Timestamp) -> MessageContext {
    let links = LinkTemplates::default();
    let options = ContextOptions { external_url: "http://here/", channel: "c", now, links: &links };
    MessageContext::build(snapshot, &options)
}

fn firing(change: impl FnOnce(&mut Snapshot)) -> MessageContext {
    let mut snapshot = samples::firing();
    change(&mut snapshot);
    build(&snapshot)
}

fn annotated(pairs: &[(&str, &str)]) -> MessageContext {
    firing(|s| {
        s.alerts[0].annotations =
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    })
}

fn link<'a>(context: &'a MessageContext, name: &str) -> Option<&'a str> {
    context.links.iter().find(|link| link.name == name).map(|link| link.url.as_str())
}

#[test]
fn the_first_words_say_why_the_message_came() {
    let lead = |kind, previous| {
        firing(|s| {
            s.kind = kind;
            s.previous_severity = previous;
        })
        .lead
    };
    assert_eq!(lead(NotificationKind::Firing, None), "CRITICAL");
    assert_eq!(lead(NotificationKind::Updated, None), "CRITICAL, updated");
    assert_eq!(lead(NotificationKind::SeverityRaised, Some(Severity::Low)), "CRITICAL, raised from low");
    assert_eq!(lead(NotificationKind::SeverityLowered, None), "CRITICAL, lowered");
    assert_eq!(lead(NotificationKind::Reopened, None), "CRITICAL, firing again");
    assert_eq!(lead(NotificationKind::Repeated, None), "CRITICAL, still firing");
    assert_eq!(lead(NotificationKind::Resolved, None), "RESOLVED");
    assert_eq!(lead(NotificationKind::Test, None), "TEST");
}

#[test]
fn words_that_only_a_newer_release_knows_do_not_keep_the_rest_from_being_told() {
    let newer = |sample: Snapshot| {
        let mut stored = serde_json::to_value(sample).unwrap();
        stored["kind"] = json!("escalated");
        stored["incident"]["resolve_reason"] = json!("machine");
        stored["entry"]["kind"] = json!("agent");
        stored["overtook"] = json!({"count": 2, "since": samples::NOW, "kinds": ["firing", "escalated"]});
        build(&serde_json::from_value(stored).unwrap())
    };

    let (firing, resolved) = (newer(samples::firing()), newer(samples::resolved()));

    assert_eq!(
        (firing.kind, firing.lead.as_str(), resolved.lead.as_str()),
        ("other", "CRITICAL", "RESOLVED")
    );
    assert_eq!((firing.headline, firing.incident.resolve_reason), (build(&samples::firing()).headline, ""));
}

#[test]
fn the_headline_says_what_is_known() {
    assert_eq!(build(&samples::firing()).headline, "HighPredictionLatency on Fraud detector v8");
    assert_eq!(build(&samples::unmatched()).headline, "DiskWillFillIn4Hours on gpu-node-7:9100");
    let wordless = firing(|s| {
        s.incident.alertname.clear();
        s.alerts[0].annotations.clear();
    });
    assert_eq!(wordless.headline, "Fraud detector v8");
    assert!(build(&samples::bare()).headline.starts_with('x'), "the job is what the alert is about");
    let nameless = firing(|s| {
        s.incident.alertname.clear();
        s.entry = None;
        s.alerts.clear();
    });
    assert_eq!(nameless.headline, "Alert HighPredictionLatency:fraud-detector");
    let keyed = firing(|s| {
        s.incident.alertname.clear();
        s.incident.dedup_key = ":1ad9".into();
        s.entry = None;
        s.alerts.clear();
    });
    assert_eq!(keyed.headline, "Alert 1ad9");
    assert_eq!(firing(|s| s.incident.id.clear()).incident.url, "");
}

#[test]
fn the_version_is_the_alerts_then_the_live_then_the_current_one() {
    let version = |named: &str, live: Option<&str>, current: &str| {
        firing(|s| {
            s.incident.version = named.to_owned();
            let entry = s.entry.as_mut().unwrap();
            entry.version_live = live.map(str::to_owned);
            entry.version_current = current.to_owned();
        })
    };
    assert_eq!(version("v7", Some("v8"), "v9").version, "v7");
    assert_eq!(version("", Some("v8"), "v9").version, "v8");
    assert_eq!(version("", None, "9").version, "9");
    assert_eq!(version("", None, "9").headline, "HighPredictionLatency on Fraud detector v9");
    assert_eq!(version("", None, "").headline, "HighPredictionLatency on Fraud detector");
    assert_eq!(version("8", Some("v8"), "").version_note, "");
    assert_eq!(version("v7", None, "").version_note, "");
    assert_eq!(
        version("v7", Some("v8"), "").version_note,
        "the alert names version v7; the catalog says v8 since 10:20 UTC"
    );
    assert_eq!(version("v7", Some("v9"), "").notes, ["the alert names version v7; the catalog says v9"]);
}

#[test]
fn annotations_are_taken_under_their_usual_names() {
    let told = annotated(&[("message", "m"), ("description", "d"), ("current_value", "3"), ("limit", "2")]);
    assert_eq!((told.summary.as_str(), told.description.as_str()), ("m", "d"));
    assert_eq!(told.measured, "3 (threshold 2)");

    let told = annotated(&[("description", "line 1\r\nline 2"), ("threshold", "2")]);
    assert_eq!((told.summary.as_str(), told.description.as_str()), ("line 1 line 2", ""));
    assert_eq!(told.measured, "threshold 2");

    assert_eq!(annotated(&[]).summary, "");
}

#[test]
fn a_broken_annotation_is_passed_over_and_told() {
    let told = annotated(&[("summary", "<error expanding template: nil data>"), ("description", "d")]);

    assert_eq!(told.summary, "d");
    assert_eq!(told.notes, ["Prometheus could not fill in the annotation \"summary\": nil data"]);
}

#[test]
fn runbook_and_dashboard_of_the_alert_stand_beside_those_of_the_catalog() {
    let told = annotated(&[("runbook_url", "https://wiki.example/x"), ("dashboard", "https://g.example/y")]);
    let names: Vec<&str> = told.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names[..5], ["runbook", "alert_runbook", "dashboard", "alert_dashboard", "logs"]);

    let only_alert = firing(|s| {
        s.entry = None;
        s.alerts[0].annotations.insert("runbook".to_owned(), "https://wiki.example/x".to_owned());
    });
    assert_eq!(link(&only_alert, "runbook"), Some("https://wiki.example/x"));
    assert_eq!(link(&annotated(&[("runbook", "see the wiki")]), "alert_runbook"), None);
}

#[test]
fn a_broken_link_of_the_catalog_is_left_out_and_told() {
    let told = firing(|s| {
        s.entry.as_mut().unwrap().links.insert("logs".to_owned(), "https://x/{{#if}".to_owned());
    });

    assert_eq!(link(&told, "logs"), None);
    assert!(told.notes[0].starts_with("the catalog's link \"logs\" is broken: line 1"), "{:?}", told.notes);
}

#[test]
fn links_show_the_time_of_the_incident() {
    let begin = samples::firing().incident.started_at;
    let hour = Duration::from_secs(3_600);
    let told = build_at(&samples::firing(), samples::NOW.plus(hour));
    assert_eq!(told.window.from_ms, begin.minus(hour).as_millis());
    assert_eq!(told.window.to_ms, samples::NOW.plus(hour).as_millis());

    let over = build_at(&samples::resolved(), samples::NOW.plus(hour));
    assert_eq!(over.window.to_ms, samples::NOW.plus(hour / 4).as_millis());
}

#[test]
fn how_it_ended_is_told_unless_the_alert_itself_resolved() {
    let ended = |reason| {
        let mut snapshot = samples::resolved();
        snapshot.incident.resolve_reason = Some(reason);
        snapshot.incident.last_seen_at = samples::NOW.minus(Duration::from_secs(120 * 3_600));
        build(&snapshot).notes
    };
    assert_eq!(ended(ResolveReason::Alert), Vec::<String>::new());
    assert_eq!(ended(ResolveReason::Person), ["resolved by a person, not by the alert"]);
    assert_eq!(ended(ResolveReason::Stale), ["resolved as stale: no alerts received for 5 d"]);
}

#[test]
fn what_is_unusual_is_told() {
    assert_eq!(
        firing(|s| s.incident.severity_raw.clear()).notes,
        ["the alert names no severity; it is treated as critical"]
    );
    assert_eq!(firing(|s| s.incident.reopened = 2).notes, ["it was resolved before and fired again 2 times"]);
    assert_eq!(
        firing(|s| s.incident.truncated = 1).notes,
        ["Alertmanager cut 1 alert from what it sent (max_alerts)"]
    );
    assert_eq!(firing(|s| s.kind = NotificationKind::Test).notes, ["this is a test; nothing is wrong"]);
    let late = build_at(&samples::firing(), samples::NOW.plus(Duration::from_secs(7_500)));
    assert_eq!(late.notes, ["this message is late: it was created 2 h 5 min ago"]);
}

#[test]
fn an_alert_in_the_list_says_what_sets_it_apart() {
    let mut snapshot = samples::several();
    snapshot.alerts.truncate(3);
    snapshot.alerts[0].annotations.insert("value".to_owned(), "500 ms".to_owned());
    snapshot.alerts[1].annotations.insert("value".to_owned(), "600 ms".to_owned());
    snapshot.alerts[2].labels.insert("zone".to_owned(), "b".to_owned());
    snapshot.alerts[2].status = AlertStatus::Resolved;

    let lines: Vec<String> = build(&snapshot).alerts.into_iter().map(|alert| alert.line).collect();

    assert_eq!(
        lines,
        [
            "fraud-1:8080 · 500 ms · for 15 min",
            "fraud-2:8080 · 600 ms · for 16 min",
            "zone=b, instance=fraud-3:8080 · 412 ms · resolved after 17 min"
        ]
    );
}

#[test]
fn what_is_not_known_is_left_out_of_the_phrases() {
    let told = firing(|s| {
        let entry = s.entry.as_mut().unwrap();
        entry.kind = EntryKind::Llm;
        entry.title = entry.slug.clone();
        entry.tier = None;
        entry.owner.clear();
        entry.contacts.clear();
        let deployment = entry.deployment.as_mut().unwrap();
        deployment.actor.clear();
        deployment.previous_version.clear();
        deployment.url = "javascript:alert(1)".to_owned();
    });
    assert_eq!(told.catalog.kind_label, "LLM");
    assert_eq!(told.model_line, "fraud-detector v8 · production");
    assert_eq!(told.owner_line, "risk-ml");
    assert_eq!(told.deployment.text, "v8 deployed 14 min before the alert began");
    assert_eq!(told.deployment.url, "");
    assert_eq!((told.place.as_str(), told.label_line.as_str()), ("", "instance=fraud-1:8080"));
}

#[test]
fn enormous_texts_are_cut_before_they_reach_a_template() {
    let huge = "ü\u{202e}".repeat(1_000_000);
    let told = firing(|s| {
        s.alerts[0].annotations.insert("summary".to_owned(), huge.clone());
        s.alerts[0].labels.insert("instance".to_owned(), huge.clone());
        for n in 0..1_000 {
            s.alerts[0].labels.insert(format!("label_{n}"), huge[..4_000].to_owned());
        }
    });

    let size = serde_json::to_string(&told).unwrap().len();
    assert!(size < 1_000_000, "{size}");
    assert!(!told.summary.contains('\u{202e}'));
}

fn grafana(rule: &str) -> MessageContext {
    firing(|s| {
        s.incident.external_url = "https://grafana.example/".to_owned();
        s.incident.alertname = "DatasourceNoData".to_owned();
        let alert = &mut s.alerts[0];
        alert.annotations = Labels::default();
        alert.labels.insert("alertname".to_owned(), "DatasourceNoData".to_owned());
        alert.labels.insert("rulename".to_owned(), rule.to_owned());
        alert.generator_url = "https://grafana.example/alerting/grafana/x/view?orgId=1".to_owned();
        alert.extras = Extras {
            values: "B=22.1".to_owned(),
            value_string: "[ var='B' value=22.1 ]".to_owned(),
            silence_url: "https://grafana.example/s".to_owned(),
            dashboard_url: "https://grafana.example/d/x".to_owned(),
            panel_url: "https://grafana.example/d/x?viewPanel=2&a=\"b\"".to_owned(),
            image_url: "javascript:alert(1)".to_owned(),
        };
        s.alerts.truncate(1);
    })
}

#[test]
fn what_grafana_adds_is_linked_and_leads_nowhere_else() {
    let context = grafana("Score drift");

    assert_eq!(link(&context, "alertmanager"), None, "there is none");
    assert_eq!(link(&context, "prometheus"), None);
    assert_eq!(link(&context, "grafana"), Some("https://grafana.example/"));
    assert_eq!(
        link(&context, "grafana_rule"),
        Some("https://grafana.example/alerting/grafana/x/view?orgId=1")
    );
    assert_eq!(link(&context, "silence"), Some("https://grafana.example/s"));
    assert_eq!(link(&context, "panel"), Some("https://grafana.example/d/x?viewPanel=2&a=%22b%22"));
    let all: Vec<&str> = context.links.iter().map(|link| link.url.as_str()).collect();
    assert!(all.contains(&"https://grafana.example/d/x"), "{all:?}");
    assert_eq!(link(&context, "image"), None);
    assert_eq!((context.value.as_str(), context.measured.as_str()), ("B=22.1", "B=22.1"));
}

#[test]
fn an_alert_about_a_rule_of_grafana_names_the_rule() {
    let context = grafana("Score drift");

    assert!(context.headline.starts_with("DatasourceNoData (Score drift)"), "{}", context.headline);
    let unmatched = firing(|s| {
        s.entry = None;
        s.incident.alertname = "DatasourceNoData".to_owned();
        s.alerts.truncate(1);
        s.alerts[0].labels = [("alertname", "DatasourceNoData"), ("rulename", "Score drift")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    });
    assert_eq!(unmatched.headline, "DatasourceNoData on Score drift");
}

#[test]
fn grafanas_test_alert_says_that_it_ends_by_itself() {
    let context = firing(|s| s.incident.source = "grafana-test".to_owned());
    assert!(context.notes.iter().any(|note| note.contains("ends here after 5 min")), "{:?}", context.notes);
}

#[test]
fn an_unknown_word_for_the_severity_is_noted_as_a_missing_one_is() {
    let noted = |raw: &str, unknown: bool| {
        let context = firing(|s| {
            s.incident.severity = Severity::Medium;
            s.incident.severity_raw = raw.to_owned();
            s.severity_unknown = unknown;
        });
        context.notes.join("|")
    };
    assert!(
        noted("ka\nboom", true)
            .contains("the severity \"ka boom\" is not a known word; it is treated as medium")
    );
    assert!(noted("", false).contains("the alert names no severity; it is treated as medium"));
    assert_eq!(noted("page", false), "");
}
