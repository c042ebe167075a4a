use super::*;
use crate::catalog::checks::MAX_ITEMS;

fn check(entry: &Entry) -> Vec<String> {
    check_entry(entry).into_iter().map(|p| format!("{}: {}", p.field, p.message)).collect()
}

fn fields(entry: &Entry) -> Vec<String> {
    check(entry).into_iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect()
}

fn set(matchers: &[&str]) -> EntryMatcher {
    EntryMatcher { matchers: matchers.iter().map(|m| (*m).to_owned()).collect(), priority: 0 }
}

fn named(slug: &str) -> Entry {
    Entry { slug: slug.to_owned(), ..Entry::default() }
}

#[test]
fn an_entry_with_everything_right_has_no_problem() {
    let entry = Entry {
        display_name: "Fraud detector".into(),
        tier: Some(1),
        aliases: vec!["Fraud Detector".into(), "openai/fraud".into()],
        matchers: vec![set(&["namespace=\"ml\"", "pod=~\"fraud-.*\""])],
        endpoint_url: "https://ml.example/fraud".into(),
        runbook_url: "https://wiki.example/{{alertname}}".into(),
        links: BTreeMap::from([(
            "dashboard".into(),
            "HTTP://grafana.example/d/1?from={{window.from_ms}}".into(),
        )]),
        contacts: vec![Contact { name: "#ml".into(), ..Contact::default() }],
        runbook: "# Steps\n\n1. Look".into(),
        ..named("fraud-detector_2.0")
    };

    assert_eq!(check(&entry), Vec::<String>::new());
    assert_eq!(check(&named("a")), Vec::<String>::new());
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let entry = Entry {
        tier: Some(6),
        owner: "two\nlines".into(),
        aliases: vec!["ok".into(), " OK ".into(), "".into(), "Fraud!".into()],
        matchers: vec![set(&["a=\"b\"", "pod=~\"(\""]), set(&[]), set(&["pod=~\".*\""])],
        endpoint_url: "ml.example".into(),
        runbook_url: "javascript:alert(1)".into(),
        links: BTreeMap::from([("logs".into(), "https://x/{{#if}}".into()), ("empty".into(), String::new())]),
        contacts: vec![Contact::default()],
        tags: BTreeMap::from([(" ".into(), "v".into())]),
        ..named("Fraud!")
    };

    insta::assert_snapshot!(check(&entry).join("\n"));
}

#[test]
fn sizes_are_bounded() {
    let long = |n: usize| "x".repeat(n);
    let entry = Entry {
        display_name: long(MAX_NAME + 1),
        description: long(MAX_PARAGRAPH + 1),
        runbook: long(MAX_RUNBOOK + 1),
        aliases: (0..=MAX_ITEMS).map(|n| format!("alias {n}")).collect(),
        endpoint_url: format!("https://{}", long(MAX_URL)),
        ..named(&long(MAX_SLUG + 1))
    };
    let longest = Entry {
        display_name: "ä".repeat(MAX_NAME),
        description: long(MAX_PARAGRAPH),
        runbook: long(MAX_RUNBOOK),
        aliases: (0..MAX_ITEMS).map(|n| format!("alias {n}")).collect(),
        ..named(&long(MAX_SLUG))
    };

    assert_eq!(fields(&entry), ["slug", "display_name", "description", "runbook", "aliases", "endpoint_url"]);
    assert_eq!(check(&longest), Vec::<String>::new());
}

#[test]
fn words_of_the_api_are_no_slugs() {
    assert_eq!(fields(&named("import")), ["slug"]);
    assert_eq!(fields(&named("export")), ["slug"]);
    assert_eq!(fields(&named("")), ["slug"]);
    assert_eq!(fields(&named("-a")), ["slug"]);
}

#[test]
fn a_name_belongs_to_one_entry() {
    let entry = Entry { aliases: vec!["Mine".into(), " CHURN ".into()], ..named("fraud") };
    let owner_of = |name: &str| match name {
        "fraud" | "mine" => Some("fraud".to_owned()),
        "churn" => Some("churn-model".to_owned()),
        _ => None,
    };

    let problems = check_names(&entry, owner_of);

    assert_eq!(
        problems,
        [FieldError::new("aliases[1]", "\" CHURN \" already names the entry \"churn-model\"")]
    );
    assert_eq!(folded_names(&entry), ["churn", "fraud", "mine"]);
}

#[test]
fn an_expression_that_grows_large_when_compiled_is_refused_with_what_to_write() {
    let entry = |matcher: &str| Entry { matchers: vec![set(&[matcher])], ..named("fraud") };

    for small in [
        "app=~\"[a-z]{1,1000}\"",
        "app=~\".*-fraud-v[0-9]+\"",
        "app=~\"(?i).*(fraud|churn|ranking)-?(detector|model)?.*\"",
        r"app=~\pL+-v[0-9]+",
        "app!~\".{400}\",app=\"x\"",
    ] {
        assert_eq!(check(&entry(small)), Vec::<String>::new(), "{small}");
    }
    for large in ["app=~\"(a|b)*a(a|b){20}\"", r#"app=~"\\pL{300}""#, "app=~\".*[ab].{30}c\""] {
        let problems = check(&entry(large));
        assert_eq!(problems.len(), 1, "{large}: {problems:?}");
        assert!(problems[0].starts_with("matchers[0].matchers[0]: "), "{problems:?}");
        assert!(
            problems[0].contains("the regular expression for \"app\": takes more than 512 KiB"),
            "{problems:?}"
        );
    }
}

#[test]
fn expressions_of_a_whole_catalog_have_a_limit() {
    let (_, compiled) = weigh_entry(&Entry { matchers: vec![set(&["app=~\"[a-z]{1,300}\""])], ..named("a") });
    let (_, plain) =
        weigh_entry(&Entry { matchers: vec![set(&["app=~\"fraud-.*|x\"", "b=\"c\""])], ..named("a") });

    assert!((4 * 1024..12 * 1024).contains(&compiled), "{compiled}");
    assert_eq!(weigh_entry(&Entry { matchers: vec![set(&["app=~\"fraud-.*\""])], ..named("a") }).1, 0);
    assert_eq!(plain, 4 * 1024);
    assert_eq!(too_many_expressions("matchers", MAX_COMPILED, MAX_COMPILED), None);
    let problem = too_many_expressions("matchers", 3 << 20, 1 << 19).unwrap();
    assert!(
        problem.message.contains("take 3.0 MiB when compiled, and 0.5 MiB of the 48.0 MiB"),
        "{problem:?}"
    );
}

#[test]
fn an_entry_of_too_many_expressions_is_refused_before_all_are_compiled() {
    let many = |text: &str, sets: usize| {
        let texts: Vec<String> = (0..60).map(|n| format!("l{n}=~\"{text}\"")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        check(&Entry { matchers: vec![set(&texts); sets], ..named("a") })
    };

    assert_eq!(many("[a-z]+x", 17), Vec::<String>::new());
    let problems = many("[a-z]+x", 100);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("matchers[18]: the regular expressions up to here take more than 4 MiB"));
    let problems = many(".*[ab].{30}c", 100);
    assert_eq!(problems.len(), 61);
    assert_eq!(problems[60], "matchers[1]: not looked at: too much is wrong before it");
}
