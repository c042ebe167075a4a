//! The phrases of a message: who, what, which version, what was deployed.

use super::{CatalogContext, DeploymentContext, alerts};
use crate::domain::entry::{Contact, EntryKind};
use crate::domain::notification::{EntryFacts, NotificationKind, Snapshot};
use crate::render::escape::{clean_line, clean_text};
use crate::render::{urls, words};

/// A longer address within a line would push out what the line says.
const MAX_URL: usize = 1_000;

/// The version to speak of: the one the alert names, else the one live when it began,
/// else the current one.
pub(super) fn version(snapshot: &Snapshot) -> &str {
    let entry = snapshot.entry.as_ref();
    let named = Some(snapshot.incident.version.as_str());
    let live = entry.and_then(|entry| entry.version_live.as_deref());
    let current = entry.map(|entry| entry.version_current.as_str());
    [named, live, current].into_iter().flatten().find(|version| !version.is_empty()).unwrap_or("")
}

/// What to know when the alert names another version than the catalog.
pub(super) fn version_note(snapshot: &Snapshot) -> String {
    let named = snapshot.incident.version.as_str();
    let Some(entry) = &snapshot.entry else { return String::new() };
    let live = entry.version_live.as_deref().unwrap_or(&entry.version_current);
    if named.is_empty() || live.is_empty() || bare(named) == bare(live) {
        return String::new();
    }
    let since = entry
        .deployment
        .as_ref()
        .filter(|deployment| bare(&deployment.version) == bare(live))
        .map(|deployment| format!(" since {}", words::clock_time(deployment.at, snapshot.at)))
        .unwrap_or_default();
    format!(
        "the alert names version {}; the catalog says {}{since}",
        words::version(named),
        words::version(live)
    )
}

/// What broke and where. Without a rule's name the summary says what broke.
pub(super) fn headline(snapshot: &Snapshot, title: &str, version: &str, summary: &str) -> String {
    let name = clean_line(&snapshot.incident.alertname);
    if snapshot.kind == NotificationKind::Folded {
        return name.into_owned();
    }
    let name = match alerts::grafana_rule(&snapshot.alerts) {
        Some(rule) if title != rule => format!("{name} ({rule})"),
        _ => name.into_owned(),
    };
    let place = match title {
        "" => String::new(),
        title if snapshot.entry.is_some() => with_version(title, version),
        title => title.to_owned(),
    };
    match (name.is_empty(), place.is_empty()) {
        (false, false) => format!("{name} on {place}"),
        (false, true) => name,
        (true, _) if !summary.is_empty() && (place.is_empty() || says(summary, title)) => summary.to_owned(),
        (true, _) if !summary.is_empty() => format!("{summary} on {place}"),
        (true, false) => place,
        (true, true) => {
            // The key of an alert without a rule's name begins with the colon after it.
            let key = clean_line(&snapshot.incident.dedup_key);
            format!("Alert {}", key.trim_start_matches(':')).trim_end().to_owned()
        }
    }
}

fn says(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(&word.to_lowercase())
}

/// What it costs, from the alert and from the catalog, once.
pub(super) fn impact(of_alert: &str, entry: Option<&EntryFacts>) -> String {
    let of_entry = entry.map(|entry| clean_line(&entry.business_impact).into_owned()).unwrap_or_default();
    let of_alert = if says(&of_entry, of_alert) { "" } else { of_alert };
    joined([of_alert.to_owned(), of_entry])
}

