//! The internal alert about a channel that does not deliver: `ModelpagerChannelFailing`, one
//! for each channel, an event like any other that triage takes in and routes (never to the
//! channel it is about).
//!
//! Level-triggered: it is compared what is true with what was told, so a restart changes
//! nothing and of several replicas one tells it. It fires while the breaker is not closed or
//! a message was given up and none has been delivered since; it ends once nothing has spoken
//! for it for [`CALM`]; it is told again now and then, so that it does not go stale.

use std::time::Duration;

use serde_json::json;

use super::fallback::CHANNEL_LABEL;
use super::plan::Plan;
use super::shared::Shared;
use crate::domain::clock::Timestamp;
use crate::domain::incident::OURSELVES;
use crate::domain::labels::{ALERTNAME, Labels, fingerprint};
use crate::domain::severity::Severity;
use crate::store::StoreError;
use crate::store::alarms::{Alarm, AlarmRow};
use crate::store::events::{EventState, NewEvent};
use crate::telemetry::metrics::EventResult;

/// What the alert is called.
pub const ALERT: &str = "ModelpagerChannelFailing";
/// For so long a channel has to work before its alert ends: one that comes and goes stays
/// one incident.
pub const CALM: Duration = Duration::from_secs(120);

/// Why the alert fires.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    severity: Severity,
    since: Timestamp,
    reason: String,
}

/// What is to be done about the alert of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Rest,
    /// To be noted, not told.
    Note(Alarm),
    /// To be told that it fires.
    Fire(Alarm, Trouble),
    /// To be told that it is over.
    End,
}

/// Raises, renews and ends the alerts about channels.
pub(super) async fn tell(shared: &Shared) -> Result<(), StoreError> {
    let plan = shared.plan();
    let now = shared.clock.now();
    for row in shared.store.alarms().await? {
        let is_in_use = plan.channel(&row.channel).is_some();
        let (alarm, event) = match step(&row, is_in_use, plan.keep_alive, now) {
            Step::Rest => continue,
            Step::Note(alarm) => (alarm, None),
            Step::Fire(alarm, trouble) => {
                warn_if_alone(&plan, &row.channel);
                let since = alarm.since.unwrap_or(now);
                (alarm, Some(event(shared, &plan, &row, Some(&trouble), since)))
            }
            Step::End => {
                let since = Timestamp::from_millis(row.alert_since.unwrap_or_default());
                (Alarm::default(), Some(event(shared, &plan, &row, None, since)))
            }
        };
        let is_ours = shared.store.move_alarm(&row, &alarm, event.as_ref()).await?;
        if is_ours && event.is_some() {
            shared.metrics.event(OURSELVES, EventResult::Accepted);
            shared.wake_triage();
        }
    }
    Ok(())
}

/// Compares what is true of a channel with what was told.
fn step(row: &AlarmRow, is_in_use: bool, keep_alive: Duration, now: Timestamp) -> Step {
    let since = row.alert_since.map(Timestamp::from_millis);
    let told_at = row.alert_told_at.map(Timestamp::from_millis);
    let told_severity = row.alert_severity.as_deref().and_then(severity);
    let Some(mut trouble) = trouble(row).filter(|_| is_in_use) else {
        let Some(since) = since else { return Step::Rest };
        let calm_since = row.alert_calm_since.map(Timestamp::from_millis);
        return match calm_since {
            _ if !is_in_use => Step::End,
            Some(calm_since) if now.since(calm_since) >= CALM => Step::End,
            Some(_) => Step::Rest,
            None => Step::Note(Alarm {
                since: Some(since),
                severity: told_severity.map(Severity::as_str),
                told_at,
                calm_since: Some(now),
            }),
        };
    };
    // Within one life it does not become less severe: that would be told as good news.
    trouble.severity = trouble.severity.max(told_severity.unwrap_or(trouble.severity));
    let alarm = |told_at| Alarm {
        since: Some(since.unwrap_or(trouble.since)),
        severity: Some(trouble.severity.as_str()),
        told_at,
        calm_since: None,
    };
    let is_fresh = told_at.is_some_and(|at| now.since(at) < keep_alive);
    if since.is_none() || told_severity != Some(trouble.severity) || !is_fresh {
        return Step::Fire(alarm(Some(now)), trouble);
    }
    if row.alert_calm_since.is_some() { Step::Note(alarm(told_at)) } else { Step::Rest }
}

