//! An entry as a form has it: texts, read and written back without a loss.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::catalog::document::{read_entry, read_yaml, write_yaml};
use crate::catalog::faults::FieldError;
use crate::domain::entry::{Entry, EntryKind};
use crate::web::ui::parts::form::Field;

/// The texts of the form, by field.
#[derive(Clone, Debug, Default)]
pub struct Draft(Vec<(String, String)>);

/// How a field is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Line,
    Text(u8),
    Lines,
    Yaml(u8),
    Kind,
    Tier,
}

/// A field of an entry: its name, what it is called, what to write there, how.
type Described = (&'static str, &'static str, &'static str, Form);

const ABOUT: [Described; 9] = [
    ("slug", "Slug", "the name in addresses and labels: lower-case letters, digits, - _ .", Form::Line),
    ("display_name", "Name", "display name", Form::Line),
    ("kind", "Kind", "", Form::Kind),
    ("tier", "Tier", "business importance", Form::Tier),
    ("owner", "Owner", "the responsible person or rota", Form::Line),
    ("team", "Team", "", Form::Line),
    ("environment", "Environment", "production, staging, …", Form::Line),
    ("current_version", "Live version", "filled from deployments when empty", Form::Line),
    ("business_impact", "Impact", "business impact of an outage", Form::Line),
];
const MORE: [Described; 9] = [
    ("description", "Description", "one paragraph", Form::Text(3)),
    ("runbook_url", "Runbook URL", "may contain {{alertname}} and other message fields", Form::Line),
    ("runbook", "Runbook", "Markdown", Form::Text(10)),
    ("links", "Links", "YAML, one per line: dashboard: https://…", Form::Yaml(4)),
    ("endpoint_url", "Endpoint", "serving URL", Form::Line),
    ("aliases", "Aliases", "other label values that mean this entry, one per line", Form::Lines),
    (
        "matchers",
        "Matchers",
        "YAML, for alerts that name no model: - {matchers: ['job=\"serving\"'], priority: 0}",
        Form::Yaml(4),
    ),
    ("contacts", "Contacts", "YAML: - {name: \"#ml-oncall\", kind: slack}", Form::Yaml(3)),
    ("tags", "Tags", "YAML, one per line: domain: payments", Form::Yaml(3)),
];

impl Draft {
    /// What a form sent.
    pub fn sent(pairs: Vec<(String, String)>) -> Self {
        // Browsers send lines as e-mail does.
        Self(pairs.into_iter().map(|(name, text)| (name, text.replace("\r\n", "\n"))).collect())
    }

    /// An entry as it is.
    pub fn of(entry: &Entry) -> Self {
        let Ok(Value::Object(map)) = serde_json::to_value(entry) else { return Self::default() };
        let fields = ABOUT.iter().chain(&MORE);
        Self(fields.map(|(name, .., form)| ((*name).to_owned(), form.write(map.get(*name)))).collect())
    }

    /// A text of the form; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(other, _)| other == name).map_or("", |(_, text)| text)
    }

    /// The entry it describes.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn entry(&self, slug: Option<&str>) -> Result<Entry, Vec<FieldError>> {
        let mut map = Map::new();
        let mut problems = Vec::new();
        for (name, .., form) in ABOUT.iter().chain(&MORE) {
            match form.read(self.get(name)) {
                Ok(Some(value)) => {
                    map.insert((*name).to_owned(), value);
                }
                Ok(None) => {}
                Err(message) => problems.push(FieldError::new(*name, message)),
            }
        }
        match read_entry(Value::Object(map), slug) {
            Ok(entry) if problems.is_empty() => Ok(entry),
            Ok(_) => Err(problems),
            Err(more) => Err(problems.into_iter().chain(more).collect()),
        }
    }

    /// The fields; what is wrong stands with them. An entry that exists keeps its slug.
    pub fn fields(&self, has_slug: bool, problems: &[FieldError]) -> Markup {
        let about = ABOUT.iter().filter(|(name, ..)| !(has_slug && *name == "slug"));
        html! {
            div.fields { @for field in about { (self.field(field, problems)) } }
            @for field in &MORE { (self.field(field, problems)) }
        }
    }

    fn field(&self, (name, label, hint, form): &Described, problems: &[FieldError]) -> Markup {
        let of_field = |problem: &&FieldError| {
            let rest = problem.field.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let wrong: Vec<String> =
            problems.iter().filter(of_field).map(|problem| said(problem, name)).collect();
        let wrong = (!wrong.is_empty()).then(|| wrong.join("; "));
        let field = Field { name, label, hint, value: self.get(name), wrong: wrong.as_deref() };
        match form {
            Form::Line => field.line(),
            Form::Text(rows) | Form::Yaml(rows) => field.lines(*rows),
            Form::Lines => field.lines(3),
            Form::Kind => field.choice(&EntryKind::ALL.map(|kind| (kind.as_str(), kind.as_str()))),
            Form::Tier => field.choice(&TIERS),
        }
    }
}

