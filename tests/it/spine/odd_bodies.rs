//! Odd bodies of real senders: no alert with a label is lost.

use std::time::Duration;

use bytes::Bytes;
use modelpager::domain::clock::Clock as _;
use modelpager::intake::inbox::IntakeError;
use serde_json::{Value, json};

use super::{START, World, body, config};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    odd_times_and_cut_texts_are_told,
    two_label_sets_with_one_fingerprint_are_two_incidents,
    a_body_of_which_nothing_is_usable_is_refused_and_kept,
    texts_beside_the_alerts_are_bounded_in_every_row,
    what_grafana_adds_is_kept_with_the_alert,
    grafanas_test_alert_ends_by_itself,
}

fn odd(name: &str, fields: &Value) -> Value {
    let mut alert = json!({
        "status": "firing", "labels": {"alertname": name, "severity": "high"}, "annotations": {},
        "startsAt": "2026-08-20T09:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
    });
    alert.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    alert
}

async fn odd_times_and_cut_texts_are_told(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let read = [
        odd("GoTime", &json!({"startsAt": "2026-05-27 15:36:00.11 +0000 UTC m=+8560"})),
        odd("NoZone", &json!({"startsAt": "2026-05-27T15:36:00"})),
        odd("Epoch", &json!({"startsAt": 1_779_896_160})),
        odd("Soon", &json!({"endsAt": "soon"})),
        odd("ZeroEnd", &json!({"endsAt": 0})),
    ];
    let stood_in = [
        odd("Year9999", &json!({"startsAt": "9999-12-31T23:59:59Z"})),
        odd("Unreadable", &json!({"startsAt": "the day before"})),
        odd("Cut", &json!({"startsAt": null, "annotations": {"summary": "LONE"}})),
    ];
    let sent = body(&[&read[..], &stood_in[..]].concat()).to_string().replace("LONE", "cut \\ud800");

    let accepted = world.inbox.accept(Bytes::from(sent), "test").await.unwrap();
    world.processor.settle().await.unwrap();

    assert_eq!((accepted.alerts, accepted.rejected), (8, 0));
    assert_eq!(world.owed().await, vec!["console firing high"; 8]);
    let incidents = world.incidents().await;
    let began = |name: &str| {
        let found = incidents.iter().find(|incident| incident.alertname == name).unwrap();
        serde_json::to_value(found.started_at).unwrap()
    };
    assert_eq!(began("GoTime"), "2026-05-27T15:36:00.110Z");
    assert_eq!((began("NoZone"), began("Epoch")), (began("Epoch"), json!("2026-05-27T15:36:00.000Z")));
    for name in ["Year9999", "Unreadable", "Cut"] {
        assert_eq!(began(name), START.to_rfc3339(), "{name}");
    }
    let event = world.store.find_event(&accepted.event_id).await.unwrap().unwrap();
    let verdicts = event.verdicts.value();
    let noted: Vec<(u64, &str)> = verdicts
        .as_array()
        .unwrap()
        .iter()
        .map(|note| (note["index"].as_u64().unwrap(), note["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(noted, [(5, "noted"), (6, "noted"), (7, "noted")]);
}

async fn two_label_sets_with_one_fingerprint_are_two_incidents(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let same = json!({"fingerprint": "57c6d9296de2ad39"});

    world.tell(&[odd("One", &same), odd("Other", &same)]).await;
    assert_eq!(world.owed().await, vec!["console firing high"; 2]);

    let mut ended = odd("One", &json!({"status": "resolved", "endsAt": "2026-08-20T09:30:00Z"}));
    ended["fingerprint"] = json!("57c6d9296de2ad39");
    world.tell(&[ended]).await;
    let states: Vec<(String, String)> =
        world.incidents().await.into_iter().map(|incident| (incident.alertname, incident.state)).collect();
    assert!(states.contains(&("One".to_owned(), "resolved".to_owned())), "{states:?}");
    assert!(states.contains(&("Other".to_owned(), "open".to_owned())), "{states:?}");
}

async fn a_body_of_which_nothing_is_usable_is_refused_and_kept(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;

    let refused = world.post(&body(&[json!({"labels": {}}), json!(7)])).await;

    let Err(IntakeError::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert!(
        refusal.to_string().starts_with("none of the 2 alerts can be used; alert 0: labels"),
        "{refusal}"
    );
    let kept = world.events().await;
    assert_eq!((kept.len(), kept[0].state.as_str(), kept[0].rejected), (1, "rejected", 2));
    assert_eq!(kept[0].reason, refusal.to_string());
    let event = world.store.find_event(&kept[0].id).await.unwrap().unwrap();
    assert_eq!(event.verdicts.value().as_array().unwrap().len(), 2);
    assert!(event.body.starts_with(b"{"));
}

async fn texts_beside_the_alerts_are_bounded_in_every_row(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let mut long = body(&[odd("Long", &json!({"labels": {"alertname": "Long", "x": "y".repeat(100_000)}}))]);
    for name in ["receiver", "externalURL", "groupKey"] {
        long[name] = json!("é".repeat(100_000));
    }

    world.post(&long).await.unwrap();
    world.processor.settle().await.unwrap();

    let event = world.events().await.remove(0);
    let incident = world.incidents().await.remove(0);
    for text in
        [&event.receiver, &event.external_url, &event.group_key, &incident.receiver, &incident.external_url]
    {
        assert_eq!(text.chars().count(), 1_024);
    }
    let kept = world.store.find_event(&event.id).await.unwrap().unwrap();
    assert_eq!(kept.body, long.to_string().into_bytes(), "the body keeps all");
    let members = world.store.find_incident(&incident.id).await.unwrap().unwrap().members;
    assert!(members[0].labels.value()["x"].as_str().unwrap().len() < 20_000);
}

async fn what_grafana_adds_is_kept_with_the_alert(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let fixture = include_str!("../../fixtures/field/f06b-grafana-nodata-no-annotations.json");

    world.inbox.accept(Bytes::from(fixture), "test").await.unwrap();
    world.processor.settle().await.unwrap();

    let incident = world.incidents().await.remove(0);
    let detail = world.store.find_incident(&incident.id).await.unwrap().unwrap();
    assert_eq!(
        detail.members[0].extras.value(),
        json!({
            "values": "B=22.1", "value_string": "[ var='B' labels={} value=22.1 ]",
            "silence_url": "https://grafana.example/s", "dashboard_url": "https://grafana.example/d/x",
            "panel_url": "https://grafana.example/d/x?viewPanel=2",
        })
    );
    let owed = world.notifications().await;
    let owed = owed.iter().find(|one| one.channel == "console").unwrap();
    let told = world.snapshot(&owed.id).await;
    assert_eq!(told.alerts[0].extras.values, "B=22.1");
}

async fn grafanas_test_alert_ends_by_itself(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let test = json!({
        "status": "firing", "labels": {"alertname": "TestAlert", "instance": "Grafana"},
        "annotations": {"summary": "Notification test"}, "startsAt": "2026-08-20T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "?orgId=1", "fingerprint": "57c6d9296de2ad39",
        "silenceURL": "https://grafana.example/alerting/silence/new", "valueString": "x",
    });
    let own = odd("TestAlert", &json!({"labels": {"alertname": "TestAlert", "instance": "a"}}));
    world.tell(&[test]).await;
    world.tell(&[own]).await;

    world.pass(Duration::from_secs(299)).await;
    assert!(world.incidents().await.iter().all(|incident| incident.state == "open"));
    world.pass(Duration::from_secs(1)).await;

    let incidents = world.incidents().await;
    let of = |source: &str| incidents.iter().find(|incident| incident.source == source).unwrap();
    let ended = of("grafana-test");
    assert_eq!((ended.state.as_str(), ended.resolve_reason.as_deref()), ("resolved", Some("stale")));
    assert_eq!(of("alertmanager").state, "open", "a rule of that name is no test");
    let kinds: Vec<String> = world.notifications().await.into_iter().map(|owed| owed.kind).collect();
    assert_eq!(kinds, ["firing", "firing", "resolved"]);
    let next = world.store.next_timer(Duration::from_secs(432_000)).await.unwrap();
    assert!(next.is_none_or(|at| at > world.clock.now()), "it would be looked at without a pause");
}
