//! Three replicas, killed and restarted at random, on a database that restarts, too; two
//! Alertmanagers that send everything to any of them.

use std::collections::HashMap;
use std::time::Duration;

use modelpager::domain::random::{Random, SeededRandom, SystemRandom};
use serde_json::Value;

use super::scenario::{self, Outcome, PROBLEMS};
use super::{CHANNELS, Receivers, describe_models};
use crate::support::postgres_own::{OwnServer, Stop};
use crate::support::service::{Api, Service};

/// Repeats a run that failed: it prints its number.
const SEED_VARIABLE: &str = "MODELPAGER_TEST_SEED";
/// How long the trouble lasts.
const TROUBLE: Duration = Duration::from_secs(15);
/// How long everything may take to settle after it: the leases of the dead are found by then.
const CALM: Duration = Duration::from_secs(60);
/// A replica uses a connection without looking at it for a second after its last use; one that
/// the last restart of the database ended fails the request that gets it, with 503.
const DISTRUST: Duration = Duration::from_millis(1_100);

/// Says how to repeat the run when the test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with {SEED_VARIABLE}={}", self.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_in_trouble_tell_what_one_in_peace_tells() {
    let Some(server) = OwnServer::start("three_replicas_in_trouble") else { return };
    let given = std::env::var(SEED_VARIABLE).ok().and_then(|seed| seed.parse().ok());
    let seed = Seed(given.unwrap_or_else(|| SystemRandom.bits()));

    let receivers = Receivers::start().await;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(Service::start(&receivers.config(&server.url("postgres"))).await);
    }
    describe_models(&replicas[0]).await;
    let apis: Vec<Api> = replicas.iter().map(Service::clone_api).collect();
    let alertmanagers = tokio::spawn(tell_everything_twice(apis.clone(), TROUBLE / 4, seed.0));
    make_trouble(&mut replicas, &server, &SeededRandom::new(seed.0)).await;
    alertmanagers.await.unwrap();
    settle(&apis[0]).await;

    let in_trouble = scenario::outcome(&apis[1]).await;
    assert_eq!(in_trouble.len(), PROBLEMS);
    for channel in CHANNELS {
        check_receiver(&apis[2], &receivers, channel, &in_trouble).await;
    }
    assert!(apis[0].list("/api/v1/events?state=failed").await.is_empty());
    drop(replicas);
    assert_eq!(in_trouble, in_peace(&server.url("template1")).await);
}

/// What one replica tells that nothing happens to, in a database of its own.
async fn in_peace(database: &str) -> Outcome {
    let receivers = Receivers::start().await;
    let replica = Service::start(&receivers.config(database)).await;
    describe_models(&replica).await;
    tell_everything_twice(vec![replica.clone_api()], Duration::ZERO, 0).await;
    settle(&replica).await;
    scenario::outcome(&replica).await
}

/// Two Alertmanagers: each of them tells the course of every problem.
async fn tell_everything_twice(replicas: Vec<Api>, pause: Duration, seed: u64) {
    let tellers = (0..PROBLEMS)
        .map(|n| tokio::spawn(scenario::tell(n, replicas.clone(), pause, seed.wrapping_add(n as u64))));
    for teller in tellers.collect::<Vec<_>>() {
        teller.await.unwrap();
    }
}

/// Ends with everything running, and no connection trusted from before.
async fn make_trouble(replicas: &mut [Service], server: &OwnServer, random: &SeededRandom) {
    let until = tokio::time::Instant::now() + TROUBLE;
    let a_moment = || Duration::from_millis(100 + random.bits() % 900);
    while tokio::time::Instant::now() < until {
        tokio::time::sleep(a_moment()).await;
        match random.bits() % 5 {
            0 => restart_database(server, Stop::Fast, a_moment()).await,
            1 => restart_database(server, Stop::Immediate, a_moment()).await,
            dice => {
                let victim = &mut replicas[dice as usize - 2];
                victim.kill();
                tokio::time::sleep(a_moment()).await;
                victim.restart().await;
            }
        }
    }
    tokio::time::sleep(DISTRUST).await;
}

async fn restart_database(server: &OwnServer, mode: Stop, pause: Duration) {
    server.stop(mode);
    tokio::time::sleep(pause).await;
    server.start_again();
}

async fn settle(api: &Api) {
    let settled = async {
        while !scenario::is_settled(api).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(CALM, settled).await;
    let status = api.call("GET", "/api/v1/status", "").await;
    assert!(in_time.is_ok(), "not settled within {CALM:?}: {status:?}");
}

/// The receiver was told each message; in order for each problem; twice only what the log says
/// may have been sent twice.
async fn check_receiver(api: &Api, receivers: &Receivers, channel: &str, expected: &Outcome) {
    let notifications = api.notifications(channel).await;
    let by_id: HashMap<&str, &Value> =
        notifications.iter().map(|one| (one["id"].as_str().unwrap(), one)).collect();
    let messages = receivers.of(channel).messages();
    let mut told: HashMap<&str, Vec<String>> = HashMap::new();
    for message in &messages {
        let one = by_id[message.id.as_str()];
        let kinds = told.entry(one["dedup_key"].as_str().unwrap()).or_default();
        kinds.push(one["kind"].as_str().unwrap().to_owned());
        if message.deliveries > 1 {
            let detail = api.notification(&one["id"]).await;
            let attempts = detail["attempts"].as_array().unwrap();
            assert!(attempts.iter().any(|attempt| attempt["outcome"] == "ambiguous"), "{detail:#}");
        }
    }
    assert_eq!(messages.len(), notifications.len(), "{channel}");
    for (problem, (_, channels)) in expected {
        assert_eq!(told.get(problem.as_str()), channels.get(channel), "{problem} on {channel}");
    }
}
