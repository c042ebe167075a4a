//! An alert's life as people see it: it fires, is joined, partly ends, ends.

use modelpager::fakes::pagerduty::{Action, Effect, State};
use modelpager::fakes::slack;
use modelpager::fakes::smtp::Mail;
use serde_json::{Value, json};

use super::{CHANNELS, Providers, describe_the_model, kinds, latency_alert, wait_everywhere};
use crate::support::alertmanager::{Alertmanager, Settings, resolved};
use crate::support::service::Service;

const KEY: &str = "ModelLatencyHigh:fraud-detector";

/// What every message has to say about the model, whatever the provider.
const FACTS: [&str; 4] = ["ada@ml.example", "2.4.1", "deploy-bot", "p99 latency is 2.4 s"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_fires_is_joined_partly_ends_and_ends() {
    let providers = Providers::start().await;
    let service = Service::start(&providers.config()).await;
    let settings = Settings::new(&service.webhook_url());
    let Some(alertmanager) = Alertmanager::start("an_alert_fires", &settings).await else { return };
    describe_the_model(&service).await;
    let (first, second) = (latency_alert("a:9000"), latency_alert("b:9000"));

    alertmanager.post_alerts(std::slice::from_ref(&first)).await;
    wait_everywhere(&service, 1).await;
    alertmanager.post_alerts(std::slice::from_ref(&second)).await;
    wait_everywhere(&service, 2).await;
    alertmanager.post_alerts(&[resolved(&first)]).await;
    wait_everywhere(&service, 3).await;
    alertmanager.post_alerts(&[resolved(&second)]).await;
    wait_everywhere(&service, 4).await;

    check_slack(&providers);
    check_pagerduty(&providers);
    check_webhook(&providers);
    check_mail(&providers);
    check_log(&service).await;
    providers.assert_clean();
}

fn assert_facts(text: &str) {
    for fact in FACTS {
        assert!(text.contains(fact), "{fact:?} is not in:\n{text}");
    }
}

/// One message in the channel, edited in place; each change is an answer in its thread.
fn check_slack(providers: &Providers) {
    let messages = providers.slack.messages();
    let (top, answers): (Vec<_>, Vec<_>) = messages.iter().partition(|m| m.thread_ts.is_none());
    assert_eq!((top.len(), answers.len()), (1, 3), "{messages:#?}");
    let message = top[0];
    assert_eq!(message.earlier.len(), 3);
    let versions: Vec<String> =
        message.earlier.iter().chain([&message.content]).map(slack::Content::visible_text).collect();
    versions.iter().for_each(|text| assert_facts(text));
    assert!(versions[0].contains("CRITICAL") && !versions[0].contains("b:9000"), "{}", versions[0]);
    assert!(versions[1].contains("a:9000") && versions[1].contains("b:9000"), "{}", versions[1]);
    assert!(versions[1].contains("2 firing"), "{}", versions[1]);
    assert!(versions[2].contains("1 firing") && versions[2].contains("1 resolved"), "{}", versions[2]);
    assert!(versions[3].contains("RESOLVED"), "{}", versions[3]);

    let thread = providers.slack.thread(slack::CHANNEL, &message.ts);
    assert_eq!(thread.len(), 3);
    assert!(thread.iter().all(|answer| !answer.broadcast && answer.earlier.is_empty()));
    assert!(thread[0].visible_text().contains("2 firing"), "{}", thread[0].visible_text());
    assert!(thread[2].visible_text().contains("RESOLVED"), "{}", thread[2].visible_text());
}

/// One incident by the dedup key: opened, updated, resolved, and never opened again.
fn check_pagerduty(providers: &Providers) {
    let told = providers.pagerduty.told();
    let effects: Vec<Effect> = told.iter().map(|told| told.effect).collect();
    assert_eq!(effects, [Effect::Opened, Effect::Updated, Effect::Updated, Effect::Resolved]);
    assert!(told.iter().all(|told| told.event.dedup_key == KEY));
    assert_eq!(told.last().unwrap().event.action, Action::Resolve);
    let incidents = providers.pagerduty.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!((incidents[0].state, incidents[0].severity.as_str()), (State::Resolved, "critical"));
    let requests = providers.pagerduty.http().requests();
    assert_facts(&requests[0].text());
}

fn check_webhook(providers: &Providers) {
    assert_eq!(
        providers.webhook_types(),
        ["incident.firing", "incident.updated", "incident.updated", "incident.resolved"]
    );
    let messages = providers.webhook.messages();
    assert!(messages.iter().all(|message| message.deliveries == 1));
    let incident = |n: usize| messages[n].body["data"]["incidents"][0].clone();
    let counts: Vec<(Value, Value)> =
        (0..4).map(|n| (incident(n)["firing"].clone(), incident(n)["members"].clone())).collect();
    assert_eq!(
        counts,
        [(1, 1), (2, 2), (1, 2), (0, 2)].map(|(firing, members)| (json!(firing), json!(members)))
    );
    let entry = &incident(0)["entry"];
    assert_eq!(
        (&entry["slug"], &entry["owner"], &entry["version"], &entry["deployment"]["actor"]),
        (&json!("fraud-detector"), &json!("ada@ml.example"), &json!("2.4.1"), &json!("deploy-bot"))
    );
    assert_eq!(incident(3)["resolve_reason"], "alert");
    assert_eq!(incident(3)["dedup_key"], KEY);
    messages.iter().for_each(|message| assert_facts(message.body["data"]["text"].as_str().unwrap()));
}

/// Four mails of one thread, each as text and as HTML.
fn check_mail(providers: &Providers) {
    let mails = providers.mail.mails();
    assert_eq!(mails.len(), 4);
    let ids: Vec<String> = mails.iter().map(Mail::message_id).collect();
    let root = mails[0].header("References").unwrap();
    for (n, mail) in mails.iter().enumerate() {
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("pager@ml.example", ["team@ml.example".to_owned()].as_slice())
        );
        assert_facts(&mail.text());
        assert_facts(&mail.html());
        let references = mail.header("References").unwrap();
        assert!(references.starts_with(&root), "{references}");
        assert_eq!(references.contains(&ids[0]), n > 0, "{references}");
        assert_eq!(ids.iter().filter(|id| **id == ids[n]).count(), 1);
    }
    assert!(mails[0].subject().contains("CRITICAL"), "{}", mails[0].subject());
    assert!(mails[3].subject().contains("RESOLVED"), "{}", mails[3].subject());
}

