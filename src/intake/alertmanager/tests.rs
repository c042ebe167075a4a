//! The fixtures are bodies of a live Alertmanager 0.25 (`real-*`) and bodies built to the
//! rules of 0.31 to 0.34 (`constructed-*`).

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::alert::{AlertStatus, Extras};
use crate::domain::labels::{Labels, fingerprint};

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap()
}

fn parsed(body: &Value) -> Delivery {
    parse(body.to_string().as_bytes(), now()).unwrap()
}

/// A delivery of these alerts and nothing else.
fn alerts(alerts: &Value) -> Delivery {
    parsed(&json!({ "alerts": alerts }))
}

fn refusal(body: &[u8]) -> String {
    parse(body, now()).unwrap_err().to_string()
}

fn describe(delivery: &Delivery) -> String {
    let Delivery { receiver, raw_status, group_key, external_url, version, notification_reason, .. } =
        delivery;
    let mut text = format!(
        "receiver {receiver:?} status {raw_status:?} version {version:?} truncated {}\n\
         group {group_key}\nfrom {external_url:?} because {notification_reason:?}\ntwin {}\n",
        delivery.truncated,
        delivery.twin_key(),
    );
    for alert in &delivery.alerts {
        let ends_at = alert.ends_at.map_or("-".to_owned(), Timestamp::to_rfc3339);
        writeln!(text, "{} {} {}..{ends_at}", alert.fingerprint, alert.status.as_str(), alert.starts_at)
            .unwrap();
        for (name, value) in &alert.labels {
            writeln!(text, "  label {name:?} = {}", summarised(value)).unwrap();
        }
        for (name, value) in &alert.annotations {
            writeln!(text, "  annotation {name:?} = {}", summarised(value)).unwrap();
        }
        writeln!(text, "  from {:?}", alert.generator_url).unwrap();
    }
    for rejected in &delivery.rejected {
        writeln!(text, "rejected {}: {} <- {}", rejected.index, rejected.reason, rejected.head).unwrap();
    }
    text
}

fn summarised(value: &str) -> String {
    match value.len() {
        0..=200 => format!("{value:?}"),
        size => format!("{:?}… ({size} bytes)", head(value, 60)),
    }
}

#[test]
fn every_fixture_is_read_as_its_snapshot_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/alertmanager");
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 12);

    for path in paths {
        let delivery = parse(&std::fs::read(&path).unwrap(), now()).unwrap();

        assert!(delivery.rejected.is_empty());
        for alert in &delivery.alerts {
            assert_eq!(alert.fingerprint, fingerprint(&alert.labels), "Alertmanager's own fingerprint");
        }
        insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), describe(&delivery));
    }
}

#[test]
fn a_body_needs_no_more_than_one_label() {
    let delivery = alerts(&json!([{"labels": {"a": "b"}}]));

    let alert = &delivery.alerts[0];
    assert_eq!(alert.status, AlertStatus::Firing);
    assert_eq!((alert.starts_at, alert.ends_at), (now(), None));
    assert_eq!(alert.fingerprint, fingerprint(&alert.labels));
    assert_eq!((delivery.group_key.as_str(), delivery.version.as_str(), delivery.truncated), ("", "", 0));
}

