//! Which channels an alert reaches: what matchers see, and that a trial of labels answers
//! what really happens.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use modelpager::app::configuration::kinds;
use modelpager::catalog::service::Precondition;
use modelpager::config::{self, Config, RouteConfig};
use modelpager::domain::clock::{Clock as _, Timestamp};
use modelpager::domain::entry::{Entry, EntryKind};
use modelpager::domain::random::{Random as _, SeededRandom};
use modelpager::store::log_incidents::IncidentDetail;
use modelpager::triage::route_trial::try_labels;
use modelpager::triage::rules::Rules;
use serde_json::{Value, json};

use super::{World, body, firing, log_channel, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    a_ported_tree_takes_the_words_it_names,
    an_incident_is_routed_by_the_words_of_its_most_severe_alerts,
    an_alerts_own_label_goes_before_what_stands_around_it,
    what_stands_around_an_alert_is_seen_by_its_own_names,
    a_trial_of_labels_answers_where_alerts_are_sent,
    an_entry_that_changed_is_routed_anew_with_the_next_alert,
    an_alert_that_says_nothing_new_decides_nothing,
}

/// A file of `tests/fixtures/field`.
fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/field").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn configured(text: &str) -> Config {
    config::parse(text, Path::new(""), &|_| None, &kinds()).unwrap_or_else(|p| panic!("{p}")).config
}

/// The channels of every incident, by the group key of the body it came with.
async fn reached(world: &World, bodies: &[Value]) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for body in bodies {
        let before = world.notifications().await.len();
        world.post(body).await.unwrap();
        world.processor.settle().await.unwrap();
        let told = world.notifications().await.split_off(before);
        all.push(told.into_iter().map(|message| message.channel).collect());
    }
    all
}

async fn a_ported_tree_takes_the_words_it_names(fresh: Fresh) {
    let world = World::open(fresh, &configured(&fixture("f34-ported-severity.yml"))).await;
    let bodies: Vec<Value> = serde_json::from_str(&fixture("f34-ported-severity.json")).unwrap();
    assert_eq!(
        bodies.iter().map(|b| &b["groupKey"]).collect::<Vec<_>>(),
        ["page", "warning", "info", "none"]
    );

    let reached = reached(&world, &bodies).await;

    assert_eq!(reached, [["pager"], ["warn-chat"], ["warn-chat"], ["nothing"]]);
}

/// Alerts of one incident with these words; an empty one has no such label.
fn one_incident(rule: &str, words: &[&str]) -> Value {
    let alert = |(index, word): (usize, &&str)| {
        let mut labels = json!({"alertname": rule, "model": "fraud", "instance": format!("i{index}")});
        if !word.is_empty() {
            labels["severity"] = json!(word);
        }
        json!({"status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-08-20T10:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": ""})
    };
    body(&words.iter().enumerate().map(alert).collect::<Vec<_>>())
}

