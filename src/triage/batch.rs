//! One transaction of triage: pending events in, consequences out, both or neither.

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;

use super::case::{Case, Surroundings};
use super::desk::Desk;
use super::incidents::{Observation, Origin};
use super::observe::observe_alert;
use super::processor::{ParsedEvent, Processor, Progress};
use super::rules::Rules;
use crate::domain::clock::Timestamp;
use crate::domain::incident::OURSELVES;
use crate::domain::notification::{NotificationState, SNAPSHOT_ALERTS, Snapshot};
use crate::store::triage::{Consequences, SourceSeen, TriagedEvent};
use crate::store::triage_read::PendingEvent;
use crate::store::{StoreError, Superseded, Tx};
use crate::telemetry::metrics::DecisionOutcome;

/// How many events share one transaction at most.
const BATCH: u32 = 1_024;
/// And while more comes than intake can store.
const SHORT_BATCH: u32 = 64;
/// How many bytes of bodies share one transaction at most; a body of its own may be larger.
const BATCH_BYTES: i64 = 16 * 1_024 * 1_024;
/// How often an event is tried alone before it is set aside.
const RETRIES: u32 = 3;
/// How Prometheus marks an annotation whose template failed.
const BROKEN_ANNOTATION: &str = "<error expanding template";
/// Stands with an event that a defect keeps from being understood.
const PANICKED: &str = "triage panicked over it: please report this with the event's body";

/// Why a transaction came to nothing.
#[derive(Debug, thiserror::Error)]
enum BatchError {
    /// The store refused it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect.
    #[error("triage panicked over a batch")]
    Panicked,
}

/// The event that fails alone, and how often it did so in a row.
#[derive(Default)]
struct Spoiled {
    id: String,
    times: u32,
}

/// One transaction's events and what follows from them.
#[derive(Default)]
struct Batch {
    conclusions: Consequences,
    bodies: Vec<Vec<Observation>>,
    /// The incidents as they are once it is written.
    cases: Vec<Case>,
}

impl Spoiled {
    /// Counts a failure with that event as the oldest; whether it has had its last chance.
    fn counts_out(&mut self, oldest: Option<&str>) -> bool {
        let Some(oldest) = oldest else { return false };
        if self.id != oldest {
            *self = Self { id: oldest.to_owned(), times: 0 };
        }
        self.times += 1;
        self.times > RETRIES
    }
}

