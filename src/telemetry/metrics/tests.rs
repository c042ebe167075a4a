//! The metrics as Prometheus itself reads them.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

fn metrics() -> Metrics {
    Metrics::new(Timestamp::from_millis(1_787_220_000_500))
}

fn record_everything(metrics: &Metrics) {
    metrics.event("alertmanager", EventResult::Accepted);
    metrics.alerts(AlertStatus::Firing, 3);
    metrics.alerts_rejected(1);
    metrics.entry_matched();
    metrics.entry_unmatched("Hostile\"\n\\name");
    metrics.broken_annotation();
    metrics.decision(DecisionOutcome::Send);
    metrics.set_queue(Queue::Notifications, 7, Duration::from_millis(1_500));
    metrics.send("ml-alerts", SendOutcome::NotProcessed, Duration::from_millis(120));
    metrics.notification_ended("ml-alerts", NotificationState::Delivered);
    metrics.delivered_after("ml-alerts", Duration::from_secs(2));
    metrics.set_channel_healthy("ml-alerts", true);
    metrics.template_failed("ml-alerts");
    metrics.store_operation("insert_events", Duration::from_micros(700));
    metrics.http_request("/webhooks/alertmanager", "POST", 200, Duration::from_millis(3));
    metrics.http_request("unmatched", "BREW", 405, Duration::from_millis(3));
    metrics.set_catalog_entries(5);
    metrics.retention_deleted("events", 400);
    metrics.retention_done(Timestamp::from_millis(1_787_220_001_000));
    metrics.set_replicas(3);
    metrics.set_clock_ahead(-250);
    metrics.config_loaded(Timestamp::from_millis(1_787_220_001_000));
}

#[test]
fn counters_have_one_name_in_comment_and_sample() {
    let metrics = metrics();
    record_everything(&metrics);

    let text = metrics.encode();

    assert!(text.contains("# TYPE modelpager_events_total counter\n"), "{text}");
    assert!(text.contains("modelpager_events_total{source=\"alertmanager\",result=\"accepted\"} 1\n"));
    assert!(text.contains("modelpager_events_total{source=\"alertmanager\",result=\"duplicate\"} 0\n"));
    assert!(text.contains("modelpager_queue_oldest_age_seconds{queue=\"notifications\"} 1.5\n"));
    assert!(text.contains("method=\"other\""));
    assert!(!text.contains("# EOF"));
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let metrics = metrics();
    record_everything(&metrics);

    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        assert!(std::env::var_os("CI").is_none(), "promtool must be there in CI");
        return;
    };
    promtool.stdin.take().unwrap().write_all(metrics.encode().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();

    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn strangers_cannot_drive_up_the_number_of_series() {
    let metrics = metrics();

    for n in 0..10 * MAX_UNMATCHED_ALERTNAMES {
        metrics.entry_unmatched(&format!("Rule{n}"));
    }
    metrics.entry_unmatched(&"x".repeat(100_000));

    let text = metrics.encode();
    let series = text.lines().filter(|line| line.starts_with("modelpager_unmatched_alerts_total{")).count();
    assert_eq!(series, MAX_UNMATCHED_ALERTNAMES + 1);
    assert!(text.contains("{alertname=\"other\"} 1801\n"), "{text}");
    assert!(text.contains("modelpager_alert_entry_matches_total{result=\"unmatched\"} 2001\n"));
}
