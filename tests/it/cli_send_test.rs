//! `modelpager send-test` against the providers' stand-ins.

use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use modelpager::domain::clock::{SharedClock, SystemClock};
use modelpager::fakes::engine::Step;
use modelpager::fakes::pagerduty::{self, PagerDutyFake};
use modelpager::fakes::slack::{self, SlackFake};
use modelpager::fakes::smtp::SmtpFake;
use modelpager::fakes::webhook::{self, WebhookFake};
use serde_json::Value;

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

/// Runs `send-test` through the only channel of a configuration; answers its exit code,
/// output and log.
async fn send_test(channel: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let config = format!("channels:\n  - {{name: it, timeout: 2s, {channel}}}\n");
    let more: Vec<String> = more.iter().map(|arg| (*arg).to_owned()).collect();
    let run = move || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("modelpager.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modelpager"));
        command.current_dir(folder.path()).timeout(Duration::from_secs(30));
        command.args(["send-test", "--channel", "it", "--config"]).arg(&file).args(more);
        let output = command.output().unwrap();
        assert!(!folder.path().join("modelpager.db").exists(), "no database is touched");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn slack_channel(fake: &SlackFake) -> String {
    let (token, channel, api) = (slack::TOKEN, slack::CHANNEL, fake.api_url());
    format!("kind: slack, token: \"{token}\", channel: {channel}, api_url: \"{api}\"")
}

#[tokio::test]
async fn slack_gets_one_test_message() {
    let fake = SlackFake::start(clock()).await.unwrap();

    let (code, out, _) = send_test(&slack_channel(&fake), &[]).await;

    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("it: accepted with status 200 after "), "{out}");
    assert_eq!(fake.messages().len(), 1);
    assert!(fake.messages()[0].visible_text().contains("this is a test"));
    fake.violations().assert_clean();
}

#[tokio::test]
async fn pagerduty_gets_one_test_message() {
    let fake = PagerDutyFake::start(clock()).await.unwrap();
    let channel =
        format!("kind: pagerduty, routing_key: {}, url: \"{}\"", pagerduty::ROUTING_KEY, fake.events_url());

    let (code, out, _) = send_test(&channel, &[]).await;

    assert_eq!(code, Some(0), "{out}");
    assert_eq!(fake.told().len(), 1);
    fake.violations().assert_clean();
}

#[tokio::test]
async fn mail_gets_one_test_message() {
    let fake = SmtpFake::start(clock()).await.unwrap();
    let (host, port) = (fake.address().ip(), fake.address().port());
    let channel =
        format!("kind: email, smtp: {{host: {host}, port: {port}, tls: none}}, from: a@b.c, to: [d@e.f]");

    let (code, out, _) = send_test(&channel, &[]).await;

    assert_eq!(code, Some(0), "{out}");
    assert_eq!(fake.mails().len(), 1);
    fake.violations().assert_clean();
}

#[tokio::test]
async fn a_webhook_gets_the_message_that_is_told_by_id() {
    let fake = WebhookFake::start(clock()).await.unwrap();
    let channel = format!("kind: webhook, url: \"{}\", secret: \"{}\"", fake.url(), webhook::SECRET);

    let (code, out, _) = send_test(&channel, &["--json"]).await;

    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(told["outcome"], "accepted");
    assert_eq!(told["notification_id"], fake.messages()[0].id);
    fake.violations().assert_clean();
}

#[tokio::test]
async fn a_log_channel_shows_it_in_the_log() {
    let (code, out, log) = send_test("kind: log", &[]).await;

    assert_eq!(code, Some(0), "{out}");
    assert!(log.contains("ModelpagerTest"), "{log}");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_exits_1() {
    let fake = WebhookFake::start(clock()).await.unwrap();
    fake.http().script([Step::status(403)]);

    let (code, out, _) = send_test(&format!("kind: webhook, url: \"{}\"", fake.url()), &[]).await;

    assert_eq!(code, Some(1));
    assert!(out.contains("it: rejected with status 403"), "{out}");
    assert!(out.contains("error: answered HTTP 403") && out.contains("response: scripted 403"), "{out}");
    assert_eq!(fake.http().requests().len(), 1, "a test is not repeated");
}

#[tokio::test]
async fn silence_ends_with_the_channels_time_limit() {
    let fake = WebhookFake::start(clock()).await.unwrap();
    fake.http().script([Step::hang()]);

    let (code, out, _) = send_test(&format!("kind: webhook, url: \"{}\"", fake.url()), &["--json"]).await;

    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["outcome"]), (Some(1), &Value::from("ambiguous")));
}

#[test]
fn an_unknown_channel_is_told_the_known_ones() {
    Command::new(assert_cmd::cargo::cargo_bin!("modelpager"))
        .args(["send-test", "--channel", "nobody"])
        .env_remove("MODELPAGER_CONFIG")
        .assert()
        .code(1)
        .stderr(predicates::str::contains("no enabled channel is named \"nobody\"; there are console"));
}
