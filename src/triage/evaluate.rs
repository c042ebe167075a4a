//! What one incident has to tell, channel by channel: walks the routing tree, asks the
//! policy, and writes down the answer and the message owed by it. Pure.

use std::collections::HashSet;
use std::time::Duration;

use super::decide::{Decision, decide};
use super::incidents::{Observation, rank};
use super::loaded::{Context, LoadedIncident};
use super::routes::{Destination, Node, RouteTree, Timing, destinations_of};
use super::subject::Subject;
use crate::catalog::{Catalog, facts};
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Conversation, Incident, IncidentState, Member, OURSELVES, Told};
use crate::domain::labels::Labels;
use crate::domain::notification::{EntryFacts, NotificationKind, SNAPSHOT_ALERTS, Snapshot};
use crate::store::triage::{Consequences, DecisionRow, NewNotification};

/// A channel to ask about, and why it is asked about.
struct Target {
    channel: String,
    /// `None`: it was told before and is no longer routed to.
    timing: Option<Timing>,
    path: Vec<String>,
}

/// What an incident is asked about again for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cause {
    /// When the event behind it was received; `None` for a timer.
    pub received_at: Option<Timestamp>,
    /// Whether that event is one of very many alerts.
    pub is_flood: bool,
}

/// Asks about every channel the incident is routed to or has spoken on.
pub(super) fn evaluate(
    loaded: &mut LoadedIncident,
    cause: Cause,
    context: &Context<'_>,
    consequences: &mut Consequences,
) {
    let incident_id = loaded.incident.id.clone();
    let mut facts: Option<EntryFacts> = None;
    let places = places(loaded, context);
    still_the_others(loaded, &places);
    for place in places {
        let told = loaded.conversations.get(&place.channel).and_then(|c| c.told.as_ref());
        let decision = decide_at(&loaded.incident, told, &place, context);
        let notification = match &decision {
            Decision::Send { kind, reason } => {
                if facts.is_none() {
                    facts = entry_facts(loaded, context);
                }
                let snapshot = Snapshot {
                    kind: *kind,
                    reason: reason.clone(),
                    previous_severity: told
                        .map(|told| told.severity)
                        .filter(|s| *s != loaded.incident.severity),
                    entry: facts.clone(),
                    route: place.path.clone(),
                    by_default_route: context.rules.tree.is_default(&place.path),
                    severity_unknown: context.rules.severity.is_unknown(&loaded.incident.severity_raw),
                    ..snapshot(loaded, context.now)
                };
                let follows = followed(told, &place, context);
                Some(NewNotification { follows, ..owed(&place, snapshot, cause, context) })
            }
            Decision::Wait { .. } | Decision::Nothing { .. } => None,
        };
        let notification_id = notification.as_ref().map(|n| n.id.clone());
        let is_news = remember(loaded, &place, &decision, notification_id.as_deref(), context);
        if is_news {
            consequences.decisions.push(decision_row(
                &incident_id,
                &place,
                &decision,
                notification_id,
                context,
            ));
        }
        consequences.notifications.extend(notification);
    }
}

/// A conversation in which nothing was said, on a channel that is routed to no more, waits for
/// nothing: its timer would come due for ever.
fn still_the_others(loaded: &mut LoadedIncident, places: &[Target]) {
    let is_asked = |channel: &str| places.iter().any(|place| place.channel == channel);
    let waits = |conversation: &&mut Conversation| {
        conversation.next_due_at.is_some() && !is_asked(&conversation.channel)
    };
    for conversation in loaded.conversations.values_mut().filter(waits) {
        conversation.next_due_at = None;
        loaded.changed_conversations.insert(conversation.channel.clone());
    }
}

/// The longest time within which a re-fire of this resolved incident folds into it: of the
/// routes that it takes as it fires again, not of those it took as it ended.
pub(super) fn longest_cooldown(
    loaded: &LoadedIncident,
    seen: &Observation,
    context: &Context<'_>,
) -> Duration {
    let again = Incident {
        state: IncidentState::Open,
        severity: seen.severity,
        receiver: seen.origin.receiver.clone(),
        version: seen.version.clone().unwrap_or_else(|| loaded.incident.version.clone()),
        ..loaded.incident.clone()
    };
    let entry = context.catalog.get(&again.entry);
    let subject = Subject {
        incident: &again,
        labels: &seen.alert.labels,
        entry: entry.as_ref().map(|record| &record.entry),
        words: &[&seen.severity_raw],
    };
    let destinations = context.rules.tree.destinations(|name| subject.look_up(name));
    destinations.iter().map(|destination| destination.timing.cooldown).max().unwrap_or_default()
}

