//! One channel's worker: leases due messages a little ahead, sends several at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::breaker::{Pass, Permit};
use super::ended::Ended;
use super::look::{Found, PAUSE, POLL, Wanted, look};
use super::pace::{Pace, Step};
use super::plan::ChannelPlan;
use super::sender::Sender;
use super::shared::Shared;
use crate::domain::clock::Timestamp;
use crate::store::StoreError;
use crate::store::outbox::Claimed;

/// How long a leased message may wait for its send before it is given back.
const HOLD: Duration = Duration::from_secs(1);

pub(super) struct Worker {
    sender: Sender,
    wake: Arc<Notify>,
    stopped: watch::Receiver<bool>,
    pace: Pace,
    /// Leased and not yet being sent, with the moment of the lease.
    ready: VecDeque<(Timestamp, Claimed)>,
    /// Those are being given back, and the store did not say that it has them: they are not sent.
    is_returning: bool,
    /// Leased to find out whether the channel works again.
    probe: Option<Claimed>,
    /// When to look into the outbox again.
    look_at: Timestamp,
    /// The channel's rate limit is used up until then, which is not over yet.
    not_before: Option<Timestamp>,
    /// The last look left some behind.
    more_waits: bool,
    /// Called since the last look began.
    woken: bool,
}

type Look = BoxFuture<'static, Result<Found, StoreError>>;

impl Worker {
    pub fn new(
        shared: Arc<Shared>,
        channel: Arc<ChannelPlan>,
        records: mpsc::Sender<Ended>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let wake = shared.wake_of(&channel.name);
        let now = shared.clock.now();
        Self {
            wake,
            stopped,
            pace: Pace::new(channel.concurrency, now),
            ready: VecDeque::new(),
            is_returning: false,
            probe: None,
            look_at: now,
            not_before: None,
            more_waits: false,
            woken: false,
            sender: Sender::new(shared, channel, records),
        }
    }

    pub async fn run(mut self) {
        let mut sends = JoinSet::new();
        let mut look: Option<Look> = None;
        self.restore_pause().await;
        while !*self.stopped.borrow() {
            let next_step = self.step(&mut sends, &mut look).await;
            tokio::select! {
                _ = self.stopped.changed() => break,
                found = ended(&mut look) => {
                    look = None;
                    self.take_in(found);
                }
                () = self.wake.notified() => self.note_call(),
                Some(_) = sends.join_next(), if !sends.is_empty() => self.note_ends(&mut sends),
                () = self.sender.shared.clock.sleep_until(next_step) => {}
            }
        }
        if let Some(look) = look {
            self.take_in(look.await);
        }
        if let Some(message) = self.probe.take() {
            sends.spawn(self.sender.clone().deliver(message, Pass::Probe));
        }
        self.give_back().await;
        while self.is_returning {
            self.sender.shared.clock.sleep_until(self.now().plus(PAUSE)).await;
            self.give_back().await;
        }
        // A successor may have looked before this was given back.
        self.sender.shared.wake(&self.sender.channel.name);
        while sends.join_next().await.is_some() {}
    }

    /// Does what can be done now; answers when there is more to do although nothing happens.
    async fn step(&mut self, sends: &mut JoinSet<()>, look: &mut Option<Look>) -> Timestamp {
        let now = self.now();
        let poll = now.plus(POLL);
        self.bound_waits(now, poll);
        if let Some(message) = self.probe.take() {
            sends.spawn(self.sender.clone().deliver(message, Pass::Probe));
        }
        // No look is under way then: none is begun until the store has taken them back.
        if self.is_returning {
            self.give_back().await;
        }
        if self.is_returning {
            return now.plus(PAUSE);
        }
        // A look under way may hold the only connection that giving back could have, and does
        // not go on before this returns.
        let may_give_back = look.is_none();
        if let Some(until) = self.hindered_until(now) {
            if may_give_back {
                self.give_back().await;
            }
            return until.min(if self.ready.is_empty() { poll } else { now.plus(PAUSE) });
        }
        let pass = if self.permit(now) == Permit::Go { Pass::Regular } else { Pass::Probe };
        if pass == Pass::Regular {
            self.start_sends(sends);
        } else if may_give_back {
            self.give_back().await;
        }
        let is_held_up = self.ready.front().is_some_and(|(leased_at, _)| now >= leased_at.plus(HOLD));
        if is_held_up && may_give_back {
            self.give_back().await;
        }
        let stuck_at = self.ready.front().map_or(poll, |(leased_at, _)| leased_at.plus(HOLD));
        if look.is_some() {
            return stuck_at.max(now.plus(PAUSE));
        }
        if now < self.look_at {
            return self.look_at.min(stuck_at);
        }
        match self.pace.step(sends.len() + self.ready.len(), now) {
            Step::Lease(limit) => {
                *look = Some(self.look(limit, pass, now));
                stuck_at
            }
            Step::NotBefore(at) => at.min(stuck_at),
            Step::Full => stuck_at,
        }
    }

