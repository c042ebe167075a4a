//! What the matchers of routes see of an incident: the labels of its alerts, what triage
//! found out about it (`mp.*`) and what the catalog knows (`entry.*`).

use crate::domain::entry::{Entry, EntryKind};
use crate::domain::incident::Incident;
use crate::domain::labels::Labels;
use crate::domain::matcher::Values;

/// Before the names of what triage found out.
pub const FACTS: &str = "mp.";
/// Before the names of what the catalog knows.
pub const ENTRY: &str = "entry.";
/// The label that carries the severity.
pub const SEVERITY: &str = "severity";

/// What triage found out, by the names after `mp.`. All but the severity also stand for a
/// label of that name which an alert does not have.
pub const FACT_NAMES: [&str; 5] = ["severity", "status", "receiver", "source", "version"];
/// The fields of an entry that matchers see; `tags.NAME` as well.
pub const ENTRY_FIELDS: [&str; 8] =
    ["slug", "kind", "owner", "team", "environment", "tier", "display_name", "current_version"];

/// Tiers are 1 to 5 (`catalog::validate`): their texts are static.
pub const TIERS: [&str; 5] = ["1", "2", "3", "4", "5"];

/// One way to look at an incident: through the labels of one of its alerts.
pub(super) struct Subject<'a> {
    pub incident: &'a Incident,
    pub labels: &'a Labels,
    pub entry: Option<&'a Entry>,
    /// The words that its alerts used for the severity; empty for a missing label.
    pub words: &'a [&'a str],
}

impl<'a> Subject<'a> {
    /// What a matcher on that name compares with. An alert's own label goes before what
    /// triage found out; `mp.*` and `entry.*` are never labels.
    pub fn look_up(&self, name: &str) -> Values<'a> {
        if name == SEVERITY {
            return Values::several(self.incident.severity.as_str(), self.words);
        }
        if let Some(fact) = name.strip_prefix(FACTS) {
            return self.fact(fact).into();
        }
        if let Some(field) = name.strip_prefix(ENTRY) {
            return self.entry.and_then(|entry| entry_field(entry, field)).into();
        }
        let own = self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
        own.or_else(|| self.fact(name)).into()
    }

    fn fact(&self, name: &str) -> Option<&'a str> {
        match name {
            "severity" => Some(self.incident.severity.as_str()),
            "status" => Some(self.incident.state.told_as().as_str()),
            "source" => Some(&self.incident.source),
            "receiver" => Some(&self.incident.receiver),
            "version" => Some(&self.incident.version),
            _ => None,
        }
    }
}

fn entry_field<'e>(entry: &'e Entry, field: &str) -> Option<&'e str> {
    Some(match field {
        "slug" => &entry.slug,
        "kind" => entry.kind.as_str(),
        "owner" => &entry.owner,
        "team" => &entry.team,
        "environment" => &entry.environment,
        "tier" => TIERS.get(usize::from(entry.tier?).checked_sub(1)?)?,
        "display_name" => &entry.display_name,
        "current_version" => &entry.current_version,
        _ => return entry.tags.get(field.strip_prefix("tags.")?).map(String::as_str),
    })
}

/// Sets what [`entry_field`] reads.
///
/// # Errors
/// What the field can be instead, or that there is no such field.
pub(super) fn set_entry_field(entry: &mut Entry, field: &str, value: &str) -> Result<(), String> {
    let text = match field {
        "kind" => {
            let kinds = EntryKind::ALL.map(EntryKind::as_str).join(", ");
            let kind = EntryKind::ALL.into_iter().find(|kind| kind.as_str() == value);
            entry.kind = kind.ok_or_else(|| format!("{value:?} is no kind of entry; there are {kinds}"))?;
            return Ok(());
        }
        "tier" => {
            let tier = TIERS.iter().find(|tier| **tier == value).and_then(|tier| tier.parse().ok());
            entry.tier = Some(tier.ok_or_else(|| format!("{value:?} is no tier; there are 1 to 5"))?);
            return Ok(());
        }
        "slug" => &mut entry.slug,
        "owner" => &mut entry.owner,
        "team" => &mut entry.team,
        "environment" => &mut entry.environment,
        "display_name" => &mut entry.display_name,
        "current_version" => &mut entry.current_version,
        _ => match field.strip_prefix("tags.") {
            Some(tag) if !tag.is_empty() => entry.tags.entry(tag.to_owned()).or_default(),
            _ => {
                let fields = ENTRY_FIELDS.join(", ");
                return Err(format!(
                    "an entry has no field {field:?} for matchers; it has {fields} and tags.NAME"
                ));
            }
        },
    };
    value.clone_into(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_matchers_see_can_be_set() {
        for field in ENTRY_FIELDS.into_iter().chain(["tags.squad"]) {
            let value = match field {
                "kind" => "llm",
                "tier" => "3",
                _ => "x",
            };
            let mut entry = Entry::default();

            set_entry_field(&mut entry, field, value).unwrap();

            assert_eq!(entry_field(&entry, field), Some(value), "{field}");
        }
    }

    #[test]
    fn what_no_entry_can_have_is_refused() {
        for (field, value) in
            [("kind", "modell"), ("tier", "0"), ("tier", "6"), ("colour", "x"), ("tags.", "x")]
        {
            assert!(set_entry_field(&mut Entry::default(), field, value).is_err(), "{field}={value}");
        }
    }
}
