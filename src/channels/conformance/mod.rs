//! What every kind of channel must do, whatever its provider. The suite walks over the
//! registry: a new kind is tested with the cases that it brings along.

mod facts;
mod faults;
mod hostile;
mod limits;
mod case;
mod secrets;
mod statuses;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use super::*;
use crate::domain::outcome::SendOutcome;
use crate::render::escape::{escape_html, escape_markdown, escape_mrkdwn};
use crate::render::{Escape, Overrides, Renderer, samples};
pub use case::{Case, Cases, Provider, clock};

/// A configuration of `kind` with these settings.
fn config(kind: &str, settings: Value, timeout: Duration) -> ChannelConfig {
    let Value::Object(mut whole) = settings else { panic!("settings are an object") };
    whole.insert("name".to_owned(), json!("tested"));
    whole.insert("kind".to_owned(), json!(kind));
    whole.insert("timeout".to_owned(), json!(format!("{}ms", timeout.as_millis())));
    serde_json::from_value(Value::Object(whole)).unwrap()
}

/// The settings of the example's channels, with something that fits in the place of `${NAME}`.
fn example_settings(kind: &Kind) -> Vec<Map<String, Value>> {
    let fitting = [
        ("_URL}", "https://example.org/hook"),
        ("_SECRET}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("_SECRET_OLD}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"),
        ("_KEY}", "0123456789abcdef0123456789abcdef"),
    ];
    let text = kind.example.split("${").enumerate().map(|(n, part)| match part.split_once('}') {
        Some((name, rest)) if n > 0 => {
            let name = format!("{name}}}");
            let value =
                fitting.iter().find(|(end, _)| name.ends_with(end)).map_or("example", |(_, value)| value);
            format!("{value}{rest}")
        }
        _ => part.to_owned(),
    });
    let channels: Vec<Map<String, Value>> = serde_saphyr::from_str(&text.collect::<String>()).unwrap();
    let own = |mut channel: Map<String, Value>| {
        assert_eq!(channel.shift_remove("kind"), Some(json!(kind.name)));
        assert!(channel.shift_remove("name").is_some());
        channel.shift_remove("proxy_url");
        channel
    };
    channels.into_iter().map(own).collect()
}

fn escaped(text: &str, escape: Escape) -> String {
    let escaped = match escape {
        Escape::Plain => text.into(),
        Escape::Mrkdwn => escape_mrkdwn(text),
        Escape::Html => escape_html(text),
        Escape::Markdown => escape_markdown(text),
    };
    escaped.into_owned()
}

/// A rendered message of `kind` whose every field says `text`, escaped as the field asks.
fn saying(kind: &Kind, text: &str) -> Rendered {
    let fields = kind.templates.iter().map(|field| (field.name.to_owned(), escaped(text, field.escape)));
    Rendered { fields: fields.collect(), ..Rendered::default() }
}

/// An id that no message has had yet: the fakes notice one that comes with two bodies.
fn new_id() -> &'static str {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    Box::leak(format!("0198c6f0-6000-7000-8000-{count:012x}").into_boxed_str())
}

