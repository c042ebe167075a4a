//! No secret of a channel appears in anything it shows.

use super::*;
use crate::fakes::engine::{Answer, Step};
use crate::fakes::smtp::{Fault, Stage};

fn assert_hidden(rig: &Rig, what: &str, text: &str) {
    for secret in &rig.secrets {
        assert!(!text.contains(secret.as_str()), "{}: {secret} in {what}: {text}", rig.name);
    }
}

#[tokio::test]
async fn a_provider_that_repeats_the_secrets_is_not_quoted_with_them() {
    for rig in Rig::all(LONG).await {
        let echo = format!("no: {}", rig.secrets.join(" | "));
        let snapshot = samples::firing();
        let rendered = saying(rig.kind, "text");
        for status in [200, 400, 401, 429, 500] {
            match (&rig.provider, rig.http()) {
                (rig::Provider::Mail(fake), _) => {
                    let code = if status == 400 { 550 } else { 451 };
                    fake.script(Stage::MailFrom, Fault::reply(code, &echo));
                }
                (_, Some(http)) => http.script([
                    Step::answer(Answer::text(status, &*echo)),
                    Step::answer(Answer::json(status, &json!({"ok": false, "error": echo}))),
                ]),
                (_, None) => {}
            }

            for _ in 0..2 {
                let report = rig.channel.send(&message(&snapshot, &rendered), LONG).await;

                assert_hidden(&rig, "a report", &format!("{report:?}"));
            }
        }
    }
}

#[tokio::test]
async fn a_login_that_is_refused_does_not_tell_the_password() {
    for rig in Rig::all(LONG).await {
        let rig::Provider::Mail(fake) = &rig.provider else { continue };
        fake.require_login("modelpager", "another");
        let snapshot = samples::firing();
        let rendered = saying(rig.kind, "text");

        let report = rig.channel.send(&message(&snapshot, &rendered), LONG).await;

        assert_eq!((report.outcome, report.status), (SendOutcome::Rejected, Some(535)));
        assert_hidden(&rig, "a report", &format!("{report:?}"));
    }
}

#[tokio::test]
async fn errors_and_previews_hide_the_secrets() {
    for rig in Rig::all(LONG).await {
        let snapshot = samples::firing();
        let rendered = saying(rig.kind, "text");
        let message = message(&snapshot, &rendered);
        assert_hidden(&rig, "the preview", &format!("{:?}", rig.channel.preview(&message)));

        rig.stop().await;
        let report = rig.channel.send(&message, LONG).await;

        assert_hidden(&rig, "a report", &format!("{report:?}"));
    }
}

/// Every text in the settings is spoilt in turn, by something that may be half a secret.
#[test]
fn problems_with_settings_do_not_repeat_secret_values() {
    let secret_keys = ["url", "secret", "webhook_url", "token", "routing_key", "password", "Authorization"];
    for kind in REGISTRY {
        for key in secret_keys {
            for spoilt in [
                json!("canary-value"),
                json!(4_711_471_147_i64),
                json!(["canary-value"]),
                json!("a\nb-canary-value"),
            ] {
                let mut settings = Value::Object(example_settings(kind));
                replace(&mut settings, key, &spoilt);

                let Err(problems) = (kind.build)(&config(kind.name, settings, LONG), &Proxies::default())
                else {
                    continue;
                };

                let text = format!("{problems:?}");
                assert!(
                    !text.contains("canary-value") && !text.contains("4711471147"),
                    "{}: {text}",
                    kind.name
                );
            }
        }
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
