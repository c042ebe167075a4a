//! How attempts ended: on SQLite what is usual is written in one call.

use std::sync::LazyLock;

use super::bound::Places;
use super::dialect::PerDialect;
use super::error::Doing as _;
use super::outbox::{Finished, Recording};
use super::script::{Rows, Writing, bind_rows, room};
use super::triage_rows::{TIMELINE, bind_timeline};
use super::{Store, StoreError, Tx};
use crate::domain::clock::Timestamp;

const FINISHED: Rows = Rows {
    prefix: "UPDATE notifications SET state = v.column3, reason = v.column4, due_at = v.column5, \
     finished_at = v.column6, maybe_twice = (notifications.maybe_twice OR v.column7), \
     preview = COALESCE(v.column8, notifications.preview), lease_owner = NULL, lease_until = NULL FROM (",
    columns: 8,
    suffix: ") AS v WHERE notifications.id = v.column1 AND notifications.lease_owner = v.column2 \
     AND notifications.state = 'sending'",
};
const ATTEMPTS: Rows = Rows {
    prefix: "INSERT INTO attempts (id, notification_id, series, number, started_at, duration_ms, \
     outcome, status, error, response)",
    columns: 10,
    suffix: "",
};
const HEALTH: Rows = Rows {
    prefix: "INSERT INTO channel_health (channel, paused_until, failures, last_success_at, \
     last_failure_at, last_error, delivered, failed, given_up_at)",
    columns: 9,
    suffix: "ON CONFLICT (channel) DO UPDATE SET \
     paused_until = COALESCE(excluded.paused_until, channel_health.paused_until), \
     failures = CASE WHEN excluded.last_success_at IS NOT NULL THEN excluded.failures \
         ELSE channel_health.failures + excluded.failures END, \
     last_success_at = COALESCE(excluded.last_success_at, channel_health.last_success_at), \
     last_failure_at = COALESCE(excluded.last_failure_at, channel_health.last_failure_at), \
     last_error = CASE WHEN excluded.last_error IS NULL THEN channel_health.last_error ELSE excluded.last_error END, \
     delivered = channel_health.delivered + excluded.delivered, failed = channel_health.failed + excluded.failed, \
     given_up_at = COALESCE(excluded.given_up_at, channel_health.given_up_at)",
};
const HAS_ATTEMPT: &str = "SELECT COUNT(*) FROM attempts WHERE notification_id = $1 AND id = $2";
macro_rules! references_sql {
    ($lock:literal) => {
        concat!(
            ") AS v JOIN notification_incidents ni ON ni.notification_id = v.column1 \
             JOIN conversations c ON c.incident_id = ni.incident_id AND c.channel = v.column3",
            $lock,
            ") AS r WHERE conversations.incident_id = r.incident_id AND conversations.channel = r.channel"
        )
    };
}
const KEEP_REFERENCES: &str = "UPDATE conversations SET reference = r.reference \
     FROM (SELECT c.incident_id, c.channel, v.column2 AS reference FROM (";
// Locked in one order everywhere: triage writes conversations at the same time.
const KEEP_REFERENCES_OF: PerDialect = PerDialect {
    sqlite: references_sql!(""),
    postgres: references_sql!(" ORDER BY c.incident_id, c.channel FOR UPDATE OF c"),
};

static WRITING: LazyLock<Writing> =
    LazyLock::new(|| Writing::of(&[&FINISHED, &ATTEMPTS, &TIMELINE, &HEALTH]));

