//! The one way in which incidents change: load, work, commit. Events, timers and commands of
//! people say what to load and what to do with it; all else is the same for them.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::incidents::Observation;
use super::loaded::Context;
use super::rules::Rules;
use super::working_set::WorkingSet;
use crate::catalog::Catalog;
use crate::catalog::service::CatalogService;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::domain::incident::OURSELVES;
use crate::domain::notification::{NotificationState, Snapshot};
use crate::store::triage::Consequences;
use crate::store::triage_tx::TriageTx;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::{DecisionOutcome, Metrics};

/// Tells the dispatcher which channels have something to send.
pub type WorkAvailable = Box<dyn Fn(&[&str]) + Send + Sync>;

/// Everything that changes incidents works with this.
pub struct Triage {
    /// What was observed in, consequences out.
    pub(super) store: Store,
    pub(super) catalog: Arc<Catalog>,
    /// The rules in force.
    pub(super) rules: Arc<ArcSwap<Rules>>,
    pub(super) clock: SharedClock,
    pub(super) ids: IdMaker,
    pub(super) metrics: Metrics,
    /// Wakes the processor: there are events, or something is due.
    pub(super) wake: Arc<Notify>,
    work_available: WorkAvailable,
    catalog_service: CatalogService,
}

/// What [`Triage`] is made of.
pub struct Parts {
    /// Where incidents are.
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
    /// Notified when events were stored, and by whoever changes what is true.
    pub wake: Arc<Notify>,
    /// Tells the dispatcher which channels have something to send.
    pub work_available: WorkAvailable,
}

/// Why a transaction came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum TriageError {
    /// It did not come to its turn.
    #[error(transparent)]
    NoTurn(StoreError),
    /// The store refused it, or holds something unreadable.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect.
    #[error("triage panicked")]
    Panicked,
}

impl TriageError {
    /// The error of a database that does not answer, which says nothing about what was worked on;
    /// else the error as it is.
    pub fn into_outage(self) -> Result<StoreError, Self> {
        match self {
            Self::NoTurn(error) => Ok(error),
            Self::Store(error) if error.is_unavailable() && !error.is_too_slow() => Ok(error),
            other => Err(other),
        }
    }
}

/// Which incidents to load.
pub(super) enum Scope<'a> {
    /// Those that alerts belong to.
    Observed(Vec<&'a Observation>),
    /// These.
    Ids(&'a [String]),
}

impl Triage {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, catalog, rules, clock, ids, metrics, wake, work_available } = parts;
        let catalog_service = CatalogService::new(store.clone(), catalog.clone(), clock.clone(), ids.clone());
        Arc::new(Self { store, catalog, rules, clock, ids, metrics, wake, work_available, catalog_service })
    }

    /// Waits for the turn.
    pub(super) async fn begin(&self) -> Result<TriageTx, TriageError> {
        self.store.begin_triage().await.map_err(TriageError::NoTurn)
    }

    /// Takes note of what other replicas did before this one got its turn: a model they were
    /// told of is known to the very next alert here, too.
    pub(super) async fn catch_up(&self, tx: &mut TriageTx) -> Result<(), StoreError> {
        let revision = tx.catch_up(&self.ids).await?;
        if revision.is_some_and(|revision| revision != self.catalog.revision()) {
            self.catalog_service.refresh().await?;
        }
        Ok(())
    }

    /// What the work is done with.
    pub(super) fn context<'a>(&'a self, rules: &'a Rules, now: Timestamp) -> Context<'a> {
        Context { rules, catalog: &self.catalog, ids: &self.ids, now }
    }

    /// Loads, works and commits; or leaves everything as it was. A panic of the work undoes it.
    pub(super) async fn change<T>(
        &self,
        mut tx: TriageTx,
        scope: &Scope<'_>,
        work: impl FnOnce(&mut WorkingSet) -> T,
    ) -> Result<(T, Consequences), TriageError> {
        let worked = match load(&mut tx, scope, &self.catalog).await {
            Ok(mut set) => std::panic::catch_unwind(AssertUnwindSafe(move || {
                let done = work(&mut set);
                (set.finish(), done)
            }))
            .map_err(|_| TriageError::Panicked),
            Err(error) => Err(error.into()),
        };
        let (consequences, done) = match worked {
            Ok(worked) => worked,
            Err(error) => {
                tx.rollback().await;
                return Err(error);
            }
        };
        self.commit(tx, &consequences).await?;
        Ok((done, consequences))
    }

    /// Commits, and tells others once it is safe.
    pub(super) async fn commit(&self, tx: TriageTx, consequences: &Consequences) -> Result<(), StoreError> {
        let begun = self.clock.now();
        let superseded = tx.commit(consequences).await?;
        self.metrics.store_operation("triage", self.clock.now().since(begun));
        for ended in superseded {
            self.metrics.notification_ended(&ended.channel, NotificationState::Superseded);
        }
        self.count(consequences);
        let mut channels: Vec<&str> = consequences.notifications.iter().map(|n| n.channel.as_str()).collect();
        channels.sort_unstable();
        channels.dedup();
        (self.work_available)(&channels);
        Ok(())
    }

    fn count(&self, consequences: &Consequences) {
        let failed = consequences.events.iter().filter(|event| event.failure.is_some());
        self.metrics.failed_events(failed.count() as u64);
        for decision in &consequences.decisions {
            self.metrics.decision(match decision.outcome {
                "send" => DecisionOutcome::Send,
                "wait" => DecisionOutcome::Wait,
                _ => DecisionOutcome::Nothing,
            });
        }
        let by_default = consequences.notifications.iter().filter(|n| is_by_default(&n.snapshot));
        by_default.for_each(|_| self.metrics.default_route());
    }
}

/// News of Modelpager itself need no route of their own.
fn is_by_default(snapshot: &Snapshot) -> bool {
    snapshot.by_default_route && snapshot.incident.source != OURSELVES
}

async fn load(tx: &mut TriageTx, scope: &Scope<'_>, catalog: &Catalog) -> Result<WorkingSet, StoreError> {
    match scope {
        Scope::Ids(ids) => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let incidents = tx.incidents_by_id(&ids).await?;
            let members = tx.top_members(&ids).await?;
            let conversations = tx.conversations(&ids).await?;
            Ok(WorkingSet::of(incidents, members, conversations))
        }
        Scope::Observed(observations) => load_observed(tx, observations, catalog).await,
    }
}

/// The incidents that the alerts belong to. Of those about which something new was heard also
/// the members that matter most and the conversations: nothing is decided about the others.
async fn load_observed(
    tx: &mut TriageTx,
    observations: &[&Observation],
    catalog: &Catalog,
) -> Result<WorkingSet, StoreError> {
    let mut keys: Vec<&str> = observations.iter().map(|seen| seen.dedup_key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    let incidents = tx.current_incidents(&keys).await?;
    let mut set = WorkingSet::of(incidents, Vec::new(), Vec::new());
    let mut touched: Vec<(&str, &str)> = observations
        .iter()
        .filter_map(|seen| Some((set.id_of(&seen.dedup_key)?, seen.alert.fingerprint.as_str())))
        .collect();
    touched.sort_unstable();
    touched.dedup();
    let members = tx.members(&touched).await?;
    set.add_members(members);
    let changed: HashSet<String> = observations
        .iter()
        .filter(|seen| set.is_news(seen, catalog))
        .filter_map(|seen| set.id_of(&seen.dedup_key).map(str::to_owned))
        .collect();
    let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
    set.add_members(tx.top_members(&changed).await?);
    set.add_conversations(tx.conversations(&changed).await?);
    Ok(set)
}
