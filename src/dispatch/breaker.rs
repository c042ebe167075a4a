//! The circuit breaker of one channel: whether anything may be sent through it now. Pure:
//! it is told the time, and draws nothing.
//!
//! closed → open (it fails for a while, or its provider refuses it) → half-open (one message
//! goes ahead as a probe) → closed again, or open with a longer wait. While it is open
//! nothing is claimed: messages wait and use up no attempts.
//!
//! Promises: nothing but a probe is let through while it is not closed; never two probes at
//! a time; no probe before its time.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::outcome::{SendOutcome, SendReport};

/// So many attempts in a row have to fail before a channel counts as broken: one message
/// with its first retries is not yet a picture of the channel.
pub const FAILURES: u32 = 5;
/// And for so long: a provider that restarts or fails over is back within it, and retries
/// bridge it without help.
pub const FAILING_FOR: Duration = Duration::from_secs(30);
/// The wait before the first probe. Most outages are short; one message in 15 s is no load.
pub const FIRST_PROBE: Duration = Duration::from_secs(15);
/// No wait between probes is longer: what recovers is noticed within five minutes.
pub const LAST_PROBE: Duration = Duration::from_secs(300);

/// Whether anything may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// As much as there is.
    Go,
    /// One message, to see whether the channel works again; [`Breaker::begin_probe`] first.
    Probe,
    /// Nothing before that moment.
    WaitUntil(Timestamp),
}

/// By which right an attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The breaker was closed.
    Regular,
    /// As the probe.
    Probe,
    /// Somebody asked for a test: never held back.
    Trial,
}

/// What an attempt says about its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It delivers.
    Works,
    /// It does not.
    Fails,
    /// Its provider will take nothing through it until its settings or rights change.
    Refuses,
    /// The provider answered, but about this message alone, or asked for time.
    Answers,
    /// Nothing was sent.
    None,
}

/// How long a channel has been out, and when it is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when nothing is sent.
    pub since: Timestamp,
    /// What went wrong, in words, without a secret.
    pub reason: String,
    /// When the next probe may go; while one is under way, when it counts as lost.
    pub probe_at: Timestamp,
    /// How many probes in a row have failed.
    pub failed_probes: u32,
}

/// Where a breaker stands.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// Everything goes through.
    #[default]
    Closed,
    /// Nothing goes through.
    Open(Outage),
    /// A probe is under way.
    HalfOpen(Outage),
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failing {
    since: Timestamp,
    count: u32,
}

/// One attempt, as the breaker hears of it.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// By which right it was made.
    pub pass: Pass,
    /// What it says.
    pub evidence: Evidence,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What went wrong.
    pub error: &'a str,
}

/// The breaker of one channel.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    state: State,
    failing: Option<Failing>,
    /// When it was last closed: what began before says nothing about the time since.
    closed_at: Option<Timestamp>,
}

impl State {
    /// The word in the database, the API and the metrics: `closed`, `open`, `half_open`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open(_) => "open",
            Self::HalfOpen(_) => "half_open",
        }
    }

    /// What is known about the outage, while there is one.
    pub const fn outage(&self) -> Option<&Outage> {
        match self {
            Self::Closed => None,
            Self::Open(outage) | Self::HalfOpen(outage) => Some(outage),
        }
    }
}

impl Evidence {
    /// What a report says.
    pub fn of(report: &SendReport) -> Self {
        match report.outcome {
            SendOutcome::Accepted => Self::Works,
            SendOutcome::Rejected if report.refuses_channel => Self::Refuses,
            SendOutcome::Rejected => Self::Answers,
            // Throttling is the provider's word that it lives: the pause sees to it. A 503 is not.
            SendOutcome::NotProcessed | SendOutcome::Ambiguous
                if report.slows_channel && report.status != Some(503) =>
            {
                Self::Answers
            }
            SendOutcome::NotProcessed | SendOutcome::Ambiguous => Self::Fails,
        }
    }
}

impl Breaker {
    /// A breaker that stands where an earlier process or another replica left it.
    pub fn resume(state: State) -> Self {
        Self { state, ..Self::default() }
    }

