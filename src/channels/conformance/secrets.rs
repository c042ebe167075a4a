//! No secret of a channel appears in anything it shows.

use super::*;

fn assert_hidden(case: &Case, what: &str, text: &str) {
    for secret in &case.secrets {
        assert!(!text.contains(secret.as_str()), "{}: {secret} in {what}: {text}", case.name);
    }
}

#[tokio::test]
async fn a_provider_that_repeats_the_secrets_is_not_quoted_with_them() {
    for case in Case::all(LONG).await {
        let echo = format!("no: {}", case.secrets.join(" | "));
        let snapshot = samples::firing();
        let rendered = saying(case.kind, "text");
        for status in [200, 400, 401, 429, 500] {
            case.provider.repeat(status, &echo);

            for _ in 0..2 {
                let report = case.channel.send(&message(&snapshot, &rendered), LONG).await;

                assert_hidden(&case, "a report", &format!("{report:?}"));
            }
        }
    }
}

#[tokio::test]
async fn errors_and_previews_hide_the_secrets() {
    for case in Case::all(LONG).await {
        let snapshot = samples::firing();
        let rendered = saying(case.kind, "text");
        let message = message(&snapshot, &rendered);
        assert_hidden(&case, "the preview", &format!("{:?}", case.channel.preview(&message)));

        case.provider.stop().await;
        let report = case.channel.send(&message, LONG).await;

        assert_hidden(&case, "a report", &format!("{report:?}"));
    }
}

/// Every secret in the settings is spoilt in turn, by something that may be half a secret.
#[test]
fn problems_with_settings_do_not_repeat_secret_values() {
    for kind in REGISTRY {
        let mut keys = Vec::new();
        secret_keys(&(kind.schema)().to_value(), &mut keys);
        for (settings, key) in
            example_settings(kind).iter().flat_map(|one| keys.iter().map(move |key| (one, key)))
        {
            for spoilt in [
                json!("canary-value"),
                json!(4_711_471_147_i64),
                json!(["canary-value"]),
                json!({"Authorization": "a\nb-canary-value"}),
                json!("a\nb-canary-value"),
            ] {
                let mut settings = Value::Object(settings.clone());
                replace(&mut settings, key, &spoilt);

                let built = (kind.build)(&config(kind.name, settings, LONG), &Proxies::default());

                let text = format!("{:?}", built.err());
                assert!(
                    !text.contains("canary-value") && !text.contains("4711471147"),
                    "{}: {text}",
                    kind.name
                );
            }
        }
    }
}

/// The keys of which a schema says that they hold secrets.
fn secret_keys(schema: &Value, keys: &mut Vec<String>) {
    for (word, below) in schema.as_object().into_iter().flatten() {
        for (key, property) in below.as_object().into_iter().flatten().filter(|_| word == "properties") {
            if property.to_string().contains("#/$defs/Secret") {
                keys.push(key.clone());
            }
        }
        secret_keys(below, keys);
    }
}

fn replace(value: &mut Value, wanted: &str, by: &Value) {
    for (key, inner) in value.as_object_mut().into_iter().flatten() {
        if key == wanted {
            *inner = by.clone();
        }
        replace(inner, wanted, by);
    }
}
