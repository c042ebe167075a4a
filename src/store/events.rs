//! Events: storing what arrives, many per transaction, and deciding who was first among
//! twins by a unique key.

use std::collections::{BTreeMap, HashSet};

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::news::News;
pub use super::turns::TwinKey;
use super::turns::{self, Claimant, Owners};
use super::{Store, StoreError, Tx};
use crate::domain::clock::Timestamp;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// Stored, not yet triaged.
    Pending,
    /// Triaged.
    Processed,
    /// Not an alert body: kept, never triaged.
    Rejected,
    /// Triage could not make sense of it: kept, may be replayed.
    Failed,
}

impl EventState {
    /// The word in the database and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// One inbound body about to be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Rises with every event of this process.
    pub id: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// `Pending` or `Rejected`.
    pub state: EventState,
    /// `alertmanager`.
    pub source: &'static str,
    /// The sender's receiver name.
    pub receiver: String,
    /// Alertmanager's group key; may be empty.
    pub group_key: String,
    /// Alertmanager's own address; may be empty.
    pub external_url: String,
    /// The token's name.
    pub actor: String,
    /// How many alerts were taken.
    pub alerts: usize,
    /// How many alerts were refused.
    pub rejected: usize,
    /// How many alerts the sender cut.
    pub truncated: u64,
    /// The event this one repeats by hand.
    pub replay_of: Option<String>,
    /// Why it was rejected; empty otherwise.
    pub reason: String,
    /// JSON array of refused alerts.
    pub verdicts: String,
    /// The body, or its head when rejected.
    pub body: Vec<u8>,
    /// What twins have in common, and until when a second one counts as such.
    pub twin: Option<TwinKey>,
}

/// What became of a [`NewEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in the log under its own id.
    New,
    /// An equal delivery was there first.
    TwinOf(String),
}

const CLAIM_KEYS: &str = "INSERT INTO event_keys (key, event_id, seen_at, expires_at)";
const CLAIM_KEYS_UNLESS_LIVE: &str = "ON CONFLICT (key) DO UPDATE \
     SET event_id = excluded.event_id, seen_at = excluded.seen_at, expires_at = excluded.expires_at \
     WHERE event_keys.expires_at <= excluded.seen_at RETURNING key";
const KEY_OWNERS: &str = "SELECT key, event_id FROM event_keys WHERE key IN";
const COUNT_TWINS: &str = "UPDATE events SET twins = twins + $2 WHERE id = $1";
const INSERT_EVENTS: &str = "INSERT INTO events (id, received_at, state, source, receiver, group_key, external_url, \
     actor, alerts, rejected, truncated, twins, replay_of, reason, verdicts, body)";
const FORGET_KEYS: PerDialect = PerDialect {
    sqlite: "DELETE FROM event_keys WHERE key IN \
             (SELECT key FROM event_keys WHERE expires_at <= $1 LIMIT 5000)",
    // Every replica does this: each passes over what another is about to forget or renew.
    postgres: "DELETE FROM event_keys WHERE key = ANY (ARRAY \
               (SELECT key FROM event_keys WHERE expires_at <= $1 LIMIT 5000 FOR UPDATE SKIP LOCKED))",
};

impl Tx {
    /// Stores an event that has no twin.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_event(&mut self, event: &NewEvent) -> Result<(), StoreError> {
        insert(self, &[event]).await
    }
}

impl Store {
    /// Stores events in one transaction; the answers are in the order of `events`.
    ///
    /// # Errors
    /// Then none of them is stored.
    pub async fn insert_events(&self, events: &[NewEvent]) -> Result<Vec<Stored>, StoreError> {
        let mut tx = self.begin_write().await?;
        let claimants: Vec<Claimant<'_>> = events.iter().filter_map(claimant).collect();
        let mut owners = claim_twin_keys(&mut tx, &claimants).await?;
        turns::take_turns(&mut tx, &claimants, &mut owners).await?;
        let stored: Vec<Stored> = events.iter().map(|event| verdict(event, &owners)).collect();
        let new: Vec<&NewEvent> =
            events.iter().zip(&stored).filter(|(_, s)| **s == Stored::New).map(|(event, _)| event).collect();
        insert(&mut tx, &new).await?;
        count_twins(&mut tx, &stored).await?;
        if new.iter().any(|event| event.state == EventState::Pending) {
            tx.announce(News { events: true, ..News::default() });
        }
        tx.commit().await?;
        Ok(stored)
    }

