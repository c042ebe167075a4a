//! Odd alerts are taken: what cannot be read is replaced, and said.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::alertmanager::{Delivery, Refusal, parse};
use super::*;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap()
}

fn parsed(body: &str) -> Delivery {
    parse(body.as_bytes(), now()).unwrap()
}

/// A delivery of one alert with a label and these fields.
fn one(fields: &Value) -> Delivery {
    let mut alert = json!({"status": "firing", "labels": {"a": "b"}, "startsAt": "2026-11-21T11:00:00Z"});
    alert.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    parsed(&json!({ "alerts": [alert] }).to_string())
}

#[test]
fn an_unreadable_begin_is_replaced_by_the_receipt_with_a_note() {
    for odd in [
        json!("soon"),
        json!("9999-12-31T23:59:59Z"),
        json!("2026-13-01T00:00:00Z"),
        json!("2027-01-01T00:00:00Z"),
        json!(-5),
        json!(1e300),
        json!(true),
        json!({"seconds": 1}),
        json!([]),
        json!(null),
        json!("0001-01-01T00:00:00Z"),
        json!(0),
    ] {
        let delivery = one(&json!({ "startsAt": odd }));

        assert_eq!(delivery.rejected_count, 0, "{odd}");
        assert_eq!(delivery.alerts[0].starts_at, now(), "{odd}");
        assert_eq!(delivery.dated_by_receipt, 1, "{odd}");
        let note = &delivery.notes[0].reason;
        assert!(
            note.starts_with("alert 0: startsAt ") && note.ends_with("the time of receipt counts"),
            "{note}"
        );
    }
}

#[test]
fn times_in_other_forms_are_read_without_a_note() {
    let expected = Timestamp::parse_rfc3339("2026-05-27T15:36:00Z").unwrap();
    for form in [
        json!("2026-05-27 15:36:00 +0000 UTC m=+8560"),
        json!("2026-05-27T15:36:00"),
        json!("2026-05-27 15:36:00"),
        json!(1_779_896_160),
        json!(1_779_896_160_000_i64),
        json!("1779896160000000000"),
        json!(1_779_896_160.0),
    ] {
        let delivery = one(&json!({"startsAt": form, "status": "resolved", "endsAt": form}));

        let alert = &delivery.alerts[0];
        assert_eq!((alert.starts_at, alert.ends_at), (expected, Some(expected)), "{form}");
        assert!(delivery.notes.is_empty() && delivery.dated_by_receipt == 0, "{form}");
    }
}

#[test]
fn the_end_of_a_firing_alert_is_not_looked_at() {
    for odd in [
        json!("soon"),
        json!(0),
        json!(-1),
        json!({}),
        json!([1]),
        json!("9999-12-31T23:59:59Z"),
        json!(false),
    ] {
        let delivery = one(&json!({ "endsAt": odd }));

        assert_eq!(
            (delivery.alerts[0].status, delivery.alerts[0].ends_at),
            (AlertStatus::Firing, None),
            "{odd}"
        );
        assert!(delivery.notes.is_empty(), "{odd}: {:?}", delivery.notes);
    }
}

#[test]
fn an_unusable_end_of_a_resolved_alert_is_its_receipt() {
    for odd in [json!("soon"), json!("2026-11-21T10:59:59Z"), json!("9999-01-01T00:00:00Z"), json!({"a": 1})]
    {
        let delivery = one(&json!({"status": "resolved", "endsAt": odd}));

        assert_eq!(delivery.alerts[0].ends_at, Some(now()), "{odd}");
        assert!(delivery.notes[0].reason.contains("endsAt"), "{odd}");
    }
    let missing = one(&json!({"status": "resolved"}));
    assert_eq!((missing.alerts[0].ends_at, missing.notes.len()), (None, 0));
}

#[test]
fn an_unknown_status_follows_from_the_end_with_a_note() {
    let cases = [
        (json!({"status": "alerting"}), AlertStatus::Firing),
        (json!({"status": {"state": "active"}}), AlertStatus::Firing),
        (json!({"status": "ok", "endsAt": "2026-11-21T11:30:00Z"}), AlertStatus::Resolved),
        (json!({"status": 7, "endsAt": "soon"}), AlertStatus::Firing),
    ];
    for (fields, expected) in cases {
        let delivery = one(&fields);
        assert_eq!(delivery.alerts[0].status, expected, "{fields}");
        assert!(delivery.notes[0].reason.contains("status"), "{fields}");
        assert_eq!(delivery.dated_by_receipt, 0, "{fields}");
    }
}

#[test]
fn odd_labels_and_annotations_cost_no_alert() {
    let body = r#"{"receiver":"r\ud800","externalURL":"\udfff","version":1e999,"truncatedAlerts":1e999,"x\ud800":1,"alerts":[
        {"labels":{"a":"\ud800","b\udc00":"c"},"\ud800":1},
        {"labels":{"n":1e999,"list":[1e999],"a b":"\u0000","é/\n":" "}},
        {"labels":{"a":"b"},"annotations":"text"},
        {"labels":{"a":"b"},"annotations":["text"]},
        {"labels":{"a":"b"},"annotations":{"x":"cut \ud83d"},"generatorURL":{"a":1},"fingerprint":[]}
    ]}"#;

    let delivery = parsed(body);

    assert_eq!((delivery.alerts.len(), delivery.rejected_count), (5, 0));
    assert_eq!(delivery.receiver, "r\u{FFFD}");
    assert_eq!(delivery.alerts[0].labels["a"], "\u{FFFD}");
    assert_eq!(delivery.alerts[0].labels["b\u{FFFD}"], "c");
    assert_eq!(delivery.alerts[1].labels["n"], "1e999");
    assert_eq!(delivery.alerts[2].annotations[DESCRIPTION], "text");
    assert_eq!(delivery.alerts[3].annotations[DESCRIPTION], r#"["text"]"#);
    assert_eq!(delivery.alerts[4].annotations["x"], "cut \u{FFFD}");
}

