//! The internal alerts about channels: what speaks for one, and what was told of it.

use super::error::Doing as _;
use super::events::NewEvent;
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// How a channel fares, and what the internal alert about it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct AlarmRow {
    /// The channel.
    pub channel: String,
    /// `closed`, `open`, `half_open`.
    pub breaker: String,
    /// Since when nothing is sent, milliseconds.
    pub opened_at: Option<i64>,
    /// What went wrong; without secrets.
    pub opened_reason: Option<String>,
    /// The last success, milliseconds.
    pub last_success_at: Option<i64>,
    /// What the last failure was; without secrets.
    pub last_error: Option<String>,
    /// When a message was last given up, milliseconds.
    pub given_up_at: Option<i64>,
    /// Since when the alert fires, milliseconds.
    pub alert_since: Option<i64>,
    /// As how severe it was told.
    pub alert_severity: Option<String>,
    /// When it was last told, milliseconds.
    pub alert_told_at: Option<i64>,
    /// Since when nothing speaks for it any more, milliseconds.
    pub alert_calm_since: Option<i64>,
}

/// What the alert about a channel says from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    /// Since when it fires; `None`: it does not.
    pub since: Option<Timestamp>,
    /// As how severe.
    pub severity: Option<&'static str>,
    /// When it was last told.
    pub told_at: Option<Timestamp>,
    /// Since when nothing speaks for it any more.
    pub calm_since: Option<Timestamp>,
}

const READ: &str = "SELECT channel, breaker, opened_at, opened_reason, last_success_at, last_error, given_up_at, \
     alert_since, alert_severity, alert_told_at, alert_calm_since FROM channel_health ORDER BY channel";
const MOVE: &str = "UPDATE channel_health SET alert_since = $2, alert_severity = $3, alert_told_at = $4, \
     alert_calm_since = $5 WHERE channel = $1 AND COALESCE(alert_told_at, 0) = $6 \
     AND COALESCE(alert_calm_since, 0) = $7";

impl Store {
    /// What speaks for and against an alert about every channel that was ever tried.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn alarms(&self) -> Result<Vec<AlarmRow>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(READ).fetch_all(&mut *conn).await)
            .doing("read the alerts about channels")
    }

    /// Changes what the alert about a channel says and stores the event that tells it, both
    /// or neither. Answers `false` when another replica was quicker: then nothing changed.
    ///
    /// # Errors
    /// When the database does not answer; then nothing changed.
    pub async fn move_alarm(
        &self,
        before: &AlarmRow,
        after: &Alarm,
        event: Option<&NewEvent>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_write().await?;
        let moved = with_tx!(tx, |conn| {
            let query = sqlx::query(MOVE)
                .bind(&before.channel)
                .bind(after.since.map(Timestamp::as_millis))
                .bind(after.severity)
                .bind(after.told_at.map(Timestamp::as_millis))
                .bind(after.calm_since.map(Timestamp::as_millis))
                .bind(before.alert_told_at.unwrap_or(0))
                .bind(before.alert_calm_since.unwrap_or(0));
            query.execute(&mut *conn).await.map(|done| done.rows_affected())
        })
        .doing("store the alert about a channel")?;
        if moved == 0 {
            return Ok(false);
        }
        if let Some(event) = event {
            tx.insert_event(event).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}
