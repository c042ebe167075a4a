//! The processor: one task that takes stored events through triage, many per transaction,
//! and runs the timers of conversations and of staleness.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::change::Triage;
use super::pace::Pace;
use crate::domain::alert::Alert;
use crate::domain::clock::Timestamp;
use crate::store::StoreError;
use crate::store::pending::PendingEvent;

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

/// Takes events through triage and runs timers.
pub struct Processor {
    pub(super) triage: Arc<Triage>,
    pub(super) parse: ParseEvent,
    pub(super) pace: Mutex<Pace>,
}

/// Whether there may be more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Idle,
}

impl Processor {
    /// A processor, not yet running.
    pub fn new(triage: Arc<Triage>, parse: ParseEvent) -> Self {
        Self { triage, parse, pace: Mutex::default() }
    }

    /// Runs until `stopped` says so; what it has begun it finishes.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        self.triage.store.watch().triage_went_on(self.triage.clock.now());
        while !*stopped.borrow() {
            let step = self.step().await;
            let now = self.triage.clock.now();
            self.triage.store.watch().note("take events through triage", &step, now);
            let look_again = match step {
                Ok(Progress::More) => continue,
                Ok(Progress::Idle) => self.next_look().await,
                Err(_) => now.plus(PAUSE),
            };
            tokio::select! {
                _ = stopped.changed() => break,
                () = self.triage.wake.notified() => {}
                () = self.triage.clock.sleep_until(look_again) => {}
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

    async fn step(&self) -> Result<Progress, StoreError> {
        let events = self.process_events().await?;
        let timers = self.run_timers().await?;
        let more = events == Progress::More || timers == Progress::More;
        Ok(if more { Progress::More } else { Progress::Idle })
    }

    async fn next_look(&self) -> Timestamp {
        let poll = self.triage.clock.now().plus(POLL);
        match self.triage.store.next_timer(self.triage.rules.load().stale_after).await {
            Ok(Some(due)) => due.min(poll),
            Ok(None) => poll,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "could not look for the next timer");
                poll
            }
        }
    }
}
