//! Events as the API shows them: every body ever received, as it came.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::log::{Condition, Moment, PageKey, Scan, Slice, StoredJson, rows_of};
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// An event as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
#[schema(example = json!({
    "id": "01990c1e-7c53-7d1c-8000-000000000000", "received_at": "2026-08-20T10:00:03.125Z", "state": "processed",
    "source": "alertmanager", "receiver": "modelpager", "group_key": "{}:{alertname=\"ModelLatencyHigh\"}",
    "external_url": "http://alertmanager:9093", "actor": "alertmanager", "alerts": 2, "rejected": 0, "truncated": 0,
    "twins": 1, "replay_of": null, "reason": "", "processed_at": "2026-08-20T10:00:03.140Z"
}))]
pub struct EventSummary {
    /// Its id.
    pub id: String,
    /// When it arrived.
    pub received_at: Moment,
    /// `pending`, `processed`, `rejected`, `failed`.
    pub state: String,
    /// `alertmanager`.
    pub source: String,
    /// Alertmanager's receiver.
    pub receiver: String,
    /// Alertmanager's group key; may be empty.
    pub group_key: String,
    /// Alertmanager's own address; may be empty.
    pub external_url: String,
    /// The name of the token it came with.
    pub actor: String,
    /// How many alerts were taken.
    pub alerts: i64,
    /// How many alerts were unusable.
    pub rejected: i64,
    /// How many alerts the sender cut.
    pub truncated: i64,
    /// How many equal deliveries by other senders were folded into it.
    pub twins: i64,
    /// The event it repeats by hand.
    pub replay_of: Option<String>,
    /// Why it was rejected or failed; empty otherwise.
    pub reason: String,
    /// When triage was done with it.
    pub processed_at: Option<Moment>,
}

/// An event with its body.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EventDetail {
    /// What a list shows.
    #[sqlx(flatten)]
    pub summary: EventSummary,
    /// The alerts that were unusable, and why.
    pub verdicts: StoredJson,
    /// The body as it came; of a rejected event its head.
    pub body: Vec<u8>,
}

/// Which events; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// In this state.
    pub state: Option<String>,
    /// For this receiver.
    pub receiver: Option<String>,
    /// Received then or later.
    pub since: Option<Timestamp>,
    /// Received then or earlier.
    pub until: Option<Timestamp>,
}

macro_rules! summary_columns {
    () => {
        "id, received_at, state, source, receiver, group_key, external_url, actor, alerts, rejected, truncated, twins, \
         replay_of, reason, processed_at"
    };
}

const ONE: &str = concat!("SELECT verdicts, body, ", summary_columns!(), " FROM events WHERE id = $1");

impl Store {
    /// A page of events, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_events(
        &self,
        filter: &EventFilter,
        page: &PageKey,
    ) -> Result<Slice<EventSummary>, StoreError> {
        scan(filter).read(self, page, |row: &EventSummary| &row.id).await
    }

    /// One event with its body.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_event(&self, id: &str) -> Result<Option<EventDetail>, StoreError> {
        let found: Vec<EventDetail> = rows_of(self, "read an event", ONE, id).await?;
        Ok(found.into_iter().next())
    }
}

fn scan(filter: &EventFilter) -> Scan {
    let state = Condition::equal("state = ?", filter.state.as_ref());
    let bounds = [Condition::made_since(filter.since), Condition::made_until(filter.until)];
    let filters = [
        Condition::equal("receiver = ?", filter.receiver.as_ref()),
        Condition::moment("received_at >= ?", filter.since),
        Condition::moment("received_at <= ?", filter.until),
    ];
    Scan {
        doing: "list events",
        table: "events",
        columns: summary_columns!(),
        filter_columns: "receiver, received_at",
        drivers: state.into_iter().chain(bounds.into_iter().flatten()).collect(),
        filters: filters.into_iter().flatten().collect(),
    }
}
