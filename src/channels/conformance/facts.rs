//! However long what explains is: the facts of a message reach the reader.

use super::*;

/// What a reader at night needs, in the words of every kind: one of each line.
const FACTS: [&[&str]; 8] = [
    &["HighPredictionLatency"],
    &["Fraud detector v8", "version_live: v8"],
    &["Dana Petrova"],
    &["since 10:34 UTC", "started_at: 2026-08-20T10:34:00.000Z"],
    &["v8 deployed by ci 14 min before", "last_deployment: v8 at 2026-08-20T10:20:00.000Z"],
    &["kubectl rollout undo deploy/fraud-detector"],
    &["https://runbooks.example/fraud-detector/HighPredictionLatency"],
    &["feature_name=amount", "feature_name amount", "feature_name: amount"],
];

fn renderer() -> Renderer {
    let kinds: Vec<_> = REGISTRY.iter().map(|kind| (kind.name, kind.templates)).collect();
    Renderer::new(&kinds, &Overrides::default(), "http://localhost:9095").0
}

fn stack_trace() -> String {
    let body = include_str!("../../../tests/fixtures/field/f28-long-description.json");
    let body: Value = serde_json::from_str(body).unwrap();
    body["alerts"][0]["annotations"]["description"].as_str().unwrap().to_owned()
}

/// Annotations of one alert, by what is long about them.
fn long_texts() -> Vec<(&'static str, Vec<(String, String)>)> {
    let description = |text: String| vec![("description".to_owned(), text)];
    let repeated = |names: &[&str]| {
        names.iter().map(|name| ((*name).to_owned(), format!("{name} & ").repeat(10_000))).collect()
    };
    vec![
        ("a stack trace", description(stack_trace())),
        ("one endless line", description("x".repeat(600_000))),
        ("what is escaped", description("<&>".repeat(20_000))),
        ("many empty lines", description("a\n\n".repeat(5_000))),
        ("an endless summary", repeated(&["summary", "description"])),
        (
            "every text endless",
            repeated(&[
                "summary",
                "description",
                "message",
                "impact",
                "action",
                "runbook",
                "value",
                "threshold",
            ]),
        ),
        (
            "together larger than any provider takes",
            (0..60).map(|n| (format!("annotation_{n}"), "é".repeat(8_000))).collect(),
        ),
    ]
}

#[tokio::test]
async fn long_texts_never_push_out_the_facts() {
    let renderer = renderer();
    for case in Case::all(LONG).await {
        for (what, texts) in long_texts() {
            let mut snapshot = samples::firing();
            snapshot.alerts[0].labels.insert("feature_name".to_owned(), "amount".to_owned());
            for (name, text) in texts {
                snapshot.alerts[0].annotations.insert(name.to_owned(), text);
            }
            let rendered = renderer.message(case.kind.name, "tested", &snapshot, samples::NOW);
            assert_eq!(rendered.problem, None, "{}, {what}", case.name);
            let message = message(&snapshot, &rendered);

            let report = case.channel.send(&message, LONG).await;
            let preview = case.channel.preview(&message);

            assert_eq!(report.outcome, SendOutcome::Accepted, "{}, {what}: {report:?}", case.name);
            let shown = format!("{}\n{}", preview.title, preview.text);
            for fact in FACTS {
                let is_there = fact.iter().any(|words| shown.contains(words));
                assert!(is_there, "{}, {what}: no {fact:?} in {shown}", case.name);
            }
        }
        case.assert_clean();
    }
}

#[tokio::test]
async fn a_long_description_is_shown_as_far_as_it_fits() {
    let renderer = renderer();
    for case in Case::all(LONG).await {
        let mut snapshot = samples::firing();
        snapshot.alerts[0].annotations.insert("description".to_owned(), stack_trace());

        let rendered = renderer.message(case.kind.name, "tested", &snapshot, samples::NOW);
        let shown = case.channel.preview(&message(&snapshot, &rendered)).text;

        assert!(shown.contains("Traceback:"), "{}: {shown}", case.name);
        assert!(shown.contains("score_010.py"), "{}: {shown}", case.name);
    }
}
