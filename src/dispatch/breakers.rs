//! The breakers of all channels: in memory for the workers, in the database for restarts
//! and for the other replicas. Says in the log and on the metrics when one of them moves.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::breaker::{Breaker, Evidence, Heard, Outage, Pass, Permit, State};
use super::ended::Ended;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::random::SharedRandom;
use crate::store::breakers::BreakerRow;
use crate::store::outbox::Next;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;

/// The breakers of all channels.
pub(super) struct Breakers {
    store: Store,
    clock: SharedClock,
    random: SharedRandom,
    metrics: Metrics,
    slots: Mutex<HashMap<String, Slot>>,
}

/// One breaker, and whether the database knows how it stands.
#[derive(Default)]
struct Slot {
    breaker: Breaker,
    revision: u64,
    saved: u64,
}

/// Breakers that moved and are about to be stored.
pub(super) struct Unsaved {
    pub rows: Vec<BreakerRow>,
    revisions: Vec<(String, u64)>,
}

impl Breakers {
    pub fn new(store: Store, clock: SharedClock, random: SharedRandom, metrics: Metrics) -> Self {
        Self { store, clock, random, metrics, slots: Mutex::default() }
    }

    /// Takes up what an earlier process left. A restart is a reason to try again at once.
    pub async fn resume(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        // One process owns a SQLite file: every probe in it is a dead one's.
        let lost_by = if self.is_alone() { Timestamp::from_millis(i64::MAX) } else { now };
        self.store.resume_breakers(now, lost_by).await?;
        self.refresh().await.map(|_| ())
    }

    /// Whether no other process can move the breakers.
    pub fn is_alone(&self) -> bool {
        self.store.backend() == "sqlite"
    }

    /// Makes these channels known to the metrics.
    pub fn introduce<'a>(&self, channels: impl Iterator<Item = &'a str>) {
        let slots = self.slots.lock();
        for channel in channels {
            let state = slots.get(channel).map_or("closed", |slot| slot.breaker.state().as_str());
            self.metrics.set_breaker(channel, state);
        }
    }

    pub fn permit(&self, channel: &str, now: Timestamp) -> Permit {
        self.slots.lock().get(channel).map_or(Permit::Go, |slot| slot.breaker.permit(now))
    }

    pub fn is_closed(&self, channel: &str) -> bool {
        self.slots.lock().get(channel).is_none_or(|slot| *slot.breaker.state() == State::Closed)
    }

    /// What is known of a channel's outage, while there is one.
    pub fn outage(&self, channel: &str) -> Option<Outage> {
        self.slots.lock().get(channel).and_then(|slot| slot.breaker.state().outage().cloned())
    }

    /// Takes the one place of the probe, among all replicas.
    pub async fn begin_probe(
        &self,
        channel: &str,
        now: Timestamp,
        lost_at: Timestamp,
    ) -> Result<bool, StoreError> {
        if !self.store.claim_probe(channel, now, lost_at).await? {
            self.refresh().await?;
            return Ok(false);
        }
        let is_ours =
            self.slots.lock().get_mut(channel).is_some_and(|slot| slot.breaker.begin_probe(now, lost_at));
        self.metrics.set_breaker(channel, if is_ours { "half_open" } else { "closed" });
        Ok(is_ours)
    }

    /// Gives the place of the probe back that would count as lost at `lost_at`: nothing was sent.
    pub async fn forgo_probe(
        &self,
        channel: &str,
        now: Timestamp,
        lost_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.store.forgo_probe(channel, now, lost_at).await?;
        if let Some(slot) = self.slots.lock().get_mut(channel) {
            slot.breaker.forgo_probe(now, lost_at);
            self.metrics.set_breaker(channel, slot.breaker.state().as_str());
        }
        Ok(())
    }

    /// Lets the channel's breaker hear of an attempt, and its message of the breaker: while
    /// nothing gets through, it waits with the others.
    pub fn note(&self, ended: &mut Ended) {
        let finished = &ended.finished;
        let heard = Heard {
            pass: ended.pass,
            evidence: ended.evidence,
            began_at: finished.started_at,
            ended_at: finished.ended_at,
            error: finished.error.as_deref().unwrap_or("no reason was given"),
        };
        let channel = finished.channel.clone();
        let (before, after) = {
            let mut slots = self.slots.lock();
            let slot = slots.entry(channel.clone()).or_default();
            let before = slot.breaker.state().clone();
            slot.breaker.note(&heard, self.random.fraction());
            let after = slot.breaker.state().clone();
            slot.revision += u64::from(before != after);
            (before, after)
        };
        if let Some(outage) = after.outage() {
            wait_with_the_others(ended, &before, outage);
        }
        self.announce(&channel, &before, &after);
    }

    /// Those of `channels` that moved since the database heard of them.
    pub fn unsaved<'a>(&self, channels: impl Iterator<Item = &'a str>) -> Unsaved {
        let slots = self.slots.lock();
        let mut unsaved = Unsaved { rows: Vec::new(), revisions: Vec::new() };
        for channel in channels {
            if let Some(slot) = slots.get(channel).filter(|slot| slot.revision != slot.saved) {
                unsaved.rows.push(row(channel, slot.breaker.state()));
                unsaved.revisions.push((channel.to_owned(), slot.revision));
            }
        }
        unsaved
    }

    /// The database has them, or never will.
    pub fn mark_saved(&self, unsaved: &Unsaved) {
        let mut slots = self.slots.lock();
        for (channel, revision) in &unsaved.revisions {
            if let Some(slot) = slots.get_mut(channel) {
                slot.saved = slot.saved.max(*revision);
            }
        }
    }

    /// Closes a breaker in memory, for whoever closes it in the database.
    pub fn close(&self, channel: &str) {
        let before = {
            let mut slots = self.slots.lock();
            let slot = slots.entry(channel.to_owned()).or_default();
            let before = slot.breaker.state().clone();
            slot.breaker.close(self.clock.now());
            slot.revision += 1;
            slot.saved = slot.revision;
            before
        };
        self.announce(channel, &before, &State::Closed);
    }

    /// Takes over what other replicas found out; answers which channels moved.
    pub async fn refresh(&self) -> Result<Vec<String>, StoreError> {
        let known: HashMap<String, u64> =
            self.slots.lock().iter().map(|(name, slot)| (name.clone(), slot.revision)).collect();
        let rows = self.store.breakers().await?;
        let mut moved = Vec::new();
        for row in rows {
            let found = state(&row);
            let before = {
                let mut slots = self.slots.lock();
                let slot = slots.entry(row.channel.clone()).or_default();
                // What happened here meanwhile is news to the database.
                let is_ours = slot.revision != slot.saved
                    || known.get(&row.channel).is_some_and(|r| *r != slot.revision);
                if is_ours || *slot.breaker.state() == found {
                    continue;
                }
                let before = slot.breaker.state().clone();
                slot.breaker = Breaker::resume(found.clone());
                before
            };
            self.announce(&row.channel, &before, &found);
            moved.push(row.channel);
        }
        Ok(moved)
    }

    fn announce(&self, channel: &str, before: &State, after: &State) {
        if before == after {
            return;
        }
        self.metrics.set_breaker(channel, after.as_str());
        match (before, after) {
            (State::Closed, State::Open(outage) | State::HalfOpen(outage)) => {
                self.metrics.breaker_opened(channel);
                self.metrics.set_channel_healthy(channel, false);
                tracing::error!(
                    channel,
                    reason = outage.reason,
                    probe_at = %outage.probe_at,
                    "the channel does not deliver: its messages wait and one now and then is sent as a probe; \
                     check its address, credentials and provider, then POST /api/v1/channels/NAME/reset, or \
                     wait for the next probe"
                );
            }
            (State::Closed, State::Closed) => {}
            (_, State::Closed) => {
                tracing::info!(channel, "the channel is given its messages again");
            }
            (_, State::Open(outage)) => tracing::warn!(
                channel,
                reason = outage.reason,
                failed_probes = outage.failed_probes,
                probe_at = %outage.probe_at,
                "the channel still does not deliver"
            ),
            (_, State::HalfOpen(_)) => tracing::info!(channel, "a probe is under way"),
        }
    }
}

