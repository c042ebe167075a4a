//! Stand-ins: what a channel could not deliver, owed to its fallback channel instead.
//!
//! Promises: at most one stand-in for a message, whatever is recorded twice (a unique
//! index); none where the fallback channel is told by itself; a stand-in and the end of its original are written together or not at all.

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::rows::to_json;
use super::{StoreError, Tx};
use crate::domain::clock::Timestamp;
use crate::domain::notification::Snapshot;

/// A message owed to a fallback channel.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// Ours.
    pub id: String,
    /// The message it stands in for.
    pub of: String,
    /// The fallback channel.
    pub channel: String,
    /// When the original ended.
    pub at: Timestamp,
    /// After this it fails for good.
    pub expires_at: Timestamp,
    /// What it says.
    pub snapshot: Snapshot,
    /// On what it depends.
    pub when: When,
}

/// How the original must have ended, at [`StandIn::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It failed for good.
    Failed,
    /// It was withdrawn in favour of the stand-in.
    Superseded,
    /// It was delivered and tells the end of what the fallback channel was told before.
    EndDelivered,
}

/// A message that waits for a channel that does not deliver.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Waiting {
    /// The notification.
    pub id: String,
    /// [`Snapshot`] as JSON.
    pub snapshot: String,
    /// After this it fails for good, milliseconds.
    pub expires_at: i64,
}

/// The end of a message that nobody tried to send.
#[derive(Clone, Debug)]
pub struct Withdrawn {
    /// The notification.
    pub id: String,
    /// `superseded` or `failed`.
    pub state: &'static str,
    /// Why, in words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

const INSERT: &str = "INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, alertname, \
     received_at, created_at, due_at, expires_at, attempts, series, reason, maybe_twice, snapshot, fallback_of, priority) \
     SELECT v.column1, v.column2, o.dedup_key, o.kind, 'pending', o.severity, o.entry, o.alertname, o.received_at, \
     v.column3, v.column3, v.column4, 0, 1, '', FALSE, v.column5, o.id, o.priority FROM (";
/// Not what the fallback channel is told by itself, of the same moment.
const INSERT_WHERE: &str = ") AS v JOIN notifications o ON o.id = v.column6 WHERE o.state = v.column7 \
     AND o.finished_at = v.column3 AND NOT EXISTS (SELECT 1 FROM notification_incidents oi \
         JOIN notification_incidents di ON di.incident_id = oi.incident_id \
         JOIN notifications d ON d.id = di.notification_id \
         WHERE oi.notification_id = o.id AND d.channel = v.column2 AND d.kind = o.kind \
         AND d.created_at = o.created_at AND d.fallback_of IS NULL \
         AND d.state NOT IN ('failed', 'cancelled')) ON CONFLICT DO NOTHING";
/// Only what the fallback channel was told last about the same incident, and was no end.
const INSERT_WHERE_END: &str = ") AS v JOIN notifications o ON o.id = v.column6 WHERE o.state = v.column7 \
     AND o.finished_at = v.column3 AND (SELECT f.kind FROM notifications f \
         JOIN notification_incidents fi ON fi.notification_id = f.id \
         JOIN notification_incidents oi ON oi.incident_id = fi.incident_id AND oi.notification_id = o.id \
         WHERE f.dedup_key = o.dedup_key AND f.fallback_of IS NOT NULL AND f.channel = v.column2 \
         ORDER BY f.id DESC LIMIT 1) <> 'resolved' ON CONFLICT DO NOTHING";
const TIE: &str = "INSERT INTO notification_incidents (notification_id, incident_id) \
     SELECT n.id, ni.incident_id FROM (";
const TIE_WHERE: &str = ") AS v JOIN notifications n ON n.id = v.column1 \
     JOIN notification_incidents ni ON ni.notification_id = n.fallback_of WHERE TRUE ON CONFLICT DO NOTHING";
/// A place for what the provider leaves to refer to; the routing tree does not look at it.
const PLACES: &str = "INSERT INTO conversations (incident_id, channel, last_answer) \
     SELECT DISTINCT ni.incident_id, n.channel, 'nothing: it stands in for another channel' FROM (";
const PLACES_WHERE: &str = ") AS v JOIN notifications n ON n.id = v.column1 \
     JOIN notification_incidents ni ON ni.notification_id = n.id WHERE TRUE ON CONFLICT DO NOTHING";
/// Locked against a probe being claimed meanwhile: what is under way must not be withdrawn.
const IS_OPEN: PerDialect = PerDialect {
    sqlite: "SELECT breaker FROM channel_health WHERE channel = $1 AND breaker = 'open'",
    postgres: "SELECT breaker FROM channel_health WHERE channel = $1 AND breaker = 'open' FOR UPDATE",
};
macro_rules! waiting_sql {
    ($lock:literal) => {
        concat!(
            "SELECT n.id, n.snapshot, n.expires_at FROM notifications n WHERE n.channel = $1 AND n.state = 'pending' \
             AND n.expires_at <= $2 AND NOT EXISTS (SELECT 1 FROM notifications o WHERE o.channel = n.channel \
             AND o.dedup_key = n.dedup_key AND o.state = 'sending' AND o.id < n.id) ORDER BY n.id LIMIT $3",
            $lock
        )
    };
}
const WAITING: PerDialect =
    PerDialect { sqlite: waiting_sql!(""), postgres: waiting_sql!(" FOR UPDATE OF n SKIP LOCKED") };
const WITHDRAW: &str =
    "UPDATE notifications SET state = v.column2, reason = v.column3, finished_at = v.column4 FROM (";
const WITHDRAW_WHERE: &str = ") AS v WHERE notifications.id = v.column1 AND notifications.state = 'pending'";

impl When {
    const fn state(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::EndDelivered => "delivered",
        }
    }
}

