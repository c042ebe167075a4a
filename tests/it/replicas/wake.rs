//! An idle replica takes up at once what another one committed and could not do itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use modelpager::domain::clock::{Clock as _, SharedClock, SystemClock};
use modelpager::domain::ids::IdMaker;
use modelpager::domain::random::SystemRandom;
use modelpager::store::Store;
use serde_json::json;

use super::{Receivers, describe_models, scenario};
use crate::spine::pending;
use crate::support::databases::Fresh;
use crate::support::service::{Service, eventually};

/// Less than the time after which everybody looks by itself.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_stored_before_it_died_another_takes_up_at_once() {
    let Some(fresh) = Fresh::postgres("what_one_replica_stored").await else { return };
    let receivers = Receivers::start().await;
    let idle = Service::start(&receivers.config(&fresh.url())).await;
    describe_models(&idle).await;
    let dying = Store::open(&fresh.url(), 3).await.unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = IdMaker::new(clock, Arc::new(SystemRandom));

    for round in 0..3 {
        // Past the look of its own that comes right after the last.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let body = scenario::bodies(round).remove(0).to_string();
        let event = pending(ids.next_id(), SystemClock.now(), body.into_bytes());
        dying.insert_events(&[event]).await.unwrap();

        let stored = Instant::now();
        eventually("the message", || async {
            (receivers.of("all").messages().len() == round + 1).then_some(())
        })
        .await;
        assert!(stored.elapsed() < AT_ONCE, "told after {:?}", stored.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_replica_learns_of_a_model_all_know_at_once() {
    let Some(fresh) = Fresh::postgres("what_one_replica_learns").await else { return };
    let receivers = Receivers::start().await;
    let config = receivers.config(&fresh.url());
    let [one, other] = [Service::start(&config).await, Service::start(&config).await];
    eventually("both to know of each other", || async {
        let status = one.get("/api/v1/status").await;
        (status["replicas"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;

    for round in 0..3 {
        let model = scenario::MODELS[round];
        one.create("/api/v1/catalog", &json!({"slug": model, "kind": "model"})).await;
        tokio::time::sleep(AT_ONCE / 3).await;
        other.deliver(&scenario::bodies(round).remove(0)).await;
        other.wait_for_processed(round + 1).await;

        let incidents = other.list("/api/v1/incidents").await;
        assert_eq!(incidents[round]["entry"], model, "{incidents:#?}");
    }
}
