//! An alert that cannot be triaged is set aside: kept with its event, shown with its reason,
//! counted, and open to replay. Its neighbours go on.

use std::panic::AssertUnwindSafe;

use serde::Serialize;
use serde_json::Value;

use super::change::TriageError;
use super::pace::LEAST;
use super::processor::{ParsedEvent, Processor};
use crate::store::StoreError;
use crate::store::pending::PendingEvent;
use crate::store::triage::{Consequences, EventProgress, EventVerdicts, TriagedEvent};

/// After so many alerts of one event the rest of it is not tried any more: each is tried several
/// times, and others wait meanwhile.
const MOST: usize = 100;
/// How much of an alert is kept with its verdict, in bytes.
const HEAD: usize = 2_048;

/// Stands before the first reason where there are several.
const SEVERAL: &str = "several alerts were set aside; the first: ";

/// What is noted of an alert that could not be triaged, beside what intake notes of others.
#[derive(Serialize)]
struct SetAside<'a> {
    /// Its place in the body.
    index: usize,
    /// `rejected`, as of an alert that intake could not use.
    verdict: &'static str,
    reason: &'a str,
    /// The beginning of its labels as JSON; may be empty.
    head: &'a str,
    /// Tells it from such an alert; always true.
    set_aside: bool,
}

impl Processor {
    /// Sets the oldest alert aside once it has failed often enough alone, and goes on behind it.
    pub(super) async fn set_oldest_aside(&self, error: &TriageError) -> Result<(), StoreError> {
        let mut tx = self.triage.store.begin_triage().await?;
        let events = tx.pending_events(&LEAST).await?;
        // A defect shows every time.
        let is_sure = matches!(error, TriageError::Panicked);
        let is_last_chance =
            |event: &PendingEvent| is_sure || self.pace.lock().counts_out(&event.id, event.places.start);
        let Some(event) = events.first().filter(|event| is_last_chance(event)) else {
            tx.rollback().await;
            return Ok(());
        };
        tracing::error!(
            event.id = event.id,
            alert = event.places.start,
            error = error as &dyn std::error::Error,
            "an alert cannot be triaged: it is set aside, the others of its event go on"
        );
        let (verdicts, reason) = tx.verdicts(&event.id).await?;
        let consequences = self.without_alert(event, error, verdicts, &reason);
        self.triage.commit(tx, &consequences).await?;
        self.triage.store.watch().triage_went_on(self.triage.clock.now());
        Ok(())
    }

    /// What follows when the next alert of the event is left out.
    fn without_alert(
        &self,
        event: &PendingEvent,
        error: &TriageError,
        mut verdicts: Vec<Value>,
        reason: &str,
    ) -> Consequences {
        let index = event.places.start;
        let (next, head) = self.look_at(event);
        let why = format!("alert {index}: {}", error.reason());
        let mut count = verdicts.iter().filter(|verdict| verdict["set_aside"] == true).count();
        if count < MOST {
            let aside = SetAside { index, verdict: "rejected", reason: &why, head: &head, set_aside: true };
            verdicts.push(serde_json::to_value(aside).unwrap_or_default());
            count += 1;
        }
        let reason = match reason {
            "" => why,
            before => format!("{SEVERAL}{}", before.strip_prefix(SEVERAL).unwrap_or(before)),
        };
        let next = next.filter(|_| count < MOST);
        let failure = match count {
            MOST.. => format!("{reason}; after a hundred of them the rest of the body was not tried"),
            _ => reason.clone(),
        };
        let ended =
            TriagedEvent { id: event.id.clone(), failure: Some(failure), at: self.triage.clock.now() };
        Consequences {
            events: if next.is_none() { vec![ended] } else { Vec::new() },
            progress: vec![EventProgress { event_id: event.id.clone(), next }],
            verdicts: vec![EventVerdicts { event_id: event.id.clone(), verdicts, reason }],
            ..Consequences::default()
        }
    }

    /// Where triage goes on behind the alert, and how the alert begins.
    fn look_at(&self, event: &PendingEvent) -> (Option<usize>, String) {
        let read = std::panic::catch_unwind(AssertUnwindSafe(|| (self.parse)(event)));
        let Ok(Ok(ParsedEvent { alerts, next, .. })) = read else {
            let next = event.places.start + 1;
            return (Some(next).filter(|next| *next < event.total), String::new());
        };
        let labels = alerts.first().and_then(|alert| serde_json::to_string(&alert.labels).ok());
        let mut head = labels.unwrap_or_default();
        head.truncate(head.floor_char_boundary(HEAD));
        (next, head)
    }
}
