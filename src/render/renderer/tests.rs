//! Every built-in template on every sample, and what happens when one fails.

use super::*;

const fn field(name: &'static str, source: &'static str, escape: Escape) -> TemplateField {
    TemplateField { name, source, escape }
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
