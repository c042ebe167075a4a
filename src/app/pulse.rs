//! Watching the database for those who look at a page, and only while somebody does.

use std::time::Duration;

use tokio::sync::watch;

use crate::domain::clock::SharedClock;
use crate::store::{Store, StoreError};
use crate::web::live_views::LiveViews;

/// How often to look: what a page shows is at most this old and the time to read it.
const PAUSE: Duration = Duration::from_millis(300);
/// How long to wait when the database cannot be watched.
const RETRY: Duration = Duration::from_secs(2);

/// Who watches for whom.
pub(super) struct PulseTaker {
    pub store: Store,
    pub clock: SharedClock,
    pub views: LiveViews,
}

impl PulseTaker {
    /// Runs until `stopped` says so.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let work = async {
                self.views.wait_for_one().await;
                if let Err(error) = self.watch().await {
                    tracing::debug!(%error, "cannot watch for changes, open pages are told to look all the same");
                    self.clock.sleep_until(self.clock.now().plus(RETRY)).await;
                    self.views.tell();
                }
            };
            tokio::select! {
                _ = stopped.changed() => return,
                () = work => {}
            }
        }
    }

    /// Tells the views of every change, until there are none.
    async fn watch(&self) -> Result<(), StoreError> {
        let mut changes = self.store.watch_changes().await?;
        let mut seen = changes.number().await?;
        while self.views.count() > 0 {
            self.clock.sleep_until(self.clock.now().plus(PAUSE)).await;
            let number = changes.number().await?;
            if number != seen {
                seen = number;
                self.views.tell();
            }
        }
        Ok(())
    }
}
