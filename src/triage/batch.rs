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
use crate::store::pending::{PendingEvent, Share};
use crate::store::triage::{Consequences, EventProgress, SourceSeen, TriagedEvent};
use crate::store::{StoreError, Superseded, Tx};
use crate::telemetry::metrics::DecisionOutcome;

/// How Prometheus marks an annotation whose template failed.
const BROKEN_ANNOTATION: &str = "<error expanding template";
/// Stands with an event that a defect keeps from being understood.
const PANICKED: &str = "triage panicked over it: please report this with the event's body";

/// Why a transaction came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    /// It did not come to its turn.
    #[error(transparent)]
    NoTurn(StoreError),
    /// The store refused it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect.
    #[error("triage panicked over a batch")]
    Panicked,
}

/// What one body told.
struct Body {
    observations: Vec<Observation>,
    /// Whether it is one part of a large body.
    is_part: bool,
}

/// What bodies told, who sent them and what becomes of their events.
#[derive(Default)]
struct Read {
    bodies: Vec<Body>,
    sources: BTreeMap<(String, String), SourceSeen>,
    outcomes: Vec<TriagedEvent>,
    progress: Vec<EventProgress>,
}

/// One transaction's events and what follows from them.
#[derive(Default)]
struct Batch {
    conclusions: Consequences,
    bodies: Vec<Body>,
    /// The incidents as they are once it is written.
    cases: Vec<Case>,
}

impl BatchError {
    /// What keeps an alert from being triaged, for people.
    pub fn reason(&self) -> String {
        match self {
            Self::Panicked => PANICKED.to_owned(),
            Self::NoTurn(error) | Self::Store(error) => {
                let cause = std::error::Error::source(error);
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("what follows from it could not be stored: {error}{cause}")
            }
        }
    }
}

impl Processor {
    /// Takes the events that wait now through triage.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn process_events(&self) -> Result<Progress, StoreError> {
        let share = self.pace.lock().share(self.parts.store.is_intake_overtaxed());
        let watch = self.parts.store.watch();
        match self.process_batch(&share).await {
            Ok(found) => {
                watch.triage_went_on(self.parts.clock.now());
                self.pace.lock().relax();
                Ok(if found > 0 { Progress::More } else { Progress::Idle })
            }
            Err(BatchError::NoTurn(error)) => {
                watch.triage_failed(&error);
                Err(error)
            }
            Err(BatchError::Store(error)) if error.is_unavailable() && !error.is_too_slow() => {
                watch.triage_failed(&error);
                Err(error)
            }
            Err(error) => {
                watch.triage_failed(&error);
                self.take_less(&share, &error).await?;
                Ok(Progress::More)
            }
        }
    }

    /// After a failure that is a matter of what was taken, not of the database.
    async fn take_less(&self, failed: &Share, error: &BatchError) -> Result<(), StoreError> {
        if failed.events == 1 && failed.part == 1 {
            return self.set_oldest_aside(error).await;
        }
        tracing::warn!(
            error = error as &dyn std::error::Error,
            events = failed.events,
            part = failed.part,
            "a batch of triage failed, trying half of it"
        );
        self.pace.lock().halve(failed);
        Ok(())
    }

    /// One transaction over the oldest events; answers how many there were.
    async fn process_batch(&self, share: &Share) -> Result<usize, BatchError> {
        let begun = self.parts.clock.now();
        if !self.parts.store.may_have_pending_events().await? {
            return Ok(0);
        }
        let mut tx = self.parts.store.begin_triage().await?;
        tx.triage_alone().await.map_err(BatchError::NoTurn)?;
        let read = self.triage(&mut tx, share, begun).await;
        let Batch { conclusions, bodies, cases } = match read {
            Ok(batch) if !batch.conclusions.is_empty() => batch,
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
        self.after_commit(&conclusions, bodies.iter().flat_map(|body| &body.observations));
        self.count_superseded(&superseded);
        Ok(bodies.len().max(1))
    }

    /// What follows from the oldest events, not yet written.
    async fn triage(&self, tx: &mut Tx, share: &Share, begun: Timestamp) -> Result<Batch, BatchError> {
        let events = tx.pending_events(share).await?;
        if events.is_empty() {
            return Ok(Batch::default());
        }
        self.catch_up(tx).await?;
        let rules = self.parts.rules.load_full();
        let Read { bodies, sources, outcomes, progress } = self.read_bodies(&events, &rules, begun)?;
        drop(events);
        let mut desk = self.load_desk(tx, &bodies).await?;
        let around = self.surroundings(&rules, begun);
        let work = AssertUnwindSafe(|| {
            for body in &bodies {
                desk.take_in(&body.observations, body.is_part, &around);
            }
            desk.clear()
        });
        let worked = std::panic::catch_unwind(work);
        let (mut conclusions, cases) = worked.map_err(|_| BatchError::Panicked)?;
        conclusions.events = outcomes;
        conclusions.progress = progress;
        conclusions.sources = sources.into_values().collect();
        Ok(Batch { conclusions, bodies, cases })
    }

    fn read_bodies(&self, events: &[PendingEvent], rules: &Rules, at: Timestamp) -> Result<Read, BatchError> {
        let mut all = Read::default();
        for event in events {
            // A body that makes the program panic costs nothing but itself.
            let read = std::panic::catch_unwind(AssertUnwindSafe(|| {
                let parsed = (self.parts.parse)(event)?;
                Ok(self.observe_body(event, parsed, rules, &mut all.sources))
            }));
            let read: Result<(Vec<Observation>, Option<usize>), String> =
                read.map_err(|_| BatchError::Panicked)?;
            let (observations, next, failure) = match read {
                Ok((observations, next)) => (observations, next, Some(event.reason.clone())),
                Err(why) => (Vec::new(), None, Some(why)),
            };
            let is_part = next.is_some() || event.places.start > 0;
            if is_part {
                all.progress.push(EventProgress { event_id: event.id.clone(), next });
            }
            if next.is_none() {
                let failure = failure.filter(|reason| !reason.is_empty());
                all.outcomes.push(TriagedEvent { id: event.id.clone(), failure, at });
            }
            all.bodies.push(Body { observations, is_part });
        }
        Ok(all)
    }

    fn observe_body(
        &self,
        event: &PendingEvent,
        parsed: ParsedEvent,
        rules: &Rules,
        sources: &mut BTreeMap<(String, String), SourceSeen>,
    ) -> (Vec<Observation>, Option<usize>) {
        if event.places.start == 0 {
            note_source(sources, event, &parsed);
        }
        let origin = Origin {
            event_id: event.id.clone(),
            received_at: Timestamp::from_millis(event.received_at),
            source: event.source.clone(),
            receiver: parsed.receiver,
            external_url: parsed.external_url,
            truncated: parsed.truncated,
        };
        let alerts = parsed.alerts.into_iter();
        let observe = |alert| observe_alert(alert, &origin, rules, &self.parts.catalog);
        (alerts.map(observe).collect(), parsed.next)
    }

    async fn load_desk(&self, tx: &mut Tx, bodies: &[Body]) -> Result<Desk, StoreError> {
        let observations = || bodies.iter().flat_map(|body| &body.observations);
        let mut keys: Vec<&str> = observations().map(|seen| seen.dedup_key.as_str()).collect();
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
        let mut touched: Vec<(&str, &str)> = observations()
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
        let failed = conclusions.events.iter().filter(|event| event.failure.is_some());
        metrics.failed_events(failed.count() as u64);
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
