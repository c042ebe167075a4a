//! What a body would become on a channel, by the rules and the catalog given, with nothing
//! stored and nothing sent. Pure.

use super::plan::ChannelPlan;
use crate::catalog::Catalog;
use crate::config::{Config, RouteConfig};
use crate::domain::clock::Timestamp;
use crate::domain::ids::IdMaker;
use crate::intake::alertmanager::Delivery;
use crate::store::triage::NewNotification;
use crate::triage::processor::ParsedEvent;
use crate::triage::rehearsal::{Props, rehearse};
use crate::triage::rules::{RuleProblem, Rules};

/// What a rehearsal needs besides the body.
pub struct Stage<'a> {
    /// The configuration to try.
    pub config: &'a Config,
    /// The channel asked about.
    pub channel: &'a ChannelPlan,
    /// What the models are.
    pub catalog: &'a Catalog,
    /// Ids of what is made and forgotten.
    pub ids: &'a IdMaker,
    /// The moment at which the body arrives.
    pub now: Timestamp,
}

/// What the channel would be told.
pub struct Rehearsed {
    /// The messages; may be none.
    pub told: Vec<NewNotification>,
    /// What there is to say about it, in sentences.
    pub notes: Vec<String>,
}

/// The messages that the body would lead to on the channel. Where the routes do not lead it
/// there, a note says so and the messages are made all the same.
///
/// # Errors
/// Why the rules cannot be built; never for a configuration that is in force.
pub fn rehearse_on(delivery: &Delivery, stage: &Stage<'_>) -> Result<Rehearsed, Vec<RuleProblem>> {
    let name = &stage.channel.name;
    let mut notes = rejected(delivery);
    let mut told = told(delivery, &Rules::build(stage.config)?, stage);
    if told.is_empty() {
        told = self::told(delivery, &straight_rules(stage)?, stage);
        told.iter_mut().for_each(|told| told.snapshot.route.clear());
        notes.push(if told.is_empty() {
            format!("this event leads to no message on {name}")
        } else {
            format!("the routes do not lead this event to {name}; shown all the same")
        });
    }
    Ok(Rehearsed { told, notes })
}

/// What a body tells, in the words of triage.
pub fn understood(delivery: Delivery) -> ParsedEvent {
    ParsedEvent {
        receiver: delivery.receiver,
        external_url: delivery.external_url,
        truncated: delivery.truncated,
        alerts: delivery.alerts,
        next: None,
    }
}

fn rejected(delivery: &Delivery) -> Vec<String> {
    let rejected = delivery.rejected.iter();
    rejected
        .map(|alert| format!("alert {} of the event is rejected: {}", alert.index, alert.reason))
        .collect()
}

fn told(delivery: &Delivery, rules: &Rules, stage: &Stage<'_>) -> Vec<NewNotification> {
    let props = Props { rules, catalog: stage.catalog, ids: stage.ids, now: stage.now };
    let told = rehearse(understood(delivery.clone()), &props).into_iter();
    told.filter(|told| told.channel == stage.channel.name).collect()
}

/// Everything goes to the channel asked about.
fn straight_rules(stage: &Stage<'_>) -> Result<Rules, Vec<RuleProblem>> {
    let channels = vec![stage.channel.name.clone()];
    let route = RouteConfig { channels, ..RouteConfig::default() };
    Rules::build(&Config { route, ..stage.config.clone() })
}