#[test]
fn what_senders_other_than_alertmanager_write_is_accepted() {
    let grafana = parsed(&json!({
        "receiver": "ml", "status": "firing", "orgId": 1, "version": "1", "title": "[FIRING:1]", "state": "alerting",
        "alerts": [{"status": "firing", "labels": {"alertname": "Drift"}, "annotations": {},
            "startsAt": "2026-08-20T12:00:00+02:00", "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "57C6D9296DE2AD39", "values": {"B": 22.1}, "valueString": "x", "silenceURL": "u"}],
    }));

    assert_eq!(grafana.version, "1");
    assert_eq!(grafana.alerts[0].fingerprint, fingerprint(&grafana.alerts[0].labels));
    let extras = &grafana.alerts[0].extras;
    assert_eq!((extras.values.as_str(), extras.value_string.as_str()), ("B=22.1", "x"));
    assert_eq!(extras.silence_url, "u");
    assert_eq!(grafana.alerts[0].starts_at.to_rfc3339(), "2026-08-20T10:00:00.000Z");
}

#[test]
fn no_list_of_alerts_is_needed_to_be_heard() {
    for body in [r#"{"alerts":null}"#, r#"{"alerts":[]}"#] {
        let delivery = parse(body.as_bytes(), now()).unwrap();
        assert!(delivery.alerts.is_empty() && delivery.rejected.is_empty(), "{body}");
    }
}

#[test]
fn a_byte_order_mark_and_white_space_are_skipped() {
    let body = b"\xEF\xBB\xBF \r\n{\"alerts\":[{\"labels\":{\"a\":\"b\"}}]}\n\n";

    assert_eq!(parse(body, now()).unwrap().alerts.len(), 1);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    let delivery = parse(b"{\"alerts\":[{\"labels\":{\"a\":\"b\xFFc\"}}]}", now()).unwrap();

    assert_eq!(delivery.alerts[0].labels["a"], "b\u{FFFD}c");
}

#[test]
fn the_last_of_several_equal_keys_wins() {
    let body = br#"{"receiver":"x","alerts":[{"labels":{"a":"1"}}],"receiver":"y",
        "alerts":[{"labels":{"a":"2"},"status":"firing","labels":{"a":"3","a":"4"},"status":"resolved"}]}"#;

    let delivery = parse(body, now()).unwrap();

    assert_eq!(delivery.receiver, "y");
    assert_eq!(delivery.alerts.len(), 1);
    assert_eq!(delivery.alerts[0].labels["a"], "4");
    assert_eq!(delivery.alerts[0].status, AlertStatus::Resolved);
}

#[test]
fn values_that_are_no_texts_become_texts_and_empty_labels_vanish() {
    let delivery = alerts(&json!([{
        "labels": {"n": 3, "f": 0.5, "b": true, "null": null, "empty": "", "": "x", "list": [1]},
        "annotations": {"empty": "", "n": -1, "o": {"k": "v"}, "nul": "a\0b"},
    }]));

    let alert = &delivery.alerts[0];
    let texts = |pairs: &[(&str, &str)]| -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(alert.labels, texts(&[("n", "3"), ("f", "0.5"), ("b", "true"), ("list", "[1]")]));
    assert_eq!(
        alert.annotations,
        texts(&[("empty", ""), ("n", "-1"), ("o", r#"{"k":"v"}"#), ("nul", "a\u{FFFD}b")])
    );
}

#[test]
fn a_missing_status_follows_from_the_end() {
    let status_of = |fields: Value| {
        let mut alert = json!({"labels": {"a": "b"}});
        alert.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let delivery = alerts(&json!([alert]));
        (delivery.alerts[0].status, delivery.alerts[0].ends_at.map(Timestamp::to_rfc3339))
    };
    let past = "2026-11-21T11:59:59Z";
    let future = "2026-11-21T12:00:01Z";

    assert_eq!(
        status_of(json!({"endsAt": past})),
        (AlertStatus::Resolved, Some("2026-11-21T11:59:59.000Z".into()))
    );
    assert_eq!(status_of(json!({"endsAt": future})), (AlertStatus::Firing, None));
    assert_eq!(status_of(json!({"endsAt": "0001-01-01T00:00:00Z"})), (AlertStatus::Firing, None));
    assert_eq!(status_of(json!({"endsAt": null, "status": ""})), (AlertStatus::Firing, None));
    assert_eq!(status_of(json!({"endsAt": past, "status": "firing"})), (AlertStatus::Firing, None));
    assert_eq!(status_of(json!({"status": "Resolved"})), (AlertStatus::Resolved, None));
}

#[test]
fn an_unusable_alert_is_rejected_alone_with_its_reason() {
    let body = r#"{"receiver":"r","alerts":[
        {"labels":{"a":"1"}},
        {"labels":{}},
        {"annotations":{"a":"b"}},
        {"labels":null},
        {"labels":{"a":"","b":null}},
        {"labels":"a=b"},
        {"labels":[1]},
        7,
        null,
        "text",
        [],
        {"labels":{"a":"2"},"annotations":[]}
    ]}"#;

    let delivery = parse(body.as_bytes(), now()).unwrap();

    assert_eq!(delivery.alerts.len(), 2);
    assert_eq!(delivery.rejected_count, 10);
    let reasons: Vec<&str> = delivery.rejected.iter().map(|rejected| rejected.reason.as_str()).collect();
    insta::assert_snapshot!(reasons.join("\n"));
    assert_eq!(delivery.rejected[6].head, "7");
}

#[test]
fn reasons_and_heads_are_bounded() {
    let long = "é".repeat(10_000);

    let delivery = alerts(&json!([
        {"labels": {"a": "b"}, "startsAt": long},
        {"labels": {"a": "b"}, "status": long},
        {"labels": {"a": "b"}, "annotations": long, "endsAt": long, "status": "resolved"},
        {"labels": long},
        {"labels": [long]},
        {"labels": {}, "annotations": {"a": long}},
    ]));

    assert_eq!((delivery.rejected.len(), delivery.notes.len()), (3, 3));
    for rejected in delivery.rejected.iter().chain(&delivery.notes) {
        assert!(rejected.reason.len() <= 320 && rejected.head.len() <= 2_048, "{}", rejected.reason);
    }
    let many = alerts(&json!(vec![1; MAX_VERDICTS_KEPT + 50]));
    assert_eq!((many.rejected.len(), many.rejected_count), (MAX_VERDICTS_KEPT, MAX_VERDICTS_KEPT + 50));
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    insta::assert_snapshot!(refusal(b""), @"the body is not JSON: it is empty");
    insta::assert_snapshot!(refusal(b"\xEF\xBB\xBF  "), @"the body is not JSON: it is empty");
    insta::assert_snapshot!(refusal(b"payload=x"), @"the body is not JSON: expected value at line 1 column 1");
    insta::assert_snapshot!(refusal(b"{\"alerts\":[\n{\"labels\":{\"a\":}}]}"), @"the body is not JSON: expected value at line 2 column 16");
    insta::assert_snapshot!(refusal(b"{\"alerts\":[]} trailing"), @"the body is not JSON: trailing characters at line 1 column 15");
    insta::assert_snapshot!(refusal(b"{\"alerts\":[{\"labels\":"), @"the body is not JSON: EOF while parsing a value at line 1 column 21");
    insta::assert_snapshot!(refusal(b"{\"alerts\":\"x\",}"), @"the body is not JSON: trailing comma at line 1 column 15");
    insta::assert_snapshot!(refusal(b"[{}"), @"the body is not JSON: EOF while parsing a list at line 1 column 3");
}

#[test]
fn nesting_beyond_the_limit_is_refused_wherever_it_stands() {
    let deep = "[".repeat(100_000);
    let bodies = [
        deep.clone(),
        format!("{{\"alerts\":[],\n\"x\":{deep}"),
        format!("{{\"alerts\":[{{\"labels\":{{\"a\":{deep}"),
        format!("{{\"alerts\":{deep}"),
        "{\"a\":".repeat(100_000),
    ];
    for body in bodies {
        assert!(refusal(body.as_bytes()).contains("nested deeper than 64 levels at line"), "{}", &body[..20]);
    }
    insta::assert_snapshot!(refusal(format!("{{\"alerts\":[],\n\"x\":{deep}").as_bytes()), @"the body is not JSON: nested deeper than 64 levels at line 2 column 68");

    let fits = format!("{{\"alerts\":[],\"x\":{}{}}}", "[".repeat(63), "]".repeat(63));
    assert!(parse(fits.as_bytes(), now()).is_ok());
}

#[test]
fn json_of_another_shape_is_refused_with_advice() {
    insta::assert_snapshot!(refusal(br#"[{"labels":{"alertname":"A"},"startsAt":"2026-08-20T10:00:00Z","generatorURL":"u"}]"#), @r#"the body is JSON but not Alertmanager's: it is a list of 1, the first of them an object with the keys "generatorURL", "labels", "startsAt"; this looks like Prometheus pointed at the webhook: point Prometheus at Alertmanager (`alerting.alertmanagers`, POST /api/v2/alerts) and Alertmanager at this address (`webhook_configs.url`)"#);
    insta::assert_snapshot!(refusal(br#"{"labels":{"alertname":"A"},"annotations":{}}"#), @r#"the body is JSON but not Alertmanager's: it is an object with the keys "annotations", "labels"; this looks like one alert in the form of Alertmanager's API: post it to Alertmanager (POST /api/v2/alerts), or wrap it as {"alerts": [...]}"#);
    insta::assert_snapshot!(refusal(br#"{"status":"firing"}"#), @r#"the body is JSON but not Alertmanager's: it is an object with the keys "status"; expected Alertmanager's webhook body, an object with a list `alerts`; in Alertmanager remove `payload` from the `webhook_configs` of this address"#);
    insta::assert_snapshot!(refusal(br#"{"alerts":{"0":{}}}"#), @"the body is JSON but not Alertmanager's: it is an object whose `alerts` is an object; `alerts` must be a list of alerts; in Alertmanager remove `payload` from the `webhook_configs` of this address");
    insta::assert_snapshot!(refusal(b"\"hello\""), @"the body is JSON but not Alertmanager's: it is a string; expected Alertmanager's webhook body, an object with a list `alerts`; in Alertmanager remove `payload` from the `webhook_configs` of this address");
}

#[test]
fn twins_share_their_key_and_nobody_else_does() {
    let base = json!({
        "receiver": "r", "groupKey": "{}:{}", "externalURL": "http://am-0", "notification_reason": "first notification",
        "alerts": [
            {"labels": {"a": "1"}, "status": "firing", "startsAt": "2026-08-20T10:00:00Z", "annotations": {"x": "1"}},
            {"labels": {"a": "2"}, "status": "resolved", "startsAt": "2026-08-20T10:00:00Z", "endsAt": "2026-08-20T11:00:00Z"},
        ],
    });
    let key = |change: &dyn Fn(&mut Value)| {
        let mut body = base.clone();
        change(&mut body);
        parsed(&body).twin_key().to_owned()
    };
    let same = key(&|_| {});

    assert_eq!(same.len(), 64);
    assert_eq!(key(&|body| body["externalURL"] = json!("http://am-1")), same);
    assert_eq!(key(&|body| body["notification_reason"] = json!("repeat interval elapsed")), same);
    assert_eq!(key(&|body| body["alerts"][0]["annotations"]["x"] = json!("2")), same);
    assert_eq!(key(&|body| body["alerts"].as_array_mut().unwrap().reverse()), same);
    assert_eq!(key(&|body| body["alerts"][0]["startsAt"] = json!("2026-08-20T12:00:00+02:00")), same);
    assert_ne!(key(&|body| body["receiver"] = json!("s")), same);
    assert_ne!(key(&|body| body["groupKey"] = json!("{}:{x}")), same);
    assert_ne!(key(&|body| body["alerts"][0]["status"] = json!("resolved")), same);
    assert_ne!(key(&|body| body["alerts"][0]["startsAt"] = json!("2026-08-20T10:00:01Z")), same);
    assert_ne!(key(&|body| body["alerts"][1]["endsAt"] = json!("2026-08-20T11:00:01Z")), same);
    assert_ne!(key(&|body| body["alerts"][0]["labels"]["a"] = json!("3")), same);
    assert_ne!(key(&|body| body["alerts"].as_array_mut().unwrap().truncate(1)), same);
    assert_ne!(key(&|body| body["alerts"].as_array_mut().unwrap().push(json!(1))), same);
}

#[test]
fn the_twin_key_does_not_depend_on_when_a_body_arrived() {
    let body = br#"{"alerts":[{"labels":{"a":"b"}},7]}"#;
    let later = Timestamp::from_millis(now().as_millis() + 5_000);

    assert_eq!(parse(body, now()).unwrap().twin_key(), parse(body, later).unwrap().twin_key());
}

#[test]
fn receivers_lose_their_regex_quotes() {
    let cases = [
        (r"team\.ml", "team.ml"),
        (r"a\\b", r"a\b"),
        (r"\(\)\[\]\{\}\^\$\|\?\*\+\.", "()[]{}^$|?*+."),
        (r"a\d\", r"a\d\"),
        ("plain", "plain"),
    ];
    for (quoted, name) in cases {
        assert_eq!(unquote_regex(quoted), name);
    }
}

/// A JSON alert, and what must come of it.
fn any_alert() -> impl Strategy<Value = (Value, Alert)> {
    let text = "[^\0]{0,12}";
    let labels = prop::collection::btree_map("[^\0]{1,6}", "[^\0]{1,8}", 1..5);
    let annotations = prop::collection::btree_map(text, text, 0..4);
    let time = 1_i64..1_700_000_000_000;
    (labels, annotations, any::<bool>(), time, 0_i64..90_000_000_000, text).prop_map(
        |(labels, annotations, is_firing, starts, lasted, generator_url)| {
            let (starts_at, ends_at) =
                (Timestamp::from_millis(starts), Timestamp::from_millis(starts + lasted));
            let status = if is_firing { AlertStatus::Firing } else { AlertStatus::Resolved };
            let ends = if is_firing { "0001-01-01T00:00:00Z".to_owned() } else { ends_at.to_rfc3339() };
            let json = json!({
                "status": status.as_str(), "labels": labels, "annotations": annotations,
                "startsAt": starts_at.to_rfc3339(), "endsAt": ends, "generatorURL": generator_url,
            });
            let ends_at = (!is_firing).then_some(ends_at);
            let fingerprint = fingerprint(&labels);
            let extras = Extras::default();
            (
                json,
                Alert { fingerprint, status, labels, annotations, starts_at, ends_at, generator_url, extras },
            )
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, now());
    }

    #[test]
    fn any_text_made_of_json_pieces_is_answered(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"alerts\"", "\"labels\"", "\"a\"", "\"\\", "\"", "1", "-", "1e999", "null",
            "true", "\"\\ud800\"", "\"\\u0000\"", "\"startsAt\"", "\u{FEFF}", " ", "\n", "é",
        ]), 0..30),
    ) {
        let _ = parse(pieces.concat().as_bytes(), now());
        let _ = parse(format!("{{\"alerts\":[{}]}}", pieces.concat()).as_bytes(), now());
    }

    #[test]
    fn any_alerts_come_out_as_they_went_in(
        pairs in prop::collection::vec(any_alert(), 0..6), receiver in "[^\0]{0,10}", truncated in any::<u64>(),
        rotation in 0_usize..6,
    ) {
        let (wire, expected): (Vec<Value>, Vec<Alert>) = pairs.into_iter().unzip();
        let mut rotated = wire.clone();
        rotated.rotate_left(rotation.min(wire.len()));
        let body = |alerts: &[Value]| json!({
            "receiver": receiver.replace('\\', "\\\\"), "alerts": alerts, "truncatedAlerts": truncated,
        });

        let delivery = parsed(&body(&wire));

        prop_assert_eq!(&delivery.alerts, &expected);
        prop_assert_eq!(&delivery.receiver, &receiver);
        prop_assert_eq!(delivery.truncated, truncated);
        let turned = parsed(&body(&rotated));
        prop_assert_eq!(delivery.twin_key(), turned.twin_key());
    }
}