impl Processor {
    /// Takes the events that wait now through triage.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn process_events(&self) -> Result<Progress, StoreError> {
        let limit = if self.parts.store.is_intake_overtaxed() { SHORT_BATCH } else { BATCH };
        let found = match self.process_batch(limit).await {
            Ok(found) => found,
            Err(BatchError::Store(error)) if error.is_unavailable() => return Err(error),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a batch failed, going on one by one"
                );
                self.process_one_by_one().await?
            }
        };
        Ok(if found > 0 { Progress::More } else { Progress::Idle })
    }

    /// One transaction over the oldest events; answers how many there were.
    async fn process_batch(&self, limit: u32) -> Result<usize, BatchError> {
        let begun = self.parts.clock.now();
        if !self.parts.store.may_have_pending_events().await? {
            return Ok(0);
        }
        let mut tx = self.parts.store.begin_triage().await?;
        let read = self.triage(&mut tx, limit, begun).await;
        let Batch { conclusions, bodies, cases } = match read {
            Ok(batch) if !batch.conclusions.events.is_empty() => batch,
            ended => {
                // The next look skips what is locked, so these events must not be any more.
                // A broken connection has no locks.
                let _ = tx.rollback().await;
                return ended.map(|_| 0);
            }
        };
        let superseded = self.parts.store.conclude(tx, &conclusions).await?;
        if self.parts.store.is_alone() {
            self.memory.lock().keep(cases);
        }
        self.parts.metrics.store_operation("triage", self.parts.clock.now().since(begun));
        self.after_commit(&conclusions, bodies.iter().flatten());
        self.count_superseded(&superseded);
        Ok(conclusions.events.len())
    }

    /// What follows from the oldest events, not yet written.
    async fn triage(&self, tx: &mut Tx, limit: u32, begun: Timestamp) -> Result<Batch, BatchError> {
        let events = tx.pending_events(limit, BATCH_BYTES).await?;
        if events.is_empty() {
            return Ok(Batch::default());
        }
        self.catch_up(tx).await?;
        let rules = self.parts.rules.load_full();
        let (bodies, sources, mut outcomes) = self.read_bodies(&events, &rules, begun);
        let mut desk = self.load_desk(tx, &bodies).await?;
        let around = self.surroundings(&rules, begun);
        let work = AssertUnwindSafe(|| {
            for body in &bodies {
                desk.take_in(body, &around);
            }
            desk.clear()
        });
        let worked = std::panic::catch_unwind(work);
        let (mut conclusions, cases) = match worked {
            Ok(worked) => worked,
            Err(_) if events.len() > 1 => return Err(BatchError::Panicked),
            Err(_) => {
                outcomes.iter_mut().for_each(|outcome| outcome.failure = Some(PANICKED.to_owned()));
                (Consequences::default(), Vec::new())
            }
        };
        conclusions.events = outcomes;
        conclusions.sources = sources;
        Ok(Batch { conclusions, bodies, cases })
    }

    /// As many transactions as a batch has events: what spoils one of them spoils no other.
    async fn process_one_by_one(&self) -> Result<usize, StoreError> {
        let mut spoiled = Spoiled::default();
        for done in 0..BATCH as usize {
            match self.process_batch(1).await {
                Ok(0) => return Ok(done),
                Ok(_) => spoiled = Spoiled::default(),
                Err(BatchError::Store(error)) if error.is_unavailable() => return Err(error),
                Err(error) => self.give_up_at_last(&mut spoiled, &error).await?,
            }
        }
        Ok(BATCH as usize)
    }

    /// Marks the oldest event as failed once it has failed often enough: kept, shown, and open
    /// to replay. Only if it was the same each time: another replica may have triaged it
    /// meanwhile, and what is the oldest now has done nothing wrong.
    async fn give_up_at_last(&self, spoiled: &mut Spoiled, error: &BatchError) -> Result<(), StoreError> {
        let mut tx = self.parts.store.begin_write().await?;
        let at = self.parts.clock.now();
        let events = tx.pending_events(1, BATCH_BYTES).await?;
        if !spoiled.counts_out(events.first().map(|event| event.id.as_str())) {
            return tx.rollback().await;
        }
        for event in &events {
            tracing::error!(
                event.id = event.id,
                error = error as &dyn std::error::Error,
                "an event cannot be triaged"
            );
        }
        let failure = Some(format!("what follows from it could not be stored: {error}"));
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
            // A body that makes the program panic costs nothing but itself.
            let read = AssertUnwindSafe(|| {
                let parsed = (self.parts.parse)(event)?;
                note_source(&mut sources, event, &parsed);
                Ok(self.observe_body(event, parsed, rules))
            });
            let read = std::panic::catch_unwind(read).unwrap_or_else(|_| Err(PANICKED.to_owned()));
            let failure = read.map(|body| bodies.push(body)).err();
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
        let remembered = self.memory.lock().recall(tx.triage_number(), keys.iter().copied());
        let known: HashSet<&str> = remembered.iter().map(|case| case.incident.dedup_key.as_str()).collect();
        keys.retain(|key| !known.contains(key));
        let incidents = tx.current_incidents(&keys).await?;
        let ids: Vec<&str> = incidents.iter().map(|incident| incident.id.as_str()).collect();
        let mut members = tx.top_members(&ids).await?;
        // Of a large incident the members that matter most may not be those touched now.
        let large: BTreeMap<&str, &str> = incidents
            .iter()
            .chain(remembered.iter().map(|case| &case.incident))
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
        drop(known);
        Ok(Desk::lay_out(remembered, incidents, members, conversations))
    }

    pub(super) fn surroundings<'a>(&'a self, rules: &'a Rules, now: Timestamp) -> Surroundings<'a> {
        Surroundings { rules, catalog: &self.parts.catalog, ids: &self.parts.ids, now }
    }

    /// What ended because something newer is told in its place.
    pub(super) fn count_superseded(&self, superseded: &[Superseded]) {
        for ended in superseded {
            self.parts.metrics.notification_ended(&ended.channel, NotificationState::Superseded);
        }
    }

    /// What others are told once the consequences are safe.
    pub(super) fn after_commit<'o>(
        &self,
        conclusions: &Consequences,
        observations: impl Iterator<Item = &'o Observation>,
    ) {
        let metrics = &self.parts.metrics;
        let rules = self.parts.rules.load();
        for seen in observations {
            if seen.origin.source == OURSELVES {
                continue;
            }
            if seen.entry.is_empty() {
                metrics.entry_unmatched(seen.alert.name());
            } else {
                metrics.entry_matched();
            }
            if rules.severity.is_unknown(&seen.severity_raw) {
                metrics.severity_unknown("unknown");
            } else if seen.severity_raw.trim().is_empty() {
                metrics.severity_unknown("missing");
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
        let by_default = conclusions.notifications.iter().filter(|n| is_by_default(&n.snapshot));
        by_default.for_each(|_| metrics.default_route());
        let mut channels: Vec<&str> = conclusions.notifications.iter().map(|n| n.channel.as_str()).collect();
        channels.sort_unstable();
        channels.dedup();
        (self.parts.owed)(&channels);
    }
}

/// News of Modelpager itself need no route of their own.
fn is_by_default(snapshot: &Snapshot) -> bool {
    snapshot.by_default_route && snapshot.incident.source != OURSELVES
}

fn note_source(
    sources: &mut BTreeMap<(String, String), SourceSeen>,
    event: &PendingEvent,
    parsed: &ParsedEvent,
) {
    if event.source == OURSELVES {
        return;
    }
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
