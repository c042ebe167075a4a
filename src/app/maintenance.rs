//! What has to be done now and then: the clock set right by the database's, gauges of the
//! queues, twin keys that expired, catalog changes made by other replicas, and deleting what is
//! outdated. And once, beside the start: deciding again what an earlier configuration decided.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use super::retention::Retention;
use super::time::Time;
use crate::catalog::service::CatalogService;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::store::outbox_hand::QueueDepth;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::{Metrics, Queue};
use crate::web::state::Live;

/// How often.
const EVERY: Duration = Duration::from_secs(5);

/// The parts that need looking after.
pub(super) struct Upkeep {
    pub time: Time,
    pub store: Store,
    pub clock: SharedClock,
    pub metrics: Metrics,
    pub catalog: CatalogService,
    pub live: Arc<ArcSwap<Live>>,
    /// Wakes triage.
    pub triage: Arc<Notify>,
}

impl Upkeep {
    /// Runs until `stopped` says so.
    pub async fn run(self, stopped: watch::Receiver<bool>) {
        let retention = Retention {
            store: self.store.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            live: self.live.clone(),
        };
        // One does not wait for the other: deleting may take hours.
        tokio::join!(
            self.look_after(stopped.clone()),
            self.keep_wal_short(stopped.clone()),
            self.decide_again(stopped.clone()),
            retention.run(stopped)
        );
    }

    async fn look_after(&self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            self.try_writing().await;
            let file = self.store.check_file();
            self.store.watch().note("find the database file", &file, self.clock.now());
            let round = self.round().await;
            self.store.watch().note("do maintenance", &round, self.clock.now());
            tokio::select! {
                _ = stopped.changed() => return,
                () = self.clock.sleep_until(self.clock.now().plus(EVERY)) => {}
            }
        }
    }

    async fn keep_wal_short(&self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let copied = self.store.checkpoint().await;
            let now = self.clock.now();
            self.store.watch().note("copy the write-ahead log into the database", &copied, now);
            tokio::select! {
                _ = stopped.changed() => return,
                () = self.clock.sleep_until(now.plus(copied.unwrap_or(EVERY))) => {}
            }
        }
    }

    /// What could not be written may have been the last there was to write: finds out by
    /// itself when the trouble is over.
    async fn try_writing(&self) {
        let watch = self.store.watch();
        if watch.trouble().is_some() && self.store.probe_writing(self.clock.now()).await.is_ok() {
            watch.works_again(self.clock.now());
        }
    }

    /// What was decided by an earlier configuration, which may have changed since the last run;
    /// beside the start, since it may be much.
    async fn decide_again(&self, mut stopped: watch::Receiver<bool>) {
        tokio::select! {
            _ = stopped.changed() => {}
            () = self.until_decided_again() => {}
        }
    }

    async fn until_decided_again(&self) {
        loop {
            let decided = self.try_deciding_again().await;
            let now = self.clock.now();
            self.store.watch().note("decide again what an earlier configuration decided", &decided, now);
            if decided.is_ok() {
                return;
            }
            self.clock.sleep_until(now.plus(EVERY)).await;
        }
    }

    async fn try_deciding_again(&self) -> Result<(), StoreError> {
        self.store.decide_again(self.clock.now()).await?;
        self.triage.notify_one();
        if self.store.decide_ends_again(self.clock.now()).await? > 0 {
            self.triage.notify_one();
        }
        Ok(())
    }

    async fn round(&self) -> Result<(), StoreError> {
        self.time.set_right().await?;
        let now = self.clock.now();
        self.show(Queue::Events, self.store.events_waiting().await?, now);
        self.show(Queue::Notifications, self.store.notifications_waiting().await?, now);
        self.store.forget_twin_keys(now).await?;
        self.store.forget_ended_sessions(now).await?;
        self.catalog.refresh().await?;
        self.metrics.set_catalog_entries(self.catalog.catalog().len());
        Ok(())
    }

    fn show(&self, queue: Queue, depth: QueueDepth, now: Timestamp) {
        let age = depth.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        self.metrics.set_queue(queue, depth.waiting, age);
    }
}
