//! The newcomer's first command, as a process.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

fn demo(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modelpager"));
    command.arg("demo").args(args).env_remove("RUST_LOG").timeout(std::time::Duration::from_secs(60));
    command
}

#[test]
fn the_story_is_told_to_its_end_and_every_message_arrives() {
    let output = demo(&["--once", "--listen", "127.0.0.1:0"]).output().unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8(output.stderr).unwrap();

    assert!(output.status.success(), "{story}\n{log}");
    for words in [
        "22 of 22 expected messages delivered",
        "MEDIUM: FraudLatencyHigh on Fraud detector v8",
        "v8 deployed by ci@payments-ml 14 min before the alert began (was v7)",
        "CRITICAL, raised from medium",
        "incident triggered, somebody is paged",
        "The delivery log says of ml-alerts: firing, ",
        "HIGH: RankingQualityLow on Search ranker",
        "no catalog entry matches these labels",
        "mail in the same thread",
        "RESOLVED",
    ] {
        assert!(story.contains(words), "{words:?} is missing in:\n{story}");
    }
    assert!(story.lines().all(|line| line.chars().count() <= 100), "{story}");
    assert!(!story.contains('\u{1b}'), "colours are for terminals");
    assert_eq!(log, "", "the log must not drown the story");
}

#[test]
fn a_taken_port_is_told_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    demo(&["--once", "--listen", &address])
        .assert()
        .code(1)
        .stderr(contains(format!("could not listen on {address}")).and(contains("--listen 127.0.0.1:0")));
}

#[test]
fn the_demo_listens_on_loopback_only() {
    demo(&["--listen", "0.0.0.0:0"]).assert().code(2).stderr(contains("loopback only"));
}
