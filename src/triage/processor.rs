//! The processor: one task that takes stored events through triage, many per transaction,
//! and runs the timers of conversations and of staleness.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};

use super::desk::Desk;
use super::evaluate::Surroundings;
use super::incidents::{Observation, Origin};
use super::observe::observe_alert;
use super::rules::Rules;
use crate::catalog::Catalog;
use crate::domain::alert::Alert;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::domain::notification::SNAPSHOT_ALERTS;
use crate::store::triage::{Consequences, PendingEvent, SourceSeen, TriagedEvent};
use crate::store::{Store, StoreError, Tx};
use crate::telemetry::metrics::{DecisionOutcome, Metrics};

/// How many events share one transaction at most.
const BATCH: u32 = 256;
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
    /// The usable alerts.
    pub alerts: Vec<Alert>,
}

/// Reads a stored body: given by the composition root, since triage does not know the
/// senders' formats.
pub type ParseEvent = fn(&PendingEvent) -> Result<ParsedEvent, String>;

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
    pub owed: Box<dyn Fn(&[&str]) + Send + Sync>,
}

/// Takes events through triage.
pub struct Processor {
    pub(super) parts: Parts,
}

/// How Prometheus marks an annotation whose template failed.
const BROKEN_ANNOTATION: &str = "<error expanding template";

/// Whether there may be more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Idle,
}

