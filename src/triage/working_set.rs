//! The incidents of one transaction, to be worked on, and what follows from the work. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::evaluate::{self, Cause};
use super::incidents::{self, Observation, TimelineEvent};
use super::loaded::{Context, LoadedIncident};
use crate::catalog::Catalog;
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::entry::EntryRecord;
use crate::domain::incident::{
    Conversation, GRAFANA_TEST, Incident, IncidentState, Member, OURSELVES, ResolveReason, TEST_LASTS,
};
use crate::store::triage::{Consequences, IncidentChange, MemberChange, TimelineRow};

/// All incidents under work by dedup key, and what follows so far.
#[derive(Default)]
pub(super) struct WorkingSet {
    incidents: HashMap<String, LoadedIncident>,
    /// Dedup keys by incident id.
    keys: HashMap<String, String>,
    pub consequences: Consequences,
}

impl WorkingSet {
    /// Loaded incidents with what belongs to them.
    pub fn of(
        incidents: Vec<Incident>,
        members: Vec<(String, Member)>,
        conversations: Vec<(String, Conversation)>,
    ) -> Self {
        let mut set = Self::default();
        for incident in incidents {
            set.keys.insert(incident.id.clone(), incident.dedup_key.clone());
            set.incidents.insert(incident.dedup_key.clone(), LoadedIncident::new(incident));
        }
        set.add_members(members);
        set.add_conversations(conversations);
        set
    }

    /// Adds members of incidents, by the incidents' ids.
    pub fn add_members(&mut self, members: Vec<(String, Member)>) {
        for (incident_id, member) in members {
            if let Some(loaded) = self.by_id(&incident_id) {
                loaded.members.insert(member.fingerprint.clone(), member);
            }
        }
    }

    /// Adds conversations of incidents, by the incidents' ids.
    pub fn add_conversations(&mut self, conversations: Vec<(String, Conversation)>) {
        for (incident_id, conversation) in conversations {
            if let Some(loaded) = self.by_id(&incident_id) {
                loaded.conversations.insert(conversation.channel.clone(), conversation);
            }
        }
    }

    /// The id of the incident of that dedup key, if there is one.
    pub fn id_of(&self, dedup_key: &str) -> Option<&str> {
        self.incidents.get(dedup_key).map(|loaded| loaded.incident.id.as_str())
    }

    /// Whether an alert says anything that is not known yet, or is the first since its catalog
    /// entry changed.
    pub fn is_news(&self, seen: &Observation, catalog: &Catalog) -> bool {
        self.incidents.get(&seen.dedup_key).is_none_or(|loaded| is_news(loaded, seen, catalog))
    }

    fn by_id(&mut self, incident_id: &str) -> Option<&mut LoadedIncident> {
        self.incidents.get_mut(self.keys.get(incident_id)?)
    }

    /// Takes one body's observations in, then decides about each incident of which they say
    /// something new: body by body, so that the decisions do not depend on how many share a
    /// transaction. `is_part` says that they are some of a large body's.
    pub fn take_in(&mut self, observations: &[Observation], is_part: bool, context: &Context<'_>) {
        for seen in observations {
            self.observe(seen, context);
        }
        let received_at = observations.first().map(|seen| seen.origin.received_at);
        let cause = Cause { received_at, is_flood: is_part };
        for seen in observations {
            let Some(loaded) = self.incidents.get_mut(&seen.dedup_key) else { continue };
            if std::mem::take(&mut loaded.is_undecided) {
                settle_word(loaded, context);
                evaluate::evaluate(loaded, cause, context, &mut self.consequences);
            }
        }
    }

    /// Decides about every incident: for timers.
    pub fn evaluate_all(&mut self, context: &Context<'_>) {
        for loaded in self.incidents.values_mut() {
            evaluate::evaluate(loaded, Cause::default(), context, &mut self.consequences);
        }
    }

    /// Ends as stale every open incident that was not heard of since `before`, and every one of
    /// Grafana's test alert sooner.
    pub fn end_stale(&mut self, before: Timestamp, context: &Context<'_>) {
        let is_stale = |incident: &Incident| {
            let before = match incident.source.as_str() {
                GRAFANA_TEST => before.max(context.now.minus(TEST_LASTS)),
                _ => before,
            };
            incident.state == IncidentState::Open && incident.last_seen_at <= before
        };
        for loaded in self.incidents.values_mut().filter(|loaded| is_stale(&loaded.incident)) {
            end(loaded, ResolveReason::Stale, None, OURSELVES, context, &mut self.consequences);
        }
    }

    /// Ends the incident of that id as a person says, and decides about it. Answers its state as
    /// it was before; `None` when it is not there.
    pub fn resolve(
        &mut self,
        incident_id: &str,
        comment: Option<&str>,
        actor: &str,
        context: &Context<'_>,
    ) -> Option<IncidentState> {
        let loaded = self.incidents.get_mut(self.keys.get(incident_id)?)?;
        let before = loaded.incident.state;
        if before == IncidentState::Open {
            end(loaded, ResolveReason::Person, comment, actor, context, &mut self.consequences);
            evaluate::evaluate(loaded, Cause::default(), context, &mut self.consequences);
        }
        Some(before)
    }

    /// Whether an incident of that id was loaded.
    pub fn has(&self, incident_id: &str) -> bool {
        self.keys.contains_key(incident_id)
    }

    /// Everything there is to write.
    pub fn finish(mut self) -> Consequences {
        for loaded in self.incidents.values_mut() {
            put_away(&mut self.consequences, loaded);
        }
        self.consequences
    }

