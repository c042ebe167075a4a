//! From a snapshot to the variables of a message.

use super::{ContextOptions, Counts, IncidentContext, MessageContext, alerts, labels, links, notes, parts};
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::notification::{NotificationKind, Snapshot};
use crate::render::escape::clean_line;
use crate::render::links::Window;
use crate::render::{budget, look, urls, words};

/// A longer summary does not fit into every title, so that the text says it, too.
const HEADLINE_SUMMARY: usize = 100;

impl MessageContext {
    /// The variables of the message about `snapshot`.
    pub fn build(snapshot: &Snapshot, options: &ContextOptions<'_>) -> Self {
        let incident = &snapshot.incident;
        let entry = snapshot.entry.as_ref();
        let resolved = snapshot.status == AlertStatus::Resolved;
        let (labels, annotations) = alerts::common(&snapshot.alerts);
        let told = alerts::all(snapshot, options.external_url, &labels, &annotations);
        let worst = told.worst;
        let texts = alerts::texts(worst);
        let subject = worst.map(|worst| labels::subject(&worst.labels, entry.is_some())).unwrap_or_default();
        let place = place(snapshot);
        let version = parts::version(snapshot);
        let title = entry.map_or_else(|| subject.clone(), |entry| clean_line(&entry.title).into_owned());
        let window = window(snapshot, options.now);
        let deployment = parts::deployment(snapshot);
        let version_note = parts::version_note(snapshot);
        let counts = counts(snapshot);
        let value = worst.map(alerts::own_value).unwrap_or_default();
        let threshold = worst.map(|worst| alerts::threshold(&worst.annotations)).unwrap_or_default();
        let summary = summary(snapshot, &texts.summary, &counts);
        let incident_context = incident_context(snapshot, options.external_url);
        let facts = links::Facts { worst, version, window };
        let links =
            budget::within(budget::MESSAGE, || links::all(snapshot, options, facts, &incident_context.url));
        let mut notes = notes::of(snapshot, &version_note, options.now);
        notes.extend(links.faults);
        // Some quote what strangers wrote.
        notes.iter_mut().for_each(|note| *note = clean_line(note).into_owned());

        Self {
            kind: snapshot.kind.as_str(),
            status: snapshot.status.as_str(),
            resolved,
            severity: incident.severity.as_str(),
            severity_raw: clean_line(&incident.severity_raw).into_owned(),
            previous_severity: snapshot.previous_severity.map_or("", |severity| severity.as_str()),
            emoji: alerts::emoji(snapshot.status, incident.severity),
            color: if resolved { look::RESOLVED_COLOR } else { look::color(incident.severity) },
            lead: lead(snapshot),
            headline: parts::headline(snapshot, &title, version, &summary),
            headline_is_summary: incident.alertname.trim().is_empty()
                && (1..=HEADLINE_SUMMARY).contains(&summary.chars().count()),
            alertname: clean_line(&incident.alertname).into_owned(),
            entry: clean_line(&incident.entry).into_owned(),
            subject,
            label_line: labels::line(snapshot, worst, place.as_ref().map(|(name, _)| *name)),
            place: place.map(|(name, value)| format!("{name} {value}")).unwrap_or_default(),
            version: clean_line(version).into_owned(),
            version_note,
            summary,
            description: texts.description,
            impact: parts::impact(&texts.impact, entry),
            action: texts.action,
            runbook_text: texts.runbook,
            measured: parts::measured(&value, &threshold),
            value,
            threshold,
            model_line: parts::model_line(entry, version),
            owner_line: parts::owner_line(entry),
            when: when(snapshot),
            duration: incident_context.duration.clone(),
            owner: entry.map(|entry| clean_line(&entry.owner).into_owned()).unwrap_or_default(),
            team: entry.map(|entry| clean_line(&entry.team).into_owned()).unwrap_or_default(),
            labels,
            annotations,
            alerts: told.alerts,
            several: counts.total > 1,
            counts,
            incident: incident_context,
            catalog: parts::catalog(entry),
            deployment,
            links: links.links,
            window,
            notes,
            reason: clean_line(&snapshot.reason).into_owned(),
            footer: parts::sentence(&snapshot.reason),
            at: snapshot.at.to_rfc3339(),
            now: options.now.to_rfc3339(),
            channel: options.channel.to_owned(),
            title,
        }
    }
}

fn place(snapshot: &Snapshot) -> Option<(&'static str, String)> {
    match (snapshot.alerts.as_slice(), &snapshot.entry) {
        ([only], Some(_)) if snapshot.incident.members <= 1 => labels::place(&only.labels, true),
        _ => None,
    }
}

