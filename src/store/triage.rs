//! What triage writes: everything that follows from a transaction's events, in a few
//! statements, whatever the number of alerts.

use serde_json::Value;

use super::error::Doing as _;
use super::news::News;
use super::rows::{signed, to_json};
use super::{StoreError, Superseded, Tx};
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Conversation, Incident, Member};
use crate::domain::notification::Snapshot;
use crate::domain::priority::priority;
use crate::domain::severity::Severity;

/// Everything one triage transaction writes.
#[derive(Debug, Default)]
pub struct Consequences {
    /// Events and what became of them.
    pub events: Vec<TriagedEvent>,
    /// New and changed incidents.
    pub incidents: Vec<IncidentChange>,
    /// Incidents whose firing members all count as resolved from `Timestamp` on.
    pub silenced: Vec<(String, Timestamp)>,
    /// New and changed members.
    pub members: Vec<MemberChange>,
    /// Lines of timelines.
    pub timeline: Vec<TimelineRow>,
    /// New and changed conversations.
    pub conversations: Vec<(String, Conversation)>,
    /// Answers that differ from the answer before.
    pub decisions: Vec<DecisionRow>,
    /// Messages owed.
    pub notifications: Vec<NewNotification>,
    /// Senders heard.
    pub sources: Vec<SourceSeen>,
}

