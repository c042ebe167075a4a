//! The outbox as people use it: sending again, trying a channel, and how much waits.

use serde_json::json;

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::triage::{NewNotification, TimelineRow};
use super::{Store, StoreError, Tx};
use crate::domain::clock::Timestamp;
use crate::domain::ids::IdMaker;
use crate::domain::notification::NotificationState;

/// What became of a wish to send a message again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// It waits for its channel anew.
    Queued {
        /// The channel.
        channel: String,
        /// The number of the new series of attempts.
        series: i64,
    },
    /// It is still being delivered.
    Unfinished,
    /// There is no such message.
    NotFound,
}

/// Who sends a message again, when, and until when it is worth trying.
#[derive(Clone, Debug)]
pub struct Redeliver<'a> {
    /// The notification.
    pub id: &'a str,
    /// The token's name.
    pub actor: &'a str,
    /// The present moment.
    pub now: Timestamp,
    /// After this it fails for good.
    pub expires_at: Timestamp,
}

/// How much waits in a queue, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// How many.
    pub waiting: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
}

const FIND: PerDialect = PerDialect {
    sqlite: "SELECT channel, state, series FROM notifications WHERE id = $1",
    postgres: "SELECT channel, state, series FROM notifications WHERE id = $1 FOR UPDATE",
};
const REQUEUE: &str = "UPDATE notifications SET state = 'pending', series = series + 1, attempts = 0, due_at = $2, \
     expires_at = $3, finished_at = NULL, reason = '' WHERE id = $1";
const INCIDENTS_OF: &str = "SELECT incident_id FROM notification_incidents WHERE notification_id = $1";
const AUDIT: &str = "INSERT INTO audit_log (id, at, actor, action, subject_kind, subject) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const LEASE_NEW: &str = "UPDATE notifications SET state = 'sending', attempts = 1, lease_owner = $2, lease_until = $3 \
     WHERE id = $1";
// Ids rise with time: the oldest row is found by an index, however many wait.
// SQLite uses an index without the delivered only where they are ruled out in so many words.
const NOTIFICATIONS_WAITING: &str = "SELECT (SELECT COUNT(*) FROM notifications WHERE state IN ('pending', 'sending')), \
     (SELECT created_at FROM notifications WHERE id = \
      (SELECT MIN(first) FROM (SELECT MIN(id) AS first FROM notifications WHERE state = 'pending' \
       AND state <> 'delivered' UNION ALL SELECT MIN(id) AS first FROM notifications WHERE state = 'sending' \
       AND state <> 'delivered') AS firsts))";
const EVENTS_WAITING: &str = "SELECT (SELECT COUNT(*) FROM events WHERE state = 'pending' AND state <> 'processed'), \
     (SELECT received_at FROM events WHERE state = 'pending' AND state <> 'processed' ORDER BY id LIMIT 1)";
const WAITING_FOR: &str = "SELECT w.waiting, o.created_at FROM (SELECT COUNT(*) AS waiting, MIN(id) AS oldest \
     FROM notifications WHERE channel = $1 AND state IN ('pending', 'sending')) AS w \
     LEFT JOIN notifications o ON o.id = w.oldest";