macro_rules! bind_finished {
    ($query:expr, $f:expr) => {
        $query
            .bind(&$f.notification_id)
            .bind(&$f.owner)
            .bind($f.next.state())
            .bind($f.next.reason())
            .bind($f.next.due_at($f.ended_at).as_millis())
            .bind($f.next.is_final().then(|| $f.ended_at.as_millis()))
            .bind($f.maybe_twice)
            .bind(&$f.preview)
    };
}
macro_rules! bind_attempt {
    ($query:expr, $f:expr) => {
        $query
            .bind(&$f.attempt_id)
            .bind(&$f.notification_id)
            .bind($f.series)
            .bind($f.number)
            .bind($f.started_at.as_millis())
            .bind(i64::try_from($f.ended_at.since($f.started_at).as_millis()).unwrap_or(i64::MAX))
            .bind($f.outcome.as_str())
            .bind($f.status.map(i64::from))
            .bind(&$f.error)
            .bind(&$f.response)
    };
}
macro_rules! bind_health {
    ($query:expr, $row:expr) => {
        $query
            .bind(&$row.0)
            .bind($row.1.paused_until.map(Timestamp::as_millis))
            .bind(i64::from($row.1.failures))
            .bind($row.1.last_success_at.map(Timestamp::as_millis))
            .bind($row.1.last_failure_at.map(Timestamp::as_millis))
            .bind(&$row.1.last_error)
            .bind(i64::from($row.1.delivered))
            .bind(i64::from($row.1.failed))
            .bind($row.1.given_up_at.map(Timestamp::as_millis))
    };
}

impl Store {
    /// Records how attempts ended.
    ///
    /// # Errors
    /// When the database does not take them; then nothing of it is recorded.
    pub async fn record_attempts(&self, recording: &Recording) -> Result<(), StoreError> {
        if let (Some(pool), Some(room)) = (self.takes_scripts(), room_for(recording)) {
            let places = places(recording, room);
            return self.write_at_once(pool, &WRITING, room, places).await.doing("record attempts");
        }
        let mut tx = self.begin_write().await?;
        tx.record_attempts(recording).await?;
        tx.commit().await
    }

    /// Whether an attempt is recorded.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_attempt(&self, notification_id: &str, id: &str) -> Result<bool, StoreError> {
        let (count,): (i64,) = with_reader!(self, |conn| sqlx::query_as(HAS_ATTEMPT)
            .bind(notification_id)
            .bind(id)
            .fetch_one(&mut *conn)
            .await)
        .doing("look for an attempt")?;
        Ok(count > 0)
    }
}

impl Tx {
    /// Records how attempts ended.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn record_attempts(&mut self, recording: &Recording) -> Result<(), StoreError> {
        let finished = &recording.finished;
        save!(self, finished, FINISHED, bind_finished).doing("finish messages")?;
        save!(self, finished, ATTEMPTS, bind_attempt).doing("record attempts")?;
        let references: Vec<&Finished> = finished.iter().filter(|f| f.reference.is_some()).collect();
        let of = KEEP_REFERENCES_OF.pick(self);
        write_rows!(*self, &references, 3, KEEP_REFERENCES, of, |query, f| query
            .bind(&f.notification_id)
            .bind(&f.reference)
            .bind(&f.channel))
        .doing("keep message references")?;
        self.save_timeline(&recording.timeline).await?;
        save!(self, &recording.health, HEALTH, bind_health).doing("store how channels fare")?;
        self.save_breakers(&recording.breakers).await?;
        self.insert_stand_ins(&recording.stand_ins).await
    }
}

/// For how many rows of each kind there must be room; `None` when they are too many or of kinds
/// that are not written in one call.
fn room_for(recording: &Recording) -> Option<usize> {
    let refers = recording.finished.iter().any(|finished| finished.reference.is_some());
    if refers || !recording.breakers.is_empty() || !recording.stand_ins.is_empty() {
        return None;
    }
    room([recording.finished.len(), recording.timeline.len(), recording.health.len()])
}

fn places(recording: &Recording, room: usize) -> Places {
    let places = Places::default();
    let places = bind_rows!(places, room, &recording.finished, FINISHED, bind_finished);
    let places = bind_rows!(places, room, &recording.finished, ATTEMPTS, bind_attempt);
    let places = bind_rows!(places, room, &recording.timeline, TIMELINE, bind_timeline);
    bind_rows!(places, room, &recording.health, HEALTH, bind_health)
}
