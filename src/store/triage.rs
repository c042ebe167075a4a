//! What triage writes: everything that follows from a transaction's events, in a few
//! statements, whatever the number of alerts.

use std::time::Duration;

use serde_json::Value;

use super::error::Doing as _;
use super::news::News;
use super::rows::to_json;
use super::triage_rows::{
    CONVERSATIONS, DECISIONS, EVENTS, INCIDENTS, MEMBERS, NOTIFICATIONS, PROGRESS, SOURCES, SUBJECTS,
    TIMELINE, bind_conversation, bind_decision, bind_incident, bind_member, bind_notification, bind_progress,
    bind_source, bind_subject, bind_timeline, bind_triaged_event,
};
use super::triage_tx::TriageTx;
use super::{StoreError, Superseded, Tx, TxKind};
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Conversation, Incident, Member};
use crate::domain::index_key::index_key;
use crate::domain::notification::Snapshot;
use crate::domain::priority::{flood_priority, priority};

/// Everything one triage transaction writes.
#[derive(Debug, Default)]
pub struct Consequences {
    /// Events and what became of them.
    pub events: Vec<TriagedEvent>,
    /// Events that were taken in part, before or now.
    pub progress: Vec<EventProgress>,
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
    /// Events of which alerts were set aside.
    pub verdicts: Vec<EventVerdicts>,
    /// Ids of incidents that are gone: what is left of them comes due no more.
    pub without_timers: Vec<String>,
    /// Incidents that cannot be worked on.
    pub postponed: Vec<Postponed>,
    /// What is to be decided again.
    pub due_again: Vec<DueAgain>,
}

/// Conversations that are to be decided again.
#[derive(Debug)]
pub enum DueAgain {
    /// All of open incidents, by their ids: those after one, up to another.
    Open {
        /// The incident before the first.
        after: String,
        /// The last.
        up_to: String,
        /// When they come due.
        at: Timestamp,
    },
    /// These, each named by its incident and channel.
    Ends {
        /// Incidents and channels.
        conversations: Vec<(String, String)>,
        /// When they come due.
        at: Timestamp,
    },
}

/// The timers of an incident that cannot be worked on: they rest for a while.
#[derive(Debug)]
pub struct Postponed {
    /// The incident.
    pub incident_id: String,
    /// What is due by then rests …
    pub now: Timestamp,
    /// … and what counts as stale since then.
    pub stale_before: Timestamp,
    /// For how long.
    pub rest: Duration,
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

/// How far triage is with an event that it takes in parts.
#[derive(Debug)]
pub struct EventProgress {
    /// The event.
    pub event_id: String,
    /// At which place of its list of alerts the next turn begins; `None` when there is none.
    pub next: Option<usize>,
}

/// An event of which an alert was set aside.
#[derive(Debug)]
pub struct EventVerdicts {
    /// The event.
    pub event_id: String,
    /// What is noted of its alerts, as a JSON list.
    pub verdicts: Vec<Value>,
    /// What there is to say about it as a whole.
    pub reason: String,
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
    /// Whether it tells of one of the many alerts of a large body: then others go first.
    pub is_flood: bool,
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

impl SourceSeen {
    /// Under which key it is counted: its address and receiver together may be too long for an
    /// index.
    pub(super) fn key(&self) -> String {
        index_key(&format!("{}\n{}", self.external_url, self.receiver)).into_owned()
    }
}

impl NewNotification {
    /// Where it stands in its channel's queue.
    pub(super) fn priority(&self) -> u8 {
        let severity = self.snapshot.incident.severity;
        if self.is_flood { flood_priority(severity) } else { priority(self.snapshot.kind, severity) }
    }
}

impl Consequences {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.progress.is_empty()
    }
}

const FORGET_PROGRESS: &str = "DELETE FROM event_progress WHERE event_id IN";
const VERDICTS: &str = "SELECT verdicts, reason FROM events WHERE id = $1";
const SET_ASIDE: &str = "UPDATE events SET verdicts = $2, reason = $3, alerts = alerts - 1, rejected = rejected + 1 \
     WHERE id = $1";
const SILENCE: &str = "UPDATE members SET status = 'resolved', ends_at = $2, place = place + 5 WHERE incident_id = $1 AND status = 'firing'";

/// Which of some messages are about which incidents; a test is about none.
pub(super) fn subjects(rows: &[NewNotification]) -> Vec<(&str, &str)> {
    let about = rows.iter().filter(|row| !row.snapshot.incident.id.is_empty());
    about.map(|row| (row.id.as_str(), row.snapshot.incident.id.as_str())).collect()
}

impl TriageTx {
    /// Writes what follows from what was read, and ends the transaction. Answers which messages
    /// ended because newer ones stand for them.
    ///
    /// # Errors
    /// Then nothing of it was written.
    pub async fn commit(self, all: &Consequences) -> Result<Vec<Superseded>, StoreError> {
        let Self { tx, store, turn } = self;
        let mut writing = match tx.0 {
            TxKind::Postgres(_) => tx,
            TxKind::Sqlite(_) => {
                tx.rollback().await?;
                store.begin_write().await?
            }
        };
        let superseded = match writing.save_consequences(all).await {
            Ok(superseded) => superseded,
            Err(error) => {
                // A broken connection undoes it by itself.
                let _ = writing.rollback().await;
                return Err(error);
            }
        };
        writing.commit().await?;
        drop(turn);
        Ok(superseded)
    }

