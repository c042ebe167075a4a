//! The processor: one task that takes stored events through triage, many per transaction,
//! and runs the timers of conversations and of staleness.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::memory::Memory;
use super::pace::Pace;
use super::rules::Rules;
use crate::catalog::Catalog;
use crate::catalog::service::CatalogService;
use crate::domain::alert::Alert;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::store::pending::PendingEvent;
use crate::store::{Store, StoreError, Tx};
use crate::telemetry::metrics::Metrics;

/// How often to look although nobody called: another replica may have written.
const POLL: Duration = Duration::from_secs(5);
/// How long to wait after the store failed.
const PAUSE: Duration = Duration::from_millis(500);

/// The alerts of one stored body and what it says about all of them.
#[derive(Debug)]
pub struct ParsedEvent {
    /// The sender's receiver name.
    pub receiver: String,
    /// The sender's address.
    pub external_url: String,
    /// How many alerts the sender cut.
    pub truncated: u64,
    /// The usable alerts among the places asked for.
    pub alerts: Vec<Alert>,
    /// The first place behind those asked for; `None` when the list ends before it.
    pub next: Option<usize>,
}

/// Reads the places of a stored body that are to be taken: given by the composition root, since triage does not know the
/// senders' formats.
pub type ParseEvent = fn(&PendingEvent) -> Result<ParsedEvent, String>;

/// Tells the dispatcher which channels are owed something.
pub type TellOwed = Box<dyn Fn(&[&str]) + Send + Sync>;

/// What triage is made of.
pub struct Parts {
    /// Events in, consequences out.
    pub store: Store,
    /// What the models are.
    pub catalog: Arc<Catalog>,
    /// The rules in force.
    pub rules: Arc<ArcSwap<Rules>>,
    /// The time.
    pub clock: SharedClock,
    /// Ids of everything triage makes.
    pub ids: IdMaker,
    /// What is counted.
    pub metrics: Metrics,
    /// Reads a stored body.
    pub parse: ParseEvent,
    /// Told by the inbox when events were stored, and by whoever changes what is true.
    pub wake: Arc<Notify>,
    /// Tells the dispatcher which channels are owed something.
    pub owed: TellOwed,
}

/// Takes events through triage.
pub struct Processor {
    pub(super) parts: Parts,
    pub(super) memory: Mutex<Memory>,
    pub(super) pace: Mutex<Pace>,
    catalog: CatalogService,
}

/// Whether there may be more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Idle,
}

impl Processor {
    /// A processor, not yet running.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, catalog, clock, ids, .. } = &parts;
        let catalog = CatalogService::new(store.clone(), catalog.clone(), clock.clone(), ids.clone());
        Self { parts, memory: Mutex::default(), pace: Mutex::default(), catalog }
    }

    /// Runs until `stopped` says so; what it has begun it finishes.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        self.parts.store.watch().triage_went_on(self.parts.clock.now());
        while !*stopped.borrow() {
            let step = self.step().await;
            let now = self.parts.clock.now();
            self.parts.store.watch().note("take events through triage", &step, now);
            let look_again = match step {
                Ok(Progress::More) => continue,
                Ok(Progress::Idle) => self.next_look().await,
                Err(_) => now.plus(PAUSE),
            };
            tokio::select! {
                _ = stopped.changed() => break,
                () = self.parts.wake.notified() => {}
                () = self.parts.clock.sleep_until(look_again) => {}
            }
        }
    }

    /// Does everything there is to do now: for tests and for programs without a loop of
    /// their own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settle(&self) -> Result<(), StoreError> {
        while self.step().await? == Progress::More {}
        Ok(())
    }

    /// Takes note of what other replicas did before this one got its turn: a model they were
    /// told of is known to the very next alert here, too.
    pub(super) async fn catch_up(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let revision = tx.catch_up(&self.parts.ids).await?;
        if revision.is_some_and(|revision| revision != self.parts.catalog.revision()) {
            self.catalog.refresh().await?;
        }
        Ok(())
    }

    async fn step(&self) -> Result<Progress, StoreError> {
        let events = self.process_events().await?;
        let timers = self.run_timers().await?;
        let more = events == Progress::More || timers == Progress::More;
        Ok(if more { Progress::More } else { Progress::Idle })
    }

    async fn next_look(&self) -> Timestamp {
        let poll = self.parts.clock.now().plus(POLL);
        match self.parts.store.next_timer(self.parts.rules.load().stale_after).await {
            Ok(Some(due)) => due.min(poll),
            Ok(None) => poll,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not look for the next timer");
                poll
            }
        }
    }
}
