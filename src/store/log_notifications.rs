//! The delivery log: lists of notifications, and one with everything about it.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::log::{Condition, Moment, PageKey, Slice, StoredJson, ceiling_of, floor_of, rows_of};
use super::search::fill::texts_of;
use super::search::page::{Listed, Search};
use super::search::terms::{Field, Term};
use super::search::words::{has_words, search_words};
use super::search::{self, may_have_word};
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::incident::IncidentState;
use crate::domain::notification::{NotificationKind, NotificationState};
use crate::domain::severity::Severity;

/// A notification as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
#[schema(example = json!({
    "id": "01990c1e-7c53-7d1c-8000-1c6b1d3f9a10", "channel": "ml-alerts", "kind": "firing", "state": "delivered",
    "severity": "critical", "entry": "fraud-detector", "alertname": "ModelLatencyHigh",
    "dedup_key": "ModelLatencyHigh:fraud-detector", "incident_id": "01990c1e-7c53-7d1c-8000-4f0f7a2c5b21", "title": "🔴 CRITICAL: ModelLatencyHigh on Fraud detector",
    "received_at": "2026-08-20T10:00:03.125Z", "created_at": "2026-08-20T10:00:03.140Z",
    "due_at": "2026-08-20T10:00:03.140Z", "expires_at": "2026-08-21T10:00:03.140Z",
    "finished_at": "2026-08-20T10:00:03.402Z", "attempt_count": 1, "series": 1,
    "reason": "the provider accepted it", "maybe_sent_twice": false, "fallback_of": null
}))]
pub struct NotificationSummary {
    /// Its id: stable over retries and redeliveries.
    pub id: String,
    /// The channel it is sent to.
    pub channel: String,
    /// Why it is sent: `firing`, `updated`, `severity_raised`, `severity_lowered`,
    /// `reopened`, `repeated`, `acknowledged`, `resolved`, `test`, `folded`.
    #[schema(value_type = NotificationKind)]
    pub kind: String,
    /// `pending`, `sending`, `delivered`, `failed`, `superseded`, `cancelled`.
    #[schema(value_type = NotificationState)]
    pub state: String,
    /// The incident's severity when it was decided.
    #[schema(value_type = Severity)]
    pub severity: String,
    /// The catalog entry; empty when none matched.
    pub entry: String,
    /// The rule's name; may be empty.
    pub alertname: String,
    /// The incident's dedup key.
    pub dedup_key: String,
    /// The incident it is about; of a message that stands for many it is null.
    pub incident_id: Option<String>,
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
    /// The message as rendered at the last attempt.
    #[schema(value_type = Option<RenderedMessage>)]
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

/// A message as it was rendered.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
pub struct RenderedMessage {
    /// The subject or headline.
    pub title: String,
    /// What its reader saw, as plain text.
    pub text: String,
    /// The body as the wire carried it, without secrets.
    pub body: String,
    /// The body's media type.
    pub content_type: String,
}

/// A message as the one that it stands in for names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct FallbackRef {
    /// The notification.
    pub id: String,
    /// The fallback channel.
    pub channel: String,
    /// `pending`, `sending`, `delivered`, `failed`, `superseded`, `cancelled`.
    #[schema(value_type = NotificationState)]
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
    #[schema(value_type = IncidentState)]
    pub state: String,
    /// Its severity now.
    #[schema(value_type = Severity)]
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
    #[schema(value_type = Option<NotificationKind>)]
    pub kind: Option<String>,
    /// Until when it waits.
    #[sqlx(rename = "until_at")]
    pub until: Option<Moment>,
    /// Why, in words.
    pub reason: String,
    /// What was sent.
    pub notification_id: Option<String>,
    /// The path through the routing tree, root first.
    #[schema(value_type = Vec<String>)]
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
    /// With words that begin with these in dedup key, rule, entry, channel, reason or
    /// rendered message, whatever their case.
    pub text: Option<String>,
}

