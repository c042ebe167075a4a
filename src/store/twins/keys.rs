//! Keys that are unique in the database: the insert decides who was first, over any number of
//! replicas.

use std::collections::HashSet;

use super::{Claimant, Owners, turns};
use crate::store::error::Doing as _;
use crate::store::events::{NewEvent, Stored};
use crate::store::{StoreError, Tx};

const CLAIM_KEYS: &str = "INSERT INTO event_keys (key, event_id, seen_at, expires_at)";
const CLAIM_KEYS_UNLESS_LIVE: &str = "ON CONFLICT (key) DO UPDATE \
     SET event_id = excluded.event_id, seen_at = excluded.seen_at, expires_at = excluded.expires_at \
     WHERE event_keys.expires_at <= excluded.seen_at";
const OTHERS_KEYS: &str = "SELECT k.key, k.event_id FROM (";
const OTHERS_KEYS_JOIN: &str = ") AS v JOIN event_keys k ON k.key = v.column1 WHERE k.event_id <> v.column2";

/// What each event is, in the order of `events`; the claims are written.
pub async fn judge(tx: &mut Tx, events: &[NewEvent]) -> Result<Vec<Stored>, StoreError> {
    let claimants: Vec<Claimant<'_>> = events.iter().filter_map(claimant).collect();
    let mut owners = claim_twin_keys(tx, &claimants).await?;
    turns::take_turns(tx, &claimants, &mut owners).await?;
    Ok(events.iter().map(|event| verdict(event, &owners)).collect())
}

fn claimant(event: &NewEvent) -> Option<Claimant<'_>> {
    event.twin.as_ref().map(|twin| Claimant { id: &event.id, at: event.received_at, twin })
}

fn verdict(event: &NewEvent, owners: &Owners) -> Stored {
    match event.twin.as_ref().and_then(|twin| owners.get(&twin.key)) {
        Some(owner) if *owner != event.id => Stored::TwinOf(owner.clone()),
        _ => Stored::New,
    }
}

/// Which event owns each twin key after this.
async fn claim_twin_keys(tx: &mut Tx, claimants: &[Claimant<'_>]) -> Result<Owners, StoreError> {
    // One statement may not touch a row twice: among equals of one batch the first claims.
    let mut seen = HashSet::new();
    let mut first: Vec<Claimant<'_>> =
        claimants.iter().copied().filter(|claimant| seen.insert(claimant.twin.key.as_str())).collect();
    // In one order everywhere, so that replicas wait for instead of block each other.
    first.sort_unstable_by_key(|claimant| &claimant.twin.key);
    let claimed = write_rows!(*tx, &first, 4, CLAIM_KEYS, CLAIM_KEYS_UNLESS_LIVE, |query, claimant| query
        .bind(&claimant.twin.key)
        .bind(claimant.id)
        .bind(claimant.at.as_millis())
        .bind(claimant.twin.expires_at.as_millis()))
    .doing("claim twin keys")?;
    let mut owners: Owners =
        first.iter().map(|claimant| (claimant.twin.key.clone(), claimant.id.to_owned())).collect();
    let all_are_first = usize::try_from(claimed).is_ok_and(|claimed| claimed == first.len());
    if !all_are_first {
        let others =
            read_rows!(*tx, (String, String), &first, 2, OTHERS_KEYS, OTHERS_KEYS_JOIN, |query, claimant| {
                query.bind(&claimant.twin.key).bind(claimant.id)
            });
        owners.extend(others.doing("find the first of twins")?);
    }
    Ok(owners)
}
