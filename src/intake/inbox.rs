//! The inbox: takes a body, answers once it is safely stored.
//!
//! Requests hand their parsed body to one writer task, which commits whatever waits in one
//! transaction: under load many requests share one disk flush, and without load nobody waits
//! for company. The answer comes after the commit. A full queue is told to come again
//! (Alertmanager repeats a 5xx and drops a 4xx), never dropped silently.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::alertmanager::{self, Delivery, Refusal};
use crate::domain::alert::AlertStatus;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::domain::incident::{GRAFANA_TEST, OURSELVES};
use crate::store::events::{EventState, NewEvent, Stored, TwinKey};
use crate::store::log_events::EventSummary;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::{EventResult, Metrics};

/// How many bodies may wait for the writer.
const QUEUE: usize = 4_096;
/// How many bytes may wait for the writer, in KiB: the queue's memory is bounded by it.
const QUEUE_KIB: usize = 256 * 1_024;
/// How many bodies share one transaction at most.
const BATCH: usize = 512;
/// So many share one in any case.
const FEW: usize = 16;
/// How many bytes share one transaction at most.
const BATCH_BYTES: usize = 32 * 1_024 * 1_024;
/// How often a transaction that gave way to another replica's is tried.
const TRIES: u32 = 3;
/// How long a sender waits for its answer at most; what is stored after that it sends again,
/// and it is found to be its own twin.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How much of a refused body is kept.
const REFUSED_HEAD: usize = 64 * 1_024;
/// What events of Alertmanager are called.
pub const ALERTMANAGER: &str = "alertmanager";

/// The answer to an accepted body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The event, or the twin that came first.
    pub event_id: String,
    /// An equal delivery had come shortly before.
    pub duplicate: bool,
    /// How many alerts were taken.
    pub alerts: usize,
    /// How many alerts were refused, each for a reason kept with the event.
    pub rejected: usize,
}

/// Why a body was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It can never be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be stored now: the sender should come again.
    #[error("the body could not be stored now")]
    Unavailable,
}

/// Takes bodies in. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    queue: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    parts: Arc<Parts>,
}

/// What the inbox is made of.
pub struct Parts {
    /// Where events go.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// Ids of events.
    pub ids: IdMaker,
    /// What is counted.
    pub metrics: Metrics,
    /// How long an equal delivery counts as a twin's.
    pub dedup_window: Duration,
    /// Told when events were stored.
    pub stored: Arc<Notify>,
}

struct Request {
    event: NewEvent,
    _room: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<(String, Stored), ()>>,
}

impl Inbox {
    /// Starts the writer. It ends, with everything answered, when the last clone of the inbox
    /// is gone.
    pub fn start(parts: Parts) -> (Self, JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(QUEUE);
        let parts = Arc::new(parts);
        let writer = tokio::spawn(write(parts.clone(), requests));
        (Self { queue, room: Arc::new(Semaphore::new(QUEUE_KIB)), parts }, writer)
    }

    /// Whether the writer still runs.
    pub fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Counts a body that could not be read to its end for want of memory.
    pub fn count_turned_away(&self) {
        self.parts.metrics.event(ALERTMANAGER, EventResult::Unavailable);
    }

    /// Stores an Alertmanager webhook body posted by `actor`.
    ///
    /// # Errors
    /// When it is not such a body (its head is kept) or cannot be stored now.
    pub async fn accept(&self, body: Bytes, actor: &str) -> Result<Accepted, IntakeError> {
        self.take(body, actor, None).await
    }

    /// Stores a body again, as a new event of the same source that repeats the event `of`; never
    /// a duplicate.
    ///
    /// # Errors
    /// As [`Inbox::accept`].
    pub async fn replay(&self, body: Bytes, actor: &str, of: &EventSummary) -> Result<Accepted, IntakeError> {
        self.take(body, actor, Some(of)).await
    }

    /// Keeps the head of a body that was refused before it could be parsed.
    ///
    /// # Errors
    /// When it cannot be stored now.
    pub async fn keep_refused(&self, head: &[u8], actor: &str, reason: &str) -> Result<(), IntakeError> {
        self.refuse(refused_event(self.parts.clock.now(), head, actor, reason.to_owned())).await
    }

    async fn refuse(&self, event: NewEvent) -> Result<(), IntakeError> {
        self.parts.metrics.event(ALERTMANAGER, EventResult::Rejected);
        self.store(event).await.map(|_| ())
    }