    /// What is noted of the alerts of an event, and what is said about it as a whole.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn verdicts(&mut self, event_id: &str) -> Result<(Vec<Value>, String), StoreError> {
        let (verdicts, reason): (String, String) =
            with_tx!(self.tx, |conn| sqlx::query_as(VERDICTS).bind(event_id).fetch_one(&mut *conn).await)
                .doing("read the verdicts on an event")?;
        Ok((serde_json::from_str(&verdicts).unwrap_or_default(), reason))
    }
}

impl Tx {
    /// Writes what triage concluded: a few statements, whatever the number of alerts. Answers
    /// which messages ended because newer ones stand for them.
    ///
    /// # Errors
    /// Then the transaction is to be dropped.
    pub(super) async fn save_consequences(
        &mut self,
        all: &Consequences,
    ) -> Result<Vec<Superseded>, StoreError> {
        self.save_verdicts(&all.verdicts).await?;
        self.finish_events(&all.events).await?;
        self.save_progress(&all.progress).await?;
        self.save_incidents(all).await?;
        self.save_members(all).await?;
        self.save_timeline(&all.timeline).await?;
        self.save_conversations(&all.conversations).await?;
        self.save_decisions(&all.decisions).await?;
        let superseded = self.insert_overtaking(&all.notifications).await?;
        self.save_sources(&all.sources).await?;
        // What belongs to no incident any more would come due for ever.
        self.clear_timers(&all.without_timers).await?;
        self.postpone_timers(&all.postponed).await?;
        self.decide_again(&all.due_again).await?;
        Ok(superseded)
    }

    async fn finish_events(&mut self, events: &[TriagedEvent]) -> Result<(), StoreError> {
        save!(self, events, EVENTS, bind_triaged_event).doing("mark events as triaged")?;
        Ok(())
    }

    async fn save_progress(&mut self, rows: &[EventProgress]) -> Result<(), StoreError> {
        let (going_on, ended): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.next.is_some());
        save!(self, &going_on, PROGRESS, bind_progress).doing("note how far events are")?;
        let ended: Vec<&str> = ended.iter().map(|row| row.event_id.as_str()).collect();
        write_by_keys!(*self, &ended, FORGET_PROGRESS).doing("note that events are done with")?;
        Ok(())
    }

    async fn save_verdicts(&mut self, rows: &[EventVerdicts]) -> Result<(), StoreError> {
        for EventVerdicts { event_id, verdicts, reason } in rows {
            with_tx!(self, |conn| {
                let query = sqlx::query(SET_ASIDE).bind(event_id).bind(to_json(verdicts)).bind(reason);
                query.execute(&mut *conn).await.map(|_| ())
            })
            .doing("set an alert aside")?;
        }
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
        save!(self, changes, INCIDENTS, bind_incident).doing("store incidents")?;
        Ok(())
    }

    async fn save_members(&mut self, all: &Consequences) -> Result<(), StoreError> {
        save!(self, &all.members, MEMBERS, bind_member).doing("store members")?;
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
        save!(self, rows, TIMELINE, bind_timeline).doing("store timelines")?;
        Ok(())
    }

    async fn save_conversations(&mut self, rows: &[(String, Conversation)]) -> Result<(), StoreError> {
        // In one order everywhere: who keeps a provider's reference at the same time waits for
        // instead of blocks this.
        let mut rows: Vec<&(String, Conversation)> = rows.iter().collect();
        rows.sort_unstable_by(|a, b| (&a.0, &a.1.channel).cmp(&(&b.0, &b.1.channel)));
        save!(self, &rows, CONVERSATIONS, bind_conversation).doing("store conversations")?;
        Ok(())
    }

    async fn save_decisions(&mut self, rows: &[DecisionRow]) -> Result<(), StoreError> {
        save!(self, rows, DECISIONS, bind_decision).doing("store decisions")?;
        Ok(())
    }

    /// Puts messages into the outbox.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn insert_notifications(&mut self, rows: &[NewNotification]) -> Result<(), StoreError> {
        let owed = rows.iter().map(|row| row.channel.clone()).collect();
        self.announce(News { owed, ..News::default() });
        save!(self, rows, NOTIFICATIONS, bind_notification).doing("put messages into the outbox")?;
        save!(self, &subjects(rows), SUBJECTS, bind_subject).doing("tie messages to incidents")?;
        Ok(())
    }

    async fn save_sources(&mut self, rows: &[SourceSeen]) -> Result<(), StoreError> {
        save!(self, rows, SOURCES, bind_source).doing("store who posts")?;
        Ok(())
    }
}