/// The nodes of the tree that take the incident, each once: for every way in which its
/// members differ in what routes look at. What a trial of labels answers, too.
pub(super) fn routed<'t>(loaded: &LoadedIncident, tree: &'t RouteTree, catalog: &Catalog) -> Vec<&'t Node> {
    let entry = catalog.get(&loaded.incident.entry);
    let members = speaking_members(loaded);
    let words = severity_words(&loaded.incident, &members);
    let mut nodes: Vec<&Node> = Vec::new();
    for labels in distinct_labels(&members, tree) {
        let subject = Subject {
            incident: &loaded.incident,
            labels,
            entry: entry.as_ref().map(|record| &record.entry),
            words: &words,
        };
        for node in tree.find(|name| subject.look_up(name)) {
            if !nodes.iter().any(|known| std::ptr::eq(*known, node)) {
                nodes.push(node);
            }
        }
    }
    nodes
}

/// Where the routing tree sends the incident's members, then where it has spoken before.
fn places(loaded: &LoadedIncident, context: &Context<'_>) -> Vec<Target> {
    let nodes = routed(loaded, &context.rules.tree, context.catalog);
    let to_place = |destination: Destination<'_>| Target {
        channel: destination.channel.to_owned(),
        timing: Some(destination.timing),
        path: destination.path.to_vec(),
    };
    let mut places: Vec<Target> = destinations_of(&nodes).into_iter().map(to_place).collect();
    keep_off_broken(&mut places, loaded, context);
    let spoken_on = loaded.conversations.values().filter(|conversation| conversation.told.is_some());
    for conversation in spoken_on {
        if places.iter().all(|place| place.channel != conversation.channel) {
            places.push(Target { channel: conversation.channel.clone(), timing: None, path: Vec::new() });
        }
    }
    places
}

/// News of a broken channel never go to that channel: to another if the tree names none.
fn keep_off_broken(places: &mut Vec<Target>, loaded: &LoadedIncident, context: &Context<'_>) {
    if loaded.incident.source != OURSELVES {
        return;
    }
    let broken = loaded.members.values().find_map(|member| member.labels.get("channel"));
    let Some(broken) = broken else { return };
    places.retain(|place| place.channel != *broken);
    if !places.is_empty() {
        return;
    }
    let root = context.rules.tree.root();
    places.extend(context.rules.other_channel(broken).map(|other| Target {
        channel: other.to_owned(),
        timing: Some(root.timing()),
        path: root.path().to_vec(),
    }));
}

/// The members that speak for the incident, those that matter most first: the firing ones
/// while it is open, all of them once it is over.
fn speaking_members(loaded: &LoadedIncident) -> Vec<&Member> {
    let is_open = loaded.incident.state == IncidentState::Open;
    let mut members: Vec<&Member> =
        loaded.members.values().filter(|m| !is_open || m.status == AlertStatus::Firing).collect();
    members.sort_by(|a, b| rank(a).cmp(&rank(b)));
    members
}

/// The words that alerts of the incident's severity used for it; empty for a missing label.
fn severity_words<'c>(incident: &Incident, members: &[&'c Member]) -> Vec<&'c str> {
    let severest = members.iter().filter(|member| member.severity == incident.severity);
    let mut words: Vec<&str> = severest.map(|member| member.severity_raw.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// One label set for each way in which the members differ in what routes look at.
fn distinct_labels<'c>(members: &[&'c Member], tree: &RouteTree) -> Vec<&'c Labels> {
    let names = tree.label_names();
    let mut seen: HashSet<Vec<Option<&String>>> = HashSet::new();
    members
        .iter()
        .map(|member| &member.labels)
        .filter(|labels| seen.insert(names.iter().map(|name| labels.get(*name)).collect()))
        .collect()
}

fn decide_at(incident: &Incident, told: Option<&Told>, place: &Target, context: &Context<'_>) -> Decision {
    match context.rules.channel(&place.channel) {
        None => Decision::Nothing { reason: "the channel is not configured any more".to_owned() },
        Some(terms) if !terms.enabled => Decision::Nothing { reason: "the channel is disabled".to_owned() },
        Some(terms) => decide(incident, told, &terms.policy(place.timing), context.now),
    }
}

