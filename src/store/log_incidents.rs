//! Incidents as the API shows them: lists, and one with its members, its timeline and why
//! each channel was told or not.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::log::{Condition, Moment, PageKey, Slice, StoredJson, rows_of};
use super::log_notifications::{DecisionRecord, decision_columns};
use super::search::page::{Listed, Search};
use super::search::terms::{Field, Term};
use super::search::words::{has_words, search_words};
use super::search::{self, may_have_word};
use super::{Store, StoreError};
use crate::domain::alert::AlertStatus;
use crate::domain::incident::{IncidentState, ResolveReason, Told};
use crate::domain::labels::Labels;
use crate::domain::severity::Severity;

/// An incident as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
#[schema(example = json!({
    "id": "01990c1e-7c53-7d1c-8000-4f0f7a2c5b21", "dedup_key": "ModelLatencyHigh:fraud-detector", "state": "open",
    "severity": "critical", "severity_raw": "page", "entry": "fraud-detector", "version": "v42",
    "alertname": "ModelLatencyHigh", "source": "alertmanager", "receiver": "modelpager",
    "external_url": "http://alertmanager:9093", "truncated": 0, "started_at": "2026-08-20T09:58:00.000Z",
    "opened_at": "2026-08-20T10:00:03.125Z", "updated_at": "2026-08-20T10:00:03.125Z",
    "last_seen_at": "2026-08-20T10:05:03.125Z", "resolved_at": null, "resolve_reason": null, "reopened": 0,
    "firing": 2, "member_count": 2
}))]
pub struct IncidentSummary {
    /// Its id.
    pub id: String,
    /// The name of the problem.
    pub dedup_key: String,
    /// `open` or `resolved`.
    #[schema(value_type = IncidentState)]
    pub state: String,
    /// `critical`, `high`, `medium`, `low`, `info`: the highest among firing members.
    #[schema(value_type = Severity)]
    pub severity: String,
    /// The word the alert used.
    pub severity_raw: String,
    /// The catalog entry; empty when none matched.
    pub entry: String,
    /// The version an alert named; may be empty.
    pub version: String,
    /// The rule's name; may be empty.
    pub alertname: String,
    /// Where it came from: `alertmanager`.
    pub source: String,
    /// Alertmanager's receiver.
    pub receiver: String,
    /// Alertmanager's own address.
    pub external_url: String,
    /// How many alerts Alertmanager cut from the last body.
    pub truncated: i64,
    /// When the condition began, by the earliest member of its present life.
    pub started_at: Moment,
    /// When it was first heard of.
    pub opened_at: Moment,
    /// When anything about it last changed.
    pub updated_at: Moment,
    /// When an alert of it was last heard.
    pub last_seen_at: Moment,
    /// When it ended.
    pub resolved_at: Option<Moment>,
    /// `alert`, `person` or `stale`: what ended it.
    #[schema(value_type = Option<ResolveReason>)]
    pub resolve_reason: Option<String>,
    /// How often it fired again after it had resolved.
    pub reopened: i64,
    /// How many members fire.
    pub firing: i64,
    /// How many members it has.
    #[sqlx(rename = "members")]
    pub member_count: i64,
    /// What its most severe firing alert says; the API tells summary and value of it.
    #[serde(skip)]
    lead_annotations: Option<StoredJson>,
}

impl IncidentSummary {
    /// The annotations of its most severe firing alert.
    pub fn lead_annotations(&self) -> Labels {
        let stored = self.lead_annotations.as_ref().map(StoredJson::value).unwrap_or_default();
        serde_json::from_value(stored).unwrap_or_default()
    }
}

/// An incident with everything about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentDetail {
    /// What a list shows.
    pub summary: IncidentSummary,
    /// Its alerts, firing ones first; at most 500.
    pub members: Vec<MemberRecord>,
    /// What happened, oldest first; at most the newest 1,000.
    pub timeline: Vec<TimelineRecord>,
    /// The last notification decision of each channel.
    pub channels: Vec<ChannelWhy>,
}

