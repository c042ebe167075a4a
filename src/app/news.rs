//! Hearing of other replicas: a task that wakes triage and dispatch when another replica
//! committed something they may do, and brings the catalog up to date when another changed it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::catalog::service::CatalogService;
use crate::dispatch::Dispatcher;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::store::news::News;
use crate::store::{Store, StoreError};

/// Whoever made the work has the first go at it: most of it is done before others look.
const COURTESY: Duration = Duration::from_millis(50);
/// How long to wait before listening again after that failed.
const RETRY: Duration = Duration::from_secs(2);

/// The parts that are told.
pub(super) struct Ear {
    pub store: Store,
    pub clock: SharedClock,
    pub catalog: CatalogService,
    pub dispatcher: Arc<Dispatcher>,
    pub triage: Arc<Notify>,
}

impl Ear {
    /// Runs until `stopped` says so; does nothing where there are no other replicas.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let heard = tokio::select! {
                _ = stopped.changed() => return,
                heard = self.listen() => heard,
            };
            if let Err(error) = heard {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not listen to other replicas, looking every few seconds meanwhile"
                );
            }
            tokio::select! {
                _ = stopped.changed() => return,
                () = self.clock.sleep_until(self.clock.now().plus(RETRY)) => {}
            }
        }
    }

    async fn listen(&self) -> Result<(), StoreError> {
        let Some(mut listener) = self.store.listen().await? else {
            return std::future::pending().await;
        };
        // Something may have happened while nobody listened.
        let mut gathered = Gathered::default();
        gathered.add(News::of_everything(), self.clock.now());
        loop {
            let news = tokio::select! {
                () = self.clock.sleep_until(gathered.due_at), if gathered.waits() => {
                    self.spread(&std::mem::take(&mut gathered).news);
                    continue;
                }
                news = listener.next() => news?,
            };
            if news.catalog {
                self.refresh_catalog().await;
            }
            gathered.add(news, self.clock.now());
        }
    }

    async fn refresh_catalog(&self) {
        if let Err(error) = self.catalog.refresh().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a change of the catalog by another replica is not yet seen by look-ups"
            );
        }
    }

    fn spread(&self, news: &News) {
        if news.events {
            self.triage.notify_one();
        }
        if news.owed_anywhere {
            self.dispatcher.wake_all();
        } else {
            self.dispatcher.wake(news.owed.iter().map(String::as_str));
        }
    }
}

/// News that wait for a moment, since more are likely to follow.
#[derive(Default)]
struct Gathered {
    news: News,
    due_at: Timestamp,
}

impl Gathered {
    fn waits(&self) -> bool {
        !self.news.is_empty()
    }

    fn add(&mut self, news: News, now: Timestamp) {
        if !self.waits() {
            self.due_at = now.plus(COURTESY);
        }
        self.news.add(news);
    }
}