/// One alert's summary; with how many others there are, unless they say the same.
fn summary(snapshot: &Snapshot, summary: &str, counts: &Counts) -> String {
    if snapshot.kind == NotificationKind::Folded {
        return clean_line(&snapshot.reason).into_owned();
    }
    let mut peers = snapshot.alerts.iter().filter(|alert| alert.status == snapshot.status);
    let all = if snapshot.status == AlertStatus::Firing { counts.firing } else { counts.total };
    let others = all.saturating_sub(1);
    if summary.is_empty() || others == 0 || peers.all(|alert| alerts::texts(Some(alert)).summary == summary) {
        return summary.to_owned();
    }
    format!("{summary} (and {others} more)")
}

/// The moment the incident ended, or that of the decision while it goes on.
fn end(snapshot: &Snapshot) -> Timestamp {
    match snapshot.status {
        AlertStatus::Firing => snapshot.at,
        AlertStatus::Resolved => snapshot.incident.resolved_at.unwrap_or(snapshot.at),
    }
}

fn window(snapshot: &Snapshot, now: Timestamp) -> Window {
    let ended = match snapshot.status {
        AlertStatus::Firing => None,
        AlertStatus::Resolved => Some(end(snapshot)),
    };
    Window::around(snapshot.incident.started_at, ended, now)
}

fn lead(snapshot: &Snapshot) -> String {
    let severity = snapshot.incident.severity.as_str().to_uppercase();
    let before = snapshot.previous_severity.map_or("", |severity| severity.as_str());
    match snapshot.kind {
        NotificationKind::Firing => severity,
        NotificationKind::Updated => format!("{severity}, updated"),
        NotificationKind::SeverityRaised if before.is_empty() => format!("{severity}, raised"),
        NotificationKind::SeverityRaised => format!("{severity}, raised from {before}"),
        NotificationKind::SeverityLowered if before.is_empty() => format!("{severity}, lowered"),
        NotificationKind::SeverityLowered => format!("{severity}, lowered from {before}"),
        NotificationKind::Reopened => format!("{severity}, firing again"),
        NotificationKind::Repeated => format!("{severity}, still firing"),
        NotificationKind::Acknowledged => format!("{severity}, acknowledged"),
        NotificationKind::Resolved => "RESOLVED".to_owned(),
        NotificationKind::Test => "TEST".to_owned(),
        NotificationKind::Folded => format!("{severity}, folded"),
        NotificationKind::Other if snapshot.status == AlertStatus::Resolved => "RESOLVED".to_owned(),
        NotificationKind::Other => severity,
    }
}

fn when(snapshot: &Snapshot) -> String {
    let begin = snapshot.incident.started_at;
    let end = end(snapshot);
    let length = words::duration(end.since(begin));
    let said = |at| words::clock_time(at, snapshot.at);
    match snapshot.status {
        AlertStatus::Firing => format!("firing for {length}, since {}", said(begin)),
        AlertStatus::Resolved => format!("resolved after {length}, from {} to {}", said(begin), said(end)),
    }
}

fn counts(snapshot: &Snapshot) -> Counts {
    let firing = u64::from(snapshot.incident.firing);
    let total = u64::from(snapshot.incident.members).max(firing);
    let resolved = total - firing;
    let text = match (firing, resolved) {
        (0, resolved) => format!("{resolved} resolved"),
        (firing, 0) => format!("{firing} firing"),
        (firing, resolved) => format!("{firing} firing, {resolved} resolved"),
    };
    Counts {
        firing,
        resolved,
        total,
        omitted: snapshot.alerts_omitted,
        truncated: snapshot.incident.truncated,
        text,
    }
}

fn incident_context(snapshot: &Snapshot, external_url: &str) -> IncidentContext {
    let incident = &snapshot.incident;
    let length = end(snapshot).since(incident.started_at);
    IncidentContext {
        id: incident.id.clone(),
        url: urls::incident(external_url, &incident.id),
        dedup_key: clean_line(&incident.dedup_key).into_owned(),
        started_at: incident.started_at.to_rfc3339(),
        opened_at: incident.opened_at.to_rfc3339(),
        resolved_at: incident.resolved_at.map(Timestamp::to_rfc3339).unwrap_or_default(),
        resolve_reason: incident.resolve_reason.map_or("", |reason| reason.as_str()),
        duration: words::duration(length),
        duration_seconds: length.as_secs(),
        reopened: incident.reopened,
    }
}
