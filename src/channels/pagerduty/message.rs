//! An event within PagerDuty's limits.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::event::{Action, Event, EventLink, Payload};
use crate::channels::{Message, shrink, text};
use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::incident::Member;
use crate::domain::labels::Labels;
use crate::domain::notification::{EntryFacts, NotificationKind, Snapshot};
use crate::domain::severity::Severity;
use crate::render::context::is_usable;
use crate::render::escape::{clean_line, clean_text};
use crate::render::{about, urls, words as phrases};

/// In characters.
pub const MAX_SUMMARY: usize = 1024;
/// In bytes, to be safe.
const MAX_DEDUP_KEY: usize = 255;
/// Of a whole event, in bytes. PagerDuty takes 512 KB and does not say which kilo.
const MAX_EVENT: usize = 512_000;
/// Of `source`, `component`, `group`, `class`, in characters.
const MAX_WORD: usize = 255;
/// More links than that help nobody at night.
const MAX_LINKS: usize = 20;
/// The most characters of a text of an alert when an event is too large.
const SHORT_TEXT: usize = 1_000;
/// The most bytes the alerts may keep then, and half of what the details may.
const SMALL_DETAILS: usize = 100_000;

/// The longest address of a link when an event is too large.
const SMALL_LINK: usize = 2_000;

/// How much of it a person is shown, in bytes: the body has all of it.
const MAX_VISIBLE: usize = 64 * 1_024;

/// An event ready to be posted, and what a person is shown of it.
#[derive(Debug)]
pub struct Composed {
    /// The headline.
    pub summary: String,
    /// The action, the headline, the words, the links and the details.
    pub text: String,
    /// Compact JSON.
    pub body: String,
}

/// The event that tells `message` under `routing_key`.
pub fn compose(message: &Message<'_>, routing_key: &str) -> Composed {
    let snapshot = message.snapshot;
    let summary = summary(message);
    let [source, component, group, class] = words(snapshot).map(|word| text::line(word, MAX_WORD));
    let mut event = Event {
        routing_key,
        event_action: action(snapshot),
        dedup_key: dedup_key(message.dedup_key),
        payload: Payload {
            summary: &summary,
            source: if source.is_empty() { "modelpager" } else { &source },
            severity: severity(snapshot.incident.severity),
            timestamp: snapshot.at.to_rfc3339(),
            component: &component,
            group: &group,
            class: &class,
            custom_details: details(message),
        },
        links: links(message),
        client: "Modelpager",
        client_url: message
            .rendered
            .links
            .iter()
            .find(|link| link.name == "incident")
            .map(|l| l.url.as_str()),
    };
    let mut body = shrink::json(&event);
    if body.len() > MAX_EVENT {
        event.payload.custom_details = small_details(event.payload.custom_details);
        event.links.iter_mut().for_each(shorten);
        body = shrink::json(&event);
    }
    let text = visible_text(&event);
    Composed { text, body, summary }
}

fn action(snapshot: &Snapshot) -> Action {
    match snapshot.kind {
        NotificationKind::Resolved => Action::Resolve,
        NotificationKind::Other if snapshot.status == AlertStatus::Resolved => Action::Resolve,
        NotificationKind::Acknowledged => Action::Acknowledge,
        NotificationKind::Firing
        | NotificationKind::Updated
        | NotificationKind::SeverityRaised
        | NotificationKind::SeverityLowered
        | NotificationKind::Reopened
        | NotificationKind::Repeated
        | NotificationKind::Folded
        | NotificationKind::Other
        | NotificationKind::Test => Action::Trigger,
    }
}

/// PagerDuty knows four severities.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "info",
    }
}

/// The dedup key itself, or a hash of it when it is too long: equal keys stay equal.
fn dedup_key(key: &str) -> String {
    if key.len() <= MAX_DEDUP_KEY {
        return key.to_owned();
    }
    let digest = Sha256::digest(key.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn summary(message: &Message<'_>) -> String {
    let summary = text::line(message.rendered.field("summary"), MAX_SUMMARY);
    if summary.trim().is_empty() { "Modelpager".to_owned() } else { summary }
}

/// Source (what its alerts are about, the entry or Alertmanager), component (the entry), group (the
/// team) and class (the alert's name).
fn words(snapshot: &Snapshot) -> [&str; 4] {
    let incident = &snapshot.incident;
    let team = snapshot.entry.as_ref().map_or("", |entry| entry.team.as_str());
    [about::source(snapshot), &incident.entry, team, &incident.alertname]
}

fn links<'a>(message: &Message<'a>) -> Vec<EventLink<'a>> {
    let links = message.rendered.links.iter();
    let is_web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    links
        .filter(|link| is_web(&link.url))
        .take(MAX_LINKS)
        .map(|link| EventLink { href: Cow::Borrowed(&link.url), text: Cow::Borrowed(&link.label) })
        .collect()
}

/// A link of an event that would be too large.
fn shorten(link: &mut EventLink<'_>) {
    match urls::shortened(&link.href, SMALL_LINK) {
        Some(href) => link.href = Cow::Owned(href),
        None => {
            // PagerDuty wants an address: the site itself, named as what it is not.
            let site = link.href.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
            link.text = Cow::Owned(format!("{} (the address is too long)", text::line(&link.text, MAX_WORD)));
            link.href = Cow::Owned(text::line(&site, SMALL_LINK));
        }
    }
}