/// Keeps the answer with the conversation; answers whether it differs from the one before.
fn remember(
    loaded: &mut LoadedIncident,
    place: &Target,
    decision: &Decision,
    notification_id: Option<&str>,
    context: &Context<'_>,
) -> bool {
    let before = loaded.conversations.remove(&place.channel);
    let mut conversation = before
        .clone()
        .unwrap_or_else(|| Conversation { channel: place.channel.clone(), ..Conversation::default() });
    if let Some(id) = notification_id {
        conversation.told = Some(told(&loaded.incident, id, context.now));
    } else if let (Some(told), Some(heard)) = (&mut conversation.told, loaded.incident.end_heard_at()) {
        told.ended_untold = Some(heard);
    }
    conversation.next_due_at = match decision {
        Decision::Wait { until, .. } => Some(*until),
        // What is told now waits for its repeat: asked again, the policy says when.
        Decision::Send { .. } => {
            match decide_at(&loaded.incident, conversation.told.as_ref(), place, context) {
                Decision::Wait { until, .. } => Some(until),
                Decision::Send { .. } | Decision::Nothing { .. } => None,
            }
        }
        Decision::Nothing { .. } => None,
    };
    let answer = format!("{}: {}", decision.outcome(), decision.reason());
    let is_news = conversation.last_answer != answer || notification_id.is_some();
    conversation.last_answer = answer;
    if before.as_ref() != Some(&conversation) {
        loaded.changed_conversations.insert(place.channel.clone());
    }
    loaded.conversations.insert(place.channel.clone(), conversation);
    is_news
}

fn told(incident: &Incident, notification_id: &str, now: Timestamp) -> Told {
    Told {
        status: incident.state.told_as(),
        severity: incident.severity,
        digest: incident.tally.digest,
        joins: incident.tally.joins,
        reopened: incident.reopened,
        at: now,
        notification_id: notification_id.to_owned(),
        ended_untold: None,
    }
}

/// The message before on this channel, where a newer one may take its place.
fn followed(told: Option<&Told>, place: &Target, context: &Context<'_>) -> Option<String> {
    let terms = context.rules.channel(&place.channel)?;
    told.filter(|_| terms.supersedes).map(|told| told.notification_id.clone())
}

fn owed(place: &Target, snapshot: Snapshot, cause: Cause, context: &Context<'_>) -> NewNotification {
    NewNotification {
        id: context.ids.next_id(),
        channel: place.channel.clone(),
        received_at: cause.received_at,
        expires_at: context.now.plus(context.rules.max_age),
        follows: None,
        is_flood: cause.is_flood,
        snapshot,
    }
}

fn decision_row(
    incident_id: &str,
    place: &Target,
    decision: &Decision,
    notification_id: Option<String>,
    context: &Context<'_>,
) -> DecisionRow {
    let (kind, until) = match decision {
        Decision::Send { kind, .. } => (Some(kind.as_str()), None),
        Decision::Wait { until, .. } => (None, Some(*until)),
        Decision::Nothing { .. } => (None, None),
    };
    DecisionRow {
        id: context.ids.next_id(),
        incident_id: incident_id.to_owned(),
        channel: place.channel.clone(),
        at: context.now,
        outcome: decision.outcome(),
        kind,
        until,
        reason: decision.reason().to_owned(),
        notification_id,
        route: place.path.clone(),
    }
}

fn entry_facts(loaded: &LoadedIncident, context: &Context<'_>) -> Option<EntryFacts> {
    let record = context.catalog.get(&loaded.incident.entry)?;
    Some(facts(&record, loaded.incident.started_at, &loaded.matched_by))
}

/// The incident and its members as they are; what a decision adds is for the caller.
fn snapshot(loaded: &LoadedIncident, now: Timestamp) -> Snapshot {
    let mut alerts: Vec<&Member> = loaded.members.values().collect();
    alerts.sort_by(|a, b| rank(a).cmp(&rank(b)));
    alerts.truncate(SNAPSHOT_ALERTS);
    let omitted = u64::from(loaded.incident.members).saturating_sub(alerts.len() as u64);
    Snapshot {
        kind: NotificationKind::Firing,
        reason: String::new(),
        at: now,
        status: loaded.incident.state.told_as(),
        previous_severity: None,
        incident: loaded.incident.clone(),
        alerts: alerts.into_iter().cloned().collect(),
        alerts_omitted: omitted,
        entry: None,
        route: Vec::new(),
        by_default_route: false,
        severity_unknown: false,
        stands_in: None,
        overtook: None,
    }
}
