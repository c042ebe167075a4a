//! The order of messages on one channel, whatever happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use modelpager::config::Config;
use modelpager::domain::clock::Clock as _;
use modelpager::domain::outcome::SendOutcome;
use modelpager::domain::random::{Random as _, SeededRandom};
use modelpager::store::outbox::{Claimed, Finished, Lease, Next, Recording};

use super::{World, alert, log_channel, route};
use crate::support::databases::{Fresh, on_both_databases};

on_both_databases! {
    no_message_arrives_after_one_that_was_decided_later,
}

const WORKERS: [&str; 3] = ["first", "second", "third"];
const MODELS: [&str; 4] = ["a", "b", "c", "d"];
const STEPS: usize = 400;

fn config() -> Config {
    let mut config = Config::default();
    config.channels = vec![log_channel("pager")];
    config.route = route(&["pager"], &[]);
    config
}

/// Several workers take messages, some of which fail, arrive without being known to, or lose
/// their worker, while incidents come and go.
async fn no_message_arrives_after_one_that_was_decided_later(fresh: Fresh) {
    let world = World::on(&fresh.url(), &config()).await;
    // SQLite serves one process; on PostgreSQL workers of two take from one outbox.
    let other = match &fresh {
        Fresh::Sqlite(_) => world.store.clone(),
        Fresh::Postgres(_) => World::on(&fresh.url(), &config()).await.store,
    };
    let stores = [&world.store, &other];
    for model in MODELS {
        world.add_entry(model).await;
    }
    let random = SeededRandom::new(20_260_820);
    let draw = |n: usize| (random.fraction() * n as f64) as usize;
    let mut held: Vec<(&str, Claimed)> = Vec::new();
    // What the provider has seen, by dedup key.
    let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();

    for _ in 0..STEPS {
        match draw(5) {
            0 => {
                let status = if draw(2) == 0 { "firing" } else { "resolved" };
                world.tell(&[alert((status, MODELS[draw(4)], "high", "i"))]).await;
            }
            1 | 2 => {
                let owner = WORKERS[draw(3)];
                let lease = Lease {
                    owner,
                    claim: "test",
                    now: world.clock.now(),
                    length: Duration::from_secs(30),
                    from_priority: 0,
                };
                let claimed =
                    stores[draw(2)].claim_notifications("pager", &lease, 1 + draw(3)).await.unwrap();
                held.extend(claimed.into_iter().map(|message| (owner, message)));
            }
            3 if !held.is_empty() => {
                let (owner, message) = held.swap_remove(draw(held.len()));
                let (outcome, next) = match draw(4) {
                    0 => (
                        SendOutcome::NotProcessed,
                        Next::Retry(world.clock.now().plus(Duration::from_secs(5))),
                    ),
                    1 => {
                        (SendOutcome::Ambiguous, Next::Retry(world.clock.now().plus(Duration::from_secs(5))))
                    }
                    _ => (SendOutcome::Accepted, Next::Delivered),
                };
                if outcome != SendOutcome::NotProcessed {
                    arrived.entry(message.dedup_key.clone()).or_default().push(message.id.clone());
                }
                world.record(owner, &message, outcome, next).await;
            }
            _ => world.clock.advance(Duration::from_secs(draw(10) as u64)),
        }
    }

    let seen: usize = arrived.values().map(Vec::len).sum();
    assert!(seen > STEPS / 20, "too little was seen: {seen}");
    for (key, ids) in arrived {
        // Ids rise with time; an unknown end may show a message twice.
        assert!(ids.is_sorted(), "{key}: {ids:?}");
    }
}

impl World {
    /// One attempt of a message that `owner` leased ended like that.
    pub async fn record(&self, owner: &str, message: &Claimed, outcome: SendOutcome, next: Next) {
        let now = self.clock.now();
        let finished = Finished {
            attempt_id: self.ids.next_id(),
            notification_id: message.id.clone(),
            channel: "any".to_owned(),
            owner: owner.to_owned(),
            series: message.series,
            number: message.attempts,
            started_at: now,
            ended_at: now,
            outcome,
            status: None,
            error: None,
            response: None,
            next,
            maybe_twice: false,
            preview: None,
            reference: None,
        };
        let recording = Recording { finished: vec![finished], ..Recording::default() };
        self.store.record_attempts(&recording).await.unwrap();
    }
}
