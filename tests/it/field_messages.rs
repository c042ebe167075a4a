//! What inputs from the field become on each kind of channel: parsed, routed and rendered as
//! they are when they come in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use modelpager::catalog::Catalog;
use modelpager::config::{ChannelConfig, Config, RouteConfig};
use modelpager::dispatch::plan::Plan;
use modelpager::dispatch::rehearsal::{Stage, ids_at, rehearse_on};
use modelpager::domain::clock::Timestamp;
use modelpager::intake::alertmanager;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_795_687_200_000);

fn field(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/field").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn channel(kind: &str, settings: Value) -> ChannelConfig {
    let mut whole = json!({"name": "tested", "kind": kind});
    whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

/// Every kind, set up as little as it can be.
fn kinds() -> Vec<ChannelConfig> {
    vec![
        channel("log", json!({})),
        channel("webhook", json!({"url": "http://127.0.0.1:9/"})),
        channel("slack", json!({"webhook_url": "https://hooks.slack.com/services/T000/B000/x"})),
        channel("pagerduty", json!({"routing_key": "0123456789abcdef0123456789abcdef"})),
        channel(
            "email",
            json!({"smtp": {"host": "localhost", "port": 25, "tls": "none"}, "from": "a@x.example", "to": ["b@x.example"]}),
        ),
    ]
}

/// What a body becomes on a channel: a preview for each message, and what is wrong with the
/// channel's templates.
fn told(channel: ChannelConfig, body: &str) -> (Vec<Value>, Vec<String>) {
    let config = Config {
        channels: vec![channel],
        route: RouteConfig { channels: vec!["tested".to_owned()], ..RouteConfig::default() },
        ..Config::default()
    };
    let (plan, problems) = Plan::build(&config).unwrap_or_else(|problems| panic!("{problems:?}"));
    let delivery = alertmanager::parse(body.as_bytes(), NOW).unwrap_or_else(|refusal| panic!("{refusal}"));
    let channel = plan.channel("tested").unwrap();
    let catalog = Arc::new(Catalog::new(config.catalog.clone()));
    let ids = ids_at(NOW);
    let stage = Stage { config: &config, channel: &channel, catalog: &catalog, ids: &ids, now: NOW };
    let rehearsed = rehearse_on(&delivery, &stage).unwrap_or_else(|problems| panic!("{problems:?}"));
    let preview = |told: &modelpager::store::triage::NewNotification| {
        serde_json::to_value(plan.preview(&channel, &told.snapshot, NOW)).unwrap()
    };
    let previews = rehearsed.told.iter().map(preview).collect();
    (previews, problems.iter().map(ToString::to_string).collect())
}

fn text(preview: &Value) -> String {
    format!("{}\n{}", preview["title"].as_str().unwrap(), preview["text"].as_str().unwrap())
}

#[test]
fn templates_that_people_write_make_what_they_want() {
    #[derive(serde::Deserialize)]
    struct Case {
        template: String,
        want: String,
    }
    let cases: Vec<Case> = serde_saphyr::from_str(&field("f26-templates.yml")).unwrap();
    let alert = field("f26-templates-alert.json");
    let mut wrong = Vec::new();
    for Case { template, want } in cases {
        let mut webhook = channel("webhook", json!({"url": "http://127.0.0.1:9/"}));
        webhook.templates = BTreeMap::from([("text".to_owned(), template.clone())]);

        let (previews, problems) = told(webhook, &alert);

        let text = previews[0]["text"].as_str().unwrap();
        if template.contains(".Labels") {
            assert!(problems[0].contains("Go's templates"), "{problems:?}");
        } else if !text.contains(&want) || !problems.is_empty() {
            wrong.push(format!("{template} → {text:?}, want {want:?}, {problems:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_label_with_lines_forges_no_field_on_any_kind() {
    for kind in kinds() {
        let name = kind.kind.clone();
        let (previews, _) = told(kind, &field("f02-newline-in-label.json"));
        for line in previews.iter().map(text).collect::<Vec<_>>().join("\n").lines() {
            assert!(!line.trim_start().starts_with("Owner: nobody"), "{name}: {line}");
        }
        assert!(previews.iter().any(|preview| text(preview).contains("VllmQueueDeep")), "{name}");
    }
}

#[test]
fn an_address_that_programs_read_differently_is_no_link_on_any_kind() {
    for kind in kinds() {
        let name = kind.kind.clone();
        let (previews, _) = told(kind, &field("f20b-backslash-userinfo.json"));
        assert_eq!(previews.len(), 1, "{name}");
        let message: Value = serde_json::from_str(previews[0]["body"].as_str().unwrap()).unwrap_or_default();
        let links = match name.as_str() {
            "webhook" => message["data"]["incidents"][0]["links"].to_string(),
            "slack" => message["blocks"].to_string(),
            "pagerduty" => message["links"].to_string(),
            _ => text(&previews[0]),
        };
        assert!(!links.contains("evil.example"), "{name}: {links}");
    }
}
