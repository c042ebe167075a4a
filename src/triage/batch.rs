//! One transaction of triage: pending events in, consequences out, both or neither.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use super::change::{Scope, TriageError};
use super::incidents::{Observation, Origin};
use super::observe::observe_alert;
use super::processor::{ParsedEvent, Processor, Progress};
use super::rules::Rules;
use crate::domain::clock::Timestamp;
use crate::domain::incident::OURSELVES;
use crate::store::StoreError;
use crate::store::pending::{PendingEvent, Share};
use crate::store::triage::{EventProgress, SourceSeen, TriagedEvent};
use crate::store::triage_tx::TriageTx;

/// How Prometheus marks an annotation whose template failed.
const BROKEN_ANNOTATION: &str = "<error expanding template";
/// Stands with an event that a defect keeps from being understood.
const PANICKED: &str = "triage panicked over it: please report this with the event's body";

/// What one body says.
struct Body {
    observations: Vec<Observation>,
    /// Whether it is one part of a large body.
    is_part: bool,
}

/// What bodies say, who sent them and what becomes of their events.
#[derive(Default)]
struct Read {
    bodies: Vec<Body>,
    sources: BTreeMap<(String, String), SourceSeen>,
    outcomes: Vec<TriagedEvent>,
    progress: Vec<EventProgress>,
}

impl TriageError {
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
        let share = self.pace.lock().share(self.triage.store.is_intake_overtaxed());
        let watch = self.triage.store.watch();
        let error = match self.process_batch(&share).await {
            Ok(found) => {
                watch.triage_went_on(self.triage.clock.now());
                self.pace.lock().relax();
                return Ok(if found > 0 { Progress::More } else { Progress::Idle });
            }
            Err(error) => error,
        };
        watch.triage_failed(&error);
        match error.into_outage() {
            Ok(outage) => Err(outage),
            Err(error) => {
                self.take_less(&share, &error).await?;
                Ok(Progress::More)
            }
        }
    }

    /// After a failure that is a matter of what was taken, not of the database.
    async fn take_less(&self, failed: &Share, error: &TriageError) -> Result<(), StoreError> {
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
    async fn process_batch(&self, share: &Share) -> Result<usize, TriageError> {
        if !self.triage.store.may_have_pending_events().await? {
            return Ok(0);
        }
        let mut tx = self.triage.begin().await?;
        let events = tx.pending_events(share).await?;
        if events.is_empty() {
            tx.rollback().await;
            return Ok(0);
        }
        let count = events.len();
        let bodies = self.triage_events(tx, events).await?;
        self.count(bodies.iter().flat_map(|body| &body.observations));
        Ok(count)
    }

    async fn triage_events(
        &self,
        mut tx: TriageTx,
        events: Vec<PendingEvent>,
    ) -> Result<Vec<Body>, TriageError> {
        self.triage.catch_up(&mut tx).await?;
        let (rules, now) = (self.triage.rules.load_full(), self.triage.clock.now());
        let Read { bodies, sources, outcomes, progress } = self.read_bodies(&events, &rules, now)?;
        drop(events);
        let context = self.triage.context(&rules, now);
        let observed = Scope::Observed(bodies.iter().flat_map(|body| &body.observations).collect());
        let work = self.triage.change(tx, &observed, |set| {
            for body in &bodies {
                set.take_in(&body.observations, body.is_part, &context);
            }
            set.consequences.events = outcomes;
            set.consequences.progress = progress;
            set.consequences.sources = sources.into_values().collect();
        });
        work.await?;
        Ok(bodies)
    }

    fn read_bodies(
        &self,
        events: &[PendingEvent],
        rules: &Rules,
        at: Timestamp,
    ) -> Result<Read, TriageError> {
        let mut all = Read::default();
        for event in events {
            // A body that makes the program panic costs nothing but itself.
            let read = std::panic::catch_unwind(AssertUnwindSafe(|| {
                let parsed = (self.parse)(event)?;
                Ok(self.observe_body(event, parsed, rules, &mut all.sources))
            }));
            let read: Result<(Vec<Observation>, Option<usize>), String> =
                read.map_err(|_| TriageError::Panicked)?;
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
        let observe = |alert| observe_alert(alert, &origin, rules, &self.triage.catalog);
        (alerts.map(observe).collect(), parsed.next)
    }

    /// What is counted of alerts once what follows from them is safe.
    fn count<'o>(&self, observations: impl Iterator<Item = &'o Observation>) {
        let metrics = &self.triage.metrics;
        let rules = self.triage.rules.load();
        for seen in observations.filter(|seen| seen.origin.source != OURSELVES) {
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
    }
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