/// What became of an event.
#[derive(Debug)]
pub struct TriagedEvent {
    /// The event.
    pub id: String,
    /// `None` when it was triaged, else why it could not be.
    pub failure: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// An incident as it is now.
#[derive(Debug)]
pub struct IncidentChange {
    /// The incident.
    pub incident: Incident,
    /// Whether it is the present one of its dedup key, as far as this transaction knows: one
    /// that was outlived stays so.
    pub is_current: bool,
}

/// A member as it is now.
#[derive(Debug)]
pub struct MemberChange {
    /// Of which incident.
    pub incident_id: String,
    /// By which event.
    pub event_id: String,
    /// When it was heard.
    pub at: Timestamp,
    /// The member.
    pub member: Member,
}

/// A line of an incident's timeline.
#[derive(Clone, Debug)]
pub struct TimelineRow {
    /// Ours.
    pub id: String,
    /// Of which incident.
    pub incident_id: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: String,
    /// By whom: `alertmanager`, `modelpager`, or a token's name.
    pub actor: String,
    /// More about it.
    pub detail: Value,
}

/// An answer to "what is to be told there?".
#[derive(Debug)]
pub struct DecisionRow {
    /// Ours.
    pub id: String,
    /// About which incident.
    pub incident_id: String,
    /// On which channel.
    pub channel: String,
    /// When.
    pub at: Timestamp,
    /// `send`, `wait`, `nothing`.
    pub outcome: &'static str,
    /// The message's kind when it is to be sent.
    pub kind: Option<&'static str>,
    /// Until when to wait.
    pub until: Option<Timestamp>,
    /// In words.
    pub reason: String,
    /// The message owed by it.
    pub notification_id: Option<String>,
    /// The path through the routing tree.
    pub route: Vec<String>,
}

/// A message owed to a channel.
#[derive(Clone, Debug)]
pub struct NewNotification {
    /// Ours.
    pub id: String,
    /// To which channel.
    pub channel: String,
    /// When the event behind it was received; `None` when a timer caused it.
    pub received_at: Option<Timestamp>,
    /// After this it fails for good.
    pub expires_at: Timestamp,
    /// The message before it on this channel, whose place it takes if nothing of that was sent.
    pub follows: Option<String>,
    /// What it says.
    pub snapshot: Snapshot,
}

/// A sender that posted events.
#[derive(Debug)]
pub struct SourceSeen {
    /// Its address; may be empty.
    pub external_url: String,
    /// Its receiver name.
    pub receiver: String,
    /// `alertmanager`.
    pub source: String,
    /// When it was heard last.
    pub at: Timestamp,
    /// How many events it sent in this transaction.
    pub events: u64,
}

const UPSERT_INCIDENTS: &str = concat!("INSERT INTO incidents (is_current, ", incident_columns!(), ")");
const UPSERT_INCIDENTS_SET: &str = "ON CONFLICT (id) DO UPDATE SET \
     is_current = (incidents.is_current AND excluded.is_current), state = excluded.state, \
     severity = excluded.severity, severity_raw = excluded.severity_raw, version = excluded.version, \
     receiver = excluded.receiver, external_url = excluded.external_url, truncated = excluded.truncated, \
     started_at = excluded.started_at, updated_at = excluded.updated_at, last_seen_at = excluded.last_seen_at, \
     resolved_at = excluded.resolved_at, resolve_reason = excluded.resolve_reason, reopened = excluded.reopened, \
     firing = excluded.firing, members = excluded.members, tally = excluded.tally";
const SILENCE: &str = "UPDATE members SET status = 'resolved', ends_at = $2, place = place + 5 WHERE incident_id = $1 AND status = 'firing'";
const UPSERT_MEMBERS: &str =
    concat!("INSERT INTO members (event_id, place, first_seen_at, last_seen_at, ", member_columns!(), ")");
const UPSERT_MEMBERS_SET: &str = "ON CONFLICT (incident_id, fingerprint) DO UPDATE SET status = excluded.status, \
     severity = excluded.severity, severity_raw = excluded.severity_raw, annotations = excluded.annotations, \
     starts_at = excluded.starts_at, ends_at = excluded.ends_at, generator_url = excluded.generator_url, \
     event_id = excluded.event_id, place = excluded.place, last_seen_at = excluded.last_seen_at";
const INSERT_TIMELINE: &str = "INSERT INTO timeline (id, incident_id, at, kind, actor, detail)";
const UPSERT_CONVERSATIONS: &str =
    "INSERT INTO conversations (incident_id, channel, told, next_due_at, last_answer)";
const UPSERT_CONVERSATIONS_SET: &str = "ON CONFLICT (incident_id, channel) DO UPDATE SET told = excluded.told, \
     next_due_at = excluded.next_due_at, last_answer = excluded.last_answer";
const INSERT_DECISIONS: &str = "INSERT INTO decisions (id, incident_id, channel, at, outcome, kind, until_at, reason, \
     notification_id, route)";
const INSERT_NOTIFICATIONS: &str = "INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, \
     alertname, received_at, created_at, due_at, expires_at, attempts, series, reason, maybe_twice, snapshot, \
     priority)";
const INSERT_NOTIFICATION_INCIDENTS: &str =
    "INSERT INTO notification_incidents (notification_id, incident_id)";
const FINISH_EVENTS: &str =
    "UPDATE events SET state = v.column2, reason = v.column3, processed_at = v.column4 FROM (";
const FINISH_EVENTS_WHERE: &str = ") AS v WHERE events.id = v.column1";
const UPSERT_SOURCES: &str =
    "INSERT INTO alert_sources (external_url, receiver, source, first_seen_at, last_seen_at, events)";
const UPSERT_SOURCES_SET: &str = "ON CONFLICT (external_url, receiver) DO UPDATE SET \
     last_seen_at = excluded.last_seen_at, events = alert_sources.events + excluded.events";

impl Tx {
    /// Writes what triage concluded: a few statements, whatever the number of alerts. Answers
    /// which messages ended because newer ones stand for them.
    ///
    /// # Errors
    /// Then the transaction is to be dropped.
    pub async fn save_consequences(&mut self, all: &Consequences) -> Result<Vec<Superseded>, StoreError> {
        self.finish_events(&all.events).await?;
        self.save_incidents(all).await?;
        self.save_members(all).await?;
        self.save_timeline(&all.timeline).await?;
        self.save_conversations(&all.conversations).await?;
        self.save_decisions(&all.decisions).await?;
        let superseded = self.insert_overtaking(&all.notifications).await?;
        self.save_sources(&all.sources).await?;
        Ok(superseded)
    }

