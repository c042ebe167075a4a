//! Every built-in template on every sample, and what happens when one fails.

use super::*;

const fn field(name: &'static str, source: &'static str, escape: Escape) -> TemplateField {
    TemplateField { name, source, escape, limit: Limit::chars(100_000) }
}

macro_rules! builtin {
    ($path:literal) => {
        include_str!(concat!("../../../templates/", $path, ".hbs"))
    };
}

const LOG: &[TemplateField] = &[
    field("title", builtin!("log/title"), Escape::Plain),
    field("body", builtin!("log/body"), Escape::Plain),
];
const WEBHOOK: &[TemplateField] = &[field("text", builtin!("webhook/text"), Escape::Plain)];
const SLACK: &[TemplateField] = &[
    field("title", builtin!("slack/title"), Escape::Mrkdwn),
    field("body", builtin!("slack/body"), Escape::Mrkdwn),
    field("thread", builtin!("slack/thread"), Escape::Mrkdwn),
];
const PAGERDUTY: &[TemplateField] = &[field("summary", builtin!("pagerduty/summary"), Escape::Plain)];
const EMAIL: &[TemplateField] = &[
    field("subject", builtin!("email/subject"), Escape::Plain),
    field("text", builtin!("email/text"), Escape::Plain),
    field("html", builtin!("email/html"), Escape::Html),
];
const KINDS: &[(&str, &[TemplateField])] =
    &[("log", LOG), ("webhook", WEBHOOK), ("slack", SLACK), ("pagerduty", PAGERDUTY), ("email", EMAIL)];

const EXTERNAL_URL: &str = "http://modelpager.example";

fn renderer_with(channel: &str, kind: &str, fields: &[(&str, &str)]) -> (Renderer, Vec<TemplateProblem>) {
    let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut overrides = Overrides::default();
    overrides.add_channel(channel, kind, &fields);
    Renderer::new(KINDS, &overrides, EXTERNAL_URL)
}

fn renderer() -> Renderer {
    let (renderer, problems) = Renderer::new(KINDS, &Overrides::default(), EXTERNAL_URL);
    assert_eq!(problems, []);
    renderer
}

#[test]
fn every_kind_of_message_reads_well() {
    let renderer = renderer();
    for (kind, _) in KINDS {
        for sample in samples::all() {
            let rendered = renderer.message(kind, "my-channel", &sample.snapshot, samples::NOW);
            assert_eq!(rendered.problem, None);
            let texts: Vec<String> =
                rendered.fields.iter().map(|(name, text)| format!("=== {name}\n{text}")).collect();
            insta::assert_snapshot!(format!("{kind}_{}", sample.name), texts.join("\n"));
        }
    }
}

#[test]
fn a_working_override_replaces_the_built_in_text() {
    let (renderer, problems) = renderer_with("a", "slack", &[("title", "{{upper severity}} {{channel}}")]);

    assert_eq!(problems, []);
    let snapshot = samples::firing();
    assert_eq!(renderer.message("slack", "a", &snapshot, samples::NOW).field("title"), "CRITICAL a");
    assert!(renderer.message("slack", "b", &snapshot, samples::NOW).field("title").starts_with('🔴'));
}

#[test]
fn a_failing_override_is_reported_and_not_applied() {
    let (renderer, problems) = renderer_with(
        "a",
        "slack",
        &[
            ("title", "ok\n{{severiti}}"),
            ("body", "{{#each alerts}}{{lebels.instance}}{{/each}}"),
            ("footer", "x"),
            ("thread", "{{{summary}}}"),
        ],
    );

    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "channels: a: templates.body: line 1: \"lebels.instance\" does not exist here: ask {{#if lebels.instance}} first or write {{default lebels.instance \"…\"}} (tried on the sample \"firing\")",
            "channels: a: templates.footer: slack has no field \"footer\"; it has title, body, thread",
            "channels: a: templates.thread: line 1: {{{…}}} and {{&…}} would let text of alerts through unescaped: write {{…}}",
            "channels: a: templates.title: line 2: there is no variable \"severiti\"",
        ]
    );
    let rendered = renderer.message("slack", "a", &samples::firing(), samples::NOW);
    assert!(rendered.field("title").starts_with('🔴'));
    assert_eq!(rendered.problem, None);
}

#[test]
fn an_override_for_an_unknown_kind_is_reported() {
    let (_, problems) = renderer_with("a", "pigeon", &[("title", "x")]);

    assert_eq!(
        problems[0].to_string(),
        "channels: a: templates.title: there is no kind \"pigeon\"; there are email, log, pagerduty, slack, webhook"
    );
}

#[test]
fn a_template_that_fails_at_run_time_is_replaced_and_the_message_says_so() {
    let only_with_instance = "{{#if labels.special}}{{date labels.special}}{{/if}}fine";
    let (renderer, problems) =
        renderer_with("a", "slack", &[("body", only_with_instance), ("title", only_with_instance)]);
    assert_eq!(problems, []);
    let mut snapshot = samples::firing();
    assert_eq!(renderer.message("slack", "a", &snapshot, samples::NOW).field("body"), "fine");
    snapshot.alerts[0].labels.insert("special".to_owned(), "yes".to_owned());

    let rendered = renderer.message("slack", "a", &snapshot, samples::NOW);

    assert!(rendered.field("body").contains("this is the built-in text: a template failed (line 1"));
    assert!(rendered.field("body").contains("p99 latency"));
    assert!(rendered.field("title").ends_with("(built-in text: a template failed)"));
    assert!(rendered.problem.unwrap().starts_with("template slack/title: line 1"));
}