async fn an_incident_is_routed_by_the_words_of_its_most_severe_alerts(fresh: Fresh) {
    let cases: &[(&[&str], &str, bool)] = &[
        (&["page"], r#"severity="page""#, true),
        (&["page"], r#"severity="critical""#, true),
        (&["page"], r#"severity=~"p.*""#, true),
        (&["page"], r#"severity!="page""#, false),
        (&["page"], r#"severity!="critical""#, false),
        (&["page"], r#"severity!~"page|high""#, false),
        (&["page"], r#"severity!="P0""#, true),
        (&[""], r#"severity="medium""#, true),
        (&[""], r#"severity="""#, true),
        (&[""], r#"severity!="""#, false),
        (&["warning"], r#"severity!="""#, true),
        (&["odd"], r#"severity="odd""#, true),
        (&["odd"], r#"severity="medium""#, true),
        (&["warning", "page"], r#"severity="page""#, true),
        (&["warning", "page"], r#"severity="warning""#, false),
        (&["warning", "page"], r#"severity!="warning""#, true),
        (&["page", "P0"], r#"severity="page""#, true),
        (&["P0", "page"], r#"severity="page""#, true),
        (&["P0", "page"], r#"severity!~"page""#, false),
    ];
    let url = fresh.url();
    for (number, (words, matcher, holds)) in cases.iter().enumerate() {
        let mut config =
            Config { channels: vec![log_channel("rest"), log_channel("hit")], ..Config::default() };
        config.route = RouteConfig { routes: vec![route(&["hit"], &[matcher])], ..route(&["rest"], &[]) };
        let world = World::on(&url, &config).await;
        if number == 0 {
            world.add_entry("fraud").await;
        }

        let told = reached(&world, &[one_incident(&format!("Case{number}"), words)]).await.remove(0);

        assert_eq!(told, [if *holds { "hit" } else { "rest" }], "{words:?} {matcher}");
        world.end().await;
    }
    drop(fresh);
}

/// The tree of `f33-shadowed-labels.yml` with a matcher on that label.
fn shadowed(label: &str, value: &str) -> Config {
    configured(&fixture("f33-shadowed-labels.yml").replace("@LABEL@", label).replace("@VALUE@", value))
}

/// A body with an alert that has one label more.
fn shadowing(label: &str, value: &str) -> Value {
    let mut bodies: Vec<Value> = serde_json::from_str(&fixture("f33-shadowed-labels.json")).unwrap();
    let mut body = bodies.remove(0);
    body["alerts"][0]["labels"].as_object_mut().unwrap().remove("status");
    if !label.is_empty() {
        body["alerts"][0]["labels"][label] = json!(value);
    }
    body["alerts"][0]["labels"]["number"] = json!(format!("{label}{value}"));
    body
}

async fn an_alerts_own_label_goes_before_what_stands_around_it(fresh: Fresh) {
    let url = fresh.url();
    let own = [("status", "500"), ("receiver", "otlp"), ("source", "kubelet"), ("version", "3")];
    for (label, value) in own {
        let world = World::on(&url, &shadowed(label, value)).await;
        assert_eq!(reached(&world, &[shadowing(label, value)]).await, [["hit"]], "{label}");
        assert_eq!(reached(&world, &[shadowing(label, "other")]).await, [["console"]], "{label}");
        assert_eq!(trial(&world, &shadowed(label, value), &[(label, value)]), ["hit"], "{label}");
        assert_eq!(trial(&world, &shadowed(label, value), &[(label, "other")]), ["console"], "{label}");
        world.end().await;
    }
    drop(fresh);
}

async fn what_stands_around_an_alert_is_seen_by_its_own_names(fresh: Fresh) {
    let url = fresh.url();
    let facts = [("status", "firing"), ("receiver", "ml"), ("source", "alertmanager"), ("severity", "high")];
    for (name, value) in facts {
        let fact = format!("mp.{name}");
        for (label, own) in [("", ""), (name, "other"), ("noise", value)] {
            let world = World::on(&url, &shadowed(&fact, value)).await;
            let mut body = shadowing(label, own);
            body["alerts"][0]["labels"]["fact"] = json!(name);
            body["alerts"][0]["labels"]["severity"] = json!("error");

            assert_eq!(reached(&world, &[body]).await, [["hit"]], "{fact} beside {label}={own}");
            world.end().await;
        }
        if name != "severity" {
            let world = World::on(&url, &shadowed(name, value)).await;
            let bare = shadowing("bare", name);
            assert_eq!(reached(&world, &[bare]).await, [["hit"]], "{name} stands in for a label");
            world.end().await;
        }
    }
    drop(fresh);
}

/// The channels that a trial of these labels names.
fn trial(world: &World, config: &Config, labels: &[(&str, &str)]) -> Vec<String> {
    let rules = Rules::build(config).unwrap_or_else(|problems| panic!("{problems:?}"));
    let given: Vec<(String, String)> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let tried = try_labels(&rules, world.catalog.catalog(), &given, world.clock.now()).unwrap();
    tried.channels.iter().map(|channel| (*channel).to_owned()).collect()
}

/// Draws from lists.
struct Draw(SeededRandom);

impl Draw {
    fn below(&self, end: usize) -> usize {
        usize::try_from(self.0.bits() % end as u64).unwrap()
    }

    fn of<'a>(&self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A node with up to three children on each of three levels.
    fn node(&self, depth: usize) -> RouteConfig {
        let matchers = (0..=self.below(2)).map(|_| self.of(MATCHERS).to_owned()).collect();
        let channels = (0..self.below(3)).map(|_| self.of(&CHANNELS).to_owned()).collect();
        let children = if depth == 0 { 0 } else { self.below(4) };
        let routes = (0..children).map(|_| self.node(depth - 1)).collect();
        RouteConfig { matchers, channels, routes, continue_: self.below(2) == 0, ..RouteConfig::default() }
    }

    fn labels(&self) -> Vec<(&'static str, &'static str)> {
        LABELS
            .iter()
            .map(|(name, values)| (*name, self.of(values)))
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }
}

const CHANNELS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

const MATCHERS: &[&str] = &[
    r#"severity="page""#,
    r#"severity=~"warning|info""#,
    r#"severity!="medium""#,
    r#"severity="critical""#,
    r#"severity!~"p.*""#,
    r#"severity="""#,
    r#"status="500""#,
    r#"status="firing""#,
    r#"receiver=~"otlp|modelpager""#,
    r#"receiver!="otlp""#,
    r#"source="alertmanager""#,
    r#"version="7""#,
    r#"version!="""#,
    r#"mp.version="7""#,
    r#"mp.status="firing""#,
    r#"mp.status="resolved""#,
    r#"mp.severity=~"high|critical""#,
    r#"mp.receiver="modelpager""#,
    r#"mp.source!="alertmanager""#,
    r#"entry.kind="llm""#,
    r#"entry.tier=~"1|2""#,
    r#"entry.slug="""#,
    r#"entry.team!="search""#,
    r#"entry.tags.area="x""#,
    r#"team=~".+""#,
];

const LABELS: &[(&str, &[&str])] = &[
    ("severity", &["", "page", "warning", "critical", "Medium", "none", "odd", "p1"]),
    ("model", &["", "churn", "CHURN-v1", "rank", "unknown"]),
    ("prompt", &["", "", "greet"]),
    ("status", &["", "", "500", "firing"]),
    ("receiver", &["", "", "otlp"]),
    ("source", &["", "", "kubelet"]),
    ("version", &["", "", "7", "8"]),
    ("team", &["", "ml"]),
    ("job", &["", "serving"]),
];

async fn add_entries(world: &World) {
    let entry = |slug: &str, kind, tier, team: &str| Entry {
        slug: slug.to_owned(),
        kind,
        tier,
        team: team.to_owned(),
        ..Entry::default()
    };
    let mut churn = entry("churn", EntryKind::Model, Some(1), "search");
    churn.aliases = vec!["churn-v1".to_owned()];
    churn.tags.insert("area".to_owned(), "x".to_owned());
    let mut served = entry("served", EntryKind::Llm, Some(3), "");
    served.matchers = vec![modelpager::domain::entry::EntryMatcher {
        matchers: vec!["job=\"serving\"".to_owned()],
        priority: 0,
    }];
    for entry in [
        churn,
        served,
        entry("rank", EntryKind::Llm, Some(2), "ml"),
        entry("greet", EntryKind::Prompt, None, "ml"),
    ] {
        world.catalog.create("test", entry).await.unwrap();
    }
}

async fn a_trial_of_labels_answers_where_alerts_are_sent(fresh: Fresh) {
    const TREES: u64 = 12;
    const ALERTS: usize = 20;
    let url = fresh.url();
    let (mut asked, mut away) = (0, BTreeSet::new());
    for tree in 0..TREES {
        let draw = Draw(SeededRandom::new(tree));
        let mut config = Config { channels: CHANNELS.map(log_channel).to_vec(), ..Config::default() };
        config.route = RouteConfig { routes: (0..5).map(|_| draw.node(2)).collect(), ..route(&["a"], &[]) };
        let world = World::on(&url, &config).await;
        if tree == 0 {
            add_entries(&world).await;
        }
        let mut expected = Vec::new();
        let mut alerts = Vec::new();
        for number in 0..ALERTS {
            let mut labels = draw.labels();
            let name = format!("T{tree}N{number}");
            labels.push(("alertname", &name));
            let status = draw.of(&["firing", "firing", "resolved"]);
            let ends_at = if status == "firing" { "0001-01-01T00:00:00Z" } else { "2026-08-20T10:30:00Z" };
            let as_json: serde_json::Map<String, Value> =
                labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            alerts.push(json!({"status": status, "labels": as_json, "annotations": {}, "generatorURL": "",
                "startsAt": "2026-08-20T10:00:00Z", "endsAt": ends_at}));
            labels.extend([("mp.receiver", "modelpager"), ("mp.status", status)]);
            expected.push((
                name.clone(),
                labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "),
                trial(&world, &config, &labels).into_iter().collect::<BTreeSet<_>>(),
            ));
        }

        world.tell(&alerts).await;

        let incidents = world.incidents().await;
        for (name, labels, channels) in expected {
            let incident = incidents.iter().find(|incident| incident.alertname == name).unwrap();
            let detail = world.store.find_incident(&incident.id).await.unwrap().unwrap();
            let decided: BTreeSet<String> = detail.channels.iter().map(|why| why.channel.clone()).collect();
            assert_eq!(decided, channels, "tree {tree}, {labels}");
            asked += 1;
            away.extend(channels.into_iter().filter(|channel| channel != "a"));
        }
        world.end().await;
    }
    assert_eq!((asked, away.len()), (240, 5), "the trees lead everywhere");
    drop(fresh);
}

async fn an_entry_that_changed_is_routed_anew_with_the_next_alert(fresh: Fresh) {
    let mut config = super::config();
    config.route.routes = vec![route(&["oncall"], &["entry.owner=\"ada\""])];
    let world = World::open(fresh, &config).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high")]).await;
    assert_eq!(world.owed().await, ["console firing high"]);

    world.clock.advance(Duration::from_secs(60));
    let record = world.catalog.catalog().get("fraud").unwrap();
    let entry = Entry { owner: "ada".to_owned(), ..record.entry.clone() };
    world.catalog.put("test", entry, Precondition::Anything).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    world.tell(&[firing("a", "high")]).await;

    assert_eq!(world.owed().await, ["console firing high", "oncall firing high"]);
}

async fn an_alert_that_says_nothing_new_decides_nothing(fresh: Fresh) {
    let world = World::open(fresh, &super::config()).await;
    world.add_entry("fraud").await;
    world.clock.advance(Duration::from_secs(60));
    world.tell(&[firing("a", "high"), firing("b", "low")]).await;
    let id = world.incidents().await[0].id.clone();
    let before = world.store.find_incident(&id).await.unwrap().unwrap();

    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        world.tell(&[firing("b", "low"), firing("a", "high")]).await;
    }

    let after = world.store.find_incident(&id).await.unwrap().unwrap();
    let lines =
        |detail: &IncidentDetail| detail.timeline.iter().map(|line| line.id.clone()).collect::<Vec<_>>();
    let decisions = |detail: &IncidentDetail| {
        detail
            .channels
            .iter()
            .filter_map(|channel| channel.decision.as_ref())
            .map(|d| d.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&after), lines(&before));
    assert_eq!(decisions(&after), decisions(&before));
    assert_eq!(world.owed().await, ["console firing high"]);
    assert_eq!(Timestamp::from(after.summary.last_seen_at), world.clock.now(), "it was heard all the same");
}
