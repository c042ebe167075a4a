//! Values that try to look like something the message itself says: no kind shows a line that
//! a stranger made up.

use super::*;
use crate::render::context::ContextOptions;

/// Whatever ends a line in some program.
const BREAKS: [&str; 9] = ["\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{1e}", "\u{85}", "\u{2028}", "\u{2029}"];

/// What is forged: as plain text, in mrkdwn, in the log, as a row of a table.
const FORGED: [&str; 4] = ["Owner: nobody", "*Owner:* nobody", "| Owner: nobody", "owner: nobody"];

fn renderer() -> Renderer {
    let kinds: Vec<_> = REGISTRY.iter().map(|kind| (kind.name, kind.templates)).collect();
    Renderer::new(&kinds, &Overrides::default(), "http://localhost:9095").0
}

/// A snapshot in which every text from outside tries it, labels' names as well.
fn hostile(end: &str, forged: &str, base: Snapshot) -> Snapshot {
    let mut snapshot = base;
    let text = format!("x{end}{forged}{end}{forged}");
    snapshot.reason.clone_from(&text);
    for field in [
        &mut snapshot.incident.alertname,
        &mut snapshot.incident.severity_raw,
        &mut snapshot.incident.version,
        &mut snapshot.incident.receiver,
        &mut snapshot.incident.dedup_key,
    ] {
        field.clone_from(&text);
    }
    snapshot.severity_unknown = true;
    for member in &mut snapshot.alerts {
        for name in ["instance", "pod", "expr", &text, "alertname"] {
            member.labels.insert(name.to_owned(), text.clone());
        }
        for name in ["summary", "description", "value", "threshold", "runbook_url", &text] {
            member.annotations.insert(name.to_owned(), text.clone());
        }
        member.annotations.insert("broken".to_owned(), format!("<error expanding template: {text}>"));
        member.fingerprint.clone_from(&text);
        member.generator_url.clone_from(&text);
    }
    if let Some(entry) = &mut snapshot.entry {
        for field in [
            &mut entry.title,
            &mut entry.description,
            &mut entry.owner,
            &mut entry.team,
            &mut entry.environment,
            &mut entry.business_impact,
            &mut entry.version_current,
            &mut entry.matched_by,
        ] {
            field.clone_from(&text);
        }
        entry.tags.insert(text.clone(), text.clone());
        entry.links.insert(text.clone(), "{{labels.[unclosed".to_owned() + &text);
        for contact in &mut entry.contacts {
            contact.name.clone_from(&text);
        }
        if let Some(deployment) = &mut entry.deployment {
            deployment.version.clone_from(&text);
            deployment.actor.clone_from(&text);
            deployment.rollback_command.clone_from(&text);
        }
    }
    snapshot
}

/// Lines as any program might see them, without white space at their begin.
fn lines(text: &str) -> Vec<String> {
    let text = BREAKS.iter().fold(text.to_owned(), |text, end| text.replace(end, "\n"));
    text.lines().map(|line| line.trim_start().to_owned()).collect()
}

#[tokio::test]
async fn no_value_makes_a_line_of_its_own() {
    let renderer = renderer();
    for case in Case::all(LONG).await {
        for end in BREAKS {
            for forged in FORGED {
                for base in [samples::firing(), samples::several(), samples::unmatched(), samples::resolved()]
                {
                    let snapshot = hostile(end, forged, base);
                    let rendered = renderer.message(case.kind.name, "tested", &snapshot, samples::NOW);
                    assert_eq!(rendered.problem, None, "{}", case.name);

                    let preview = case.channel.preview(&message(&snapshot, &rendered));

                    assert_eq!(lines(&preview.title).len(), 1, "{}, {end:?}: {:?}", case.name, preview.title);
                    let bare = forged.trim_start_matches("| ");
                    let text = case.provider.lines(&preview.text);
                    for line in lines(&text) {
                        assert!(
                            !line.starts_with(bare),
                            "{}, {end:?}: {line:?} in {}",
                            case.name,
                            preview.text
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_template_of_a_rule_left_behind_is_not_told() {
    let renderer = renderer();
    for left in ["", "  ", "<no value>", "<error expanding template: error executing: nil pointer>"] {
        let mut snapshot = samples::several();
        for member in &mut snapshot.alerts {
            for name in ["summary", "description", "value", "threshold", "message", "title"] {
                member.annotations.insert(name.to_owned(), left.to_owned());
            }
            member.annotations.insert("title".to_owned(), "p99 of <no value> is high".to_owned());
        }
        for kind in REGISTRY {
            let rendered = renderer.message(kind.name, "tested", &snapshot, samples::NOW);
            for (field, text) in &rendered.fields {
                for bad in ["<no value>", "&lt;no value", "<error expanding", "&lt;error expanding"] {
                    assert!(!text.contains(bad), "{}/{field} after {left:?}: {text}", kind.name);
                }
                assert!(!text.contains("Measured"), "{}/{field} after {left:?}: {text}", kind.name);
            }
        }
        let links = crate::render::links::LinkTemplates::default();
        let options = ContextOptions { external_url: "", channel: "c", now: samples::NOW, links: &links };
        let context = crate::render::context::MessageContext::build(&snapshot, &options);
        assert_eq!(context.summary, "p99 of (no value) is high");
        assert!(context.alerts.iter().all(|alert| !alert.line.contains("<no value>")), "{left:?}");
    }
}

/// The first alert of a body from the field, as a snapshot has it.
fn from_the_field(body: &str) -> Snapshot {
    let body: Value = serde_json::from_str(body).unwrap();
    let alert = &body["alerts"][0];
    let mut snapshot = samples::firing();
    let member = &mut snapshot.alerts[0];
    member.labels = serde_json::from_value(alert["labels"].clone()).unwrap();
    member.annotations = serde_json::from_value(alert["annotations"].clone()).unwrap();
    member.generator_url = alert["generatorURL"].as_str().unwrap().to_owned();
    snapshot
}

#[tokio::test]
async fn a_label_with_lines_forges_no_field() {
    let renderer = renderer();
    let body = include_str!("../../../tests/fixtures/field/f02-newline-in-label.json");
    for entry in [true, false] {
        let mut snapshot = from_the_field(body);
        snapshot.entry = snapshot.entry.filter(|_| entry);
        for case in Case::all(LONG).await {
            let rendered = renderer.message(case.kind.name, "tested", &snapshot, samples::NOW);
            let preview = case.channel.preview(&message(&snapshot, &rendered));
            for line in lines(&preview.text) {
                assert!(!line.starts_with("Owner: nobody"), "{}: {}", case.name, preview.text);
            }
        }
    }
}

#[tokio::test]
async fn an_address_that_programs_read_differently_is_no_link() {
    let renderer = renderer();
    let body = include_str!("../../../tests/fixtures/field/f20b-backslash-userinfo.json");
    let snapshot = from_the_field(body);
    for case in Case::all(LONG).await {
        let rendered = renderer.message(case.kind.name, "tested", &snapshot, samples::NOW);
        assert!(!rendered.links.is_empty());
        assert!(rendered.links.iter().all(|link| !link.url.contains("evil.example")), "{:?}", rendered.links);
        for text in rendered.fields.values() {
            assert!(!text.contains("evil.example"), "{}: {text}", case.name);
        }
    }
}
