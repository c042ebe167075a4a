//! How channels fare and who posts to us, as the API shows it.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::error::Doing as _;
use super::log::Moment;
use super::{Store, StoreError};

/// How a channel fares.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ChannelHealth {
    /// The channel.
    pub channel: String,
    /// Until when its provider asked for quiet.
    pub paused_until: Option<Moment>,
    /// Failed attempts since the last success.
    pub failures: i64,
    /// The last success.
    pub last_success_at: Option<Moment>,
    /// The last failure.
    pub last_failure_at: Option<Moment>,
    /// What it was; without secrets.
    pub last_error: Option<String>,
    /// Messages delivered, ever.
    pub delivered: i64,
    /// Messages given up, ever.
    pub failed: i64,
    /// The circuit breaker: `closed`, `open`, `half_open`.
    pub breaker: String,
    /// Since when nothing is sent.
    pub opened_at: Option<Moment>,
    /// What went wrong; without secrets.
    pub opened_reason: Option<String>,
    /// When the next probe may go.
    pub probe_at: Option<Moment>,
    /// How many probes in a row have failed.
    pub failed_probes: i64,
}

/// What waits for a channel.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ChannelBacklog {
    /// The channel.
    pub channel: String,
    /// How many messages are owed to it.
    pub waiting: i64,
    /// When the oldest of them was decided.
    pub oldest_at: Moment,
}

/// A sender of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct SourceRecord {
    /// Its own address; may be empty.
    pub external_url: String,
    /// The receiver it posts for.
    pub receiver: String,
    /// `alertmanager`.
    pub source: String,
    /// When it was first heard.
    pub first_seen_at: Moment,
    /// When it was last heard.
    pub last_seen_at: Moment,
    /// How many events it has sent.
    pub events: i64,
}

const HEALTH: &str = "SELECT channel, paused_until, failures, last_success_at, last_failure_at, last_error, delivered, \
     failed, breaker, opened_at, opened_reason, probe_at, failed_probes FROM channel_health ORDER BY channel";
const BACKLOG: &str = "SELECT channel, COUNT(*) AS waiting, MIN(created_at) AS oldest_at FROM notifications \
     WHERE state IN ('pending', 'sending') GROUP BY channel ORDER BY channel";
const SOURCES: &str = "SELECT external_url, receiver, source, first_seen_at, last_seen_at, events FROM alert_sources \
     ORDER BY last_seen_at DESC, external_url, receiver LIMIT 100";

impl Store {
    /// How every channel that ever tried to send fares.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn channel_health(&self) -> Result<Vec<ChannelHealth>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(HEALTH).fetch_all(&mut *conn).await)
            .doing("read the channels' health")
    }

    /// What waits for each channel for which something waits.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn channel_backlog(&self) -> Result<Vec<ChannelBacklog>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(BACKLOG).fetch_all(&mut *conn).await)
            .doing("read the channels' backlog")
    }

    /// Who posts to us, last heard first; at most 100.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_sources(&self) -> Result<Vec<SourceRecord>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(SOURCES).fetch_all(&mut *conn).await)
            .doing("read the senders")
    }
}
