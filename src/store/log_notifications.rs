//! The delivery log: lists of notifications, and one with everything about it.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::dialect::PerDialect;
use super::log::{Condition, Moment, PageKey, Scan, Slice, StoredJson, rows_of};
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// A notification as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
#[schema(example = json!({
    "id": "01990c1e-7c53-7d1c-8000-1c6b1d3f9a10", "channel": "ml-alerts", "kind": "firing", "state": "delivered",
    "severity": "critical", "entry": "fraud-detector", "alertname": "ModelLatencyHigh",
    "dedup_key": "ModelLatencyHigh:fraud-detector", "title": "🔴 CRITICAL: ModelLatencyHigh on Fraud detector",
    "received_at": "2026-08-20T10:00:03.125Z", "created_at": "2026-08-20T10:00:03.140Z",
    "due_at": "2026-08-20T10:00:03.140Z", "expires_at": "2026-08-21T10:00:03.140Z",
    "finished_at": "2026-08-20T10:00:03.402Z", "attempt_count": 1, "series": 1,
    "reason": "the provider accepted it", "maybe_sent_twice": false, "fallback_of": null
}))]
pub struct NotificationSummary {
    /// Its id: stable over retries and redeliveries.
    pub id: String,
    /// The channel it is owed to.
    pub channel: String,
    /// Why it is sent: `firing`, `updated`, `severity_raised`, `severity_lowered`,
    /// `reopened`, `repeated`, `acknowledged`, `resolved`, `test`.
    pub kind: String,
    /// `pending`, `sending`, `delivered`, `failed`, `superseded`, `cancelled`.
    pub state: String,
    /// The incident's severity when it was decided.
    pub severity: String,
    /// The catalog entry; empty when none matched.
    pub entry: String,
    /// The rule's name; may be empty.
    pub alertname: String,
    /// The incident's dedup key.
    pub dedup_key: String,
    /// The headline as rendered at the last attempt; null before the first.
    #[serde(rename = "title", serialize_with = "title_of")]
    #[schema(value_type = Option<String>)]
    pub preview: Option<StoredJson>,
    /// When the event behind it was received.
    pub received_at: Option<Moment>,
    /// When it was decided.
    pub created_at: Moment,
    /// When it is or was to be sent, retries included.
    pub due_at: Moment,
    /// When it is given up.
    pub expires_at: Moment,
    /// When it reached its end state.
    pub finished_at: Option<Moment>,
    /// How often it was tried in the present series.
    #[sqlx(rename = "attempts")]
    pub attempt_count: i64,
    /// Which series of attempts: 1 at first, one more with each redelivery.
    pub series: i64,
    /// Why it is in this state, in words.
    pub reason: String,
    /// An attempt ended without anybody knowing whether it arrived.
    #[sqlx(rename = "maybe_twice")]
    pub maybe_sent_twice: bool,
    /// The message of another channel that this one stands in for.
    pub fallback_of: Option<String>,
}

fn title_of<S: serde::Serializer>(preview: &Option<StoredJson>, serializer: S) -> Result<S::Ok, S::Error> {
    NotificationSummary::title_in(preview.as_ref()).serialize(serializer)
}

impl NotificationSummary {
    /// The headline, as text.
    pub fn headline(&self) -> Option<String> {
        Self::title_in(self.preview.as_ref())
    }

    fn title_in(preview: Option<&StoredJson>) -> Option<String> {
        preview?.value().get("title")?.as_str().map(str::to_owned)
    }
}

/// A notification with everything about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotificationDetail {
    /// What a list shows.
    #[serde(flatten)]
    pub summary: NotificationSummary,
    /// The message as rendered at the last attempt: `title`, `text` as its reader saw it,
    /// `body` as the wire carried it without secrets, `content_type`.
    pub rendered: Option<StoredJson>,
    /// The incidents it is about.
    pub incidents: Vec<IncidentRef>,
    /// The decisions that led to it.
    pub decisions: Vec<DecisionRecord>,
    /// Every attempt of every series, oldest first.
    pub attempts: Vec<AttemptRecord>,
    /// The message that stands in for this one on the fallback channel.
    pub fallback: Option<FallbackRef>,
}