#[test]
fn two_label_sets_with_one_fingerprint_are_two_alerts() {
    let body = json!({"alerts": [
        {"labels": {"a": "1"}, "fingerprint": "57c6d9296de2ad39"},
        {"labels": {"a": "2"}, "fingerprint": "57c6d9296de2ad39"},
        {"labels": {"a": "1"}, "fingerprint": "0000000000000000"},
    ]});

    let alerts = parsed(&body.to_string()).alerts;

    assert_ne!(alerts[0].fingerprint, alerts[1].fingerprint);
    assert_eq!(alerts[0].fingerprint, alerts[2].fingerprint);
}

#[test]
fn very_long_values_are_cut_and_still_tell_alerts_apart() {
    let long = |last: &str| format!("{}{last}", "é".repeat(100_000));
    let body = json!({"alerts": [
        {"labels": {"a": long("1"), long("name"): "b"}, "annotations": {"x": long("")}, "generatorURL": long("")},
        {"labels": {"a": long("2"), long("name"): "b"}},
    ]});

    let alerts = parsed(&body.to_string()).alerts;

    assert_ne!(alerts[0].fingerprint, alerts[1].fingerprint);
    let alert = &alerts[0];
    for text in [&alert.labels["a"], &alert.annotations["x"], &alert.generator_url] {
        assert!(text.len() <= MAX_VALUE_BYTES && text.ends_with('…'), "{}", text.len());
    }
    assert!(alert.labels.keys().all(|name| name.len() <= MAX_VALUE_BYTES));
}

#[test]
fn very_many_long_labels_are_cut_to_a_size_for_all_of_them() {
    let labels: Labels = (0..450).map(|n| (format!("label{n}"), "x".repeat(16_000))).collect();
    let body = json!({"alerts": [{"labels": labels}]});

    let alerts = parsed(&body.to_string()).alerts;

    let kept = &alerts[0].labels;
    assert_eq!(kept.len(), 450);
    assert!(kept.values().all(|value| value.ends_with('…') && value.len() >= 250));
    assert!(kept.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MAX_PAIRS_BYTES);
}

#[test]
fn a_body_of_which_nothing_is_usable_says_why_and_an_empty_one_is_fine() {
    let useless = parsed(r#"{"alerts":[{"labels":{}},7]}"#).uselessness();

    let Some(Refusal::NothingUsable { count: 2, reasons }) = useless else { panic!("{useless:?}") };
    assert_eq!(
        reasons,
        "alert 0: labels: none, and an alert needs at least one; alert 1: expected an object, found a number"
    );
    assert_eq!(parsed(r#"{"alerts":[]}"#).uselessness(), None);
    assert_eq!(parsed(r#"{"alerts":[{"labels":{}},{"labels":{"a":"b"}}]}"#).uselessness(), None);
}

#[test]
fn texts_beside_the_alerts_are_cut_and_twins_are_still_told_apart() {
    let long = |last: &str| format!("{}{last}", "é".repeat(7 * 1_024 * 1_024 / 2));
    let body = |last: &str| {
        json!({"receiver": long(last), "groupKey": long(""), "externalURL": long(""), "status": long(""),
            "version": long(""), "notification_reason": long(""), "alerts": [{"labels": {"a": "b"}}]})
        .to_string()
    };

    let delivery = parsed(&body("1"));

    for text in [
        &delivery.receiver,
        &delivery.group_key,
        &delivery.external_url,
        &delivery.raw_status,
        &delivery.version,
        &delivery.notification_reason,
    ] {
        assert_eq!(text.chars().count(), 1_024);
        assert!(text.ends_with('…'));
    }
    assert_ne!(parsed(&body("2")).twin_key(), delivery.twin_key());
}

/// Any JSON value, and text that is none but stands where one may.
fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "1779896160",
        "99999999999999999999999",
        "\"\"",
        "\"soon\"",
        "\"\\ud800\"",
        "\"2026-05-27 15:36:00 +0000 UTC m=+1\"",
        "\"9999-12-31T23:59:59Z\"",
        "\"firing\"",
        "\"resolved\"",
        "\"\\u0000\"",
    ]);
    let leaf = leaf.prop_map(ToOwned::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("\"(a|b|\\\\udc00|\\\\u0000)\"", inner), 0..3).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{name}:{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_alert_with_a_label_is_ever_lost(
        values in prop::collection::vec(any_value(), 8), label in any_value(), at in 0_usize..3,
    ) {
        let names = ["status", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint", "values", "silenceURL"];
        let mut fields: Vec<String> =
            names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        fields.insert(at, format!("\"labels\":{{\"kept\":\"x\",\"odd\":{label}}}"));
        let body = format!("{{\"alerts\":[{{{}}}],\"receiver\":{label}}}", fields.join(","));

        let delivery = parsed(&body);

        prop_assert_eq!(delivery.rejected_count, 0);
        prop_assert_eq!(delivery.alerts.len(), 1);
        prop_assert_eq!(&delivery.alerts[0].labels["kept"], "x");
        let latest = now().plus(FUTURE);
        prop_assert!(delivery.alerts[0].starts_at <= latest && delivery.alerts[0].ends_at <= Some(latest));
    }
}
