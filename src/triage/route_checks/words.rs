//! What names and values matchers can be about: fields of an entry, kinds, tiers, statuses,
//! severity words.

use super::values::{is_positive, named_values};
use crate::config::did_you_mean;
use crate::domain::alert::AlertStatus;
use crate::domain::entry::EntryKind;
use crate::domain::incident::{GRAFANA_TEST, OURSELVES};
use crate::domain::matcher::{MatchOp, Matcher};
use crate::domain::severity::{Severity, SeverityTable};
use crate::triage::subject::{ENTRY, ENTRY_FIELDS, FACT_NAMES, FACTS, SEVERITY, TIERS};

/// Every value that a name can have, where these are few; an empty one for what may be missing.
pub(super) fn possible_values(name: &str) -> Option<Vec<&'static str>> {
    let or_none = |values: &[&'static str]| [&[""], values].concat();
    Some(match name {
        "entry.kind" => or_none(&EntryKind::ALL.map(EntryKind::as_str)),
        "entry.tier" => or_none(&TIERS),
        "mp.status" => vec![AlertStatus::Firing.as_str(), AlertStatus::Resolved.as_str()],
        "mp.severity" => Severity::ALL.map(Severity::as_str).to_vec(),
        "mp.source" => vec!["alertmanager", GRAFANA_TEST, OURSELVES],
        _ => return None,
    })
}

/// Whether a name has a value on every alert: a label of that name, or else what stands
/// around the alert.
pub(super) fn always_has_a_value(name: &str) -> bool {
    matches!(name, SEVERITY | "status" | "source" | "mp.status" | "mp.severity" | "mp.source")
}

/// What is odd about a single condition.
pub(super) fn doubts(matcher: &Matcher, severity: &SeverityTable) -> Vec<String> {
    if let Some(doubt) = unknown_name(matcher.name()) {
        return vec![doubt];
    }
    if let Some(doubt) = empty_value(matcher, severity) {
        return vec![doubt];
    }
    match matcher.name() {
        SEVERITY => severity_doubts(matcher, severity),
        "entry.slug" => slug_doubts(matcher),
        name => possible_values(name).map(|values| value_doubts(matcher, &values)).unwrap_or_default(),
    }
}

fn unknown_name(name: &str) -> Option<String> {
    let (prefix, rest, known): (_, _, &[&str]) = if let Some(field) = name.strip_prefix(ENTRY) {
        (ENTRY, field, &ENTRY_FIELDS)
    } else {
        (FACTS, name.strip_prefix(FACTS)?, &FACT_NAMES)
    };
    let is_tag = prefix == ENTRY && rest.strip_prefix("tags.").is_some_and(|tag| !tag.is_empty());
    if is_tag || known.contains(&rest) {
        return None;
    }
    let all = known.iter().map(|known| format!("{prefix}{known}")).collect::<Vec<_>>();
    let is_about_tags = prefix == ENTRY && rest.starts_with("tag");
    let hint = did_you_mean(name, all.iter().map(String::as_str)).filter(|_| !is_about_tags);
    let hint = hint.unwrap_or_else(|| match prefix {
        ENTRY if is_about_tags => "write `entry.tags.NAME`".to_owned(),
        ENTRY => format!("there are `{}`, `entry.tags.NAME`", all.join("`, `")),
        _ => format!("there are `{}`", all.join("`, `")),
    });
    Some(format!("there is no `{name}`, so its value is always empty; {hint}"))
}

/// A comparison with the empty value of a name that is never empty.
fn empty_value(matcher: &Matcher, severity: &SeverityTable) -> Option<String> {
    let (name, values) = (matcher.name(), named_values(matcher)?);
    if !always_has_a_value(name) || values.iter().any(|value| !value.is_empty()) {
        return None;
    }
    if name != SEVERITY {
        let end = if is_positive(matcher) { "never holds" } else { "always holds" };
        let values = possible_values(&format!("mp.{}", name.trim_start_matches(FACTS))).unwrap_or_default();
        return Some(format!(
            "`{name}` always has a value, so this {end}; compare with `{}`",
            values.join("`, `")
        ));
    }
    let default = severity.normalise(None);
    is_positive(matcher).then(|| {
        format!(
            "an alert always has a severity: without the label it counts as `{default}`, and this takes those \
             alerts only; write `severity=\"{default}\"` for all of that severity"
        )
    })
}

fn severity_doubts(matcher: &Matcher, table: &SeverityTable) -> Vec<String> {
    let default = table.normalise(None);
    let known: Vec<&str> = table.words().map(|(word, _)| word).collect();
    let Some(values) = named_values(matcher) else {
        let is_idle = is_positive(matcher) && !known.iter().any(|word| matcher.matches_value(word));
        return is_idle
            .then(|| "matches none of the severity words that are known".to_owned())
            .into_iter()
            .collect();
    };
    let unknown = values.iter().filter(|value| !value.is_empty() && table.find(value).is_none());
    unknown
        .map(|value| {
            let hint = did_you_mean(value, known.iter().copied())
                .unwrap_or_else(|| "add it to `severity.aliases`".to_owned());
            format!("`{value}` is no severity word: an alert that says so counts as `{default}`; {hint}")
        })
        .collect()
}

fn slug_doubts(matcher: &Matcher) -> Vec<String> {
    let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let values = named_values(matcher).unwrap_or_default();
    let odd = values.iter().filter(|value| !value.chars().all(is_fit));
    odd.map(|value| {
        format!(
            "no entry has the slug `{value}`: slugs have lower-case letters, digits, `-`, `_` and `.` only"
        )
    })
    .collect()
}

fn value_doubts(matcher: &Matcher, possible: &[&'static str]) -> Vec<String> {
    let shown: Vec<&str> = possible.iter().copied().filter(|value| !value.is_empty()).collect();
    let listed = || format!("there are `{}`", shown.join("`, `"));
    let Some(values) = named_values(matcher) else {
        let is_idle = !possible.iter().any(|value| matcher.matches_value(value));
        return is_idle.then(|| format!("no value matches; {}", listed())).into_iter().collect();
    };
    let end = match (matcher.op(), values.len()) {
        (MatchOp::Equal | MatchOp::Matches, 1) => ", so this never holds",
        (MatchOp::NotEqual | MatchOp::NotMatches, 1) => ", so this always holds",
        _ => "",
    };
    let odd = values.iter().filter(|value| !possible.contains(&value.as_str()));
    odd.map(|value| {
        // One digit is as near to another as to any.
        let near = did_you_mean(value, shown.iter().copied()).filter(|_| value.chars().count() > 2);
        let hint = near.unwrap_or_else(listed);
        format!("`{}` is never `{value}`{end}; {hint}", matcher.name())
    })
    .collect()
}
