//! Storing what arrives, many events per transaction; [`super::twins`] decides who was first
//! among twins.

use std::collections::BTreeMap;

use sqlx::SqlitePool;
use tokio::time::Instant;

use super::bound::Places;
use super::dialect::{Dialect, PerDialect};
use super::error::Doing as _;
use super::events::{EventState, NewEvent, Stored};
use super::news::News;
use super::script::Script;
use super::twins::{ClaimBatch, Recent};
use super::{Pool, Store, StoreError, Tx, twins};
use crate::domain::clock::Timestamp;
use crate::domain::ids::IdMaker;

const COUNT_TWINS: &str = "UPDATE events SET twins = twins + $2 WHERE id = $1";
macro_rules! insert_events_sql {
    () => {
        "INSERT INTO events (id, received_at, state, source, receiver, group_key, external_url, \
         actor, alerts, rejected, truncated, twins, replay_of, reason, verdicts, body)"
    };
}
macro_rules! insert_claims_sql {
    () => {
        "INSERT INTO event_key_batches (id, expires_at, keys) VALUES (?, ?, ?)"
    };
}
const INSERT_EVENTS: &str = insert_events_sql!();
const INSERT_CLAIMS: &str = insert_claims_sql!();
/// A whole transaction of SQLite's in one statement's text.
const INSERT_AT_ONCE: &str = concat!("BEGIN IMMEDIATE; ", insert_claims_sql!(), "; ", insert_events_sql!());
/// The most events of such a transaction.
const AT_ONCE: usize = 256;
const FORGET_KEYS: PerDialect = PerDialect {
    sqlite: "DELETE FROM event_keys WHERE key IN \
             (SELECT key FROM event_keys WHERE expires_at <= $1 LIMIT 1000)",
    // Every replica does this: each passes over what another is about to forget or renew.
    postgres: "DELETE FROM event_keys WHERE key = ANY (ARRAY \
               (SELECT key FROM event_keys WHERE expires_at <= $1 LIMIT 1000 FOR UPDATE SKIP LOCKED))",
};
const FORGET_BATCHES: &str = "DELETE FROM event_key_batches WHERE expires_at <= $1";
const FORGET_AT_ONCE: u64 = 1_000;

