//! Events that wait for triage, and how much of them is taken at once.

use std::collections::HashMap;
use std::ops::Range;

use super::error::Doing as _;
use super::triage_tx::TriageTx;
use super::{Store, StoreError};

/// A stored event that waits for triage.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub struct PendingEvent {
    /// Its id.
    pub id: String,
    /// When it was received, milliseconds.
    pub received_at: i64,
    /// `alertmanager`.
    pub source: String,
    /// What is wrong with alerts of it that triage set aside; empty when nothing is.
    pub reason: String,
    /// The body.
    pub body: Vec<u8>,
    /// Which places of its list of alerts are to be taken now.
    #[sqlx(skip)]
    pub places: Range<usize>,
    /// How many places the list has, as far as intake counted them.
    #[sqlx(skip)]
    pub total: usize,
}

/// How much one transaction of triage takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// At most so many events.
    pub events: u32,
    /// At most so many alerts of one event: what has more is taken in parts.
    pub part: usize,
    /// At most so many alerts of all events that are not taken in parts.
    pub alerts: usize,
    /// Whether events that are taken in parts wait, if there are others.
    pub others_first: bool,
    /// At most so many bytes of bodies; a body of its own may be larger.
    pub bytes: i64,
}

/// An event that waits, as far as it must be known to choose.
#[derive(sqlx::FromRow)]
struct Waiting {
    id: String,
    bytes: i64,
    total: i64,
    place: i64,
}

// Not locked: who triages is alone. And nothing is passed over: an event whose twin is just
// being counted must not be overtaken by what came after it.
const PENDING: &str = "SELECT id, CAST(LENGTH(body) AS BIGINT) AS bytes, alerts + rejected AS total, \
     COALESCE((SELECT p.place FROM event_progress p WHERE p.event_id = events.id), 0) AS place FROM events \
     WHERE state = 'pending' AND state <> 'processed' ORDER BY id LIMIT $1";
const BODIES: &str = "SELECT id, received_at, source, reason, body FROM events WHERE id IN";

const IS_PENDING: &str =
    "SELECT EXISTS (SELECT 1 FROM events WHERE state = 'pending' AND state <> 'processed')";

impl Store {
    /// Whether it is worth waiting for the turn to triage: replicas that have nothing to do keep
    /// out of each other's way. On SQLite there is no turn to wait for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn may_have_pending_events(&self) -> Result<bool, StoreError> {
        let super::Pool::Postgres(server) = &self.pool else { return Ok(true) };
        let exists = async {
            let mut conn = server.write.acquire().await?;
            sqlx::query_scalar(IS_PENDING).fetch_one(&mut *conn).await
        };
        super::dialect::in_time(exists).await.doing("look for pending events")
    }
}

impl TriageTx {
    /// What to take through triage now: the oldest events, and of one with very many alerts a
    /// part, so that everybody has a turn. Something always comes, whatever its size.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pending_events(&mut self, share: &Share) -> Result<Vec<PendingEvent>, StoreError> {
        let found: Vec<Waiting> = with_tx!(self.tx, |conn| {
            sqlx::query_as(PENDING).bind(i64::from(share.events)).fetch_all(&mut *conn).await
        })
        .doing("look for pending events")?;
        let chosen = choose(&found, share);
        let ids: Vec<&str> = chosen.iter().map(|(waiting, _)| waiting.id.as_str()).collect();
        let events: Vec<PendingEvent> =
            read_by_keys!(self.tx, PendingEvent, &ids, BODIES, "").doing("read pending events")?;
        let mut events: HashMap<String, PendingEvent> =
            events.into_iter().map(|event| (event.id.clone(), event)).collect();
        let found = chosen.into_iter().filter_map(|(waiting, places)| {
            let event = events.remove(&waiting.id)?;
            Some(PendingEvent { places, total: number(waiting.total), ..event })
        });
        Ok(found.collect())
    }
}

/// Which events to take, and which places of each.
fn choose<'w>(found: &'w [Waiting], share: &Share) -> Vec<(&'w Waiting, Range<usize>)> {
    let mut chosen: Vec<(&Waiting, Range<usize>)> = Vec::with_capacity(found.len());
    let (mut bytes, mut left, mut has_large) = (0, share.alerts, false);
    for waiting in found {
        let place = number(waiting.place);
        let rest = number(waiting.total).saturating_sub(place).max(1);
        let is_large = rest > share.part;
        if is_large && (has_large || share.others_first) {
            continue;
        }
        bytes += waiting.bytes;
        let is_too_much = (!is_large && rest > left) || bytes > share.bytes;
        if is_too_much && !chosen.is_empty() {
            break;
        }
        if is_large {
            has_large = true;
        } else {
            left -= rest;
        }
        chosen.push((waiting, places_of(waiting, share)));
    }
    if chosen.is_empty() {
        chosen.extend(found.first().map(|waiting| (waiting, places_of(waiting, share))));
    }
    chosen
}

fn places_of(waiting: &Waiting, share: &Share) -> Range<usize> {
    let place = number(waiting.place);
    place..place.saturating_add(share.part)
}

fn number(stored: i64) -> usize {
    usize::try_from(stored).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { events: 10, part: 100, alerts: 100, others_first: false, bytes: 1_000 };

    /// What is chosen among events of so many alerts of which so many are done with.
    fn chosen(found: &[(i64, i64)], share: &Share) -> Vec<(String, Range<usize>)> {
        let found: Vec<Waiting> = found
            .iter()
            .enumerate()
            .map(|(n, (total, place))| Waiting { id: n.to_string(), bytes: 10, total: *total, place: *place })
            .collect();
        choose(&found, share).into_iter().map(|(waiting, places)| (waiting.id.clone(), places)).collect()
    }

    #[test]
    fn small_events_share_a_turn_as_long_as_there_is_room() {
        let found = chosen(&[(60, 0), (40, 0), (1, 0)], &SHARE);
        let ids: Vec<String> = found.into_iter().map(|(id, _)| id).collect();

        assert_eq!(ids, ["0", "1"]);
    }

    #[test]
    fn a_large_event_takes_a_part_each_time_and_lets_small_ones_pass() {
        let found = chosen(&[(100_000, 300), (2, 0), (500, 0), (3, 0)], &SHARE);

        let expected = [("0", 300..400), ("1", 0..100), ("3", 0..100)];
        assert_eq!(found, expected.map(|(id, places)| (id.to_owned(), places)));
    }

    #[test]
    fn every_other_turn_is_for_the_small_ones_alone_if_there_are_any() {
        let others = Share { others_first: true, ..SHARE };

        assert_eq!(chosen(&[(100_000, 0), (2, 0)], &others), [("1".to_owned(), 0..100)]);
        assert_eq!(chosen(&[(100_000, 300), (500, 0)], &others), [("0".to_owned(), 300..400)]);
    }

    #[test]
    fn the_end_of_a_large_event_is_taken_like_a_small_one() {
        assert_eq!(chosen(&[(500, 450), (50, 0)], &SHARE).len(), 2);
    }

    #[test]
    fn bodies_share_a_turn_up_to_a_number_of_bytes_and_one_always_comes() {
        let large = |id: &str| Waiting { id: id.to_owned(), bytes: 900, total: 1, place: 0 };
        let two = [large("a"), large("b")];
        assert_eq!(choose(&two, &SHARE).len(), 1);
        assert_eq!(choose(&two, &Share { bytes: 1, ..SHARE }).len(), 1);
        assert_eq!(choose(&two, &Share { bytes: 1_800, ..SHARE }).len(), 2);
    }
}
