//! The routing tree against the program whose semantics it promises: every label set goes
//! through `amtool config routes test` and through our tree. Where Alertmanager is not
//! installed there is nothing to compare with: skipped loudly, and an error where CI=true.
#![expect(clippy::unwrap_used, reason = "a failing helper fails the test")]

use std::path::Path;
use std::process::Command;

use modelpager::config::RouteConfig;
use modelpager::triage::routes::RouteTree;
use serde_json::{Value, json};

use crate::support::program;

/// Trees that use every rule: order, `continue`, nesting, inheritance, all operators, both
/// quotings, absent labels.
const TREES: [&str; 3] = [
    r#"{channels: [default], routes: [
        {matchers: ['severity="critical"'], channels: [oncall], routes: [
            {matchers: ['team="ml"', 'env!="prod"'], channels: [ml]},
            {matchers: ['team=""']}]},
        {matchers: ['severity=~"high|medium"'], channels: [alerts], continue: true},
        {matchers: ['{team=~"ml.*", env=prod}'], channels: [ml]},
        {matchers: ['team!~"ml|data"'], channels: [rest]}]}"#,
    r#"{channels: [default], routes: [
        {matchers: [team=ml], continue: true, routes: [
            {matchers: [env=prod], channels: [a], continue: true},
            {matchers: ['severity!=low'], channels: [b], continue: true},
            {matchers: ['severity=~".+"'], channels: [c]}]},
        {matchers: ['env=~"p|prod"'], channels: [d], continue: true},
        {channels: [e]},
        {channels: [f]}]}"#,
    r#"{channels: [default], routes: [
        {matchers: ['team=~"m"'], channels: [part]},
        {matchers: ['team=~"\w+"', 'env=~"(prod|stage)"'], channels: [words]},
        {matchers: ['severity='], routes: [{matchers: ['team="a,b"'], channels: [comma]}]},
        {matchers: ['env="say \"hi\""'], channels: [quote]}]}"#,
];

const TEAMS: [&str; 5] = ["", "ml", "ml-core", "data", "a,b"];
const ENVS: [&str; 4] = ["", "prod", "p", "say \"hi\""];
const SEVERITIES: [&str; 4] = ["", "critical", "medium", "low"];

#[test]
fn every_label_set_goes_where_amtool_says() {
    let Some(amtool) = program::find(&["amtool"]) else {
        program::skip("every_label_set_goes_where_amtool_says", "amtool");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (index, tree) in TREES.iter().enumerate() {
        let route: RouteConfig = serde_saphyr::from_str(tree).unwrap();
        let ours = RouteTree::build(&route).unwrap();
        let file = folder.path().join(format!("{index}.yml"));
        std::fs::write(&file, as_alertmanager_config(&route).to_string()).unwrap();

        for labels in label_sets() {
            let theirs = ask(&amtool, &file, &labels);
            let lookup =
                |name: &str| labels.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let found: Vec<&str> = ours.find(lookup).iter().map(|node| node.channels()[0].as_str()).collect();

            assert_eq!(found.join(","), theirs, "tree {index}, {labels:?}");
        }
    }
}

fn label_sets() -> impl Iterator<Item = Vec<(&'static str, &'static str)>> {
    TEAMS.into_iter().flat_map(|team| {
        ENVS.into_iter().flat_map(move |env| {
            SEVERITIES.into_iter().map(move |severity| {
                let all = [("team", team), ("env", env), ("severity", severity)];
                all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
            })
        })
    })
}

/// What `amtool` prints.
fn ask(amtool: &Path, config: &Path, labels: &[(&str, &str)]) -> String {
    let pairs = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", value.replace('"', "\\\"")));
    let config = format!("--config.file={}", config.display());
    let output =
        Command::new(amtool).args(["config", "routes", "test", &config]).args(pairs).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The same tree in Alertmanager's own configuration (JSON, which is YAML too).
fn as_alertmanager_config(route: &RouteConfig) -> Value {
    let mut receivers = Vec::new();
    let route = as_alertmanager_route(route, &mut receivers);
    json!({ "route": route, "receivers": receivers })
}

fn as_alertmanager_route(route: &RouteConfig, receivers: &mut Vec<Value>) -> Value {
    let mut node = json!({ "matchers": route.matchers, "continue": route.continue_ });
    if let Some(channel) = route.channels.first() {
        node["receiver"] = json!(channel);
        let receiver = json!({ "name": channel });
        if !receivers.contains(&receiver) {
            receivers.push(receiver);
        }
    }
    node["routes"] = route.routes.iter().map(|child| as_alertmanager_route(child, receivers)).collect();
    node
}
