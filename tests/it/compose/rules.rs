//! The packs of alert rules hold what their tests say.

use std::collections::BTreeSet;
use std::path::Path;

use modelpager::domain::clock::Timestamp;
use modelpager::domain::notification::NotificationState;
use modelpager::telemetry::metrics::Metrics;

use super::local::{Addresses, Local, repository, run, tool};

#[test]
fn every_rule_pack_passes_its_tests() {
    let Some(mut promtool) = tool("every_rule_pack_passes_its_tests", &["promtool"]) else { return };
    let folder = repository().join("deploy/prometheus");
    let tests = yaml_files(&folder, |name| name.ends_with(".test.yml"));
    assert!(tests.len() >= 2, "{tests:?}");

    run(promtool.args(["test", "rules"]).args(&tests).current_dir(&folder));
}

#[test]
fn every_rule_pack_is_well_formed() {
    let Some(mut promtool) = tool("every_rule_pack_is_well_formed", &["promtool"]) else { return };
    let pack = repository().join("deploy/prometheus");
    let toy = repository().join("deploy/compose/prometheus/rules");
    let rules = [yaml_files(&pack, |name| !name.ends_with(".test.yml")), yaml_files(&toy, |_| true)].concat();
    assert!(rules.len() >= 2, "{rules:?}");

    run(promtool.args(["check", "rules", "--lint=all", "--lint-fatal"]).args(&rules));
}

/// An alert that no test fires may never have worked.
#[test]
fn every_alert_of_a_pack_fires_in_a_test() {
    let folder = repository().join("deploy/prometheus");
    let read = |paths: Vec<String>| {
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect::<String>()
    };
    let rules = read(yaml_files(&folder, |name| !name.ends_with(".test.yml")));
    let tests = read(yaml_files(&folder, |name| name.ends_with(".test.yml")));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 20, "{alerts:?}");

    for alert in alerts {
        assert!(
            tests.contains(&format!("  alertname: {alert}\n        exp_alerts:\n")),
            "no test fires {alert}"
        );
    }
}

#[test]
fn prometheus_and_alertmanager_accept_their_files() {
    let test = "prometheus_and_alertmanager_accept_their_files";
    let Some((mut promtool, mut amtool)) = tool(test, &["promtool"]).zip(tool(test, &["amtool"])) else {
        return;
    };
    let local = Local::prepare(&Addresses::default());

    run(promtool.args(["check", "config"]).arg(local.file("prometheus/prometheus.yml")));
    run(amtool.arg("check-config").arg(local.file("alertmanager/alertmanager.yml")));
}

/// A renamed metric would leave its alert silent for ever.
#[test]
fn the_alerts_on_ourselves_ask_for_metrics_that_exist() {
    let rules = std::fs::read_to_string(repository().join("deploy/prometheus/modelpager-rules.yml")).unwrap();
    let metrics = Metrics::new(Timestamp::from_millis(0));
    // A metric with free labels is shown from its first value on.
    metrics.set_channel_healthy("mail", true);
    metrics.notification_ended("mail", NotificationState::Failed);
    metrics.template_failed("mail");
    let exposed = metrics.encode();
    let words = rules.split(|c: char| !c.is_alphanumeric() && c != '_');
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("modelpager_")).collect();
    assert!(named.len() >= 7, "{named:?}");

    for metric in named {
        assert!(exposed.contains(&format!("# TYPE {metric} ")), "{metric} is not among:\n{exposed}");
    }
}

fn yaml_files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
        .filter(|path| path.ends_with(".yml") && wanted(path))
        .collect();
    found.sort();
    found
}
