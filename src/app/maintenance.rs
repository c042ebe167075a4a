//! What has to be done now and then: gauges of the queues, twin keys that expired, catalog
//! changes made by other replicas.

use std::time::Duration;

use tokio::sync::watch;

use crate::catalog::service::CatalogService;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::store::outbox_hand::QueueDepth;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::{Metrics, Queue};

/// How often.
const EVERY: Duration = Duration::from_secs(5);

/// The parts that need looking after.
pub(super) struct Upkeep {
    pub store: Store,
    pub clock: SharedClock,
    pub metrics: Metrics,
    pub catalog: CatalogService,
}

impl Upkeep {
    /// Runs until `stopped` says so.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            self.try_writing().await;
            let round = self.round().await;
            self.store.watch().note("do maintenance", &round, self.clock.now());
            tokio::select! {
                _ = stopped.changed() => return,
                () = self.clock.sleep_until(self.clock.now().plus(EVERY)) => {}
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

    async fn round(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.show(Queue::Events, self.store.events_waiting().await?, now);
        self.show(Queue::Notifications, self.store.notifications_waiting().await?, now);
        self.store.forget_twin_keys(now).await?;
        self.catalog.refresh().await?;
        self.metrics.set_catalog_entries(self.catalog.catalog().len());
        Ok(())
    }

    fn show(&self, queue: Queue, depth: QueueDepth, now: Timestamp) {
        let age = depth.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        self.metrics.set_queue(queue, depth.waiting, age);
    }
}