/// A message as the one that it stands in for names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct FallbackRef {
    /// The notification.
    pub id: String,
    /// The fallback channel.
    pub channel: String,
    /// `pending`, `sending`, `delivered`, `failed`, `superseded`, `cancelled`.
    pub state: String,
}

/// An incident as a notification names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct IncidentRef {
    /// The incident.
    pub id: String,
    /// Its dedup key.
    pub dedup_key: String,
    /// `open` or `resolved`: now, not when the notification was sent.
    pub state: String,
    /// Its severity now.
    pub severity: String,
}

/// Why a channel was told, or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct DecisionRecord {
    /// The decision.
    pub id: String,
    /// Of which incident.
    pub incident_id: String,
    /// On which channel.
    pub channel: String,
    /// When.
    pub at: Moment,
    /// `send`, `wait` or `nothing`.
    pub outcome: String,
    /// The kind of notification, when one is sent.
    pub kind: Option<String>,
    /// Until when it waits.
    #[sqlx(rename = "until_at")]
    pub until: Option<Moment>,
    /// Why, in words.
    pub reason: String,
    /// What was sent.
    pub notification_id: Option<String>,
    /// The path through the routing tree, root first.
    pub route: StoredJson,
}

/// The columns of [`DecisionRecord`].
macro_rules! decision_columns {
    () => {
        "d.id, d.incident_id, d.channel, d.at, d.outcome, d.kind, d.until_at, d.reason, d.notification_id, d.route"
    };
}
pub(super) use decision_columns;

/// One try at sending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct AttemptRecord {
    /// The attempt.
    pub id: String,
    /// Which series it belongs to.
    pub series: i64,
    /// Which one of the series, from 1.
    pub number: i64,
    /// When it began.
    pub started_at: Moment,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// `accepted`, `rejected`, `not_processed`, `ambiguous`.
    pub outcome: String,
    /// The provider's status code.
    pub status: Option<i64>,
    /// Why it did not end well; without secrets.
    pub error: Option<String>,
    /// The head of the provider's answer; without secrets.
    pub response: Option<String>,
}

/// Which notifications; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// In this state.
    pub state: Option<String>,
    /// Of this channel.
    pub channel: Option<String>,
    /// Of this severity.
    pub severity: Option<String>,
    /// About this catalog entry; empty text: about none.
    pub entry: Option<String>,
    /// Of this rule.
    pub alertname: Option<String>,
    /// Of this dedup key.
    pub dedup_key: Option<String>,
    /// About this incident.
    pub incident: Option<String>,
    /// Decided then or later.
    pub since: Option<Timestamp>,
    /// Decided then or earlier.
    pub until: Option<Timestamp>,
    /// With this text in dedup key, rule, reason or rendered message, whatever its case.
    pub text: Option<String>,
}

const SUMMARY_COLUMNS: &str = "id, channel, kind, state, severity, entry, alertname, dedup_key, preview, received_at, \
     created_at, due_at, expires_at, finished_at, attempts, series, reason, maybe_twice, \
     fallback_of";
const FILTER_COLUMNS: &str =
    "channel, state, severity, entry, alertname, dedup_key, created_at, reason, preview";
const OF_INCIDENT: &str = "id IN (SELECT notification_id FROM notification_incidents WHERE incident_id = ?)";
/// The rendered message is JSON: its texts are searched, not its syntax.
const HAS_TEXT: PerDialect = PerDialect {
    sqlite: "(LOWER(dedup_key) LIKE LOWER(?) ESCAPE '!' OR LOWER(alertname) LIKE LOWER(?) ESCAPE '!' \
         OR LOWER(reason) LIKE LOWER(?) ESCAPE '!' OR LOWER(preview ->> 'title') LIKE LOWER(?) ESCAPE '!' \
         OR LOWER(preview ->> 'text') LIKE LOWER(?) ESCAPE '!')",
    postgres: "(LOWER(dedup_key) LIKE LOWER(?) ESCAPE '!' OR LOWER(alertname) LIKE LOWER(?) ESCAPE '!' \
         OR LOWER(reason) LIKE LOWER(?) ESCAPE '!' OR LOWER(preview::json ->> 'title') LIKE LOWER(?) ESCAPE '!' \
         OR LOWER(preview::json ->> 'text') LIKE LOWER(?) ESCAPE '!')",
};
const ONE: &str = "SELECT id, channel, kind, state, severity, entry, alertname, dedup_key, preview, received_at, \
     created_at, due_at, expires_at, finished_at, attempts, series, reason, maybe_twice, \
     fallback_of FROM notifications WHERE id = $1";
