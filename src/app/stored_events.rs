//! How stored bodies are read again for triage: the one place that knows both the senders'
//! formats and triage.

use crate::dispatch::rehearsal::understood;
use crate::domain::clock::Timestamp;
use crate::intake::alertmanager;
use crate::store::pending::PendingEvent;
use crate::triage::processor::ParsedEvent;

/// Reads a part of a stored body in the format of its source.
pub(super) fn parse(event: &PendingEvent) -> Result<ParsedEvent, String> {
    let received_at = Timestamp::from_millis(event.received_at);
    let delivery = alertmanager::parse_part(&event.body, received_at, event.places.clone())
        .map_err(|refusal| refusal.to_string())?;
    let next = Some(event.places.end).filter(|next| *next < delivery.places);
    Ok(ParsedEvent { next, ..understood(delivery) })
}