impl Tx {
    /// Puts stand-ins into the outbox of those originals that ended as they must have.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn insert_stand_ins(&mut self, rows: &[StandIn]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (ends, others): (Vec<&StandIn>, Vec<&StandIn>) =
            rows.iter().partition(|row| row.when == When::EndDelivered);
        self.insert_where(&others, INSERT_WHERE).await?;
        self.insert_where(&ends, INSERT_WHERE_END).await?;
        write_rows!(*self, rows, 1, TIE, TIE_WHERE, |query, row| query.bind(&row.id))
            .doing("tie stand-ins to incidents")?;
        write_rows!(*self, rows, 1, PLACES, PLACES_WHERE, |query, row| query.bind(&row.id))
            .doing("make conversations of stand-ins")?;
        Ok(())
    }

    async fn insert_where(&mut self, rows: &[&StandIn], suffix: &'static str) -> Result<(), StoreError> {
        write_rows!(*self, rows, 7, INSERT, suffix, |query, row| query
            .bind(&row.id)
            .bind(&row.channel)
            .bind(row.at.as_millis())
            .bind(row.expires_at.as_millis())
            .bind(to_json(&row.snapshot))
            .bind(&row.of)
            .bind(row.when.state()))
        .doing("put stand-ins into the outbox")?;
        Ok(())
    }

    /// Messages that wait for a channel whose breaker is open and that expire by `expire_by`,
    /// oldest first; none when it is not open. Nobody claims a probe until the transaction
    /// ends.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn waiting_behind_breaker(
        &mut self,
        channel: &str,
        expire_by: Timestamp,
        limit: u32,
    ) -> Result<Vec<Waiting>, StoreError> {
        let (is_open, waiting) = (IS_OPEN.pick(self), WAITING.pick(self));
        let open: Option<(String,)> =
            with_tx!(self, |conn| sqlx::query_as(is_open).bind(channel).fetch_optional(&mut *conn).await)
                .doing("look whether a breaker is open")?;
        if open.is_none() {
            return Ok(Vec::new());
        }
        with_tx!(self, |conn| {
            let query =
                sqlx::query_as(waiting).bind(channel).bind(expire_by.as_millis()).bind(i64::from(limit));
            query.fetch_all(&mut *conn).await
        })
        .doing("look for messages that wait for a broken channel")
    }

    /// Ends messages that nobody is sending.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn withdraw(&mut self, rows: &[Withdrawn]) -> Result<(), StoreError> {
        write_rows!(*self, rows, 4, WITHDRAW, WITHDRAW_WHERE, |query, row| query
            .bind(&row.id)
            .bind(row.state)
            .bind(&row.reason)
            .bind(row.at.as_millis()))
        .doing("withdraw messages")?;
        Ok(())
    }
}