/// A reason as a line of its own.
pub(super) fn sentence(reason: &str) -> String {
    let reason = clean_line(reason);
    let mut chars = reason.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Value and threshold in one phrase.
pub(super) fn measured(value: &str, threshold: &str) -> String {
    match (value, threshold) {
        ("", "") => String::new(),
        (value, "") => value.to_owned(),
        ("", threshold) => format!("threshold {threshold}"),
        (value, threshold) => format!("{value} (threshold {threshold})"),
    }
}

/// Entry, version, tier and environment in one phrase.
pub(super) fn model_line(entry: Option<&EntryFacts>, version: &str) -> String {
    let Some(entry) = entry else { return String::new() };
    let mut name = with_version(&clean_line(&entry.title), version);
    if entry.title != entry.slug {
        name.push_str(&format!(" ({})", clean_line(&entry.slug)));
    }
    let tier = entry.tier.map(|tier| format!("tier {tier}")).unwrap_or_default();
    joined([name, tier, clean_line(&entry.environment).into_owned()])
}

/// Owner, team and contacts in one phrase.
pub(super) fn owner_line(entry: Option<&EntryFacts>) -> String {
    let Some(entry) = entry else { return String::new() };
    let team = match clean_line(&entry.team) {
        team if team.is_empty() || entry.owner.is_empty() => team.into_owned(),
        team => format!("team {team}"),
    };
    let owner = clean_line(&entry.owner).into_owned();
    joined([owner, team].into_iter().chain(entry.contacts.iter().take(5).map(contact)))
}

/// What the catalog knows.
pub(super) fn catalog(entry: Option<&EntryFacts>) -> CatalogContext {
    let Some(entry) = entry else { return CatalogContext::default() };
    let line = |text: &str| clean_line(text).into_owned();
    CatalogContext {
        slug: line(&entry.slug),
        kind: entry.kind.as_str(),
        kind_label: kind_label(entry.kind),
        title: line(&entry.title),
        description: clean_text(&entry.description).into_owned(),
        tier: entry.tier.map(|tier| tier.to_string()).unwrap_or_default(),
        environment: line(&entry.environment),
        business_impact: line(&entry.business_impact),
        endpoint_url: line(&entry.endpoint_url),
        version_live: line(entry.version_live.as_deref().unwrap_or("")),
        version_current: line(&entry.version_current),
        contacts: entry.contacts.iter().map(|contact| cleaned_contact(contact, line)).collect(),
        tags: entry.tags.iter().map(|(name, value)| (line(name), line(value))).collect(),
        matched_by: line(&entry.matched_by),
    }
}

/// The last deployment, relative to the alert.
pub(super) fn deployment(snapshot: &Snapshot) -> DeploymentContext {
    let Some(deployment) = snapshot.entry.as_ref().and_then(|entry| entry.deployment.as_ref()) else {
        return DeploymentContext::default();
    };
    let line = |text: &str| clean_line(text).into_owned();
    let before = snapshot.incident.started_at.since(deployment.at);
    let (version, actor) = (line(&deployment.version), line(&deployment.actor));
    let previous_version = line(&deployment.previous_version);
    let mut text = format!("{} deployed", words::version(&version));
    if !actor.is_empty() {
        text.push_str(&format!(" by {actor}"));
    }
    text.push_str(&format!(" {} before the alert began", words::duration(before)));
    if !previous_version.is_empty() {
        text.push_str(&format!(" (was {})", words::version(&previous_version)));
    }
    DeploymentContext {
        version,
        previous_version,
        at: deployment.at.to_rfc3339(),
        actor,
        commit: line(&deployment.commit),
        url: urls::presentable(&deployment.url).filter(|url| url.len() <= MAX_URL).unwrap_or_default(),
        rollback_command: line(&deployment.rollback_command),
        ago: words::duration(snapshot.at.since(deployment.at)),
        before_alert: words::duration(before),
        minutes_before_alert: (before.as_secs() / 60).to_string(),
        text: text.trim_start().to_owned(),
    }
}

fn kind_label(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Model => "Model",
        EntryKind::Llm => "LLM",
        EntryKind::Prompt => "Prompt",
        EntryKind::Pipeline => "Pipeline",
        EntryKind::FeatureStore => "Feature store",
    }
}

/// `Fraud detector v8`
fn with_version(title: &str, version: &str) -> String {
    match words::version(version) {
        version if version.is_empty() => title.to_owned(),
        version => format!("{title} {version}"),
    }
}

/// A version without the `v` that some write before it.
fn bare(version: &str) -> &str {
    let version = version.trim();
    version.strip_prefix(['v', 'V']).unwrap_or(version)
}

fn contact(contact: &Contact) -> String {
    let (name, value) = (clean_line(&contact.name), clean_line(&contact.value));
    let is_address = matches!(contact.kind.as_str(), "email" | "phone" | "url");
    match (name.is_empty(), value.is_empty()) {
        (true, _) => value.into_owned(),
        (false, false) if is_address => format!("{name} ({value})"),
        (false, _) => name.into_owned(),
    }
}

fn cleaned_contact(contact: &Contact, line: impl Fn(&str) -> String) -> Contact {
    Contact { name: line(&contact.name), kind: line(&contact.kind), value: line(&contact.value) }
}

fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}