const INCIDENTS: &str = "SELECT i.id, i.dedup_key, i.state, i.severity FROM notification_incidents n \
     JOIN incidents i ON i.id = n.incident_id WHERE n.notification_id = $1 ORDER BY i.id LIMIT 500";
const DECISIONS: &str = concat!(
    "SELECT ",
    decision_columns!(),
    " FROM notification_incidents n JOIN decisions d ON d.incident_id = n.incident_id AND d.notification_id = $1 \
     WHERE n.notification_id = $1 ORDER BY d.id LIMIT 500"
);
const ATTEMPTS: &str = "SELECT id, series, number, started_at, duration_ms, outcome, status, error, response \
     FROM attempts WHERE notification_id = $1 ORDER BY id LIMIT 1000";

const FALLBACK: &str = "SELECT id, channel, state FROM notifications WHERE fallback_of = $1";

impl Store {
    /// A page of the delivery log, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_notifications(
        &self,
        filter: &NotificationFilter,
        page: &PageKey,
    ) -> Result<Slice<NotificationSummary>, StoreError> {
        scan(filter, HAS_TEXT.pick_for(self)).read(self, page, |row: &NotificationSummary| &row.id).await
    }

    /// One notification with everything about it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_notification(&self, id: &str) -> Result<Option<NotificationDetail>, StoreError> {
        let found: Vec<NotificationSummary> = rows_of(self, "read a notification", ONE, id).await?;
        let Some(summary) = found.into_iter().next() else { return Ok(None) };
        Ok(Some(NotificationDetail {
            rendered: summary.preview.clone(),
            summary,
            incidents: rows_of(self, "read a notification's incidents", INCIDENTS, id).await?,
            decisions: rows_of(self, "read a notification's decisions", DECISIONS, id).await?,
            attempts: rows_of(self, "read a notification's attempts", ATTEMPTS, id).await?,
            fallback: rows_of(self, "read a notification's fallback", FALLBACK, id).await?.into_iter().next(),
        }))
    }
}

fn scan(filter: &NotificationFilter, has_text: &'static str) -> Scan {
    // Nearly everything ends delivered: that alone leaves many rows, every other state few.
    let (rare_state, common_state) = match filter.state.as_deref() {
        Some("delivered") => (None, filter.state.as_ref()),
        _ => (filter.state.as_ref(), None),
    };
    let candidates = [
        Condition::equal(OF_INCIDENT, filter.incident.as_ref()),
        Condition::equal("dedup_key = ?", filter.dedup_key.as_ref()),
        Condition::equal("state = ?", rare_state),
        Condition::equal("alertname = ?", filter.alertname.as_ref()),
        Condition::equal("entry = ?", filter.entry.as_ref()),
        Condition::equal("severity = ?", filter.severity.as_ref()),
        Condition::equal("channel = ?", filter.channel.as_ref()),
        Condition::equal("state = ?", common_state),
    ];
    let (driver, mut filters) = Scan::split(candidates.into_iter().flatten().collect());
    let bounds = [Condition::made_since(filter.since), Condition::made_until(filter.until)];
    filters.extend(Condition::moment("created_at >= ?", filter.since));
    filters.extend(Condition::moment("created_at <= ?", filter.until));
    filters.extend(Condition::contains(has_text, filter.text.as_ref()));
    Scan {
        doing: "list notifications",
        table: "notifications",
        columns: SUMMARY_COLUMNS,
        filter_columns: FILTER_COLUMNS,
        drivers: driver.into_iter().chain(bounds.into_iter().flatten()).collect(),
        filters,
    }
}
