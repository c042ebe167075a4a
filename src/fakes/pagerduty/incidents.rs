//! What events do to incidents: the state machine by routing key and dedup key.

use super::event::{Action, Event};
use crate::domain::clock::Timestamp;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Somebody is being paged.
    Triggered,
    /// Somebody is on it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Opened the first incident of its dedup key.
    Opened,
    /// Opened another one after the last was resolved: somebody is paged again.
    Reopened,
    /// Updated the open incident.
    Updated,
    /// Acknowledged the open incident.
    Acknowledged,
    /// Resolved the open incident.
    Resolved,
    /// Nothing: there was no open incident to acknowledge or resolve. PagerDuty answers
    /// 202 all the same.
    Dropped,
}

/// An event and what it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When it came.
    pub at: Timestamp,
    /// What it did.
    pub effect: Effect,
    /// The event.
    pub event: Event,
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The integration key.
    pub routing_key: String,
    /// The name of the problem.
    pub dedup_key: String,
    /// Where it stands.
    pub state: State,
    /// The headline as last told.
    pub summary: String,
    /// The severity as last told.
    pub severity: String,
    /// How many triggers it took.
    pub triggers: u32,
}

/// All incidents of an account and every event that made them.
#[derive(Debug, Default)]
pub struct Incidents {
    all: Vec<Incident>,
    told: Vec<Told>,
}

impl Incidents {
    /// Every incident, in the order of their opening.
    pub fn all(&self) -> &[Incident] {
        &self.all
    }

    /// Every event taken, oldest first.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// Lets an event take effect.
    pub(super) fn apply(&mut self, event: Event, at: Timestamp) {
        let effect = match event.action {
            Action::Trigger => self.trigger(&event),
            Action::Acknowledge => self.finish(&event, State::Acknowledged, Effect::Acknowledged),
            Action::Resolve => self.finish(&event, State::Resolved, Effect::Resolved),
        };
        self.told.push(Told { at, effect, event });
    }

    /// The newest incident of the event's keys; older ones are all resolved.
    fn latest(&mut self, event: &Event) -> Option<&mut Incident> {
        let is_same = |incident: &&mut Incident| {
            incident.routing_key == event.routing_key && incident.dedup_key == event.dedup_key
        };
        self.all.iter_mut().rev().find(is_same)
    }

    fn trigger(&mut self, event: &Event) -> Effect {
        let effect = match self.latest(event) {
            Some(incident) if incident.state != State::Resolved => {
                incident.summary.clone_from(&event.summary);
                incident.severity.clone_from(&event.severity);
                incident.triggers += 1;
                return Effect::Updated;
            }
            Some(_) => Effect::Reopened,
            None => Effect::Opened,
        };
        self.all.push(Incident {
            routing_key: event.routing_key.clone(),
            dedup_key: event.dedup_key.clone(),
            state: State::Triggered,
            summary: event.summary.clone(),
            severity: event.severity.clone(),
            triggers: 1,
        });
        effect
    }

    fn finish(&mut self, event: &Event, state: State, effect: Effect) -> Effect {
        match self.latest(event) {
            Some(incident) if incident.state != State::Resolved => {
                incident.state = state;
                effect
            }
            _ => Effect::Dropped,
        }
    }
}
