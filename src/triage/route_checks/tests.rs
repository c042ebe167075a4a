use super::*;

/// The warnings about a configuration with the channels `a` and `b` and that route.
fn found(route: &str) -> Vec<String> {
    let route: RouteConfig = serde_saphyr::from_str(route).unwrap();
    let channels = vec![ChannelConfig::new("a", "log"), ChannelConfig::new("b", "log")];
    told(&Config { route, channels, ..Config::default() })
}

fn told(config: &Config) -> Vec<String> {
    warnings(config).into_iter().map(|warning| format!("{}: {}", warning.key, warning.message)).collect()
}

/// What is said of a single matcher of a route to `b`.
fn of_matcher(matcher: &str) -> Vec<String> {
    let config = Config {
        channels: vec![ChannelConfig::new("a", "log"), ChannelConfig::new("b", "log")],
        route: RouteConfig {
            channels: vec!["a".to_owned()],
            routes: vec![RouteConfig {
                channels: vec!["b".to_owned()],
                matchers: vec![matcher.to_owned()],
                ..RouteConfig::default()
            }],
            ..RouteConfig::default()
        },
        ..Config::default()
    };
    told(&config).into_iter().filter(|line| !line.starts_with("channels[1]")).collect()
}

#[test]
fn conditions_that_do_what_they_say_get_no_warning() {
    for matcher in [
        r#"entry.kind="model""#,
        r#"entry.kind=~"model|llm""#,
        r#"entry.kind!="llm""#,
        r#"entry.kind="""#,
        r#"entry.kind!="""#,
        r#"entry.kind=~".*store""#,
        r#"entry.tier=~"1|2""#,
        r#"entry.tier=~"[12]""#,
        r#"entry.tags.squad="x""#,
        r#"entry.environment="anything""#,
        r#"entry.slug="fraud-v2""#,
        r#"severity="page""#,
        r#"severity="P1""#,
        r#"severity=~"warning|info""#,
        r#"severity=~"crit.*""#,
        r#"severity!="none""#,
        r#"severity!="""#,
        r#"mp.severity!="info""#,
        r#"mp.status="resolved""#,
        r#"status="500""#,
        r#"status!~"5..""#,
        r#"receiver="""#,
        r#"version="""#,
        r#"alertname="""#,
        r#"team="ml""#,
        r#"kind="modell""#,
    ] {
        assert_eq!(of_matcher(matcher), Vec::<String>::new(), "{matcher}");
    }
}

