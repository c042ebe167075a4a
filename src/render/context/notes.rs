//! Sentences the reader should know because something is not as it usually is.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::{GRAFANA_TEST, OURSELVES, ResolveReason, TEST_LASTS};
use crate::domain::notification::{NotificationKind, Overtaken, Snapshot, StandsIn};
use crate::render::escape::clean_line;
use crate::render::fit::{ELLIPSIS, Unit, fit};
use crate::render::usable::BROKEN;
use crate::render::words;

/// A message sent later than this after it was decided says so.
const LATE: Duration = Duration::from_secs(5 * 60);

/// What there is to say about a snapshot.
pub(super) fn of(snapshot: &Snapshot, version_note: &str, now: Timestamp) -> Vec<String> {
    let incident = &snapshot.incident;
    let mut notes = Vec::new();
    if snapshot.kind == NotificationKind::Test {
        notes.push("this is a test; nothing is wrong".to_owned());
    }
    if incident.source == GRAFANA_TEST && snapshot.status == AlertStatus::Firing {
        let lasts = words::duration(TEST_LASTS);
        notes.push(format!(
            "this is Grafana's test alert; Grafana never ends it, so it ends here after {lasts}"
        ));
    }
    notes.extend(snapshot.stands_in.as_ref().map(stands_in));
    // About Modelpager itself and about many at once the catalog and the routes have nothing to say.
    let is_ours = incident.source == OURSELVES;
    if snapshot.entry.is_none() && !is_ours && snapshot.kind != NotificationKind::Folded {
        notes.push("no catalog entry matches these labels".to_owned());
    }
    if snapshot.by_default_route && !is_ours {
        notes.push("no route matches it: sent by the default route".to_owned());
    }
    if !version_note.is_empty() {
        notes.push(version_note.to_owned());
    }
    if incident.severity_raw.trim().is_empty() {
        notes.push(format!("the alert names no severity; it is treated as {}", incident.severity));
    }
    if snapshot.severity_unknown {
        let word = clean_line(&incident.severity_raw);
        let word = fit(&word, 100, Unit::Chars, ELLIPSIS);
        notes.push(format!(
            "the severity {word:?} is not a known word; it is treated as {}",
            incident.severity
        ));
    }
    if incident.truncated > 0 {
        let cut = words::counted(incident.truncated, "alert");
        notes.push(format!("Alertmanager cut {cut} from what it sent (max_alerts)"));
    }
    if incident.reopened > 0 && snapshot.status == AlertStatus::Firing {
        let times = words::counted(u64::from(incident.reopened), "time");
        notes.push(format!("it was resolved before and fired again {times}"));
    }
    notes.extend(snapshot.overtook.as_ref().map(|overtook| overtaken(snapshot, overtook)));
    notes.extend(end(snapshot));
    notes.extend(broken_annotations(snapshot));
    let late = now.since(snapshot.at);
    if late >= LATE {
        notes.push(format!("this message is late: it was created {} ago", words::duration(late)));
    }
    notes
}

fn stands_in(stands_in: &StandsIn) -> String {
    let channel = clean_line(&stands_in.channel);
    match &stands_in.reason {
        Some(reason) => {
            let reason = fit(&clean_line(reason), 300, Unit::Chars, ELLIPSIS).into_owned();
            format!("sent here because {channel} could not deliver: {reason}")
        }
        None => format!("also sent here because {channel} could not deliver the firing message"),
    }
}

/// A reader who heard nothing so far must learn from this message that there was more.
fn overtaken(snapshot: &Snapshot, overtook: &Overtaken) -> String {
    let since = words::clock_time(overtook.since, snapshot.at);
    if snapshot.status == AlertStatus::Resolved && overtook.holds_the_begin() {
        return format!("started and resolved before this channel could be notified; delayed since {since}");
    }
    let kinds: Vec<String> = overtook.kinds.iter().map(|kind| kind.as_str().replace('_', " ")).collect();
    let messages = words::counted(overtook.count, "message");
    format!("replaces {messages} that could not be sent since {since}: {}", kinds.join(", "))
}

fn end(snapshot: &Snapshot) -> Option<String> {
    let incident = &snapshot.incident;
    match incident.resolve_reason.filter(|_| snapshot.status == AlertStatus::Resolved)? {
        ResolveReason::Alert => None,
        ResolveReason::Person => Some("resolved by a person, not by the alert".to_owned()),
        ResolveReason::Stale => {
            if incident.source == GRAFANA_TEST {
                return Some("Grafana's test alert, resolved here: Grafana never resolves it".to_owned());
            }
            let silent = incident.resolved_at.unwrap_or(snapshot.at).since(incident.last_seen_at);
            Some(format!("resolved as stale: no alerts received for {}", words::duration(silent)))
        }
    }
}

fn broken_annotations(snapshot: &Snapshot) -> Vec<String> {
    let broken: BTreeSet<(&str, &str)> = snapshot
        .alerts
        .iter()
        .flat_map(|member| &member.annotations)
        .filter(|(_, text)| text.trim_start().starts_with(BROKEN))
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let sentence = |(name, text): (&str, &str)| {
        let text = clean_line(text);
        let fault = text.trim_start_matches(BROKEN).trim_start_matches([':', ' ']).trim_end_matches('>');
        let fault = fit(fault, 200, Unit::Chars, ELLIPSIS);
        format!("Prometheus could not fill in the annotation {:?}: {fault}", clean_line(name))
    };
    broken.into_iter().take(3).map(sentence).collect()
}
