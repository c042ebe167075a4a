//! The command line as its users meet it: output, exit codes, messages.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config_files::example_variables;

/// The program with no configuration but what the test gives.
fn modelpager(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modelpager"));
    command.args(args).env_remove("MODELPAGER_CONFIG").current_dir(env!("CARGO_MANIFEST_DIR"));
    command.envs(example_variables());
    command
}

fn json_of(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// A file with a configuration, and the folder it lives in as long as the test.
fn file(text: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("modelpager.yml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

const EXAMPLE: &str = "modelpager.example.yml";

#[test]
fn help_names_every_command_and_shows_examples() {
    for command in [
        "serve",
        "demo",
        "check-config",
        "routes",
        "render",
        "send-test",
        "healthcheck",
        "config-schema",
        "completions",
    ] {
        modelpager(&["--help"]).assert().success().stdout(contains(command));
        modelpager(&[command, "--help"]).assert().success();
    }
    for help in
        [&["check-config", "--help"][..], &["routes", "test", "--help"], &["routes", "show", "--help"]]
    {
        modelpager(help).assert().success().stdout(contains("Examples:"));
    }
}

#[test]
fn a_wrong_call_exits_2() {
    for args in [&[][..], &["dance"], &["check-config"], &["routes", "test", "no-equals-sign"]] {
        modelpager(args).assert().code(2).stderr(contains("Usage").or(contains("--help")));
    }
}

#[test]
fn a_log_level_that_does_not_exist_is_refused_and_those_that_do_are_named() {
    for level in ["bogus", "modelpager=loud", "info,modelpager::dispatch=quiet"] {
        let refused = modelpager(&["serve", "--log.level", level]).assert().code(2);
        refused.stderr(contains("--log.level").and(contains("error, warn, info, debug, trace")));
    }
}

#[test]
fn a_failed_copy_of_the_database_says_why_once() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database".repeat(100)).unwrap();
    let url = |path: &Path| format!("sqlite://{}", path.display());
    let target = url(&folder.path().join("target.db"));
    for (from, reason) in [
        (url(&text), "file is not a database"),
        (url(&folder.path().join("absent/absent.db")), "could not"),
        ("mysql://somewhere".to_owned(), "neither with sqlite:// nor with postgres://"),
    ] {
        let copy = modelpager(&["migrate-storage", "--from", &from, "--to", &target]).assert().code(1);
        let told = String::from_utf8(copy.get_output().stderr.clone()).unwrap();
        assert_eq!(told.matches(reason).count(), 1, "{told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    }
}

#[test]
fn check_config_says_what_it_found() {
    modelpager(&["check-config", EXAMPLE]).assert().success().stdout(contains(
        "Checking 'modelpager.example.yml'  SUCCESS\nFound:\n - listen on 127.0.0.1:9095\n",
    ));
}

#[test]
fn check_config_tells_every_problem_with_its_line_and_exits_1() {
    let (_folder, path) = file("servr: {}\nroute: {channels: [nobody]}\n");

    modelpager(&["check-config", &path]).assert().code(1).stdout(format!(
        "Checking '{path}'  FAILED:\n\
         {path}:1:1: servr: unknown key; did you mean `server`?\n\
         {path}:2:20: route.channels[0]: no channel is named `nobody`; defined are `console`\n"
    ));
}

#[test]
fn check_config_tells_what_only_a_kind_or_the_tree_knows() {
    let (_folder, path) =
        file("channels:\n  - {name: a, kind: slack}\n  - {name: b, kind: log, templates: {titel: x}}\n");
    let root = file("route: {channels: [console], matchers: ['a=b']}\n");

    modelpager(&["check-config", &path]).assert().code(1).stdout(
        contains(":2:5: channels[0]").and(contains(":3:45: channels[1].templates.titel: unknown field")),
    );
    modelpager(&["check-config", &root.1]).assert().code(1).stdout(contains(":1:40: route.matchers"));
}

#[test]
fn check_config_refuses_templates_that_do_not_work_and_forgives_an_absent_folder() {
    let (folder, path) = file("templates_dir: texts\n");

    modelpager(&["check-config", &path])
        .assert()
        .success()
        .stdout(contains("does not exist: the built-in templates are used"));
    std::fs::create_dir_all(folder.path().join("texts/log")).unwrap();
    std::fs::write(folder.path().join("texts/log/title.hbs"), "{{#if").unwrap();
    modelpager(&["check-config", &path]).assert().code(1).stdout(contains("texts/log/title.hbs:1:1: "));
    std::fs::write(folder.path().join("texts/log/title.hbs"), "{{headline}}").unwrap();
    modelpager(&["check-config", &path]).assert().success();
}

#[test]
fn check_config_speaks_json() {
    let (_folder, path) = file("servr: {}\n");

    let good = json_of(&mut modelpager(&["check-config", "--json", EXAMPLE]));
    assert_eq!(good["valid"], true);
    assert!(good["found"]["channels"].as_u64() > Some(1), "{good}");
    assert_eq!(good["problems"], json!([]));
    let bad = json_of(&mut modelpager(&["check-config", "--json", &path]));
    assert_eq!(bad["valid"], false);
    assert_eq!(bad["problems"][0]["line"], 1);
    assert_eq!(bad["problems"][0]["path"], "servr");
}

#[test]
fn check_config_of_a_missing_file_exits_1() {
    modelpager(&["check-config", "no-such-file.yml"])
        .assert()
        .code(1)
        .stdout(contains("no-such-file.yml: reading"));
}

fn routes_test(labels: &[&str]) -> Value {
    let args = [&["routes", "test", "--json", "--config", EXAMPLE], labels].concat();
    json_of(&mut modelpager(&args))
}

#[test]
fn routes_test_prints_the_channels_and_the_path() {
    modelpager(&["routes", "test", "--config", EXAMPLE, "severity=page", "model=churn"])
        .assert()
        .success()
        .stdout(predicate::eq(
            "ml-oncall,ml-alerts\n  {} > {severity=\"critical\"}  channels: ml-oncall,ml-alerts\n",
        ));
}

#[test]
fn routes_test_json_has_exactly_channels_and_path() {
    let answer = routes_test(&["severity=P0"]);

    assert_eq!(
        answer,
        json!({"channels": ["ml-oncall", "ml-alerts"], "path": ["{}", "{severity=\"critical\"}"]})
    );
}

#[test]
fn routes_test_sees_what_a_real_alert_would_show() {
    let channels = |labels: &[&str]| routes_test(labels)["channels"].clone();

    assert_eq!(channels(&[]), json!(["console"]));
    assert_eq!(channels(&["severity=page"]), json!(["ml-oncall", "ml-alerts"]));
    assert_eq!(channels(&["severity=urgent"]), json!(["ml-oncall", "ml-alerts"]), "an alias of the file");
    assert_eq!(channels(&["severity=warning", "entry.tier=1"]), json!(["ml-alerts"]));
    assert_eq!(channels(&["severity=warning", "entry.tier=3"]), json!(["console"]));
    assert_eq!(channels(&["entry.kind=llm"]), json!(["ml-mail", "ml-threads", "audit"]));
    assert_eq!(channels(&["entry.kind=llm", "team=search"]), json!(["ml-threads"]));
    assert_eq!(
        channels(&["severity=\"critical\""]),
        json!(["ml-oncall", "ml-alerts"]),
        "quotes are taken off"
    );
}

#[test]
fn a_path_through_several_nodes_tells_each_once() {
    let answer = routes_test(&["severity=high", "entry.tier=2", "entry.kind=llm", "team=search"]);

    assert_eq!(
        answer,
        json!({
            "channels": ["ml-alerts", "ml-threads"],
            "path": [
                "{}",
                "{severity=~\"high|medium\",entry.tier=~\"1|2\"}",
                "{entry.kind=\"llm\"}",
                "{team=\"search\"}",
            ],
        })
    );
}

#[test]
fn routes_test_verifies_channels() {
    let verify = |channels: &str| {
        let flag = format!("--verify.channels={channels}");
        modelpager(&["routes", "test", "--config", EXAMPLE, &flag, "severity=page"]).assert()
    };

    verify("ml-oncall,ml-alerts").success();
    verify("ml-alerts,ml-oncall").code(1);
    verify("console").code(1).stderr(contains("WARNING: expected the channels console"));
}

#[test]
fn routes_work_without_a_file() {
    modelpager(&["routes", "test", "severity=page"])
        .assert()
        .success()
        .stdout(predicate::str::starts_with("console\n"));
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    modelpager(&["routes", "test", "severity=page"])
        .env("MODELPAGER_CONFIG", EXAMPLE)
        .assert()
        .success()
        .stdout(predicate::str::starts_with("ml-oncall,ml-alerts\n"));
}

#[test]
fn routes_show_draws_the_tree() {
    let output = modelpager(&["routes", "show", "--config", EXAMPLE]).output().unwrap();

    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
    let json = json_of(&mut modelpager(&["routes", "show", "--json", "--config", EXAMPLE]));
    assert_eq!(json["routes"][1]["continue"], true);
    assert_eq!(json["routes"][2]["routes"][0]["channels"], json!(["ml-threads"]));
}

#[test]
fn a_bad_file_stops_a_command_and_every_line_is_told() {
    let (_folder, path) = file("storage: {url: '${UNSET_FOR_SURE}'}\n");

    modelpager(&["routes", "show", "--config", &path]).assert().code(1).stderr(predicate::str::starts_with(
        format!("modelpager: {path}:1:16: storage.url: environment variable"),
    ));
}

#[test]
fn completions_come_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        modelpager(&["completions", shell]).assert().success().stdout(contains("check-config"));
    }
}

#[test]
fn the_schema_is_printed() {
    let printed = json_of(&mut modelpager(&["config-schema"]));

    assert_eq!(printed["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("modelpager.schema.json").exists());
}
