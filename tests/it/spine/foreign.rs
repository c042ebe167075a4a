//! What senders write that is none of our words, from the event to the message owed.

use std::path::Path;

use serde_json::Value;

use super::{World, config};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    severity_words_in_use_are_known_and_others_are_noted_and_counted,
}

fn field(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/field").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn severity_words_in_use_are_known_and_others_are_noted_and_counted(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;

    world.post(&field("f19-severity-words.json")).await.unwrap();
    world.processor.settle().await.unwrap();

    let mut told = Vec::new();
    let claimed = world.snapshots("console").await;
    for snapshot in &claimed {
        let incident = &snapshot.incident;
        let mark = if snapshot.severity_unknown { " unknown" } else { "" };
        told.push(format!("{:?} {}{mark}", incident.severity_raw, incident.severity));
    }
    told.sort_unstable();
    assert_eq!(
        told,
        [
            r#""1" medium unknown"#,
            r#""CRITICAL" critical"#,
            r#""P5" info"#,
            r#""S1" critical"#,
            r#""SEV-1" critical"#,
            r#""SEV_1" critical"#,
            r#""Warning " medium"#,
            r#""alert" critical"#,
            r#""blocker" critical"#,
            r#""disaster" critical"#,
            r#""emerg" critical"#,
            r#""high!" medium unknown"#,
            r#""notify" medium unknown"#,
            r#""s2" high"#,
            r#""sev 1" critical"#,
            r#""severe" medium unknown"#,
            r#""ticket" medium unknown"#,
            r#""严重" medium unknown"#,
        ]
    );
    let metrics = world.metrics.encode();
    assert!(
        metrics.contains("modelpager_unknown_severity_alerts_total{reason=\"unknown\"} 6\n"),
        "{metrics}"
    );
}