#[test]
fn conditions_that_cannot_work_are_told_with_what_to_write() {
    for (matcher, hint) in [
        (r#"entry.kind="modell""#, "did you mean `model`?"),
        (r#"entry.kind!="modell""#, "so this always holds"),
        (r#"entry.kind=~"model|lmm""#, "did you mean `llm`?"),
        (r#"entry.kind="Model""#, "did you mean `model`?"),
        (r#"entry.kind=~"x.*""#, "there are `model`"),
        (r#"entry.tier="0""#, "there are `1`"),
        (r#"entry.tier="P1""#, "`entry.tier` is never `P1`"),
        (r#"entry.tier=~"[6-9]""#, "no value matches"),
        (r#"entry.teir="1""#, "did you mean `entry.tier`?"),
        (r#"entry.tags="1""#, "write `entry.tags.NAME`"),
        (r#"entry.responsible="1""#, "there are `entry.slug`"),
        (r#"entry.slug="Fraud""#, "lower-case"),
        (r#"mp.state="firing""#, "there is no `mp.state`"),
        (r#"mp.status="open""#, "`mp.status` is never `open`"),
        (r#"mp.status="""#, "never holds"),
        (r#"mp.status!="""#, "always holds"),
        (r#"mp.severity="page""#, "there are `critical`"),
        (r#"mp.source="grafana""#, "there are `alertmanager`"),
        (r#"status="""#, "`status` always has a value"),
        (r#"source=~"^$""#, "`source` always has a value"),
        (r#"severity="""#, "counts as `medium`"),
        (r#"severity="critcal""#, "did you mean `critical`?"),
        (r#"severity="apocalypse""#, "`severity.aliases`"),
        (r#"severity=~"warning|inof""#, "`inof` is no severity word"),
        (r#"severity=~"x[0-9]""#, "none of the severity words"),
    ] {
        let told = of_matcher(matcher);
        assert_eq!(told.len(), 1, "{matcher}: {told:?}");
        assert!(told[0].starts_with("route.routes[0].matchers[0]: "), "{told:?}");
        assert!(told[0].contains(hint), "{matcher}: {told:?}");
    }
}

#[test]
fn a_configured_alias_is_a_severity_word() {
    let mut config = Config {
        channels: vec![ChannelConfig::new("a", "log")],
        route: RouteConfig {
            channels: vec!["a".to_owned()],
            routes: vec![RouteConfig {
                matchers: vec!["severity=\"apocalypse\"".to_owned()],
                ..RouteConfig::default()
            }],
            ..RouteConfig::default()
        },
        ..Config::default()
    };
    assert_eq!(told(&config).len(), 1);

    config.severity.aliases.insert("apocalypse".to_owned(), crate::domain::severity::Severity::Critical);
    assert_eq!(told(&config), Vec::<String>::new());
}

#[test]
fn routes_that_no_alert_reaches_are_told() {
    for (routes, at) in [
        ("[{channels: [b]}, {matchers: [team=x]}]", Some(1)),
        ("[{channels: [b], continue: true}, {matchers: [team=x]}]", None),
        ("[{matchers: ['team=~\".*\"'], channels: [b]}, {matchers: [team=x]}]", Some(1)),
        (
            "[{matchers: ['severity=~\"critical|high|medium|low|info\"'], channels: [b]}, {matchers: [team=x]}]",
            Some(1),
        ),
        ("[{matchers: ['mp.status=~\"firing|resolved\"'], channels: [b]}, {matchers: [team=x]}]", Some(1)),
        ("[{matchers: ['severity!=\"\"'], channels: [b]}, {matchers: [team=x]}]", None),
        ("[{matchers: [team=x], channels: [b]}, {matchers: [team=x, env=y]}]", Some(1)),
        ("[{matchers: [team=x, env=y], channels: [b]}, {matchers: [team=x]}]", None),
        ("[{matchers: ['team=~\"x|y\"'], channels: [b]}, {matchers: [team=y]}]", Some(1)),
        ("[{matchers: ['team=~\"x.*\"'], channels: [b]}, {matchers: [team=xa]}]", Some(1)),
        ("[{matchers: ['team!=y'], channels: [b]}, {matchers: [team=xa]}]", Some(1)),
        ("[{matchers: ['severity!=\"critical\"'], channels: [b]}, {matchers: ['severity=\"high\"']}]", None),
        ("[{matchers: ['severity=\"page\"'], channels: [b]}, {matchers: ['severity=\"critical\"']}]", None),
        (
            "[{matchers: ['severity=\"critical\"'], channels: [b]}, {matchers: ['severity=\"critical\", team=x']}]",
            Some(1),
        ),
    ] {
        let told = found(&format!("{{channels: [a], routes: {routes}}}"));
        let expected: Vec<String> =
            at.iter().map(|at| format!("route.routes[{at}]: no alert comes here")).collect();
        assert_eq!(told.len(), expected.len(), "{routes}: {told:?}");
        assert!(
            told.iter().zip(&expected).all(|(told, start)| told.starts_with(start)),
            "{routes}: {told:?}"
        );
    }
}

#[test]
fn conditions_that_contradict_each_other_are_told() {
    for (routes, is_told) in [
        ("[{matchers: [team=x, team=y], channels: [b]}]", true),
        ("[{matchers: ['team=~\"x|y\"', team=y], channels: [b]}]", false),
        ("[{matchers: ['team=~\"x|y\"', 'team!~\"x|y|z\"'], channels: [b]}]", true),
        ("[{matchers: [team=x], routes: [{matchers: [team=y], channels: [b]}]}]", true),
        ("[{matchers: ['team=\"\"', 'team=~\".+\"'], channels: [b]}]", true),
        ("[{matchers: ['team=~\"a.*\"', 'team!~\"a.*\"'], channels: [b]}]", true),
        ("[{matchers: ['team=~\"a.*\"', 'team=~\".*b\"'], channels: [b]}]", false),
        ("[{matchers: ['severity=\"page\"', 'severity=\"critical\"'], channels: [b]}]", false),
        ("[{matchers: ['severity=\"page\"', 'severity=\"warning\"'], channels: [b]}]", true),
        ("[{matchers: ['severity=\"page\"', 'severity!=\"critical\"'], channels: [b]}]", true),
        ("[{matchers: ['severity=\"critical\"', 'severity!=\"page\"'], channels: [b]}]", false),
        ("[{matchers: ['entry.kind=\"llm\"', 'entry.kind!~\"l.*\"'], channels: [b]}]", true),
        ("[{matchers: ['mp.status!=\"firing\"', 'mp.status!=\"resolved\"'], channels: [b]}]", true),
    ] {
        let told = found(&format!("{{channels: [a], routes: {routes}}}"));
        let contradictions = told.iter().filter(|line| line.contains("cannot hold together with")).count();
        assert_eq!(contradictions, usize::from(is_told), "{routes}: {told:?}");
        // The channel of a route that takes nothing is told, too.
        assert_eq!(told.len(), 2 * contradictions, "{routes}: {told:?}");
    }
}

#[test]
fn channels_that_nothing_is_sent_through_are_told() {
    let told = found("{channels: [a]}");
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("channels[1].name: no route leads to the channel `b`"), "{told:?}");

    let mut config = Config {
        channels: vec![ChannelConfig::new("a", "log"), ChannelConfig::new("b", "log")],
        route: RouteConfig { channels: vec!["a".to_owned()], ..RouteConfig::default() },
        ..Config::default()
    };
    config.channels[0].fallback = Some("b".to_owned());
    assert_eq!(self::told(&config), Vec::<String>::new(), "it stands in for another");

    config.channels[0].fallback = None;
    config.channels[1].enabled = false;
    assert_eq!(self::told(&config), Vec::<String>::new(), "it is disabled");

    config.route.channels = vec!["b".to_owned()];
    let told = self::told(&config);
    assert!(
        told[0].starts_with("route.channels: nothing is sent by this route: `b` is disabled"),
        "{told:?}"
    );
}
