//! Events as the API shows them: every body ever received, as it came.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::log::{Condition, Moment, PageKey, Slice, StoredJson, ceiling_of, floor_of, rows_of};
use super::search::page::{Listed, Search};
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Stored, not yet triaged.
    Pending,
    /// Triage is done with it.
    Processed,
    /// Its body was no alert body.
    Rejected,
    /// Triage could not work on it.
    Failed,
}

impl EventState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Processed, Self::Rejected, Self::Failed];

    /// The word used in the database, the API and filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

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
    #[schema(value_type = EventState)]
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

const SIZE: &str = "SELECT CAST(LENGTH(body) AS BIGINT) FROM events WHERE id = $1";
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
        search(filter).read(self, page).await
    }

    /// How many bytes the body of an event has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn event_size(&self, id: &str) -> Result<Option<i64>, StoreError> {
        let found: Vec<(i64,)> = rows_of(self, "look for an event", SIZE, id).await?;
        Ok(found.first().map(|(bytes,)| *bytes))
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

impl Listed for EventSummary {}

fn search(filter: &EventFilter) -> Search {
    // Nearly every event is processed: every other state has an index of its own.
    let rare = filter.state.as_ref().filter(|state| state.as_str() != "processed");
    let filters = [
        Condition::equal("state = ?", filter.state.as_ref()),
        Condition::equal("receiver = ?", filter.receiver.as_ref()),
        Condition::moment("received_at >= ?", filter.since),
        Condition::moment("received_at <= ?", filter.until),
    ];
    Search {
        doing: "list events",
        table: "events",
        columns: summary_columns!(),
        filter_columns: "state, receiver, received_at",
        driver: Condition::equal("state = ? AND state <> 'processed'", rare),
        filters: filters.into_iter().flatten().collect(),
        floor: floor_of(filter.since),
        ceiling: ceiling_of(filter.until),
        ..Search::default()
    }
}