impl Processor {
    /// A processor, not yet running.
    pub fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Runs until `stopped` says so; what it has begun it finishes.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let look_again = match self.step().await {
                Ok(Progress::More) => continue,
                Ok(Progress::Idle) => self.next_look().await,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "triage could not go on, trying again"
                    );
                    self.parts.clock.now().plus(PAUSE)
                }
            };
            tokio::select! {
                _ = stopped.changed() => break,
                () = self.parts.wake.notified() => {}
                () = self.parts.clock.sleep_until(look_again) => {}
            }
        }
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

    async fn process_events(&self) -> Result<Progress, StoreError> {
        let found = match self.process_batch(BATCH).await {
            Err(error) if !error.is_unavailable() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a batch failed, going on one by one"
                );
                self.process_one_by_one().await?
            }
            outcome => outcome?,
        };
        Ok(if found == BATCH as usize { Progress::More } else { Progress::Idle })
    }

    /// One transaction over the oldest events; answers how many there were.
    async fn process_batch(&self, limit: u32) -> Result<usize, StoreError> {
        let begun = self.parts.clock.now();
        let mut tx = self.parts.store.begin_write().await?;
        let events = tx.pending_events(limit).await?;
        if events.is_empty() {
            return Ok(0);
        }
        let rules = self.parts.rules.load_full();
        let (bodies, sources, mut outcomes) = self.read_bodies(&events, &rules, begun);
        let mut desk = self.load_desk(&mut tx, &bodies).await?;
        let around = self.surroundings(&rules, begun);
        let work = AssertUnwindSafe(|| {
            for body in &bodies {
                desk.take_in(body, &around);
            }
            desk.clear()
        });
        let worked = std::panic::catch_unwind(work);
        let mut conclusions = match worked {
            Ok(conclusions) => conclusions,
            Err(_) if events.len() > 1 => {
                return Err(StoreError::Open("triage panicked over a batch".to_owned()));
            }
            Err(_) => {
                outcomes.iter_mut().for_each(|o| o.failure = Some("triage panicked over it".to_owned()));
                Consequences::default()
            }
        };
        conclusions.events = outcomes;
        conclusions.sources = sources;
        tx.save_consequences(&conclusions).await?;
        tx.commit().await?;
        self.parts.metrics.store_operation("triage", self.parts.clock.now().since(begun));
        self.after_commit(&conclusions, bodies.iter().flatten());
        Ok(events.len())
    }

    /// As many transactions as a batch has events: what spoils one of them spoils no other.
    async fn process_one_by_one(&self) -> Result<usize, StoreError> {
        for done in 0..BATCH as usize {
            match self.process_batch(1).await {
                Ok(0) => return Ok(done),
                Ok(_) => {}
                Err(error) if error.is_unavailable() => return Err(error),
                Err(error) => self.set_aside_oldest(&error).await?,
            }
        }
        Ok(BATCH as usize)
    }

    /// Marks the oldest event as failed: kept, shown, and open to replay.
    async fn set_aside_oldest(&self, error: &StoreError) -> Result<(), StoreError> {
        let mut tx = self.parts.store.begin_write().await?;
        let at = self.parts.clock.now();
        let events = tx.pending_events(1).await?;
        for event in &events {
            tracing::error!(
                event.id = event.id,
                error = error as &dyn std::error::Error,
                "an event cannot be triaged"
            );
        }
        let failure = Some(format!("triage could not store what follows from it: {error}"));
        let events =
            events.into_iter().map(|e| TriagedEvent { id: e.id, failure: failure.clone(), at }).collect();
        tx.save_consequences(&Consequences { events, ..Consequences::default() }).await?;
        tx.commit().await
    }

    fn read_bodies(
        &self,
        events: &[PendingEvent],
        rules: &Rules,
        at: Timestamp,
    ) -> (Vec<Vec<Observation>>, Vec<SourceSeen>, Vec<TriagedEvent>) {
        let mut bodies = Vec::with_capacity(events.len());
        let mut outcomes = Vec::with_capacity(events.len());
        let mut sources: BTreeMap<(String, String), SourceSeen> = BTreeMap::new();
        for event in events {
            let failure = match (self.parts.parse)(event) {
                Ok(parsed) => {
                    note_source(&mut sources, event, &parsed);
                    bodies.push(self.observe_body(event, parsed, rules));
                    None
                }
                Err(reason) => Some(reason),
            };
            outcomes.push(TriagedEvent { id: event.id.clone(), failure, at });
        }
        (bodies, sources.into_values().collect(), outcomes)
    }

    fn observe_body(&self, event: &PendingEvent, parsed: ParsedEvent, rules: &Rules) -> Vec<Observation> {
        let origin = Origin {
            event_id: event.id.clone(),
            received_at: Timestamp::from_millis(event.received_at),
            source: event.source.clone(),
            receiver: parsed.receiver,
            external_url: parsed.external_url,
            truncated: parsed.truncated,
        };
        let alerts = parsed.alerts.into_iter();
        alerts.map(|alert| observe_alert(alert, &origin, rules, &self.parts.catalog)).collect()
    }

    async fn load_desk(&self, tx: &mut Tx, bodies: &[Vec<Observation>]) -> Result<Desk, StoreError> {
        let mut keys: Vec<&str> = bodies.iter().flatten().map(|seen| seen.dedup_key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        let incidents = tx.current_incidents(&keys).await?;
        let ids: Vec<&str> = incidents.iter().map(|incident| incident.id.as_str()).collect();
        let mut members = tx.top_members(&ids).await?;
        // Of a large incident the members that matter most may not be those touched now.
        let large: BTreeMap<&str, &str> = incidents
            .iter()
            .filter(|incident| incident.members as usize > SNAPSHOT_ALERTS)
            .map(|incident| (incident.dedup_key.as_str(), incident.id.as_str()))
            .collect();
        let mut touched: Vec<(&str, &str)> = bodies
            .iter()
            .flatten()
            .filter_map(|seen| {
                large.get(seen.dedup_key.as_str()).map(|id| (*id, seen.alert.fingerprint.as_str()))
            })
            .collect();
        touched.sort_unstable();
        touched.dedup();
        members.extend(tx.members(&touched).await?);
        let conversations = tx.conversations(&ids).await?;
        Ok(Desk::lay_out(incidents, members, conversations))
    }

    pub(super) fn surroundings<'a>(&'a self, rules: &'a Rules, now: Timestamp) -> Surroundings<'a> {
        Surroundings { rules, catalog: &self.parts.catalog, ids: &self.parts.ids, now }
    }

    /// What others are told once the consequences are safe.
    pub(super) fn after_commit<'o>(
        &self,
        conclusions: &Consequences,
        observations: impl Iterator<Item = &'o Observation>,
    ) {
        let metrics = &self.parts.metrics;
        for seen in observations {
            if seen.entry.is_empty() {
                metrics.entry_unmatched(seen.alert.name());
            } else {
                metrics.entry_matched();
            }
            let broken = |text: &&String| text.starts_with(BROKEN_ANNOTATION);
            seen.alert.annotations.values().filter(broken).for_each(|_| metrics.broken_annotation());
        }
        for decision in &conclusions.decisions {
            metrics.decision(match decision.outcome {
                "send" => DecisionOutcome::Send,
                "wait" => DecisionOutcome::Wait,
                _ => DecisionOutcome::Nothing,
            });
        }
        let mut channels: Vec<&str> = conclusions.notifications.iter().map(|n| n.channel.as_str()).collect();
        channels.sort_unstable();
        channels.dedup();
        (self.parts.owed)(&channels);
    }
}

fn note_source(
    sources: &mut BTreeMap<(String, String), SourceSeen>,
    event: &PendingEvent,
    parsed: &ParsedEvent,
) {
    let at = Timestamp::from_millis(event.received_at);
    let key = (parsed.external_url.clone(), parsed.receiver.clone());
    let seen = sources.entry(key).or_insert_with(|| SourceSeen {
        external_url: parsed.external_url.clone(),
        receiver: parsed.receiver.clone(),
        source: event.source.clone(),
        at,
        events: 0,
    });
    seen.at = seen.at.max(at);
    seen.events += 1;
}