    async fn take(
        &self,
        body: Bytes,
        actor: &str,
        replay: Option<&EventSummary>,
    ) -> Result<Accepted, IntakeError> {
        let now = self.parts.clock.now();
        let delivery = match weigh(&body, now).await {
            Ok(delivery) => delivery,
            Err(refusal) => {
                self.keep_refused(&body, actor, &refusal.to_string()).await?;
                return Err(refusal.into());
            }
        };
        let (alerts, rejected) = (delivery.taken(), delivery.rejected_count);
        if let Some(refusal) = delivery.uselessness() {
            self.parts.metrics.alerts_rejected(rejected as u64);
            self.refuse(useless_event(now, &delivery, &body, actor, &refusal)).await?;
            return Err(refusal.into());
        }
        let mut event = accepted_event(now, &delivery, body.to_vec(), actor);
        match replay {
            Some(of) => {
                event.replay_of = Some(of.id.clone());
                // What this program said about itself stays its own word.
                if of.source == OURSELVES {
                    event.source = OURSELVES;
                }
            }
            None => {
                event.twin = Some(TwinKey {
                    key: delivery.twin_key().to_owned(),
                    turn_key: delivery.group_digest().to_owned(),
                    tells_end: delivery.tells_end(),
                    expires_at: now.plus(self.parts.dedup_window),
                });
            }
        }
        let source = event.source;
        let (id, stored) = self.store(event).await?;
        self.count(&id, source, &delivery, &stored);
        let (event_id, duplicate) = match stored {
            Stored::New => (id, false),
            Stored::TwinOf(first) => (first, true),
        };
        Ok(Accepted { event_id, duplicate, alerts, rejected })
    }

    async fn store(&self, event: NewEvent) -> Result<(String, Stored), IntakeError> {
        let kib = u32::try_from(event.body.len().div_ceil(1_024).clamp(1, QUEUE_KIB)).unwrap_or(u32::MAX);
        let stored = async {
            let room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| ())?;
            let (answer, answered) = oneshot::channel();
            self.queue.try_send(Request { event, _room: room, answer }).map_err(|_| ())?;
            let answered = tokio::time::timeout(ANSWER_LIMIT, answered).await;
            answered.map_err(|_| ())?.map_err(|_| ())?
        };
        stored.await.map_err(|()| {
            self.parts.metrics.event(ALERTMANAGER, EventResult::Unavailable);
            IntakeError::Unavailable
        })
    }

    fn count(&self, id: &str, source: &'static str, delivery: &Delivery, stored: &Stored) {
        let metrics = &self.parts.metrics;
        if matches!(stored, Stored::TwinOf(_)) {
            metrics.event(source, EventResult::Duplicate);
            return;
        }
        metrics.event(source, EventResult::Accepted);
        warn_of_times(id, delivery);
        metrics.alerts(AlertStatus::Firing, delivery.firing as u64);
        metrics.alerts(AlertStatus::Resolved, delivery.resolved as u64);
        if delivery.rejected_count > 0 {
            metrics.alerts_rejected(delivery.rejected_count as u64);
        }
    }
}

/// Reads a body. A large one takes too long for a thread that serves others.
async fn weigh(body: &Bytes, now: Timestamp) -> Result<Delivery, Refusal> {
    const LARGE: usize = 256 * 1_024;
    if body.len() < LARGE {
        return alertmanager::weigh(body, now);
    }
    let shared = body.clone();
    match tokio::task::spawn_blocking(move || alertmanager::weigh(&shared, now)).await {
        Ok(weighed) => weighed,
        // The runtime ends, or reading it failed as it will here.
        Err(_) => alertmanager::weigh(body, now),
    }
}

fn accepted_event(now: Timestamp, delivery: &Delivery, body: Vec<u8>, actor: &str) -> NewEvent {
    NewEvent {
        // Given by the writer: ids rise in the order of the commits.
        id: String::new(),
        received_at: now,
        state: EventState::Pending,
        source: if delivery.is_grafana_test() { GRAFANA_TEST } else { ALERTMANAGER },
        receiver: delivery.receiver.clone(),
        group_key: delivery.group_key.clone(),
        external_url: delivery.external_url.clone(),
        actor: actor.to_owned(),
        alerts: delivery.taken(),
        rejected: delivery.rejected_count,
        truncated: delivery.truncated,
        replay_of: None,
        reason: String::new(),
        verdicts: delivery.verdicts(),
        body,
        twin: None,
    }
}

/// One line for an event, however many alerts it has.
fn warn_of_times(id: &str, delivery: &Delivery) {
    if delivery.dated_by_receipt > 0 {
        tracing::warn!(
            event.id = id,
            receiver = delivery.receiver,
            alerts = delivery.dated_by_receipt,
            note = delivery.notes.first().map(|note| note.reason.as_str()),
            "alerts have a missing or unreadable time: the time of receipt counts"
        );
    }
}