/// The delivery log tells the same story.
async fn check_log(service: &Service) {
    for channel in CHANNELS {
        let told = service.notifications(channel).await;
        assert_eq!(kinds(&told), ["firing", "updated", "updated", "resolved"], "{channel}");
        for one in &told {
            assert_eq!(
                (&one["state"], &one["dedup_key"], &one["entry"], &one["attempt_count"]),
                (&json!("delivered"), &json!(KEY), &json!("fraud-detector"), &json!(1))
            );
            let detail = service.notification(&one["id"]).await;
            assert_eq!(detail["attempts"][0]["outcome"], "accepted");
            assert_eq!(detail["decisions"][0]["outcome"], "send");
            assert!(detail["rendered"]["body"].as_str().unwrap().contains("ada@ml.example"), "{detail}");
        }
    }
    let events = service.wait_for_processed(4).await;
    assert_eq!(events.len(), 4, "{events:#?}");
    let incident = service.only_incident().await;
    assert_eq!((&incident["state"], &incident["resolve_reason"]), (&json!("resolved"), &json!("alert")));
    assert_eq!(incident["members"].as_array().unwrap().len(), 2);
    let timeline = incident["timeline"].as_array().unwrap();
    let of = |kind: &str| timeline.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!(
        ["opened", "alert_joined", "alert_resolved", "resolved", "reopened"].map(of),
        [1, 2, 2, 1, 0],
        "{timeline:#?}"
    );
    assert_eq!(incident["channels"].as_array().unwrap().len(), 4);
}
