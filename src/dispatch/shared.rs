//! What the tasks of the dispatcher share: its parts, the plan in force, and the bells by
//! which workers are woken.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use tokio::sync::Notify;

use super::breakers::Breakers;
use super::plan::Plan;
use super::steadiness::Steadiness;
use super::unsure::UnsureClaims;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::domain::random::SharedRandom;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// What the dispatcher is made of.
#[derive(Clone)]
pub struct Parts {
    /// The outbox.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// Draws the waits.
    pub random: SharedRandom,
    /// Ids of attempts.
    pub ids: IdMaker,
    /// What is counted.
    pub metrics: Metrics,
}

/// What all tasks of the dispatcher share.
pub(super) struct Shared {
    pub store: Store,
    pub clock: SharedClock,
    pub random: SharedRandom,
    pub ids: IdMaker,
    pub metrics: Metrics,
    /// Whether channels may be sent through.
    pub breakers: Breakers,
    /// Names this process in leases.
    pub owner: String,
    pub started_at: Timestamp,
    pub steadiness: Steadiness,
    pub unsure_claims: UnsureClaims,
    plan: ArcSwap<Plan>,
    wakes: RwLock<HashMap<String, Arc<Notify>>>,
    triage: OnceLock<Arc<Notify>>,
}

impl Shared {
    pub fn new(parts: Parts, plan: Plan) -> Self {
        Self {
            owner: parts.ids.next_id(),
            breakers: Breakers::new(
                parts.store.clone(),
                parts.clock.clone(),
                parts.random.clone(),
                parts.metrics.clone(),
            ),
            started_at: parts.clock.now(),
            steadiness: Steadiness::default(),
            unsure_claims: UnsureClaims::default(),
            store: parts.store,
            clock: parts.clock,
            random: parts.random,
            ids: parts.ids,
            metrics: parts.metrics,
            plan: ArcSwap::from_pointee(plan),
            wakes: RwLock::default(),
            triage: OnceLock::new(),
        }
    }

    pub fn replace_plan(&self, plan: Plan) {
        self.plan.store(Arc::new(plan));
    }

    pub fn plan(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    /// Tells a channel's worker to look into the outbox.
    pub fn wake(&self, channel: &str) {
        if let Some(notify) = self.wakes.read().get(channel) {
            notify.notify_one();
        }
    }

    /// Names who is to be told when an event was stored.
    pub fn set_triage(&self, triage: Arc<Notify>) {
        // Set once, at the start; without it triage finds events when it next looks.
        let _ = self.triage.set(triage);
    }

    pub fn wake_triage(&self) {
        if let Some(triage) = self.triage.get() {
            triage.notify_one();
        }
    }

    pub fn wake_of(&self, channel: &str) -> Arc<Notify> {
        self.wakes.write().entry(channel.to_owned()).or_default().clone()
    }

    /// Closes the breaker of a channel, here and for every replica, and wakes its worker.
    /// Answers whether it was open.
    pub async fn close_breaker(&self, channel: &str, actor: Option<&str>) -> Result<bool, StoreError> {
        let mut tx = self.store.begin_write().await?;
        let was_open = tx.close_breaker(channel).await?;
        if let Some(actor) = actor {
            let what = ("reset", "channel", channel);
            tx.audit(&self.ids.next_id(), self.clock.now(), actor, what).await?;
        }
        tx.commit().await?;
        self.breakers.close(channel);
        self.wake(channel);
        Ok(was_open)
    }
}
