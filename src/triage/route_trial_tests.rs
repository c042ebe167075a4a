use super::*;
use crate::config::{ChannelConfig, Config, RouteConfig};

const NOW: Timestamp = Timestamp::from_millis(1_787_220_000_000);

fn rules(matcher: &str) -> Rules {
    let hit = RouteConfig {
        channels: vec!["hit".to_owned()],
        matchers: vec![matcher.to_owned()],
        ..RouteConfig::default()
    };
    let config = Config {
        channels: vec![ChannelConfig::new("rest", "log"), ChannelConfig::new("hit", "log")],
        route: RouteConfig { channels: vec!["rest".to_owned()], routes: vec![hit], ..RouteConfig::default() },
        ..Config::default()
    };
    Rules::build(&config).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn given(text: &str) -> Vec<(String, String)> {
    text.split_whitespace().map(|label| parse_label(label).unwrap()).collect()
}

/// A catalog in which `churn` is a model of tier 1.
fn catalog() -> Catalog {
    let catalog = Catalog::new(CatalogConfig::default());
    let entry = Entry { slug: "churn".to_owned(), tier: Some(1), ..Entry::default() };
    catalog.replace(vec![EntryRecord { entry, ..EntryRecord::default() }], 1);
    catalog
}

fn hits(matcher: &str, labels: &str) -> Result<bool, String> {
    try_labels(&rules(matcher), &catalog(), &given(labels), NOW).map(|trial| trial.channels == ["hit"])
}

#[test]
fn the_catalog_is_asked_as_for_a_real_alert() {
    for (matcher, labels, is_hit) in [
        ("entry.tier=\"1\"", "model=churn", true),
        ("entry.tier=\"1\"", "model=other", false),
        ("entry.kind=\"model\"", "model=churn", true),
        ("entry.tier=\"2\"", "model=churn entry.tier=2", true),
        ("entry.slug=\"churn\"", "model=churn entry.tier=2", true),
        ("entry.kind=\"llm\"", "entry.kind=llm", true),
        ("mp.version=\"7\"", "model=churn model_version=7", true),
        ("mp.version=\"7\"", "model=other model_version=7", false),
        ("version=\"7\"", "model=churn model_version=7", true),
        ("version=\"7\"", "model=churn model_version=7 version=8", false),
        ("mp.version=\"9\"", "mp.version=9", true),
    ] {
        assert_eq!(hits(matcher, labels), Ok(is_hit), "{matcher} {labels}");
    }
}

#[test]
fn what_stands_around_the_alert_can_be_said() {
    for (matcher, labels, is_hit) in [
        ("receiver=\"ml\"", "mp.receiver=ml", true),
        ("receiver=\"ml\"", "mp.receiver=ml receiver=otlp", false),
        ("mp.receiver=\"ml\"", "mp.receiver=ml receiver=otlp", true),
        ("status=\"resolved\"", "mp.status=resolved", true),
        ("mp.status=\"resolved\"", "status=resolved", false),
        ("mp.source=\"modelpager\"", "mp.source=modelpager", true),
        ("source=\"alertmanager\"", "", true),
    ] {
        assert_eq!(hits(matcher, labels), Ok(is_hit), "{matcher} {labels}");
    }
}

#[test]
fn what_no_alert_can_have_is_refused() {
    for labels in
        ["mp.status=open", "mp.severity=high", "mp.reciever=x", "entry.kind=modell", "entry.tiers=1"]
    {
        assert!(hits("a=b", labels).is_err(), "{labels}");
    }
}

#[test]
fn names_that_only_the_catalog_answers_are_known() {
    let rules = rules("{entry.tier=\"1\",version=\"2\",mp.status=\"firing\",entry.kind=\"llm\"}");

    assert_eq!(unanswered_names(&rules, &given("entry.kind=llm model=x")), ["entry.tier", "version"]);
}