/// The columns of [`NotificationSummary`].
macro_rules! summary_columns {
    () => {
        "id, channel, kind, state, severity, entry, alertname, dedup_key, \
         CASE kind WHEN 'folded' THEN NULL ELSE (SELECT MIN(i.incident_id) FROM notification_incidents i \
         WHERE i.notification_id = notifications.id) END AS incident_id, preview, received_at, \
         created_at, due_at, expires_at, finished_at, attempts, series, reason, maybe_twice, fallback_of"
    };
}

const FILTER_COLUMNS: &str =
    "channel, state, severity, entry, alertname, dedup_key, created_at, reason, preview";
const OF_INCIDENT: &str = "id IN (SELECT notification_id FROM notification_incidents WHERE incident_id = ?)";
/// The rendered message is JSON, in which words stand as they are.
const MAY_HAVE_WORD: &str = "(LOWER(dedup_key) LIKE ? ESCAPE '!' OR LOWER(alertname) LIKE ? ESCAPE '!' \
     OR LOWER(entry) LIKE ? ESCAPE '!' OR LOWER(channel) LIKE ? ESCAPE '!' OR LOWER(reason) LIKE ? ESCAPE '!' \
     OR LOWER(preview) LIKE ? ESCAPE '!')";
const ONE: &str = concat!("SELECT ", summary_columns!(), " FROM notifications WHERE id = $1");
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
        if filter.text.as_deref().is_some_and(|text| search_words(text).is_empty()) {
            return Ok(Slice { items: Vec::new(), next: None });
        }
        asked(filter).read(self, page).await
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

impl Listed for NotificationSummary {
    fn has_words(&self, words: &[String]) -> bool {
        let [title, text] = texts_of(self.preview.as_ref().map(StoredJson::as_str));
        let texts =
            [&self.dedup_key, &self.alertname, &self.entry, &self.channel, &self.reason, &title, &text];
        has_words(words, texts.into_iter().map(String::as_str))
    }
}

fn asked(filter: &NotificationFilter) -> Search {
    let NotificationFilter { state, channel, severity, entry, alertname, dedup_key, incident, .. } = filter;
    let conditions = [
        Condition::equal("dedup_key = ?", dedup_key.as_ref()),
        Condition::equal("entry = ?", entry.as_ref()),
        Condition::equal("alertname = ?", alertname.as_ref()),
        Condition::equal("channel = ?", channel.as_ref()),
        Condition::equal("severity = ?", severity.as_ref()),
        Condition::equal("state = ?", state.as_ref()),
        Condition::moment("created_at >= ?", filter.since),
        Condition::moment("created_at <= ?", filter.until),
    ];
    let words = filter.text.as_deref().map(search_words).unwrap_or_default();
    let firm = [
        Term::value(Field::DedupKey, dedup_key.as_ref()),
        Term::value(Field::Entry, entry.as_ref()),
        Term::value(Field::Alertname, alertname.as_ref()),
    ];
    let common = [
        Term::value(Field::Channel, channel.as_ref()),
        Term::value(Field::Severity, severity.as_ref()),
        Term::value(Field::State, state.as_ref()),
    ];
    let terms = firm.into_iter().flatten().chain(Term::words(&words)).chain(common.into_iter().flatten());
    Search {
        doing: "list notifications",
        table: "notifications",
        columns: summary_columns!(),
        filter_columns: FILTER_COLUMNS,
        index: Some(&search::NOTIFICATIONS),
        driver: Condition::equal(OF_INCIDENT, incident.as_ref()),
        filters: conditions.into_iter().flatten().collect(),
        hints: words.iter().filter_map(|word| may_have_word(MAY_HAVE_WORD, word)).collect(),
        terms: terms.collect(),
        words,
        floor: floor_of(filter.since),
        ceiling: ceiling_of(filter.until),
    }
}
