//! `modelpager check-config`: warnings, every stage at once, several files.

use std::path::Path;

use assert_cmd::Command;
use modelpager::app::configuration;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config_files::example_variables;

/// Can be used, and does not what was meant.
const ODD: &str = r#"channels: [{name: a, kind: log}, {name: b, kind: log}, {name: idle, kind: log}]
route:
  channels: [a]
  routes:
    - {matchers: ['entry.kind="modell"'], channels: [b]}
    - {channels: [b]}
    - {matchers: ['team="x"']}
"#;

fn check_config(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modelpager"));
    command.current_dir(folder.path()).arg("check-config").args(args).env_remove("MODELPAGER_CONFIG");
    command
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/field").join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn warnings_have_their_lines_and_are_problems_when_asked_for() {
    let folder = folder(&[("odd.yml", ODD)]);
    let warned = || {
        contains("WARNING: odd.yml:5:19: route.routes[0].matchers[0]: `entry.kind=\"modell\"`")
            .and(contains("did you mean `model`?"))
            .and(contains("WARNING: odd.yml:7:7: route.routes[2]: no alert comes here: `route.routes[1]`"))
            .and(contains("WARNING: odd.yml:1:63: channels[2].name: no route leads to the channel `idle`"))
    };

    check_config(&folder, &["odd.yml"])
        .assert()
        .success()
        .stdout(contains("Checking 'odd.yml'  SUCCESS").and(warned()));
    check_config(&folder, &["--strict", "odd.yml"])
        .assert()
        .code(1)
        .stdout(contains("Checking 'odd.yml'  FAILED").and(warned()));
    let json = check_config(&folder, &["--json", "odd.yml"]).output().unwrap().stdout;
    let answer: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&answer["valid"], &answer["problems"]), (&json!(true), &json!([])));
    let lines: Vec<&Value> = answer["warnings"].as_array().unwrap().iter().map(|w| &w["line"]).collect();
    assert_eq!(lines, [&json!(1), &json!(5), &json!(7)]);
}

#[test]
fn what_comes_with_the_program_gives_no_warning() {
    let example =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("modelpager.example.yml"));
    let folder =
        folder(&[("example.yml", &example.unwrap()), ("f34.yml", &fixture("f34-ported-severity.yml"))]);
    let mut command = check_config(&folder, &["--strict", "example.yml", "f34.yml"]);
    command.envs(example_variables());
    command.assert().success().stdout(contains("WARNING").not());
}

#[test]
fn problems_of_all_stages_are_told_at_once() {
    let folder = folder(&[
        (
            "bad.yml",
            "server: {listen: nowhere, max_body_bytes: 1}\n\
             templates_dir: texts\n\
             dedup_key: '{{nothing}}'\n\
             channels:\n\
             - {name: a, kind: log, templates: {title: '{{sverity}}'}}\n\
             - {name: m, kind: email, smtp: {host: 'mail.example:25'}, from: a@example.org, to: [b@example.org]}\n\
             route: {channels: [a], matchers: ['x=y'], routes: [{matchers: ['y=~\"(\"'], receiver: a}]}\n",
        ),
        ("texts/log/body.hbs", "fine\n{{sverity}}\n"),
    ]);
    let stages = [
        "bad.yml:1:18: server.listen: ",
        "bad.yml:1:43: server.max_body_bytes: ",
        "bad.yml:3:12: dedup_key: ",
        "bad.yml:5:43: channels[0].templates.title: ",
        "bad.yml:6:39: channels[1].smtp.host: ",
        "bad.yml:7:34: route.matchers: ",
        "bad.yml:7:64: route.routes[0].matchers[0]: ",
        "route.routes[0].receiver: a key of Alertmanager: ",
        "texts/log/body.hbs:2:1: ",
    ];

    let output = check_config(&folder, &["bad.yml"]).assert().code(1).get_output().stdout.clone();

    let told = String::from_utf8(output).unwrap();
    for stage in stages {
        assert!(told.contains(stage), "{stage} in\n{told}");
    }
    assert_eq!(told.lines().count(), stages.len() + 1, "{told}");
}

#[test]
fn several_files_and_the_standard_input_are_checked_in_one_call() {
    let folder = folder(&[("good.yml", "{}"), ("bad.yml", "servr: {}")]);

    check_config(&folder, &["good.yml", "bad.yml"]).assert().code(1).stdout(
        contains("Checking 'good.yml'  SUCCESS")
            .and(contains("Checking 'bad.yml'  FAILED:\nbad.yml:1:1: servr: unknown key")),
    );
    check_config(&folder, &["good.yml", "-"]).write_stdin("{}").assert().success();
    check_config(&folder, &["-"])
        .write_stdin("servr: {}")
        .assert()
        .code(1)
        .stdout(contains("the standard input:1:1: servr: unknown key"));
    let json = check_config(&folder, &["--json", "good.yml", "bad.yml"]).output().unwrap().stdout;
    let answers: Vec<Value> =
        serde_json::Deserializer::from_slice(&json).into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(
        answers.iter().map(|answer| &answer["valid"]).collect::<Vec<_>>(),
        [&json!(true), &json!(false)]
    );
}

#[test]
fn a_port_within_the_mail_hosts_name_is_refused() {
    let refused = |text: &str| configuration::parse(text).err().map(|problems| problems.to_string());
    let told = refused(&fixture("f38-smtp-host-with-port.yml")).unwrap();
    assert!(told.contains("3:44: channels[0].smtp.host: ") && told.contains("`port`"), "{told}");

    for (host, is_refused) in [
        ("smtp.example.org", false),
        ("localhost", false),
        ("10.0.0.1", false),
        ("::1", false),
        ("fe80::1", false),
        ("bücher.example", false),
        ("smtp.example.org:25", true),
        ("10.0.0.1:25", true),
        ("[::1]:25", true),
        ("[::1]", true),
        ("smtp.example.org:", true),
        ("smtp://smtp.example.org", true),
        ("user@smtp.example.org", true),
        ("smtp.example.org/x", true),
        ("a b", true),
    ] {
        let text = fixture("f38-smtp-host-with-port.yml").replace("smtp.example.org:587", host);
        assert_eq!(refused(&text).is_some(), is_refused, "{host}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_told_without_its_password() {
    const CHANNELS: &str = "channels:
  - {name: a, kind: webhook, url: 'https://x.example/', proxy_url: 'socks5://bot:canary-pw@proxy.example'}
  - {name: b, kind: log, proxy_url: 'http://proxy.example:3128'}
";
    let folder = folder(&[("channels.yml", CHANNELS), ("none.yml", "{}\n")]);

    check_config(&folder, &["channels.yml"]).assert().code(1).stdout(
        contains("channels.yml:2:68: channels[0].proxy_url: must begin with http:// or https://")
            .and(contains("channels.yml:3:26: channels[1].proxy_url: unknown key"))
            .and(contains("canary-pw").not()),
    );
    check_config(&folder, &["none.yml"]).env("HTTPS_PROXY", "ftp://bot:canary-pw@p").assert().code(1).stdout(
        contains("the environment's HTTPS_PROXY must begin with http:// or https://")
            .and(contains("canary-pw").not()),
    );
}