    /// No look is further away than the next poll: a moment that lies behind it was noted
    /// before the clock was set back. What a rate limit does not allow yet is not leased
    /// anyway.
    fn bound_waits(&mut self, now: Timestamp, poll: Timestamp) {
        self.look_at = self.look_at.min(poll);
        // What is over stays over, even when the clock is set back behind it.
        self.not_before = self.not_before.filter(|at| *at > now).map(|at| at.min(poll));
    }

    /// `at`, or later where the rate limit is used up until then.
    fn as_soon_as_allowed(&self, at: Timestamp) -> Timestamp {
        self.not_before.map_or(at, |not_before| at.max(not_before))
    }

    /// Until when nothing may be sent; `None`: sending is allowed.
    fn hindered_until(&self, now: Timestamp) -> Option<Timestamp> {
        let broken_until = match self.permit(now) {
            Permit::WaitUntil(at) => at,
            Permit::Go | Permit::Probe => now,
        };
        Some(self.sender.paused_until().max(broken_until)).filter(|until| *until > now)
    }

    fn permit(&self, now: Timestamp) -> Permit {
        self.sender.shared.breakers.permit(&self.sender.channel.name, now)
    }

    fn start_sends(&mut self, sends: &mut JoinSet<()>) {
        while sends.len() < self.sender.channel.concurrency {
            let Some((_, message)) = self.ready.pop_front() else { return };
            sends.spawn(self.sender.clone().deliver(message, Pass::Regular));
        }
    }

    /// Looks into the outbox, without keeping the sends waiting.
    fn look(&mut self, limit: usize, pass: Pass, now: Timestamp) -> Look {
        self.woken = false;
        let from_priority = self.pace.lease(now);
        let wanted = match pass {
            Pass::Probe => Wanted { limit: 1, from_priority: 0, is_sure: false, pass },
            Pass::Regular | Pass::Trial => Wanted { limit, from_priority, is_sure: self.more_waits, pass },
        };
        Box::pin(look(self.sender.shared.clone(), self.sender.channel.clone(), wanted))
    }

    fn take_in(&mut self, found: Result<Found, StoreError>) {
        self.sender.shared.store.watch().note("lease messages to be sent", &found, self.now());
        match found {
            Ok(found) => {
                if let Some(until) = found.paused_until {
                    self.sender.pause_until(until);
                }
                self.more_waits = found.more_waits;
                self.not_before = found.not_before;
                self.look_at = self.as_soon_as_allowed(if self.woken { found.at } else { found.look_at });
                let mut messages = found.messages.into_iter();
                if found.pass == Pass::Probe {
                    self.probe = messages.next();
                }
                self.ready.extend(messages.map(|message| (found.at, message)));
            }
            Err(_) => self.look_at = self.now().plus(PAUSE),
        }
    }

    /// Leases of messages that will not be sent now are worth more to others. What the store
    /// did not surely take back is given back again before anything else: it may have been leased
    /// to another replica meanwhile.
    async fn give_back(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let shared = &self.sender.shared;
        let leased =
            |(_, message): &'_ (Timestamp, Claimed)| (message.id.clone(), message.lease_claim.clone());
        let messages: Vec<(String, String)> = self.ready.iter().map(leased).collect();
        let taken = shared.store.give_back(&messages).await;
        let now = self.now();
        shared.store.watch().note("give back messages that were not sent", &taken, now);
        self.is_returning = taken.is_err();
        if taken.is_ok() {
            self.ready.clear();
        }
        self.look_at = self.as_soon_as_allowed(now);
    }

    fn note_call(&mut self) {
        self.woken = true;
        self.look_at = self.as_soon_as_allowed(self.now());
    }

    fn note_ends(&mut self, sends: &mut JoinSet<()>) {
        let mut count = 1;
        while sends.try_join_next().is_some() {
            count += 1;
        }
        let now = self.now();
        self.pace.ended(count, now);
    }

    /// A provider's wish to be left alone outlives a restart.
    async fn restore_pause(&self) {
        let Sender { shared, channel, .. } = &self.sender;
        match shared.store.paused_until(&channel.name).await {
            Ok(Some(until)) => self.sender.pause_until(until),
            Ok(None) => {}
            Err(error) => {
                let channel = channel.name.as_str();
                tracing::warn!(
                    channel,
                    error = &error as &dyn std::error::Error,
                    "could not read a channel's pause"
                );
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.sender.shared.clock.now()
    }
}

/// Completes when the look does; never without one.
async fn ended(look: &mut Option<Look>) -> Result<Found, StoreError> {
    match look {
        Some(look) => look.await,
        None => std::future::pending().await,
    }
}