macro_rules! bind_event {
    ($query:expr, $event:expr) => {
        $query
            .bind(&$event.id)
            .bind($event.received_at.as_millis())
            .bind($event.state.as_str())
            .bind($event.source)
            .bind(&$event.receiver)
            .bind(&$event.group_key)
            .bind(&$event.external_url)
            .bind(&$event.actor)
            .bind(i64::try_from($event.alerts).unwrap_or(i64::MAX))
            .bind(i64::try_from($event.rejected).unwrap_or(i64::MAX))
            .bind(i64::try_from($event.truncated).unwrap_or(i64::MAX))
            .bind(0_i64)
            .bind(&$event.replay_of)
            .bind(&$event.reason)
            .bind(&$event.verdicts)
            .bind($event.body.as_slice())
    };
}

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
    /// Gives events their ids and stores them in one transaction; the answers are in the order
    /// of `events`. An id is given right before it is stored: what another replica has answered
    /// before sorts before it, whatever the clocks say.
    ///
    /// # Errors
    /// Then none of them is stored.
    pub async fn take_in(&self, ids: &IdMaker, events: &mut [NewEvent]) -> Result<Vec<Stored>, StoreError> {
        let Pool::Sqlite { write, .. } = &self.pool else {
            let (tx, ()) = tokio::try_join!(self.begin_intake(), self.go_on_with_event_ids(ids))?;
            name(events, ids);
            return insert_on_server(tx, events).await;
        };
        name(events, ids);
        let stored = self.insert_in_file(write, events).await?;
        // After the commit: what went into a file that nobody finds again was not stored.
        self.check_file()?;
        Ok(stored)
    }

    /// Stores events that have their ids in one transaction; the answers are in the order of
    /// `events`.
    ///
    /// # Errors
    /// Then none of them is stored.
    pub async fn insert_events(&self, events: &[NewEvent]) -> Result<Vec<Stored>, StoreError> {
        match &self.pool {
            Pool::Sqlite { write, .. } => self.insert_in_file(write, events).await,
            Pool::Postgres(_) => insert_on_server(self.begin_write().await?, events).await,
        }
    }

    async fn insert_in_file(
        &self,
        write: &SqlitePool,
        events: &[NewEvent],
    ) -> Result<Vec<Stored>, StoreError> {
        let _storing = self.precedence.intake_begins();
        // A file of ours alone: nobody waits for this but who stores events next.
        let mut memory = self.recent.lock().await;
        // It is put back once everything came to a good end, and read anew otherwise.
        let mut recent = match memory.take() {
            Some(recent) => recent,
            None => Recent::load(&mut self.begin_read().await?).await?,
        };
        let (stored, claims) = recent.judge(events);
        let new = new_ones(events, &stored);
        match claims {
            Some(claims) if new.len() == events.len() && new.len() <= AT_ONCE => {
                self.insert_at_once(write, &claims, &new).await?;
            }
            claims => self.insert_step_by_step(claims.as_ref(), &new, &stored).await?,
        }
        *memory = Some(recent);
        Ok(stored)
    }

    /// The whole transaction in one call: each costs SQLite two changes of threads.
    async fn insert_at_once(
        &self,
        write: &SqlitePool,
        claims: &ClaimBatch,
        new: &[&NewEvent],
    ) -> Result<(), StoreError> {
        let asked = Instant::now();
        let mut script = Script::begin(write).await.doing("begin a transaction")?;
        self.precedence.intake_waited(asked.elapsed());
        let mut query =
            Places::default().bind(&claims.id).bind(claims.expires_at).bind(claims.keys.as_slice());
        for event in new {
            query = bind_event!(query, event);
        }
        let sql = Dialect::Sqlite.values_sql(INSERT_AT_ONCE, 16, new.len(), "; COMMIT");
        script.run(sql, query).await.doing("store events")
    }

    async fn insert_step_by_step(
        &self,
        claims: Option<&ClaimBatch>,
        new: &[&NewEvent],
        stored: &[Stored],
    ) -> Result<(), StoreError> {
        let asked = Instant::now();
        let mut tx = self.begin_write_at_once().await?;
        self.precedence.intake_waited(asked.elapsed());
        if let Some(claims) = claims {
            with_tx!(tx, |conn| {
                let query = sqlx::query(INSERT_CLAIMS).bind(&claims.id).bind(claims.expires_at);
                query.bind(claims.keys.as_slice()).execute(&mut *conn).await.map(|_| ())
            })
            .doing("claim twin keys")?;
        }
        insert(&mut tx, new).await?;
        count_twins(&mut tx, stored).await?;
        tx.commit().await
    }

    /// Tells the store that intake came through a batch while so many more events came: whoever
    /// else writes lets an intake that is behind go first.
    pub fn intake_went_on(&self, stored: usize, waiting: usize) {
        self.precedence.intake_stored(stored, waiting);
    }

    /// Whether more comes than intake can store, and for long: whoever else writes should do so
    /// in small pieces.
    pub fn is_intake_overtaxed(&self) -> bool {
        self.precedence.is_intake_overtaxed()
    }

    /// Forgets the keys of deliveries whose twins would no longer count as such, in short
    /// transactions; answers how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_twin_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await?;
        let forgotten = with_tx!(tx, |conn| {
            let query = sqlx::query(FORGET_BATCHES).bind(now.as_millis());
            query.execute(&mut *conn).await.map(|done| done.rows_affected())
        });
        let mut forgotten = forgotten.doing("forget twin keys")?;
        tx.commit().await?;
        loop {
            let batch = self.forget_some_twin_keys(now).await?;
            forgotten += batch;
            if batch < FORGET_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }

    async fn forget_some_twin_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
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

/// Gives events their ids.
fn name(events: &mut [NewEvent], ids: &IdMaker) {
    for event in events {
        event.id = ids.next_id();
    }
}

fn new_ones<'e>(events: &'e [NewEvent], stored: &[Stored]) -> Vec<&'e NewEvent> {
    events.iter().zip(stored).filter(|(_, s)| **s == Stored::New).map(|(event, _)| event).collect()
}

async fn insert_on_server(mut tx: Tx, events: &[NewEvent]) -> Result<Vec<Stored>, StoreError> {
    let stored = twins::judge(&mut tx, events).await?;
    let new = new_ones(events, &stored);
    insert(&mut tx, &new).await?;
    count_twins(&mut tx, &stored).await?;
    if new.iter().any(|event| event.state == EventState::Pending) {
        tx.announce(News { events: true, ..News::default() });
    }
    tx.commit().await?;
    Ok(stored)
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

async fn insert(tx: &mut Tx, events: &[&NewEvent]) -> Result<(), StoreError> {
    write_rows!(*tx, events, 16, INSERT_EVENTS, "", |query, event| bind_event!(query, event))
        .doing("store events")?;
    Ok(())
}