/// A body none of whose alerts can be used: its head is kept, with the reasons.
fn useless_event(
    now: Timestamp,
    delivery: &Delivery,
    body: &[u8],
    actor: &str,
    refusal: &Refusal,
) -> NewEvent {
    NewEvent {
        receiver: delivery.receiver.clone(),
        group_key: delivery.group_key.clone(),
        external_url: delivery.external_url.clone(),
        rejected: delivery.rejected_count,
        truncated: delivery.truncated,
        verdicts: delivery.verdicts(),
        ..refused_event(now, body, actor, refusal.to_string())
    }
}

fn refused_event(now: Timestamp, body: &[u8], actor: &str, reason: String) -> NewEvent {
    NewEvent {
        id: String::new(),
        received_at: now,
        state: EventState::Rejected,
        source: ALERTMANAGER,
        receiver: String::new(),
        group_key: String::new(),
        external_url: String::new(),
        actor: actor.to_owned(),
        alerts: 0,
        rejected: 0,
        truncated: 0,
        replay_of: None,
        reason,
        verdicts: "[]".to_owned(),
        body: body[..body.len().min(REFUSED_HEAD)].to_vec(),
        twin: None,
    }
}

async fn write(parts: Arc<Parts>, mut requests: mpsc::Receiver<Request>) {
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(first) = requests.recv().await {
        let limit = batch_limit(&parts.store, requests.len());
        gather(first, limit, &mut requests, &mut batch);
        let events = batch.len();
        commit(&parts, &mut batch).await;
        parts.store.intake_went_on(events, requests.len());
        parts.stored.notify_one();
    }
}

/// How many of those that wait share the next transaction. Where a commit is cheap only half of
/// many: while the others are stored, these are answered and what comes next is read. Senders
/// who wait for each other's commits all together would leave the writer idle in between. A
/// server is asked over the network several times for each transaction, whatever its size.
fn batch_limit(store: &Store, waiting: usize) -> usize {
    let share = if store.is_alone() { waiting / 2 } else { waiting };
    (share + 1).clamp(FEW, BATCH)
}

/// Takes what waits already, up to the limits of one transaction.
fn gather(first: Request, limit: usize, requests: &mut mpsc::Receiver<Request>, batch: &mut Vec<Request>) {
    let mut bytes = first.event.body.len();
    batch.push(first);
    while batch.len() < limit && bytes < BATCH_BYTES {
        let Ok(request) = requests.try_recv() else { return };
        bytes += request.event.body.len();
        batch.push(request);
    }
}

async fn commit(parts: &Parts, batch: &mut Vec<Request>) {
    let (mut events, answers): (Vec<NewEvent>, Vec<_>) =
        batch.drain(..).map(|request| (request.event, (request.answer, request._room))).unzip();
    let outcomes = match store_all(parts, &mut events).await {
        Ok(stored) => stored.into_iter().map(Ok).collect(),
        // Something in one of them: its neighbours must not pay for it.
        Err(error) if !error.is_unavailable() && events.len() > 1 => store_each(parts, &mut events).await,
        Err(error) => {
            log_refused(&error, events.len());
            vec![Err(()); events.len()]
        }
    };
    for ((event, (answer, _room)), outcome) in events.into_iter().zip(answers).zip(outcomes) {
        // A sender that hung up will come again, and find its twin.
        let _ = answer.send(outcome.map(|stored| (event.id, stored)));
    }
}

async fn store_all(parts: &Parts, events: &mut [NewEvent]) -> Result<Vec<Stored>, StoreError> {
    let begun = parts.clock.now();
    let mut tries = 1;
    let stored = loop {
        match parts.store.take_in(&parts.ids, events).await {
            Err(error) if error.is_collision() && tries < TRIES => tries += 1,
            stored => break stored,
        }
    };
    let now = parts.clock.now();
    parts.metrics.store_operation("insert_events", now.since(begun));
    // Anything else is a matter of one event, and said about it.
    if stored.as_ref().err().is_none_or(StoreError::is_unavailable) {
        parts.store.watch().note("store what was posted", &stored, now);
    }
    stored
}

async fn store_each(parts: &Parts, events: &mut [NewEvent]) -> Vec<Result<Stored, ()>> {
    let mut outcomes = Vec::with_capacity(events.len());
    for event in events {
        let outcome = store_all(parts, std::slice::from_mut(event)).await;
        outcomes.push(match outcome.map(|mut stored| stored.pop()) {
            Ok(Some(stored)) => Ok(stored),
            Ok(None) => Err(()),
            Err(error) => {
                log_refused(&error, 1);
                Err(())
            }
        });
    }
    outcomes
}

fn log_refused(error: &StoreError, events: usize) {
    if error.is_unavailable() {
        return;
    }
    tracing::error!(
        events,
        error = error as &dyn std::error::Error,
        "could not store what was posted, the senders will retry"
    );
}
