//! What a body would lead to from a blank state: the same working_set as always, with nothing
//! stored before and nothing stored after. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::incidents::{Observation, Origin};
use super::loaded::Context;
use super::observe::observe_alert;
use super::processor::ParsedEvent;
use super::rules::Rules;
use super::working_set::WorkingSet;
use crate::catalog::Catalog;
use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::clock::{ManualClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::domain::random::SeededRandom;
use crate::store::triage::NewNotification;

/// Long enough ago that nothing holds a message back any more.
const BEFORE: Duration = Duration::from_secs(24 * 3600);

/// What a rehearsal needs besides the body.
pub struct Props<'a> {
    /// The rules to try.
    pub rules: &'a Rules,
    /// What the models are.
    pub catalog: &'a Catalog,
    /// Ids of what is made and forgotten.
    pub ids: &'a IdMaker,
    /// The moment at which the body arrives.
    pub now: Timestamp,
}

/// The same ids for the same moment: what is shown twice is the same.
pub fn ids_at(now: Timestamp) -> IdMaker {
    IdMaker::new(Arc::new(ManualClock::at(now)), Arc::new(SeededRandom::new(0)))
}

/// The messages that the body would lead to. Alerts that are resolved in it count as told
/// firing a day before: nobody is told the end of what he never heard of.
pub fn rehearse(event: ParsedEvent, props: &Props<'_>) -> Vec<NewNotification> {
    let origin = Origin {
        event_id: String::new(),
        received_at: props.now,
        source: "alertmanager".to_owned(),
        receiver: event.receiver,
        external_url: event.external_url,
        truncated: event.truncated,
    };
    let observe = |alert: Alert| observe_alert(alert, &origin, props.rules, props.catalog);
    let body: Vec<Observation> = event.alerts.into_iter().map(observe).collect();
    let mut working_set = WorkingSet::default();
    let earlier: Vec<Observation> = body.iter().filter_map(as_it_was).collect();
    if !earlier.is_empty() {
        working_set.take_in(&earlier, false, &context(props, props.now.minus(BEFORE)));
    }
    let known = working_set.consequences.notifications.len();
    working_set.take_in(&body, false, &context(props, props.now));
    working_set.finish().notifications.split_off(known)
}

fn context<'a>(props: &Props<'a>, now: Timestamp) -> Context<'a> {
    Context { rules: props.rules, catalog: props.catalog, ids: props.ids, now }
}

/// A resolved alert as it was while it fired.
fn as_it_was(seen: &Observation) -> Option<Observation> {
    if seen.alert.status == AlertStatus::Firing {
        return None;
    }
    let alert = Alert { status: AlertStatus::Firing, ends_at: None, ..seen.alert.clone() };
    Some(Observation { alert, ..seen.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ChannelConfig, Config, RouteConfig};
    use crate::domain::labels::{Labels, fingerprint};
    use crate::domain::notification::NotificationKind;

    const NOW: Timestamp = Timestamp::from_millis(1_787_220_000_000);

    fn alert(instance: &str, status: AlertStatus) -> Alert {
        let pairs = [("alertname", "Slow"), ("model", "m"), ("instance", instance)];
        let labels: Labels = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Alert {
            fingerprint: fingerprint(&labels),
            status,
            labels,
            annotations: Labels::default(),
            starts_at: NOW.minus(Duration::from_secs(60)),
            ends_at: (status == AlertStatus::Resolved).then_some(NOW),
            generator_url: String::new(),
            extras: crate::domain::alert::Extras::default(),
        }
    }

    fn kinds(alerts: Vec<Alert>) -> Vec<(String, NotificationKind, u32)> {
        let config = Config {
            channels: vec![ChannelConfig::new("a", "log"), ChannelConfig::new("b", "log")],
            route: RouteConfig { channels: vec!["a".to_owned(), "b".to_owned()], ..RouteConfig::default() },
            dedup_key: crate::config::DedupKeyTemplate("{{alertname}}".to_owned()),
            ..Config::default()
        };
        let rules = Rules::build(&config).unwrap_or_else(|problems| panic!("{problems:?}"));
        let ids = IdMaker::new(Arc::new(ManualClock::at(NOW)), Arc::new(SeededRandom::new(1)));
        let catalog = Catalog::new(config.catalog.clone());
        let event = ParsedEvent {
            receiver: "r".to_owned(),
            external_url: String::new(),
            truncated: 0,
            alerts,
            next: None,
        };
        let told = rehearse(event, &Props { rules: &rules, catalog: &catalog, ids: &ids, now: NOW });
        told.into_iter().map(|n| (n.channel, n.snapshot.kind, n.snapshot.incident.firing)).collect()
    }

    #[test]
    fn a_firing_body_is_the_first_word_on_every_channel() {
        let told = kinds(vec![alert("1", AlertStatus::Firing)]);

        assert_eq!(
            told,
            [("a".to_owned(), NotificationKind::Firing, 1), ("b".to_owned(), NotificationKind::Firing, 1)]
        );
    }

    #[test]
    fn a_resolved_body_is_the_end_of_what_was_told() {
        let told = kinds(vec![alert("1", AlertStatus::Resolved)]);

        assert_eq!(
            told,
            [
                ("a".to_owned(), NotificationKind::Resolved, 0),
                ("b".to_owned(), NotificationKind::Resolved, 0)
            ]
        );
    }
}
