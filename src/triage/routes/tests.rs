use proptest::prelude::*;

use super::*;

fn tree(yaml: &str) -> RouteTree {
    let config: RouteConfig = serde_saphyr::from_str(yaml).unwrap();
    RouteTree::build(&config).unwrap()
}

fn problems(yaml: &str) -> Vec<String> {
    let config: RouteConfig = serde_saphyr::from_str(yaml).unwrap();
    RouteTree::build(&config).unwrap_err().iter().map(ToString::to_string).collect()
}

/// Looks labels up in `name=value` pairs.
fn labels<'v>(pairs: &'v [(&str, &str)]) -> impl Fn(&str) -> Option<&'v str> {
    |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn channels<'t>(tree: &'t RouteTree, pairs: &[(&str, &str)]) -> Vec<&'t str> {
    tree.destinations(labels(pairs)).into_iter().map(|destination| destination.channel).collect()
}

/// Label pairs, and the channels they lead to.
type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const COMPANY: &str = r#"
channels: [console]
repeat_interval: 12h
routes:
  - matchers: ['severity="critical"']
    channels: [oncall, alerts]
    repeat_interval: 30m
    routes:
      - {matchers: ['entry.tier="5"'], channels: [alerts]}
      - {matchers: ['team=""']}
  - {matchers: ['severity=~"high|medium"', 'entry.tier=~"1|2"'], channels: [alerts], continue: true, cooldown: 30m}
  - {matchers: ['{entry.kind="llm",status!="resolved"}'], channels: [mail, alerts]}
  - {matchers: ['team=~".+"'], routes: [{matchers: ['team!~"ml-.*"'], channels: [audit]}]}
"#;

#[test]
fn alerts_go_where_amtool_routes_test_would_send_them() {
    let tree = tree(COMPANY);
    let cases: &[Case] = &[
        (&[], &["console"]),
        (&[("severity", "low")], &["console"]),
        (&[("severity", "critical")], &["oncall", "alerts"]),
        (&[("severity", "critical"), ("team", "x")], &["oncall", "alerts"]),
        (&[("severity", "critical"), ("entry.tier", "5")], &["alerts"]),
        (&[("severity", "high")], &["console"]),
        (&[("severity", "high"), ("entry.tier", "1")], &["alerts"]),
        (&[("severity", "high"), ("entry.tier", "1"), ("entry.kind", "llm")], &["alerts", "mail"]),
        (&[("severity", "high"), ("entry.tier", "12"), ("entry.kind", "llm")], &["mail", "alerts"]),
        (&[("entry.kind", "llm"), ("status", "resolved")], &["console"]),
        (&[("team", "data")], &["audit"]),
        (&[("team", "ml-core")], &["console"]),
        (&[("entry.tier", "2"), ("severity", "medium"), ("team", "data")], &["alerts", "audit"]),
    ];

    for (given, expected) in cases {
        assert_eq!(channels(&tree, given), *expected, "{given:?}");
    }
}