/// An alert of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct MemberRecord {
    /// Its identity.
    pub fingerprint: String,
    /// `firing` or `resolved`.
    #[schema(value_type = AlertStatus)]
    pub status: String,
    /// Its own severity, normalised.
    #[schema(value_type = Severity)]
    pub severity: String,
    /// The word it used.
    pub severity_raw: String,
    /// Its labels.
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: StoredJson,
    /// Its annotations, as last received while firing.
    #[schema(value_type = BTreeMap<String, String>)]
    pub annotations: StoredJson,
    /// When its condition began.
    pub starts_at: Moment,
    /// When it ceased.
    pub ends_at: Option<Moment>,
    /// The link to its expression; may be empty.
    pub generator_url: String,
    /// What Grafana adds: values and links; an empty object for other senders.
    #[schema(value_type = Object)]
    pub extras: StoredJson,
    /// The last event that contained it; retention may have deleted it.
    pub event_id: String,
    /// When it was first received.
    pub first_seen_at: Moment,
    /// When it was last received.
    pub last_seen_at: Moment,
}

/// Something that happened to an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromRow)]
pub struct TimelineRecord {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Moment,
    /// What.
    pub kind: String,
    /// By whom: `alertmanager`, `modelpager`, or a token's name.
    pub actor: String,
    /// More about it.
    #[schema(value_type = Object)]
    pub detail: StoredJson,
}

/// What one channel was sent about an incident, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelWhy {
    /// The channel.
    pub channel: String,
    /// The last decision in one sentence.
    pub why: String,
    /// What it was last sent; null before the first message.
    pub last_sent: Option<LastSent>,
    /// When it is decided again if nothing changes before.
    pub next_due_at: Option<Moment>,
    /// The last decision.
    pub decision: Option<DecisionRecord>,
}

/// The last message about an incident on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LastSent {
    /// `firing` or `resolved`.
    #[schema(value_type = AlertStatus)]
    pub status: String,
    /// At which severity.
    #[schema(value_type = Severity)]
    pub severity: String,
    /// When it was decided to send it.
    pub at: Moment,
    /// By which notification.
    pub notification_id: String,
}

impl From<Told> for LastSent {
    fn from(told: Told) -> Self {
        Self {
            status: told.status.as_str().to_owned(),
            severity: told.severity.as_str().to_owned(),
            at: told.at.into(),
            notification_id: told.notification_id,
        }
    }
}

/// Which incidents; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// In this state.
    pub state: Option<String>,
    /// Of this severity.
    pub severity: Option<String>,
    /// About this catalog entry; empty text: about none.
    pub entry: Option<String>,
    /// Of this rule.
    pub alertname: Option<String>,
    /// With words that begin with these in dedup key, rule or entry, whatever their case.
    pub text: Option<String>,
}

#[derive(FromRow)]
struct ConversationRow {
    channel: String,
    told: Option<StoredJson>,
    next_due_at: Option<Moment>,
}

impl ConversationRow {
    /// What was told; a text of another version of this program is not shown.
    fn last_sent(&self) -> Option<LastSent> {
        serde_json::from_value::<Told>(self.told.as_ref()?.value()).ok().map(LastSent::from)
    }
}

macro_rules! summary_columns {
    () => {
        "id, dedup_key, state, severity, severity_raw, entry, version, alertname, source, receiver, external_url, \
         truncated, started_at, opened_at, updated_at, last_seen_at, resolved_at, resolve_reason, reopened, firing, members, \
         (SELECT m.annotations FROM members m WHERE m.incident_id = incidents.id \
         ORDER BY m.place, m.starts_at, m.fingerprint LIMIT 1) AS lead_annotations"
    };
}

const FILTER_COLUMNS: &str = "state, severity, entry, alertname, dedup_key";
const MAY_HAVE_WORD: &str = "(LOWER(dedup_key) LIKE ? ESCAPE '!' OR LOWER(alertname) LIKE ? ESCAPE '!' \
     OR LOWER(entry) LIKE ? ESCAPE '!')";
const ONE: &str = concat!("SELECT ", summary_columns!(), " FROM incidents WHERE id = $1");
const MEMBERS: &str = "SELECT fingerprint, status, severity, severity_raw, labels, annotations, starts_at, ends_at, \
     generator_url, extras, event_id, first_seen_at, last_seen_at FROM members WHERE incident_id = $1 \
     ORDER BY status, starts_at, fingerprint LIMIT 500";
const TIMELINE: &str = "SELECT id, at, kind, actor, detail FROM timeline WHERE incident_id = $1 \
     ORDER BY id DESC LIMIT 1000";
const CONVERSATIONS: &str =
    "SELECT channel, told, next_due_at FROM conversations WHERE incident_id = $1 ORDER BY channel";
const LAST_DECISIONS: &str = concat!(
    "SELECT ",
    decision_columns!(),
    " FROM decisions d WHERE d.incident_id = $1 AND d.id IN \
     (SELECT MAX(id) FROM (SELECT id, channel FROM decisions WHERE incident_id = $1 ORDER BY id DESC LIMIT 2000) AS newest \
      GROUP BY channel) ORDER BY d.channel"
);