    async fn finish_events(&mut self, events: &[TriagedEvent]) -> Result<(), StoreError> {
        write_rows!(*self, events, 4, FINISH_EVENTS, FINISH_EVENTS_WHERE, |query, event| query
            .bind(&event.id)
            .bind(if event.failure.is_some() { "failed" } else { "processed" })
            .bind(event.failure.as_deref().unwrap_or_default())
            .bind(event.at.as_millis()))
        .doing("mark events as triaged")?;
        Ok(())
    }

    async fn save_incidents(&mut self, all: &Consequences) -> Result<(), StoreError> {
        // The outlived first, so that the new present one of a dedup key finds the place free.
        let (current, outlived): (Vec<_>, Vec<_>) =
            all.incidents.iter().partition(|change| change.is_current);
        self.upsert_incidents(&outlived).await?;
        self.upsert_incidents(&current).await
    }

    async fn upsert_incidents(&mut self, changes: &[&IncidentChange]) -> Result<(), StoreError> {
        write_rows!(*self, changes, 23, UPSERT_INCIDENTS, UPSERT_INCIDENTS_SET, |query, change| query
            .bind(change.is_current)
            .bind(&change.incident.id)
            .bind(&change.incident.dedup_key)
            .bind(change.incident.state.as_str())
            .bind(change.incident.severity.as_str())
            .bind(&change.incident.severity_raw)
            .bind(&change.incident.entry)
            .bind(&change.incident.version)
            .bind(&change.incident.alertname)
            .bind(&change.incident.source)
            .bind(&change.incident.receiver)
            .bind(&change.incident.external_url)
            .bind(signed(change.incident.truncated))
            .bind(change.incident.started_at.as_millis())
            .bind(change.incident.opened_at.as_millis())
            .bind(change.incident.updated_at.as_millis())
            .bind(change.incident.last_seen_at.as_millis())
            .bind(change.incident.resolved_at.map(Timestamp::as_millis))
            .bind(change.incident.resolve_reason.map(crate::domain::incident::ResolveReason::as_str))
            .bind(i64::from(change.incident.reopened))
            .bind(i64::from(change.incident.firing))
            .bind(i64::from(change.incident.members))
            .bind(to_json(&change.incident.tally)))
        .doing("store incidents")?;
        Ok(())
    }

    async fn save_members(&mut self, all: &Consequences) -> Result<(), StoreError> {
        write_rows!(*self, &all.members, 14, UPSERT_MEMBERS, UPSERT_MEMBERS_SET, |query, change| query
            .bind(&change.event_id)
            .bind(place(&change.member))
            .bind(change.at.as_millis())
            .bind(change.at.as_millis())
            .bind(&change.incident_id)
            .bind(&change.member.fingerprint)
            .bind(change.member.status.as_str())
            .bind(change.member.severity.as_str())
            .bind(&change.member.severity_raw)
            .bind(to_json(&change.member.labels))
            .bind(to_json(&change.member.annotations))
            .bind(change.member.starts_at.as_millis())
            .bind(change.member.ends_at.map(Timestamp::as_millis))
            .bind(&change.member.generator_url))
        .doing("store members")?;
        for (incident_id, at) in &all.silenced {
            with_tx!(self, |conn| {
                sqlx::query(SILENCE)
                    .bind(incident_id)
                    .bind(at.as_millis())
                    .execute(&mut *conn)
                    .await
                    .map(|_| ())
            })
            .doing("end the members of an incident")?;
        }
        Ok(())
    }

    /// Adds lines to timelines.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn save_timeline(&mut self, rows: &[TimelineRow]) -> Result<(), StoreError> {
        write_rows!(*self, rows, 6, INSERT_TIMELINE, "", |query, row| query
            .bind(&row.id)
            .bind(&row.incident_id)
            .bind(row.at.as_millis())
            .bind(&row.kind)
            .bind(&row.actor)
            .bind(row.detail.to_string()))
        .doing("store timelines")?;
        Ok(())
    }

