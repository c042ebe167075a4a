//! What the tasks of the dispatcher share: its parts, the plan in force, and the bells by
//! which workers are woken.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use tokio::sync::Notify;

use super::plan::Plan;
use crate::domain::clock::SharedClock;
use crate::domain::ids::IdMaker;
use crate::domain::random::SharedRandom;
use crate::store::Store;
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
    /// Names this process in leases.
    pub owner: String,
    plan: ArcSwap<Plan>,
    wakes: RwLock<HashMap<String, Arc<Notify>>>,
}

impl Shared {
    pub fn new(parts: Parts, plan: Plan) -> Self {
        Self {
            owner: parts.ids.next_id(),
            store: parts.store,
            clock: parts.clock,
            random: parts.random,
            ids: parts.ids,
            metrics: parts.metrics,
            plan: ArcSwap::from_pointee(plan),
            wakes: RwLock::default(),
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

    pub fn wake_of(&self, channel: &str) -> Arc<Notify> {
        self.wakes.write().entry(channel.to_owned()).or_default().clone()
    }
}