    /// Where it stands.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Whether anything may be sent at `now`.
    pub fn permit(&self, now: Timestamp) -> Permit {
        match self.state.outage() {
            None => Permit::Go,
            Some(outage) if now >= outage.probe_at => Permit::Probe,
            Some(outage) => Permit::WaitUntil(outage.probe_at),
        }
    }

    /// Takes the one place of the probe, until it counts as lost. Answers whether it was
    /// free.
    #[must_use]
    pub fn begin_probe(&mut self, now: Timestamp, lost_at: Timestamp) -> bool {
        if self.permit(now) != Permit::Probe {
            return false;
        }
        if let Some(outage) = self.state.outage() {
            self.state = State::HalfOpen(Outage { probe_at: lost_at, ..outage.clone() });
        }
        true
    }

    /// The probe that would count as lost at `lost_at` was not sent.
    pub fn forgo_probe(&mut self, now: Timestamp, lost_at: Timestamp) {
        if let State::HalfOpen(outage) = &self.state
            && outage.probe_at == lost_at
        {
            self.state = State::Open(Outage { probe_at: now, ..outage.clone() });
        }
    }

    /// Gives the channel a new chance.
    pub fn close(&mut self, now: Timestamp) {
        *self = Self { closed_at: Some(now), ..Self::default() };
    }

    /// Draws the consequences of an attempt; `fraction` in `0.0..1.0` draws the wait.
    pub fn note(&mut self, heard: &Heard<'_>, fraction: f64) {
        match &self.state {
            State::Closed => self.note_closed(heard, fraction),
            State::Open(outage) | State::HalfOpen(outage) => {
                let is_proof = heard.pass != Pass::Regular || heard.began_at > outage.since;
                if heard.evidence == Evidence::Works && is_proof {
                    self.close(heard.ended_at);
                } else if heard.pass == Pass::Probe {
                    self.note_probe(heard, fraction);
                }
            }
        }
    }

    fn note_closed(&mut self, heard: &Heard<'_>, fraction: f64) {
        if self.closed_at.is_some_and(|at| heard.began_at < at) {
            return;
        }
        match heard.evidence {
            Evidence::Works => self.failing = None,
            Evidence::Refuses => self.open(heard, fraction),
            Evidence::Fails => {
                let now = heard.ended_at;
                let failing = self.failing.get_or_insert(Failing { since: now, count: 0 });
                failing.count += 1;
                if failing.count >= FAILURES && now.since(failing.since) >= FAILING_FOR {
                    self.open(heard, fraction);
                }
            }
            Evidence::Answers | Evidence::None => {}
        }
    }

    fn open(&mut self, heard: &Heard<'_>, fraction: f64) {
        self.failing = None;
        self.state = State::Open(Outage {
            since: heard.ended_at,
            reason: heard.error.to_owned(),
            probe_at: heard.ended_at.plus(probe_wait(0, fraction)),
            failed_probes: 0,
        });
    }

    fn note_probe(&mut self, heard: &Heard<'_>, fraction: f64) {
        let State::HalfOpen(outage) = &self.state else { return };
        let mut outage = outage.clone();
        match heard.evidence {
            Evidence::Fails | Evidence::Refuses => {
                outage.failed_probes = outage.failed_probes.saturating_add(1);
                heard.error.clone_into(&mut outage.reason);
                outage.probe_at = heard.ended_at.plus(probe_wait(outage.failed_probes, fraction));
            }
            // No proof that others would get through, and no news of the outage either.
            Evidence::Answers => outage.probe_at = heard.ended_at.plus(probe_wait(0, fraction)),
            Evidence::None | Evidence::Works => outage.probe_at = heard.ended_at,
        }
        self.state = State::Open(outage);
    }
}

/// The wait before the next probe: doubles from [`FIRST_PROBE`] to [`LAST_PROBE`], less a
/// random quarter, so that channels of one provider do not probe in step.
fn probe_wait(failed_probes: u32, fraction: f64) -> Duration {
    let ceiling = FIRST_PROBE.saturating_mul(1 << failed_probes.min(16)).min(LAST_PROBE);
    ceiling.mul_f64(0.25_f64.mul_add(-fraction.clamp(0.0, 1.0), 1.0))
}

#[cfg(test)]
mod tests;
