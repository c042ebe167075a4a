//! An alert that cannot be triaged is set aside: kept with its event, shown with its reason,
//! counted, and open to replay. Its neighbours go on.

use std::panic::AssertUnwindSafe;

use super::batch::BatchError;
use super::pace::LEAST;
use super::processor::{ParsedEvent, Processor};
use crate::store::StoreError;
use crate::store::pending::PendingEvent;
use crate::store::triage::{Consequences, EventProgress, SetAside, TriagedEvent};

/// After so many alerts of one event the rest of it is not tried any more: each is tried several
/// times, and others wait meanwhile.
const MOST: usize = 100;
/// How much of an alert is kept with its verdict, in bytes.
const HEAD: usize = 2_048;

impl Processor {
    /// Sets the oldest alert aside once it has failed often enough alone, and goes on behind it.
    pub(super) async fn set_oldest_aside(&self, error: &BatchError) -> Result<(), StoreError> {
        let mut tx = self.parts.store.begin_write().await?;
        tx.triage_alone().await?;
        let events = tx.pending_events(&LEAST).await?;
        let Some(event) = events.first() else { return tx.rollback().await };
        let place = event.places.start;
        // A defect shows every time.
        let is_sure = matches!(error, BatchError::Panicked);
        if !is_sure && !self.pace.lock().counts_out(&event.id, place) {
            return tx.rollback().await;
        }
        tracing::error!(
            event.id = event.id,
            alert = place,
            error = error as &dyn std::error::Error,
            "an alert cannot be triaged: it is set aside, the others of its event go on"
        );
        let (next, head) = self.look_at(event);
        let reason = format!("alert {place}: {}", error.reason());
        let aside = SetAside { index: place, verdict: "rejected", reason, head, set_aside: true };
        let (mut reason, count) = tx.set_alert_aside(&event.id, &aside, MOST).await?;
        let next = next.filter(|_| count < MOST);
        if count >= MOST {
            reason += "; after a hundred of them the rest of the body was not tried";
        }
        let at = self.parts.clock.now();
        let progress = vec![EventProgress { event_id: event.id.clone(), next }];
        let ended = TriagedEvent { id: event.id.clone(), failure: Some(reason), at };
        let events = if next.is_none() { vec![ended] } else { Vec::new() };
        let failed = events.len();
        tx.save_consequences(&Consequences { events, progress, ..Consequences::default() }).await?;
        tx.commit().await?;
        self.parts.metrics.failed_events(failed as u64);
        self.parts.store.watch().triage_went_on(at);
        Ok(())
    }

    /// Where triage goes on behind the alert, and how the alert begins.
    fn look_at(&self, event: &PendingEvent) -> (Option<usize>, String) {
        let read = std::panic::catch_unwind(AssertUnwindSafe(|| (self.parts.parse)(event)));
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
