//! Values that are too long for an index of the database.

use modelpager::domain::index_key::MAX_INDEX_KEY;
use modelpager::domain::random::{Random as _, SeededRandom};
use serde_json::{Value, json};

use super::{World, alert, body, config, firing};
use crate::support::databases::{Fresh, on_both_databases};
use crate::upkeep::raw::Raw;

on_both_databases! {
    a_long_alertname_is_told_and_so_is_its_neighbour,
    long_values_anywhere_are_told_and_kept_whole,
    long_names_that_differ_at_their_end_are_two_incidents,
}

/// A text that no database makes shorter.
fn incompressible(length: usize, seed: u64) -> String {
    let random = SeededRandom::new(seed);
    let mut text = String::new();
    while text.len() < length {
        text += &format!("{:016x}", random.bits());
    }
    text.truncate(length);
    text
}

fn with_label(name: &str, value: &str) -> Value {
    let mut one = firing("a", "high");
    one["labels"][name] = json!(value);
    one
}

async fn triaged(world: &World) -> Vec<(String, String)> {
    world.processor.settle().await.unwrap();
    world.events().await.into_iter().map(|event| (event.state, event.reason)).collect()
}

async fn a_long_alertname_is_told_and_so_is_its_neighbour(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let text = include_str!("../../fixtures/field/f44-long-alertname-and-neighbour.json");
    world.post(&serde_json::from_str(text).unwrap()).await.unwrap();

    assert_eq!(triaged(&world).await, [("processed".to_owned(), String::new())]);

    let messages = world.notifications().await;
    let names: Vec<usize> = messages.iter().map(|message| message.alertname.len()).collect();
    assert!(messages.iter().any(|message| message.alertname == "GoodNeighbour"), "{names:?}");
    assert!(names.iter().any(|length| *length >= 3_000), "the name stays whole: {names:?}");
}

async fn long_values_anywhere_are_told_and_kept_whole(fresh: Fresh) {
    let mut config = config();
    config.dedup_key =
        modelpager::config::DedupKeyTemplate("{{alertname}}:{{entry}}:{{lookup labels \"part\"}}".to_owned());
    let world = World::open(fresh, &config).await;
    world.add_entry("fraud").await;
    let long = |seed| incompressible(3_000, seed);
    let alerts = [
        with_label("alertname", &long(1)),
        with_label("part", &long(2)),
        with_label("severity", &long(3)),
        with_label("version", &long(4)),
        with_label("model", &long(5)),
        with_label(&long(6), &long(7)),
        with_label("alertname", &"\u{1F525}".repeat(1_000)),
    ];
    for one in &alerts {
        world.post(&body(std::slice::from_ref(one))).await.unwrap();
    }
    let mut envelope = body(&[firing("b", "high")]);
    envelope["receiver"] = json!(long(8));
    envelope["externalURL"] = json!(format!("http://{}", long(9)));
    envelope["groupKey"] = json!(long(10));
    world.post(&envelope).await.unwrap();

    for (state, reason) in triaged(&world).await {
        assert_eq!((state.as_str(), reason.as_str()), ("processed", ""));
    }

    for incident in world.incidents().await {
        assert!(incident.dedup_key.len() <= MAX_INDEX_KEY + 17, "{}", incident.dedup_key);
    }
    let mut raw = Raw::open(world.url()).await;
    let labels = raw.texts("SELECT labels FROM members").await.join("\n");
    for seed in 1..=7 {
        assert!(labels.contains(&long(seed)), "value {seed} is not kept whole");
    }
    assert_eq!(raw.number("SELECT COUNT(*) FROM alert_sources").await, 2);
}

async fn long_names_that_differ_at_their_end_are_two_incidents(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    let long = incompressible(3_000, 1);

    for end in ["x", "y", "x"] {
        world.tell(&[with_label("alertname", &format!("{long}{end}"))]).await;
    }
    world.tell(&[alert(("firing", "fraud", "high", "b"))]).await;

    let mut keys: Vec<String> = world.incidents().await.into_iter().map(|one| one.dedup_key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{keys:?}");
}