    /// Forgets the keys of deliveries whose twins would no longer count as such.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_twin_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await?;
        let sql = FORGET_KEYS.pick(&tx);
        let forgotten = with_tx!(tx, |conn| {
            sqlx::query(sql).bind(now.as_millis()).execute(&mut *conn).await.map(|done| done.rows_affected())
        })
        .doing("forget twin keys")?;
        tx.commit().await?;
        Ok(forgotten)
    }
}

fn verdict(event: &NewEvent, owners: &Owners) -> Stored {
    match event.twin.as_ref().and_then(|twin| owners.get(&twin.key)) {
        Some(owner) if *owner != event.id => Stored::TwinOf(owner.clone()),
        _ => Stored::New,
    }
}

/// In the order of the ids: two replicas that count the same twins wait for instead of block
/// each other.
async fn count_twins(tx: &mut Tx, stored: &[Stored]) -> Result<(), StoreError> {
    let mut twins: BTreeMap<&str, i64> = BTreeMap::new();
    for verdict in stored {
        if let Stored::TwinOf(first) = verdict {
            *twins.entry(first).or_default() += 1;
        }
    }
    for (first, count) in twins {
        with_tx!(tx, |conn| {
            let query = sqlx::query(COUNT_TWINS).bind(first).bind(count);
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("count twins")?;
    }
    Ok(())
}

fn claimant(event: &NewEvent) -> Option<Claimant<'_>> {
    event.twin.as_ref().map(|twin| Claimant { id: &event.id, at: event.received_at, twin })
}

/// Which event owns each twin key after this.
async fn claim_twin_keys(tx: &mut Tx, claimants: &[Claimant<'_>]) -> Result<Owners, StoreError> {
    // One statement may not touch a row twice: among equals of one batch the first claims.
    let mut seen = HashSet::new();
    let mut first: Vec<Claimant<'_>> =
        claimants.iter().copied().filter(|claimant| seen.insert(claimant.twin.key.as_str())).collect();
    // In one order everywhere, so that replicas wait for instead of block each other.
    first.sort_unstable_by_key(|claimant| &claimant.twin.key);
    let won = claim(tx, &first).await.doing("claim twin keys")?;
    let mut owners = Owners::with_capacity(first.len());
    let mut lost: Vec<&str> = Vec::new();
    for claimant in first {
        let key = &claimant.twin.key;
        if won.contains(key) {
            owners.insert(key.clone(), claimant.id.to_owned());
        } else {
            lost.push(key);
        }
    }
    let earlier: Vec<(String, String)> =
        read_by_keys!(*tx, (String, String), &lost, KEY_OWNERS, "").doing("find the first of twins")?;
    owners.extend(earlier);
    Ok(owners)
}

async fn claim(tx: &mut Tx, claimants: &[Claimant<'_>]) -> Result<HashSet<String>, sqlx::Error> {
    let mut won = HashSet::with_capacity(claimants.len());
    for batch in super::dialect::batches(claimants, 4) {
        let sql = super::dialect::values_sql(CLAIM_KEYS, 4, batch.len(), CLAIM_KEYS_UNLESS_LIVE);
        let rows: Vec<(String,)> = with_tx!(tx, |conn| {
            let mut query = sqlx::query_as(sql);
            for claimant in batch {
                query = query
                    .bind(&claimant.twin.key)
                    .bind(claimant.id)
                    .bind(claimant.at.as_millis())
                    .bind(claimant.twin.expires_at.as_millis());
            }
            query.fetch_all(&mut *conn).await
        })?;
        won.extend(rows.into_iter().map(|(key,)| key));
    }
    Ok(won)
}

async fn insert(tx: &mut Tx, events: &[&NewEvent]) -> Result<(), StoreError> {
    write_rows!(*tx, events, 16, INSERT_EVENTS, "", |query, event| query
        .bind(&event.id)
        .bind(event.received_at.as_millis())
        .bind(event.state.as_str())
        .bind(event.source)
        .bind(&event.receiver)
        .bind(&event.group_key)
        .bind(&event.external_url)
        .bind(&event.actor)
        .bind(i64::try_from(event.alerts).unwrap_or(i64::MAX))
        .bind(i64::try_from(event.rejected).unwrap_or(i64::MAX))
        .bind(i64::try_from(event.truncated).unwrap_or(i64::MAX))
        .bind(0_i64)
        .bind(&event.replay_of)
        .bind(&event.reason)
        .bind(&event.verdicts)
        .bind(event.body.as_slice()))
    .doing("store events")?;
    Ok(())
}