const TIERS: [(&str, &str); 6] =
    [("", "none"), ("1", "1 (most)"), ("2", "2"), ("3", "3"), ("4", "4"), ("5", "5 (least)")];

fn said(problem: &FieldError, name: &str) -> String {
    if problem.field == name {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.field, problem.message)
    }
}

impl Form {
    fn write(self, value: Option<&Value>) -> String {
        let Some(value) = value else { return String::new() };
        match (self, value) {
            (_, Value::Null) => String::new(),
            (Self::Lines, Value::Array(lines)) => {
                lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
            }
            (Self::Yaml(_), value) => {
                let is_empty = value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(Map::is_empty);
                if is_empty { String::new() } else { write_yaml(value) }
            }
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        }
    }

    fn read(self, text: &str) -> Result<Option<Value>, String> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Line | Self::Kind => Ok(Some(trimmed.into())),
            Self::Text(_) => Ok(Some(text.trim_end().into())),
            Self::Tier => {
                trimmed.parse::<u8>().map(|tier| Some(tier.into())).map_err(|_| "must be 1 to 5".to_owned())
            }
            Self::Lines => Ok(Some(
                trimmed.lines().map(str::trim).filter(|line| !line.is_empty()).map(Value::from).collect(),
            )),
            Self::Yaml(_) => read_yaml(text).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::entry::{Contact, EntryMatcher};

    #[test]
    fn what_is_edited_without_a_change_stays_as_it_was() {
        let entry = Entry {
            slug: "fraud".to_owned(),
            kind: EntryKind::FeatureStore,
            tier: Some(2),
            description: "first\n\n  second: \"quoted\"".to_owned(),
            aliases: vec!["a b".to_owned(), "ключ".to_owned()],
            matchers: vec![EntryMatcher { matchers: vec![r#"job=~"a|b""#.to_owned()], priority: -3 }],
            links: BTreeMap::from([("dash".to_owned(), "https://g.example/?a={{entry}}&b=#c".to_owned())]),
            contacts: vec![Contact {
                name: "#ml".to_owned(),
                kind: "slack".to_owned(),
                value: String::new(),
            }],
            tags: BTreeMap::from([
                ("yes".to_owned(), "1.10".to_owned()),
                ("b".to_owned(), "true".to_owned()),
            ]),
            runbook: "# Title\n\n- a\n- b".to_owned(),
            ..Entry::default()
        };
        let draft = Draft::of(&entry);
        let sent = Draft::sent(draft.0.into_iter().map(|(n, t)| (n, t.replace('\n', "\r\n"))).collect());

        assert_eq!(sent.entry(Some("fraud")).unwrap(), entry);
    }

    #[test]
    fn everything_that_is_wrong_is_named_with_its_field() {
        let pairs = [("slug", "Bad Slug"), ("links", "dashboard: [unclosed"), ("tier", "9"), ("kind", "cat")];
        let draft = Draft::sent(pairs.map(|(n, t)| (n.to_owned(), t.to_owned())).to_vec());

        let problems = draft.entry(None).unwrap_err();

        for (name, _) in pairs {
            assert!(problems.iter().any(|problem| problem.field == name), "{name}: {problems:?}");
        }
        let shown = draft.fields(false, &problems).into_string();
        assert_eq!(shown.matches("aria-invalid").count(), 4, "{shown}");
    }
}