/// What PagerDuty shows as a table: empty values are left out.
fn details(message: &Message<'_>) -> Value {
    let snapshot = message.snapshot;
    let incident = &snapshot.incident;
    let mut table = Table::default();
    table.put("status", snapshot.status.as_str());
    table.put("reason", &snapshot.reason);
    table.put("severity", incident.severity.as_str());
    table.put("previous_severity", snapshot.previous_severity.map_or("", Severity::as_str));
    table.put("entry", &incident.entry);
    table.put("version", &phrases::version(&incident.version));
    table.put("started_at", &incident.started_at.to_rfc3339());
    table.put("resolved_at", &incident.resolved_at.map(Timestamp::to_rfc3339).unwrap_or_default());
    if let Some(entry) = &snapshot.entry {
        put_entry(&mut table, entry);
    }
    table.put("template_problem", message.rendered.problem.as_deref().unwrap_or_default());
    table.count("alerts_firing", incident.firing.into());
    table.0.insert("alerts".to_owned(), snapshot.alerts.iter().map(alert).collect());
    table.count("alerts_omitted", snapshot.alerts_omitted);
    table.count("alerts_truncated_by_alertmanager", incident.truncated);
    Value::Object(table.0)
}

fn put_entry(table: &mut Table, entry: &EntryFacts) {
    table.put("version_live", &phrases::version(entry.version_live.as_deref().unwrap_or_default()));
    table.put("owner", &entry.owner);
    table.put("team", &entry.team);
    table.put("tier", &entry.tier.map_or_else(String::new, |tier| tier.to_string()));
    table.put("environment", &entry.environment);
    table.put("business_impact", &entry.business_impact);
    if let Some(deployment) = &entry.deployment {
        table.put(
            "last_deployment",
            &format!("{} at {}", phrases::version(&deployment.version), deployment.at),
        );
        table.put("deployed_by", &deployment.actor);
        table.put("rollback_command", &deployment.rollback_command);
    }
}

/// Rows that have something to say.
#[derive(Default)]
struct Table(Map<String, Value>);

impl Table {
    fn put(&mut self, name: &str, value: &str) {
        let value = clean_line(value);
        if !value.is_empty() {
            self.0.insert(name.to_owned(), json!(value));
        }
    }

    fn count(&mut self, name: &str, count: u64) {
        if count > 0 {
            self.0.insert(name.to_owned(), json!(count));
        }
    }
}

fn alert(member: &Member) -> Value {
    json!({
        "status": member.status.as_str(),
        "severity": member.severity.as_str(),
        "starts_at": member.starts_at.to_rfc3339(),
        "labels": lines(&member.labels, |value| clean_line(value).into_owned()),
        "annotations": lines(&member.annotations, |value| quoted(&clean_text(value))),
    })
}

/// Names and values, what says nothing left out.
fn lines(of: &Labels, cleaned: impl Fn(&str) -> String) -> Map<String, Value> {
    let usable = of.iter().filter(|(_, value)| is_usable(value));
    usable.map(|(name, value)| (clean_line(name).into_owned(), json!(cleaned(value)))).collect()
}

/// Prose keeps its lines, but none of them can pass for a row of the table.
fn quoted(text: &str) -> String {
    let text = text.trim();
    if text.contains('\n') { format!("> {}", text.replace('\n', "\n> ")) } else { text.to_owned() }
}

/// The details of an event that would be too large: long texts of the alerts are cut; when that
/// is not enough, the alerts are left out and counted.
fn small_details(mut details: Value) -> Value {
    if let Some(table) = details.as_object_mut() {
        let alerts =
            table.get_mut("alerts").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        let count = alerts.len();
        let mut alerts = Value::Array(alerts);
        each_text(&mut alerts, &mut |text| shrink::cut_text(text, SHORT_TEXT));
        if shrink::json(&alerts).len() <= SMALL_DETAILS {
            table.insert("alerts".to_owned(), alerts);
            table.insert("note".to_owned(), json!("long texts cut: the event would be too large"));
        } else {
            table.remove("alerts");
            let note = format!("{count} alerts left out: the event would be too large");
            table.insert("note".to_owned(), json!(note));
        }
    }
    shrink::to_size(&mut details, 2 * SMALL_DETAILS);
    details
}

fn each_text(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(list) => list.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| each_text(item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What PagerDuty shows of an event: its headline, its words, the links and the details as a
/// table.
fn visible_text(event: &Event<'_>) -> String {
    let action = match event.event_action {
        Action::Trigger => "trigger",
        Action::Acknowledge => "acknowledge",
        Action::Resolve => "resolve",
    };
    let payload = &event.payload;
    let head = format!("{action} ({}): {}", payload.severity, payload.summary);
    let words = [
        ("source", payload.source),
        ("component", payload.component),
        ("group", payload.group),
        ("class", payload.class),
    ];
    let words = words.into_iter().filter(|(_, word)| !word.is_empty());
    let words = words.map(|(name, word)| format!("{name}: {word}"));
    let links = event.links.iter().map(|link| format!("{}: {}", link.text, link.href));
    // The details come last: they may be longer than what is shown.
    let mut lines: Vec<String> = std::iter::once(head).chain(words).chain(links).collect();
    lines.push("custom details:".to_owned());
    show(&payload.custom_details, 1, &mut lines);
    let mut text = lines.join("\n");
    if text.len() > MAX_VISIBLE {
        text.truncate(text.floor_char_boundary(MAX_VISIBLE));
        text.push('…');
    }
    text
}

/// A table within a table is indented, as on PagerDuty's page.
fn show(table: &Value, depth: usize, lines: &mut Vec<String>) {
    let rows: Vec<(String, &Value)> = match table {
        Value::Object(rows) => rows.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(rows) => {
            rows.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => return,
    };
    for (name, value) in rows {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(_) | Value::Array(_) => {
                lines.push(format!("{indent}{name}:"));
                show(value, depth + 1, lines);
            }
            Value::String(text) => lines.push(format!("{indent}{name}: {text}")),
            other => lines.push(format!("{indent}{name}: {other}")),
        }
    }
}