/// A message about `snapshot` put as `rendered`.
fn message<'a>(snapshot: &'a Snapshot, rendered: &'a Rendered) -> Message<'a> {
    Message {
        notification_id: new_id(),
        dedup_key: &snapshot.incident.dedup_key,
        snapshot,
        rendered,
        reference: None,
        now: samples::NOW,
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn the_example_of_every_kind_builds_and_its_keys_are_in_the_schema() {
    for kind in REGISTRY {
        let schema = (kind.schema)().to_value();
        for settings in example_settings(kind) {
            for key in settings.keys() {
                assert!(schema["properties"][key].is_object(), "{}: {key} is not in the schema", kind.name);
            }

            let built = (kind.build)(&config(kind.name, Value::Object(settings), LONG), &Proxies::default());

            assert_eq!(built.err(), None, "{}", kind.name);
        }
    }
}

#[test]
fn the_schema_of_every_kind_explains_each_key() {
    for kind in REGISTRY {
        let schema = (kind.schema)().to_value();
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{}.{key} has no description", kind.name);
        }
    }
}

#[test]
fn an_unknown_key_is_refused_by_every_kind() {
    for kind in REGISTRY {
        let mut settings = example_settings(kind).remove(0);
        settings.insert("unheard_of".to_owned(), json!("canary-value"));

        let problems = (kind.build)(&config(kind.name, Value::Object(settings), LONG), &Proxies::default())
            .err()
            .unwrap();

        let text = format!("{problems:?}");
        assert!(text.contains("unheard_of") && !text.contains("canary-value"), "{}: {text}", kind.name);
    }
}

#[test]
fn names_of_kinds_and_of_their_fields_are_unique() {
    let mut names: Vec<&str> = REGISTRY.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), REGISTRY.len());
    for kind in REGISTRY {
        let mut fields: Vec<&str> = kind.templates.iter().map(|field| field.name).collect();
        fields.sort_unstable();
        fields.dedup();
        assert_eq!(fields.len(), kind.templates.len(), "{}", kind.name);
        assert_eq!(find_kind(kind.name).map(|found| found.title), Some(kind.title));
    }
}

#[tokio::test]
async fn every_kind_has_a_case() {
    let cases = Case::all(LONG).await;
    for kind in REGISTRY {
        assert!(cases.iter().any(|case| case.kind.name == kind.name), "{} is not tested", kind.name);
    }
}

#[tokio::test]
async fn every_sample_is_accepted_by_every_provider_and_breaks_none_of_its_rules() {
    for case in Case::all(LONG).await {
        let nasty = [("five hundred", samples::five_hundred()), ("bare", samples::bare())];
        let all = samples::all().into_iter().map(|sample| (sample.name, sample.snapshot)).chain(nasty);
        for (name, snapshot) in all {
            let rendered = saying(case.kind, "🔥 critical: p99 of <b>fraud-detector</b> & more\nsecond line");

            let report = case.channel.send(&message(&snapshot, &rendered), LONG).await;

            assert_eq!(report.outcome, SendOutcome::Accepted, "{}, {name}: {report:?}", case.name);
            assert_eq!(report.error, None, "{}, {name}", case.name);
        }
        case.assert_clean();
    }
}

#[tokio::test]
async fn every_sample_in_the_built_in_words_is_accepted_too() {
    let kinds: Vec<_> = REGISTRY.iter().map(|kind| (kind.name, kind.templates)).collect();
    let (renderer, problems) = Renderer::new(&kinds, &Overrides::default(), "http://localhost:9095");
    assert_eq!(problems.len(), 0, "{problems:?}");
    for case in Case::all(LONG).await {
        for sample in samples::all() {
            let rendered = renderer.message(case.kind.name, "tested", &sample.snapshot, samples::NOW);

            let report = case.channel.send(&message(&sample.snapshot, &rendered), LONG).await;

            assert_eq!(report.outcome, SendOutcome::Accepted, "{}, {}: {report:?}", case.name, sample.name);
            assert_eq!(rendered.problem, None, "{}, {}", case.name, sample.name);
        }
        case.assert_clean();
    }
}

#[tokio::test]
async fn what_is_previewed_is_what_is_sent() {
    for case in Case::all(LONG).await {
        let snapshot = samples::several();
        let rendered = saying(case.kind, "p99 of fraud-detector is 412 ms");
        let message = message(&snapshot, &rendered);

        let preview = case.channel.preview(&message);
        let _ = case.channel.send(&message, LONG).await;

        if let Some(mut sent) = case.provider.last_body() {
            for secret in &case.secrets {
                sent = sent.replace(secret, "<secret>");
            }
            assert_eq!(sent, preview.body, "{}", case.name);
        }
        assert!(preview.text.contains("412 ms"), "{}: {}", case.name, preview.text);
        assert!(!preview.title.is_empty() && !preview.content_type.is_empty(), "{}", case.name);
    }
}