#[test]
fn without_any_working_template_the_bare_facts_are_told() {
    const BROKEN: &[TemplateField] = &[field("body", "{{#if}", Escape::Mrkdwn)];
    let (renderer, problems) = Renderer::new(&[("odd", BROKEN)], &Overrides::default(), EXTERNAL_URL);
    assert_eq!(problems.len(), 1);

    let rendered = renderer.message("odd", "a", &samples::unicode(), samples::NOW);

    assert!(rendered.field("body").starts_with("HIGH: Modèle en dérive 📉 on Détecteur de fraude"));
    assert!(rendered.field("body").contains("&lt;!here&gt;"));
    assert!(rendered.problem.is_some());
}

#[test]
fn nothing_in_slack_can_mention_and_no_title_has_line_breaks() {
    let renderer = renderer();
    let rendered = renderer.message("slack", "a", &samples::unicode(), samples::NOW);
    for text in rendered.fields.values() {
        assert!(!text.contains("<!") && !text.contains("<@"), "{text}");
    }
    for (kind, field) in
        [("slack", "title"), ("email", "subject"), ("log", "title"), ("pagerduty", "summary")]
    {
        for sample in samples::all() {
            let text = renderer.message(kind, "a", &sample.snapshot, samples::NOW);
            assert!(!text.field(field).contains(char::is_control), "{kind}: {}", text.field(field));
        }
    }
    assert!(rendered.links.iter().all(|link| link.url.starts_with("http")));
    assert!(rendered.links.iter().all(|link| link.name != "prometheus"));
}

#[test]
fn links_come_in_the_readers_order() {
    let rendered = renderer().message("log", "a", &samples::firing(), samples::NOW);

    let names: Vec<&str> = rendered.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["runbook", "dashboard", "logs", "registry", "prometheus", "alertmanager", "incident"]);
}

#[test]
fn a_folder_of_overrides_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("slack/title.hbs", "from the folder: {{headline}}");
    write("slack/body.hbs", &"x".repeat(70 * 1024));
    write("slack/README.md", "{{nonsense}}");
    write("email/.subject.hbs.swp", "{{nonsense}}");
    write("log/oops.hbs", "x");
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("log/title.hbs")).unwrap();

    let (overrides, mut problems) = Overrides::read_dir(folder.path());
    let (renderer, tried) = Renderer::new(KINDS, &overrides, EXTERNAL_URL);
    problems.extend(tried);

    let told: Vec<String> =
        problems.iter().map(|p| p.to_string().replace(&folder.path().display().to_string(), "DIR")).collect();
    assert_eq!(
        told,
        [
            "DIR/log/title.hbs: leads out of the templates' folder",
            "DIR/log/oops.hbs: log has no field \"oops\"; it has title, body",
            "DIR/slack/body.hbs: longer than 64 KiB",
        ]
    );
    let rendered = renderer.message("slack", "a", &samples::firing(), samples::NOW);
    assert_eq!(rendered.field("title"), "from the folder: HighPredictionLatency on Fraud detector v8");
    assert!(Overrides::read_dir(&folder.path().join("none")).1[0].to_string().contains("cannot be opened"));
}

#[test]
fn a_preview_renders_or_says_why_not() {
    let renderer = renderer();
    let message = renderer.context(&samples::firing(), "a", samples::NOW);

    assert_eq!(preview_template("{{severity}}", Escape::Plain, &message).as_deref(), Ok("critical"));
    assert!(preview_template("{{> x}}", Escape::Plain, &message).is_err());
    assert!(check_template("{{#each alerts}}{{line}}{{/each}}", Escape::Html).is_ok());
}

#[test]
fn templates_that_people_write_make_what_they_want() {
    #[derive(serde::Deserialize)]
    struct Case {
        template: String,
        want: String,
    }
    let cases = include_str!("../../../tests/fixtures/field/f26-templates.yml");
    let cases: Vec<Case> = serde_saphyr::from_str(cases).unwrap();
    let mut wrong = Vec::new();
    for Case { template, want } in cases {
        let (renderer, problems) = renderer_with("a", "webhook", &[("text", &template)]);
        let rendered = renderer.message("webhook", "a", &odd(), samples::NOW);
        // `~` takes away the white space on both sides, in every Handlebars.
        let want = if template.contains("~") { want.replace(' ', "") } else { want };
        if template.contains(".Labels") {
            assert!(problems[0].to_string().contains("Go's templates"), "{problems:?}");
        } else if !rendered.field("text").contains(&want) || !problems.is_empty() {
            let text = rendered.field("text");
            wrong.push(format!("{template} → {text:?}, want {want:?}, {problems:?}, {:?}", rendered.problem));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The alert that the templates of the field are about.
fn odd() -> Snapshot {
    let body = include_str!("../../../tests/fixtures/field/f26-templates-alert.json");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let alert = &body["alerts"][0];
    let mut snapshot = samples::unmatched();
    snapshot.alerts.truncate(1);
    let member = &mut snapshot.alerts[0];
    member.labels = serde_json::from_value(alert["labels"].clone()).unwrap();
    member.annotations = serde_json::from_value(alert["annotations"].clone()).unwrap();
    member.starts_at = Timestamp::parse_rfc3339(alert["startsAt"].as_str().unwrap()).unwrap();
    let incident = &mut snapshot.incident;
    (incident.alertname, incident.severity) = ("Odd".to_owned(), crate::domain::severity::Severity::High);
    snapshot
}