#[test]
fn the_first_route_to_a_channel_decides_its_timing_and_its_path() {
    let tree = tree(COMPANY);

    let found =
        tree.destinations(labels(&[("severity", "high"), ("entry.tier", "1"), ("entry.kind", "llm")]));

    assert_eq!(found[0].channel, "alerts");
    assert_eq!(found[0].path, ["{}", r#"{severity=~"high|medium",entry.tier=~"1|2"}"#]);
    assert_eq!(found[0].timing.cooldown, Duration::from_secs(30 * 60));
    assert_eq!(found[1].path, ["{}", r#"{entry.kind="llm",status!="resolved"}"#]);
    assert_eq!(found[1].timing.cooldown, Duration::ZERO);
}

#[test]
fn channels_and_timing_are_inherited_matchers_and_continue_are_not() {
    let tree = tree(
        "{channels: [a], group_interval: 5m, routes: [
            {matchers: [x=1], cooldown: 1h, continue: true, routes: [{matchers: [y=1]}]},
            {matchers: [y=1], channels: [b], repeat_interval: 1h}]}",
    );

    let found = tree.find(labels(&[("x", "1"), ("y", "1")]));

    let seconds = Duration::from_secs;
    assert_eq!(found.iter().map(|node| node.channels()).collect::<Vec<_>>(), [["a"], ["b"]]);
    assert_eq!(
        found[0].timing(),
        Timing { repeat_interval: seconds(14_400), group_interval: seconds(300), cooldown: seconds(3_600) }
    );
    assert_eq!(
        found[1].timing(),
        Timing { repeat_interval: seconds(3_600), group_interval: seconds(300), cooldown: seconds(0) }
    );
}

#[test]
fn the_labels_looked_at_are_known() {
    let names: Vec<&str> = ["entry.kind", "entry.tier", "severity", "status", "team"].into();

    assert_eq!(tree(COMPANY).label_names().into_iter().collect::<Vec<_>>(), names);
}

#[test]
fn every_problem_is_reported_with_its_place() {
    let found = problems(
        r#"{matchers: [a=b], continue: true, repeat_interval: 0s, routes: [
            {matchers: ['a="b"', 'c']},
            {routes: [{matchers: ['d=~"("']}, {repeat_interval: 0s}]}]}"#,
    );

    insta::assert_snapshot!(found.join("\n"), @r#"
    route.channels: the root route needs at least one channel
    route.matchers: the root route takes everything: put matchers on a child
    route.continue: the root route has no sibling to continue with
    route.repeat_interval: must be more than zero
    route.routes[0].matchers[1]: matcher "c": column 2: expected an operator (=, !=, =~ or !~), found the end
    route.routes[1].routes[0].matchers[0]: matcher "d=~\"(\"": the regular expression for "d": missing closing parenthesis; write \( for the character itself
    route.routes[1].routes[1].repeat_interval: must be more than zero
    "#);
}

fn any_route() -> impl Strategy<Value = RouteConfig> {
    let matchers = prop::collection::vec(
        prop::sample::select(vec!["a=1", "a!=1", "b=~\"1|2\"", "b!~\"2\"", "a=\"\"", "c.d=1,b=2"]),
        0..3,
    );
    let channels = prop::collection::vec(prop::sample::select(vec!["p", "q", "r"]), 0..3);
    let leaf = (matchers, channels, any::<bool>(), prop::option::of(0_u64..5)).prop_map(
        |(matchers, channels, continue_, cooldown)| RouteConfig {
            matchers: matchers.into_iter().map(str::to_owned).collect(),
            channels: channels.into_iter().map(str::to_owned).collect(),
            continue_,
            cooldown: cooldown.map(|s| PromDuration(Duration::from_secs(s))),
            ..RouteConfig::default()
        },
    );
    leaf.clone().prop_recursive(4, 24, 4, move |inner| {
        (leaf.clone(), prop::collection::vec(inner, 0..4))
            .prop_map(|(node, routes)| RouteConfig { routes, ..node })
    })
}

/// The definition, node by node: a node is reached when its parent is and its matchers
/// hold and no earlier sibling without `continue` holds; it is a destination when it is
/// reached and none of its children is.
fn reference(root: &RouteConfig, pairs: &[(&str, &str)]) -> Vec<(Vec<String>, Duration)> {
    let mut found = Vec::new();
    let mut open = vec![(root, vec!["default".to_owned()], Duration::ZERO)];
    while let Some((node, above, cooldown)) = open.pop() {
        let channels = if node.channels.is_empty() { above } else { node.channels.clone() };
        let cooldown = node.cooldown.map_or(cooldown, |own| own.0);
        let holding: Vec<&RouteConfig> = node
            .routes
            .iter()
            .filter(|child| Matchers::parse_all(&child.matchers).unwrap().matches(labels(pairs)))
            .collect();
        let until = holding.iter().position(|child| !child.continue_).map_or(holding.len(), |at| at + 1);
        if holding.is_empty() {
            found.push((channels.clone(), cooldown));
        }
        open.extend(holding[..until].iter().rev().map(|child| (*child, channels.clone(), cooldown)));
    }
    found
}

proptest! {
    #[test]
    fn every_tree_finds_what_the_definition_finds(
        routes in prop::collection::vec(any_route(), 0..5),
        a in prop::option::of("[123]"), b in prop::option::of("[123]"), c in prop::option::of("[123]"),
    ) {
        let root = RouteConfig { channels: vec!["default".to_owned()], routes, ..RouteConfig::default() };
        let all = [("a", &a), ("b", &b), ("c.d", &c)];
        let pairs: Vec<(&str, &str)> =
            all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();

        let tree = RouteTree::build(&root).unwrap();
        let found: Vec<(Vec<String>, Duration)> = tree
            .find(labels(&pairs))
            .into_iter()
            .map(|node| (node.channels().to_vec(), node.timing().cooldown))
            .collect();

        prop_assert!(!found.is_empty());
        prop_assert!(!tree.destinations(labels(&pairs)).is_empty());
        prop_assert_eq!(found, reference(&root, &pairs));
    }
}
