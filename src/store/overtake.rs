//! Messages that a newer one of the same incident and channel overtook before anything of
//! them was sent: they end as superseded, and the newer one stands for them.
//!
//! Decided in the transaction that writes the newer message. What a worker is taking at that
//! moment is left to it: it is locked on PostgreSQL, and SQLite has one writer.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::triage::NewNotification;
use super::{StoreError, Tx};
use crate::domain::clock::Timestamp;
use crate::domain::notification::Snapshot;

/// A message that ended because a newer one stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// The message that ended.
    pub id: String,
    /// Its channel.
    pub channel: String,
    /// Why, in words; names the newer message.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// True of a message of which nothing can have reached the provider.
macro_rules! never_sent {
    () => {
        "n.state = 'pending' AND (SELECT COUNT(*) FROM attempts a WHERE a.notification_id = n.id \
         AND a.outcome IN ('accepted', 'ambiguous')) = 0"
    };
}
pub(super) use never_sent;

const UNSENT: &str =
    concat!("SELECT n.id, n.snapshot FROM notifications n WHERE ", never_sent!(), " AND n.id IN");
const LOCK: PerDialect = PerDialect { sqlite: "", postgres: "ORDER BY n.id FOR UPDATE OF n SKIP LOCKED" };
const SUPERSEDE: &str = "UPDATE notifications SET state = 'superseded', reason = v.column2, \
     finished_at = v.column3 FROM (";
const SUPERSEDE_WHERE: &str = ") AS v WHERE notifications.id = v.column1 AND notifications.state = 'pending'";

impl Tx {
    /// Puts messages into the outbox, each in the place of the one that it follows if nothing
    /// of that was sent. Answers which messages ended by it.
    ///
    /// # Errors
    /// When the database does not take them.
    pub(super) async fn insert_overtaking(
        &mut self,
        rows: &[NewNotification],
    ) -> Result<Vec<Superseded>, StoreError> {
        let followed: HashSet<&str> = rows.iter().filter_map(|row| row.follows.as_deref()).collect();
        if followed.is_empty() {
            self.insert_notifications(rows).await?;
            return Ok(Vec::new());
        }
        let mut unsent = self.unsent(&followed).await?;
        let mut superseded = Vec::new();
        let mut told: Vec<Cow<'_, NewNotification>> = Vec::with_capacity(rows.len());
        for row in rows {
            let mut row = Cow::Borrowed(row);
            let overtaken = row.follows.as_deref().and_then(|id| unsent.remove_entry(id));
            if let Some((id, older)) = overtaken {
                row.to_mut().snapshot.overtake(&older);
                superseded.push(ended(id, &row));
            }
            // One transaction may tell the same incident several times.
            if followed.contains(row.id.as_str()) {
                unsent.insert(row.id.clone(), row.snapshot.clone());
            }
            told.push(row);
        }
        let told: Vec<NewNotification> = told.into_iter().map(Cow::into_owned).collect();
        self.insert_notifications(&told).await?;
        self.supersede(&superseded).await?;
        Ok(superseded)
    }

    async fn unsent(&mut self, ids: &HashSet<&str>) -> Result<HashMap<String, Snapshot>, StoreError> {
        let ids: Vec<&str> = ids.iter().copied().collect();
        let lock = LOCK.pick(self);
        let rows: Vec<(String, String)> = read_by_keys!(*self, (String, String), &ids, UNSENT, lock)
            .doing("look for messages that were not sent")?;
        let readable = |(id, json): (String, String)| Some((id, serde_json::from_str(&json).ok()?));
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    /// Ends messages that newer ones stand for.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(super) async fn supersede(&mut self, rows: &[Superseded]) -> Result<(), StoreError> {
        write_rows!(*self, rows, 3, SUPERSEDE, SUPERSEDE_WHERE, |query, row| query
            .bind(&row.id)
            .bind(&row.reason)
            .bind(row.at.as_millis()))
        .doing("end messages that newer ones stand for")?;
        Ok(())
    }
}

fn ended(id: String, by: &NewNotification) -> Superseded {
    Superseded {
        id,
        channel: by.channel.clone(),
        reason: format!("superseded before it was sent: notification {} has the newer state", by.id),
        at: by.snapshot.at,
    }
}