    /// The incident of that dedup key.
    pub fn loaded(&self, dedup_key: &str) -> Option<&LoadedIncident> {
        self.incidents.get(dedup_key)
    }

    fn observe(&mut self, seen: &Observation, context: &Context<'_>) {
        if self.is_outdated(seen) || self.was_resolved_later(seen) {
            return;
        }
        self.make_room(seen, context);
        let now = context.now;
        let loaded = self.incidents.entry(seen.dedup_key.clone()).or_insert_with(|| {
            let incident = incidents::open(context.ids.next_id(), seen, now);
            let opened = TimelineEvent {
                kind: "opened",
                detail: serde_json::json!({"severity": seen.severity, "entry": seen.entry, "matched_by": seen.matched_by}),
            };
            self.consequences.timeline.push(timeline_row(&incident.id, opened, &seen.origin.source, context));
            LoadedIncident::new(incident)
        });
        loaded.matched_by.clone_from(&seen.matched_by);
        loaded.is_undecided |= is_news(loaded, seen, context.catalog);
        let known = loaded.members.get(&seen.alert.fingerprint);
        let (member, timeline) = incidents::observe(&mut loaded.incident, known, seen, now);
        loaded.is_changed = true;
        for timeline_event in timeline {
            self.consequences.timeline.push(timeline_row(
                &loaded.incident.id,
                timeline_event,
                &seen.origin.source,
                context,
            ));
        }
        let change =
            MemberChange { incident_id: loaded.incident.id.clone(), at: now, member: member.clone() };
        loaded.member_changes.insert(member.fingerprint.clone(), change);
        loaded.members.insert(member.fingerprint.clone(), member);
    }

    /// Whether a later event told of the alert already: this part of a large one had to wait.
    fn is_outdated(&self, seen: &Observation) -> bool {
        let known = self
            .incidents
            .get(&seen.dedup_key)
            .and_then(|loaded| loaded.members.get(&seen.alert.fingerprint));
        known.is_some_and(|known| known.event_id > seen.origin.event_id)
    }

    fn was_resolved_later(&self, seen: &Observation) -> bool {
        let Some(loaded) = self.incidents.get(&seen.dedup_key) else { return false };
        let known = loaded.members.get(&seen.alert.fingerprint);
        known.is_some_and(|known| incidents::was_resolved_later(&loaded.incident, known, seen))
    }

    /// A problem that fires again later than its cooldown is a new incident.
    fn make_room(&mut self, seen: &Observation, context: &Context<'_>) {
        let Some(loaded) = self.incidents.get(&seen.dedup_key) else { return };
        let Some(heard_at) = loaded.incident.end_heard_at() else { return };
        let fires = seen.alert.status == AlertStatus::Firing;
        let folds = || context.now < heard_at.plus(evaluate::longest_cooldown(loaded, seen, context));
        if !fires || folds() {
            return;
        }
        if let Some(mut loaded) = self.incidents.remove(&seen.dedup_key) {
            loaded.is_current = false;
            loaded.is_changed = true;
            put_away(&mut self.consequences, &mut loaded);
        }
    }
}

fn is_news(loaded: &LoadedIncident, seen: &Observation, catalog: &Catalog) -> bool {
    let LoadedIncident { incident, members, .. } = loaded;
    // Routes look at the entry's owner, team and tags.
    let has_changed = |record: Arc<EntryRecord>| record.updated_at >= incident.last_seen_at;
    incidents::is_news(incident, members.get(&seen.alert.fingerprint), seen)
        || catalog.get(&incident.entry).is_some_and(has_changed)
}

fn settle_word(loaded: &mut LoadedIncident, context: &Context<'_>) {
    let severity = loaded.incident.severity;
    let fits = |word: &str| context.rules.severity.normalise(Some(word)) == severity;
    incidents::settle_word(&mut loaded.incident, loaded.members.values(), fits);
}

/// Ends an incident for another reason than its alerts' own word: what fires of it counts as
/// resolved from now on.
fn end(
    loaded: &mut LoadedIncident,
    reason: ResolveReason,
    comment: Option<&str>,
    actor: &str,
    context: &Context<'_>,
    consequences: &mut Consequences,
) {
    let mut event = incidents::end(&mut loaded.incident, reason, context.now, context.now);
    if let Some(comment) = comment {
        event.detail["comment"] = comment.into();
    }
    for member in loaded.members.values_mut().filter(|m| m.status == AlertStatus::Firing) {
        member.status = AlertStatus::Resolved;
        member.ends_at = Some(context.now);
    }
    loaded.is_changed = true;
    let id = &loaded.incident.id;
    consequences.silenced.push((id.clone(), context.now));
    consequences.timeline.push(timeline_row(id, event, actor, context));
}

fn put_away(consequences: &mut Consequences, loaded: &mut LoadedIncident) {
    consequences.members.extend(std::mem::take(&mut loaded.member_changes).into_values());
    if loaded.is_changed {
        let incident = loaded.incident.clone();
        consequences.incidents.push(IncidentChange { incident, is_current: loaded.is_current });
    }
    for channel in std::mem::take(&mut loaded.changed_conversations) {
        let changed = loaded.conversations.get(&channel).cloned();
        consequences.conversations.extend(changed.map(|c| (loaded.incident.id.clone(), c)));
    }
}

pub(super) fn timeline_row(
    incident_id: &str,
    timeline_event: TimelineEvent,
    actor: &str,
    context: &Context<'_>,
) -> TimelineRow {
    TimelineRow {
        id: context.ids.next_id(),
        incident_id: incident_id.to_owned(),
        at: context.now,
        kind: timeline_event.kind.to_owned(),
        actor: actor.to_owned(),
        detail: timeline_event.detail,
    }
}
