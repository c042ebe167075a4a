//! When an incident ended, and with which word for its severity: by what its alerts say.

use std::time::Duration;

use modelpager::config::Config;
use modelpager::domain::clock::{Clock as _, Timestamp};
use modelpager::domain::duration::PromDuration;
use modelpager::domain::notification::Snapshot;
use modelpager::render::context::MessageContext;
use modelpager::render::{Overrides, Renderer};
use serde_json::{Value, json};

use super::{World, body, firing, resolved};
use crate::support::databases::{Fresh, on_both_databases};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

on_both_databases! {
    an_end_heard_late_is_told_as_it_was,
    the_latest_end_of_the_members_is_that_of_the_incident,
    an_end_that_cannot_be_is_the_time_of_receipt,
    a_cooldown_counts_from_when_the_end_was_heard,
    the_word_for_the_severity_fits_the_severity,
    the_word_for_the_severity_is_one_that_a_firing_member_uses,
    the_word_for_the_severity_fits_after_the_end,
}

/// Each message takes the place of the one before, so that the last can be looked at.
fn config() -> Config {
    let mut config = super::config();
    for channel in &mut config.channels {
        channel.supersede = Some(true);
    }
    config
}

fn bodies(json: &str) -> Vec<Value> {
    serde_json::from_str(json).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// An alert that ended then.
fn ended(instance: &str, end: Value) -> Value {
    let mut alert = resolved(instance, "high");
    alert["endsAt"] = end;
    alert
}

impl World {
    async fn hear(&self, body: &Value) {
        self.post(body).await.unwrap();
        self.processor.settle().await.unwrap();
    }

    async fn resolved_at(&self) -> Option<Timestamp> {
        self.incidents().await[0].resolved_at.map(Timestamp::from)
    }

    async fn severity_words(&self) -> (String, String) {
        let incident = self.incidents().await.remove(0);
        (incident.severity, incident.severity_raw)
    }

    async fn last_snapshot(&self) -> Snapshot {
        let all = self.notifications().await;
        let last = all.iter().rfind(|message| message.channel == "console").unwrap();
        self.snapshot(&last.id).await
    }

    async fn last_message(&self) -> MessageContext {
        let (renderer, _) = Renderer::new(&[], &Overrides::default(), "http://here.example");
        renderer.context(&self.last_snapshot().await, "console", self.clock.now())
    }
}

async fn an_end_heard_late_is_told_as_it_was(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    let bodies = bodies(include_str!("../../fixtures/field/f48-known-end.json"));
    world.clock.advance(at("2026-11-20T10:00:30Z").since(world.clock.now()));
    world.hear(&bodies[0]).await;
    world.clock.advance(10 * DAY);
    world.hear(&bodies[1]).await;

    let told = world.last_message().await;

    let end = at("2026-11-20T10:10:00Z");
    assert_eq!(told.when, "resolved after 10 min, from 10:00 UTC on 20 Nov 2026 to 10:10 UTC on 20 Nov 2026");
    assert_eq!((told.duration.as_str(), told.incident.duration_seconds), ("10 min", 600));
    assert_eq!(told.alerts[0].duration, "10 min");
    assert_eq!(told.window.to_ms, end.plus(15 * MINUTE).as_millis());
    assert_eq!(world.resolved_at().await, Some(end));
}

async fn the_latest_end_of_the_members_is_that_of_the_incident(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "high"), firing("b", "high"), firing("c", "high")]).await;
    world.clock.advance(DAY);

    world.tell(&[ended("a", json!("2026-08-20T10:50:00Z")), firing("b", "high"), firing("c", "high")]).await;
    world.tell(&[ended("b", json!("2026-08-20T10:40:00Z"))]).await;
    world.tell(&[ended("c", json!("2026-08-20T10:45:00Z"))]).await;

    assert_eq!(world.resolved_at().await, Some(at("2026-08-20T10:50:00Z")));
    assert_eq!(world.last_message().await.duration, "50 min");
}

async fn an_end_that_cannot_be_is_the_time_of_receipt(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    // None, from the future, before the beginning.
    for end in ["0001-01-01T00:00:00Z", "2036-08-20T10:00:00Z", "2026-08-20T09:00:00Z"] {
        world.tell(&[firing("a", "high")]).await;
        world.clock.advance(DAY);
        world.tell(&[ended("a", json!(end))]).await;

        assert_eq!(world.resolved_at().await, Some(world.clock.now()), "{end}");
        world.clock.advance(DAY);
    }
}

async fn a_cooldown_counts_from_when_the_end_was_heard(fresh: Fresh) {
    let mut config = config();
    config.route.cooldown = Some(PromDuration(10 * MINUTE));
    let world = World::open(fresh, &config).await;
    world.tell(&[firing("a", "high")]).await;
    world.clock.advance(DAY);
    world.tell(&[ended("a", json!("2026-08-20T10:10:00Z"))]).await;

    world.clock.advance(MINUTE);
    world.tell(&[firing("a", "high")]).await;

    let incidents = world.incidents().await;
    assert_eq!((incidents.len(), incidents[0].reopened), (1, 1));
}

async fn the_word_for_the_severity_fits_the_severity(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    let mut words = Vec::new();
    for body in bodies(include_str!("../../fixtures/field/f12-two-severities.json")) {
        world.hear(&body).await;
        words.push(world.severity_words().await);
    }

    let pair = |severity: &str, raw: &str| (severity.to_owned(), raw.to_owned());
    assert_eq!(words, [pair("medium", "warning"), pair("critical", "critical"), pair("medium", "warning")]);
    world.pass(10 * MINUTE).await;
    let told = world.last_snapshot().await.incident;
    assert_eq!((told.severity.as_str(), told.severity_raw.as_str()), ("medium", "warning"));
}

async fn the_word_for_the_severity_is_one_that_a_firing_member_uses(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "page"), firing("b", "critical"), firing("c", "warning")]).await;
    assert_eq!(world.severity_words().await.0, "critical");

    world.tell(&[resolved("a", "page"), firing("b", "critical"), firing("c", "warning")]).await;
    assert_eq!(world.severity_words().await.1, "critical");

    world.tell(&[firing("a", "page"), resolved("b", "critical"), firing("c", "warning")]).await;
    assert_eq!(world.severity_words().await.1, "page");
}

async fn the_word_for_the_severity_fits_after_the_end(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[firing("a", "page"), firing("b", "warn")]).await;

    world.hear(&body(&[resolved("a", "page"), resolved("b", "warn")])).await;

    let (severity, word) = world.severity_words().await;
    assert_eq!((severity.as_str(), word.as_str()), ("medium", "warn"));
}
