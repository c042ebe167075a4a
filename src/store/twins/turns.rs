//! Turns: what was said between two equal deliveries decides whether the second is a twin.
//!
//! A body that tells an end is the latest turn of its group, and so is one that was taken
//! although an equal one came before. A body equal to one from before the turn says that
//! something holds *again*: it is news. The turn of a group is one more row among the twin
//! keys, and only ends and equal bodies cost a statement.

use std::collections::{BTreeMap, HashMap};

use super::{Claimant, Owners};
use crate::store::error::Doing as _;
use crate::store::events::TwinKey;
use crate::store::{StoreError, Tx};

const OVERWRITE: &str = "INSERT INTO event_keys (key, event_id, seen_at, expires_at)";
const OVERWRITE_SET: &str = "ON CONFLICT (key) DO UPDATE \
     SET event_id = excluded.event_id, seen_at = excluded.seen_at, expires_at = excluded.expires_at";
const LAST_TURNS: &str = "SELECT key, event_id FROM event_keys WHERE key IN";

/// Keys and to whom they go. In the order of the keys, so that replicas wait for instead of
/// block each other.
type Rows<'e> = BTreeMap<&'e str, Claimant<'e>>;

/// Gives the keys of those equal bodies that are news to them, and keeps which turns there
/// were. The claim has locked the keys' rows until the transaction ends.
pub(super) async fn take_turns(
    tx: &mut Tx,
    claimants: &[Claimant<'_>],
    owners: &mut Owners,
) -> Result<(), StoreError> {
    let (mut turns, mut equals) = (Rows::new(), Vec::new());
    for claimant in claimants {
        if owners.get(&claimant.twin.key).is_none_or(|owner| owner != claimant.id) {
            equals.push(*claimant);
        } else if claimant.twin.tells_end {
            turns.insert(&claimant.twin.turn_key, *claimant);
        }
    }
    overwrite(tx, turns).await?;
    if equals.is_empty() {
        return Ok(());
    }
    let news = find_news(tx, &equals, owners).await?;
    overwrite(tx, news).await
}

/// Of bodies equal to earlier ones those with a turn in between, as keys to be written.
async fn find_news<'e>(
    tx: &mut Tx,
    equals: &[Claimant<'e>],
    owners: &mut Owners,
) -> Result<Rows<'e>, StoreError> {
    let mut turn_keys: Vec<&str> = equals.iter().map(|claimant| claimant.twin.turn_key.as_str()).collect();
    turn_keys.sort_unstable();
    turn_keys.dedup();
    let found: Vec<(String, String)> =
        read_by_keys!(*tx, (String, String), &turn_keys, LAST_TURNS, "").doing("read the latest turns")?;
    let mut turns: HashMap<String, String> = found.into_iter().collect();
    let mut news = Rows::new();
    for claimant in equals {
        let TwinKey { key, turn_key, .. } = claimant.twin;
        let is_news = turns
            .get(turn_key)
            .zip(owners.get(key))
            .is_some_and(|(turn, owner)| owner.as_str() < turn.as_str() && turn.as_str() < claimant.id);
        if is_news {
            owners.insert(key.clone(), claimant.id.to_owned());
            turns.insert(turn_key.clone(), claimant.id.to_owned());
            news.insert(key, *claimant);
            news.insert(turn_key, *claimant);
        }
    }
    Ok(news)
}

async fn overwrite(tx: &mut Tx, rows: Rows<'_>) -> Result<(), StoreError> {
    let rows: Vec<(&str, Claimant<'_>)> = rows.into_iter().collect();
    write_rows!(*tx, &rows, 4, OVERWRITE, OVERWRITE_SET, |query, row| query
        .bind(row.0)
        .bind(row.1.id)
        .bind(row.1.at.as_millis())
        .bind(row.1.twin.expires_at.as_millis()))
    .doing("keep the turns of groups")?;
    Ok(())
}