impl Store {
    /// A page of incidents, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_incidents(
        &self,
        filter: &IncidentFilter,
        page: &PageKey,
    ) -> Result<Slice<IncidentSummary>, StoreError> {
        if filter.text.as_deref().is_some_and(|text| search_words(text).is_empty()) {
            return Ok(Slice { items: Vec::new(), next: None });
        }
        asked(filter).read(self, page).await
    }

    /// One incident with everything about it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_incident(&self, id: &str) -> Result<Option<IncidentDetail>, StoreError> {
        let found: Vec<IncidentSummary> = rows_of(self, "read an incident", ONE, id).await?;
        let Some(summary) = found.into_iter().next() else { return Ok(None) };
        let mut timeline: Vec<TimelineRecord> =
            rows_of(self, "read an incident's timeline", TIMELINE, id).await?;
        timeline.reverse();
        let conversations = rows_of(self, "read an incident's conversations", CONVERSATIONS, id).await?;
        let decisions = rows_of(self, "read an incident's decisions", LAST_DECISIONS, id).await?;
        Ok(Some(IncidentDetail {
            summary,
            members: rows_of(self, "read an incident's members", MEMBERS, id).await?,
            timeline,
            channels: explain(conversations, decisions),
        }))
    }
}

/// Puts together, channel by channel, what was last sent and what was last decided.
fn explain(conversations: Vec<ConversationRow>, decisions: Vec<DecisionRecord>) -> Vec<ChannelWhy> {
    let mut by_channel: BTreeMap<String, ConversationRow> =
        conversations.into_iter().map(|row| (row.channel.clone(), row)).collect();
    let mut channels: Vec<ChannelWhy> = decisions
        .into_iter()
        .map(|decision| {
            let talk = by_channel.remove(&decision.channel);
            ChannelWhy {
                channel: decision.channel.clone(),
                why: sentence(&decision),
                next_due_at: talk.as_ref().and_then(|row| row.next_due_at),
                last_sent: talk.and_then(|row| row.last_sent()),
                decision: Some(decision),
            }
        })
        .collect();
    channels.extend(by_channel.into_values().map(|row| ChannelWhy {
        last_sent: row.last_sent(),
        channel: row.channel,
        why: "no decision yet".to_owned(),
        next_due_at: row.next_due_at,
        decision: None,
    }));
    channels.sort_by(|a, b| a.channel.cmp(&b.channel));
    channels
}

fn sentence(decision: &DecisionRecord) -> String {
    let DecisionRecord { reason, at, .. } = decision;
    match (decision.outcome.as_str(), decision.until) {
        ("send", _) => {
            let kind = decision.kind.as_deref().unwrap_or("a message");
            format!("sent ({kind}) at {at}: {reason}")
        }
        ("wait", Some(until)) => format!("waiting until {until}: {reason}"),
        ("wait", None) => format!("waiting: {reason}"),
        _ => format!("nothing to send: {reason}"),
    }
}

impl Listed for IncidentSummary {
    fn has_words(&self, words: &[String]) -> bool {
        let texts = [&self.dedup_key, &self.alertname, &self.entry];
        has_words(words, texts.into_iter().map(String::as_str))
    }
}

fn asked(filter: &IncidentFilter) -> Search {
    let IncidentFilter { state, severity, entry, alertname, text } = filter;
    // Few are open, nearly all are resolved.
    let open = state.as_ref().filter(|state| state.as_str() == "open");
    let conditions = [
        Condition::equal("entry = ?", entry.as_ref()),
        Condition::equal("alertname = ?", alertname.as_ref()),
        Condition::equal("severity = ?", severity.as_ref()),
        Condition::equal("state = ?", state.as_ref()),
    ];
    let words = text.as_deref().map(search_words).unwrap_or_default();
    let values =
        [Term::value(Field::Entry, entry.as_ref()), Term::value(Field::Alertname, alertname.as_ref())];
    Search {
        doing: "list incidents",
        table: "incidents",
        columns: summary_columns!(),
        filter_columns: FILTER_COLUMNS,
        index: Some(&search::INCIDENTS),
        driver: Condition::equal("state = ? AND state = 'open'", open),
        filters: conditions.into_iter().flatten().collect(),
        hints: words.iter().filter_map(|word| may_have_word(MAY_HAVE_WORD, word)).collect(),
        terms: values.into_iter().flatten().chain(Term::words(&words)).collect(),
        words,
        ..Search::default()
    }
}
