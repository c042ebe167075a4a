//! `modelpager render`: what an event would become, kind by kind.

use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = r#"
channels:
  - {name: console, kind: log}
  - {name: audit, kind: webhook, url: "http://127.0.0.1:9/secret-path", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  - {name: ml-alerts, kind: slack, webhook_url: "https://hooks.slack.com/services/T000/B000/a-secret"}
  - {name: ml-oncall, kind: pagerduty, routing_key: 0123456789abcdef0123456789abcdef}
  - {name: ml-mail, kind: email, smtp: {host: localhost, port: 25, tls: none}, from: a@demo.example, to: [b@demo.example]}
  - {name: quiet, kind: log, send_resolved: false}
route:
  channels: [console, audit, ml-alerts, ml-mail, quiet]
  routes:
    - {matchers: ['entry.tier="1"'], channels: [console, audit, ml-alerts, ml-oncall, ml-mail]}
"#;

const CATALOG: &str = r#"
entries:
  - slug: fraud-detector
    kind: model
    display_name: Fraud detector
    owner: Priya
    team: payments-ml
    tier: 1
    links: {dashboard: "https://grafana.example/d/1?from={{window.from_ms}}"}
    runbook_url: "https://runbooks.example/{{entry}}/{{alertname}}"
    deployments:
      - {version: v8, previous_version: v7, at: "2026-11-21T00:46:00Z", actor: ci}
"#;

/// A folder with the configuration and the catalog.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("modelpager.yml"), CONFIG).unwrap();
        std::fs::write(folder.path().join("catalog.yml"), CATALOG).unwrap();
        Self(folder)
    }

    fn render(&self, channel: &str, event: &str) -> Command {
        let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/alertmanager");
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modelpager"));
        command.current_dir(self.0.path()).env_remove("MODELPAGER_CONFIG");
        command.args(["render", "--config", "modelpager.yml", "--at", "2026-11-21T01:00:30Z"]);
        command.args(["--channel", channel, "--event"]).arg(if event == "-" {
            PathBuf::from(event)
        } else {
            fixtures.join(event)
        });
        command
    }

    fn known(&self, channel: &str, event: &str) -> Command {
        let mut command = self.render(channel, event);
        command.args(["--catalog", "catalog.yml"]);
        command
    }
}

fn text(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_kind_shows_its_message() {
    let desk = Desk::new();

    for channel in ["console", "audit", "ml-alerts", "ml-oncall", "ml-mail"] {
        let shown = text(&mut desk.known(channel, "real-01-two-firing.json"));

        for secret in ["secret-path", "MfKQ9r8GKYqr", "a-secret", "0123456789abcdef"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert_eq!(shown, text(&mut desk.known(channel, "real-01-two-firing.json")), "{channel}");
        // The mail's HTML part has its own tests.
        let head = shown.split("Content-Type: text/html").next().unwrap();
        insta::assert_snapshot!(format!("render_{channel}"), head);
    }
}

#[test]
fn the_end_is_shown_to_those_who_were_told() {
    let desk = Desk::new();

    desk.known("ml-alerts", "real-04-resolved.json").assert().success().stdout(contains("✅ RESOLVED"));
    desk.known("quiet", "real-04-resolved.json")
        .assert()
        .code(1)
        .stdout(contains("this event leads to no message on quiet"));
}

#[test]
fn a_channel_the_routes_do_not_lead_to_is_shown_with_a_note() {
    let desk = Desk::new();

    desk.render("ml-oncall", "real-01-two-firing.json")
        .assert()
        .success()
        .stdout(contains("note: the routes do not lead this event to ml-oncall"));
    desk.known("ml-oncall", "real-01-two-firing.json")
        .assert()
        .success()
        .stdout(contains("route: {} > {entry.tier=\"1\"}").and(contains("note:").not()));
}

#[test]
fn programs_get_json() {
    let desk = Desk::new();

    let shown = text(desk.known("audit", "real-01-two-firing.json").arg("--json"));

    let shown: Value = serde_json::from_str(&shown).unwrap();
    let message = &shown["messages"][0];
    assert_eq!(message["kind"], "firing");
    assert_eq!(message["entry"], "fraud-detector");
    assert_eq!(message["content_type"], "application/json");
    let body: Value = serde_json::from_str(message["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["type"], "incident.firing");
}

#[test]
fn what_cannot_be_rendered_says_why() {
    let desk = Desk::new();

    desk.render("ml-alert", "real-01-two-firing.json").assert().code(1).stderr(contains(
        "no enabled channel is named \"ml-alert\"; there are audit, console, ml-alerts, ml-mail",
    ));
    desk.render("console", "no-such-file.json").assert().code(1).stderr(contains("could not read"));
    desk.render("console", "-")
        .write_stdin("{\"alert\": 1}")
        .assert()
        .code(1)
        .stderr(contains("could not use the standard input: the body is JSON but not Alertmanager's"));
    desk.render("console", "-")
        .write_stdin(r#"{"alerts": [{"labels": {}}, {"labels": {"alertname": "A"}}]}"#)
        .assert()
        .success()
        .stdout(contains("note: alert 0 of the event is rejected"));
}

#[test]
fn a_wrong_catalog_is_refused() {
    let desk = Desk::new();
    std::fs::write(desk.0.path().join("catalog.yml"), "entries: [{slug: 'Not A Slug'}]").unwrap();

    desk.known("console", "real-01-two-firing.json")
        .assert()
        .code(1)
        .stderr(contains("could not use catalog.yml").and(contains("entries[0].slug")));
}