/// A message that was not delivered while nothing gets through is tried again with the next
/// probe at the latest, but not sooner than its provider asked for. One that was refused for
/// the channel's sake waits too, except for that by which it was found out; even that waits
/// when it stands for many, of whose incidents nobody would hear.
fn wait_with_the_others(ended: &mut Ended, before: &State, outage: &Outage) {
    let not_before = ended.not_before.unwrap_or(outage.probe_at);
    let is_known = *before != State::Closed && ended.pass != Pass::Trial;
    let may_wait = is_known || ended.stands_for_many;
    match &ended.finished.next {
        Next::Retry(at) => ended.finished.next = Next::Retry((*at).min(outage.probe_at.max(not_before))),
        Next::Failed(_) if may_wait && ended.evidence == Evidence::Refuses => {
            let at = outage.probe_at.max(not_before);
            if at <= ended.expires_at {
                ended.finished.next = Next::Retry(at);
            }
        }
        Next::Failed(_) | Next::Delivered => {}
    }
}

fn row(channel: &str, state: &State) -> BreakerRow {
    let outage = state.outage();
    BreakerRow {
        channel: channel.to_owned(),
        breaker: state.as_str().to_owned(),
        opened_at: outage.map(|outage| outage.since.as_millis()),
        opened_reason: outage.map(|outage| outage.reason.clone()),
        probe_at: outage.map(|outage| outage.probe_at.as_millis()),
        failed_probes: outage.map_or(0, |outage| i64::from(outage.failed_probes)),
    }
}

fn state(row: &BreakerRow) -> State {
    let outage = || Outage {
        since: Timestamp::from_millis(row.opened_at.unwrap_or_default()),
        reason: row.opened_reason.clone().unwrap_or_default(),
        probe_at: Timestamp::from_millis(row.probe_at.unwrap_or_default()),
        failed_probes: u32::try_from(row.failed_probes).unwrap_or(u32::MAX),
    };
    match row.breaker.as_str() {
        "open" => State::Open(outage()),
        "half_open" => State::HalfOpen(outage()),
        _ => State::Closed,
    }
}