fn trouble(row: &AlarmRow) -> Option<Trouble> {
    let at = Timestamp::from_millis;
    if row.breaker != "closed" {
        return Some(Trouble {
            severity: Severity::Critical,
            since: at(row.opened_at.unwrap_or_default()),
            reason: row.opened_reason.clone().unwrap_or_default(),
        });
    }
    let given_up_at = row.given_up_at.filter(|at| row.last_success_at.is_none_or(|success| success < *at))?;
    Some(Trouble {
        severity: Severity::High,
        since: at(given_up_at),
        reason: row.last_error.clone().unwrap_or_default(),
    })
}

fn severity(word: &str) -> Option<Severity> {
    Severity::ALL.into_iter().find(|severity| severity.as_str() == word)
}

fn warn_if_alone(plan: &Plan, channel: &str) {
    if plan.channels().all(|other| other.name == channel) {
        tracing::error!(
            channel,
            "the only channel does not deliver, and there is no other channel for this alert: configure a second one"
        );
    }
}

/// The alert as a body in Alertmanager's format; without trouble its end.
fn event(
    shared: &Shared,
    plan: &Plan,
    row: &AlarmRow,
    trouble: Option<&Trouble>,
    since: Timestamp,
) -> NewEvent {
    let now = shared.clock.now();
    let channel = row.channel.as_str();
    let kind = plan.channel(channel).map_or("", |channel| channel.kind.name);
    let told = row.alert_severity.as_deref().unwrap_or_default();
    let severity = trouble.map_or(told, |trouble| trouble.severity.as_str());
    let status = if trouble.is_some() { "firing" } else { "resolved" };
    let ends_at = if trouble.is_some() { String::new() } else { now.to_rfc3339() };
    let body = json!({
        "version": "4",
        "receiver": OURSELVES,
        "status": status,
        "groupKey": format!("{ALERT}:{channel}"),
        "alerts": [{
            "status": status,
            "labels": labels(channel, kind, severity),
            "annotations": annotations(channel, kind, trouble),
            "startsAt": since.to_rfc3339(),
            "endsAt": ends_at,
            // Of what stays the same: a rise of severity is no other alert.
            "fingerprint": fingerprint(&identity(channel)),
        }],
    });
    NewEvent {
        id: shared.ids.next_id(),
        received_at: now,
        state: EventState::Pending,
        source: OURSELVES,
        receiver: OURSELVES.to_owned(),
        group_key: format!("{ALERT}:{channel}"),
        external_url: String::new(),
        actor: OURSELVES.to_owned(),
        alerts: 1,
        rejected: 0,
        truncated: 0,
        replay_of: None,
        reason: String::new(),
        verdicts: "[]".to_owned(),
        body: body.to_string().into_bytes(),
        twin: None,
    }
}

fn identity(channel: &str) -> Labels {
    [(ALERTNAME, ALERT), (CHANNEL_LABEL, channel)].map(|(name, value)| (name.into(), value.into())).into()
}

fn labels(channel: &str, kind: &str, severity: &str) -> Labels {
    let mut labels = identity(channel);
    labels.insert("kind".to_owned(), kind.to_owned());
    labels.insert("severity".to_owned(), severity.to_owned());
    labels
}

fn annotations(channel: &str, kind: &str, trouble: Option<&Trouble>) -> Labels {
    let Some(trouble) = trouble else { return Labels::new() };
    let (summary, description) = if trouble.severity == Severity::Critical {
        (
            format!("the {kind} channel {channel} does not deliver: {}", trouble.reason),
            "Its messages wait, and one now and then is sent as a probe. Check its address, its \
             credentials and its provider; then POST /api/v1/channels/NAME/reset, or wait for the next probe.",
        )
    } else {
        (
            format!("a message through the {kind} channel {channel} was given up: {}", trouble.reason),
            "It stands in the delivery log as failed and can be sent again: \
             POST /api/v1/notifications/ID/redeliver.",
        )
    };
    [("summary".to_owned(), summary), ("description".to_owned(), description.to_owned())].into()
}

#[cfg(test)]
mod tests;