    async fn save_conversations(&mut self, rows: &[(String, Conversation)]) -> Result<(), StoreError> {
        // In one order everywhere: who keeps a provider's reference at the same time waits for
        // instead of blocks this.
        let mut rows: Vec<&(String, Conversation)> = rows.iter().collect();
        rows.sort_unstable_by(|a, b| (&a.0, &a.1.channel).cmp(&(&b.0, &b.1.channel)));
        write_rows!(*self, &rows, 5, UPSERT_CONVERSATIONS, UPSERT_CONVERSATIONS_SET, |query, row| query
            .bind(&row.0)
            .bind(&row.1.channel)
            .bind(row.1.told.as_ref().map(to_json))
            .bind(row.1.next_due_at.map(Timestamp::as_millis))
            .bind(&row.1.last_answer))
        .doing("store conversations")?;
        Ok(())
    }

    async fn save_decisions(&mut self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        write_rows!(*self, rows, 10, INSERT_DECISIONS, "", |query, row| query
            .bind(&row.id)
            .bind(&row.incident_id)
            .bind(&row.channel)
            .bind(row.at.as_millis())
            .bind(row.outcome)
            .bind(row.kind)
            .bind(row.until.map(Timestamp::as_millis))
            .bind(&row.reason)
            .bind(&row.notification_id)
            .bind(to_json(&row.route)))
        .doing("store decisions")?;
        Ok(())
    }

    /// Puts messages into the outbox.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn insert_notifications(&mut self, rows: &[NewNotification]) -> Result<(), StoreError> {
        let owed = rows.iter().map(|row| row.channel.clone()).collect();
        self.announce(News { owed, ..News::default() });
        write_rows!(*self, rows, 18, INSERT_NOTIFICATIONS, "", |query, row| query
            .bind(&row.id)
            .bind(&row.channel)
            .bind(&row.snapshot.incident.dedup_key)
            .bind(row.snapshot.kind.as_str())
            .bind("pending")
            .bind(row.snapshot.incident.severity.as_str())
            .bind(&row.snapshot.incident.entry)
            .bind(&row.snapshot.incident.alertname)
            .bind(row.received_at.map(Timestamp::as_millis))
            .bind(row.snapshot.at.as_millis())
            .bind(row.snapshot.at.as_millis())
            .bind(row.expires_at.as_millis())
            .bind(0_i64)
            .bind(1_i64)
            .bind("")
            .bind(false)
            .bind(to_json(&row.snapshot))
            .bind(i64::from(priority(row.snapshot.kind, row.snapshot.incident.severity))))
        .doing("put messages into the outbox")?;
        // A test is about no incident.
        let about = rows.iter().filter(|row| !row.snapshot.incident.id.is_empty());
        let pairs: Vec<(&str, &str)> =
            about.map(|row| (row.id.as_str(), row.snapshot.incident.id.as_str())).collect();
        write_rows!(
            *self,
            &pairs,
            2,
            INSERT_NOTIFICATION_INCIDENTS,
            "ON CONFLICT DO NOTHING",
            |query, pair| query.bind(pair.0).bind(pair.1)
        )
        .doing("tie messages to incidents")?;
        Ok(())
    }

    async fn save_sources(&mut self, rows: &[SourceSeen]) -> Result<(), StoreError> {
        write_rows!(*self, rows, 6, UPSERT_SOURCES, UPSERT_SOURCES_SET, |query, row| query
            .bind(&row.external_url)
            .bind(&row.receiver)
            .bind(&row.source)
            .bind(row.at.as_millis())
            .bind(row.at.as_millis())
            .bind(signed(row.events)))
        .doing("store who posts")?;
        Ok(())
    }
}

/// The order in which members matter: firing ones first, then by severity.
fn place(member: &Member) -> i64 {
    let severity = Severity::ALL.iter().position(|severity| *severity == member.severity).unwrap_or(0);
    let over = match member.status {
        AlertStatus::Firing => 0,
        AlertStatus::Resolved => Severity::ALL.len(),
    };
    i64::try_from(over + severity).unwrap_or(i64::MAX)
}