impl Store {
    /// Puts a finished message back into the outbox, under its own id, with a new series of
    /// attempts; the incident's timeline and the audit log say who wanted it.
    ///
    /// # Errors
    /// When the database does not answer; then nothing changed.
    pub async fn redeliver_notification(
        &self,
        wish: &Redeliver<'_>,
        ids: &IdMaker,
    ) -> Result<Redelivery, StoreError> {
        let mut tx = self.begin_write().await?;
        let sql = FIND.pick(&tx);
        let found: Option<(String, String, i64)> =
            with_tx!(tx, |conn| sqlx::query_as(sql).bind(wish.id).fetch_optional(&mut *conn).await)
                .doing("find a message")?;
        let Some((channel, state, series)) = found else { return Ok(Redelivery::NotFound) };
        let unfinished = [NotificationState::Pending, NotificationState::Sending];
        if unfinished.iter().any(|s| s.as_str() == state) {
            return Ok(Redelivery::Unfinished);
        }
        with_tx!(tx, |conn| {
            let query = sqlx::query(REQUEUE)
                .bind(wish.id)
                .bind(wish.now.as_millis())
                .bind(wish.expires_at.as_millis());
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("put a message back into the outbox")?;
        tx.note_redelivery(wish, &channel, ids).await?;
        tx.commit().await?;
        Ok(Redelivery::Queued { channel, series: series + 1 })
    }

    /// Puts a message into the log as leased to `owner` at once: nobody else will send it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_leased(
        &self,
        notification: &NewNotification,
        owner: &str,
        lease_until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        tx.insert_notifications(std::slice::from_ref(notification)).await?;
        with_tx!(tx, |conn| {
            let query =
                sqlx::query(LEASE_NEW).bind(&notification.id).bind(owner).bind(lease_until.as_millis());
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("lease a message")?;
        tx.commit().await
    }

    /// How many messages wait for delivery.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn notifications_waiting(&self) -> Result<QueueDepth, StoreError> {
        self.queue_depth(NOTIFICATIONS_WAITING).await
    }

    /// How many messages wait for delivery through one channel.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn waiting_for(&self, channel: &str) -> Result<QueueDepth, StoreError> {
        let (waiting, oldest): (i64, Option<i64>) =
            with_reader!(self, |conn| sqlx::query_as(WAITING_FOR).bind(channel).fetch_one(&mut *conn).await)
                .doing("measure a channel's queue")?;
        Ok(QueueDepth { waiting: super::rows::unsigned(waiting), oldest: oldest.map(Timestamp::from_millis) })
    }

    /// How many events wait for triage.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events_waiting(&self) -> Result<QueueDepth, StoreError> {
        self.queue_depth(EVENTS_WAITING).await
    }

    async fn queue_depth(&self, sql: &'static str) -> Result<QueueDepth, StoreError> {
        let (waiting, oldest): (i64, Option<i64>) =
            with_reader!(self, |conn| sqlx::query_as(sql).fetch_one(&mut *conn).await)
                .doing("measure a queue")?;
        Ok(QueueDepth { waiting: super::rows::unsigned(waiting), oldest: oldest.map(Timestamp::from_millis) })
    }
}

impl Tx {
    async fn note_redelivery(
        &mut self,
        wish: &Redeliver<'_>,
        channel: &str,
        ids: &IdMaker,
    ) -> Result<(), StoreError> {
        let incidents: Vec<(String,)> =
            with_tx!(self, |conn| sqlx::query_as(INCIDENTS_OF).bind(wish.id).fetch_all(&mut *conn).await)
                .doing("find the incidents of a message")?;
        let lines: Vec<TimelineRow> = incidents
            .into_iter()
            .map(|(incident_id,)| TimelineRow {
                id: ids.next_id(),
                incident_id,
                at: wish.now,
                kind: "redelivered".to_owned(),
                actor: wish.actor.to_owned(),
                detail: json!({"channel": channel, "notification_id": wish.id}),
            })
            .collect();
        self.save_timeline(&lines).await?;
        self.audit(&ids.next_id(), wish.now, wish.actor, ("redeliver", "notification", wish.id)).await
    }

    /// Adds a line without before and after to the audit log; `what` is the action, the
    /// subject's kind and the subject.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn audit(
        &mut self,
        id: &str,
        at: Timestamp,
        actor: &str,
        what: (&str, &str, &str),
    ) -> Result<(), StoreError> {
        let (action, kind, subject) = what;
        with_tx!(self, |conn| {
            let query = sqlx::query(AUDIT)
                .bind(id)
                .bind(at.as_millis())
                .bind(actor)
                .bind(action)
                .bind(kind)
                .bind(subject);
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("write the audit log")
    }
}
