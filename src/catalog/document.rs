//! What users write: an entry with its history, alone over REST or many in one YAML or
//! JSON document: `{entries: [{slug: …, versions: […], deployments: […]}]}`.
//!
//! An exported document imports without any difference.

use std::collections::HashSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::validate::{FieldProblem, check_entry};
use crate::domain::clock::{Timestamp, rfc3339_option};
use crate::domain::entry::{Deployment, Entry, EntryHistory, Version};

/// Keys of an answer that may come back in a request and mean nothing there.
const READ_ONLY: [&str; 3] = ["revision", "created_at", "updated_at"];

/// Entries as imported and exported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The entries, by slug when exported.
    pub entries: Vec<EntryDocument>,
}

/// An entry and its history in one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryDocument {
    /// The entry; its keys stand beside the two below.
    pub entry: Entry,
    /// `versions`
    pub versions: Vec<VersionDocument>,
    /// `deployments`
    pub deployments: Vec<DeploymentDocument>,
}

/// A version and since when it is the live one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VersionDocument {
    /// The version's name.
    #[schema(required, example = "2.4.1")]
    pub version: String,
    /// From when it was live, RFC 3339; now when absent.
    #[serde(with = "rfc3339_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_from: Option<Timestamp>,
    /// A remark.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Its page in the registry.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// A deployment: who brought which version live, and how to take it back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeploymentDocument {
    /// Ours; told, not taken.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(read_only)]
    pub id: String,
    /// The deployer's own id; a second report of it changes nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "github-run-4711")]
    pub external_id: String,
    /// What was deployed.
    #[schema(required, example = "2.4.1")]
    pub version: String,
    /// What was live before; taken from the history when absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub previous_version: String,
    /// When, RFC 3339; now when absent.
    #[serde(with = "rfc3339_option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// By whom.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// Of which commit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// Where to read about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The command that takes it back.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rollback_command: String,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// YAML.
    #[default]
    Yaml,
    /// JSON.
    Json,
}

/// A document that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not UTF-8.
    #[error("the document is not UTF-8 text")]
    NotText,
    /// It is neither of the two formats, or holds something unexpected.
    #[error("the document cannot be read: {0}")]
    Unreadable(String),
    /// Keys are unknown, missing or hold what they cannot: all of them, by their place.
    #[error("the document cannot be read: {}", told_problems(.0))]
    Wrong(Vec<FieldProblem>),
}

fn told_problems(problems: &[FieldProblem]) -> String {
    let lines = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message));
    lines.collect::<Vec<_>>().join("; ")
}

impl Document {
    /// Reads YAML or JSON. Plain YAML scalars are texts where texts are wanted, so that
    /// `version: 1.10` is the version `1.10`.
    ///
    /// # Errors
    /// At the first place that is not understood, named by line and column; or with every
    /// key that is unknown or of the wrong type.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let document = Self::read(bytes)?;
        let in_entry = |(index, entry): (usize, &EntryDocument)| {
            let place = move |problem: FieldProblem| {
                FieldProblem::new(format!("entries[{index}].{}", problem.field), problem.message)
            };
            texts_with_nul(entry).into_iter().map(place)
        };
        let problems: Vec<FieldProblem> = document.entries.iter().enumerate().flat_map(in_entry).collect();
        if problems.is_empty() { Ok(document) } else { Err(DocumentError::Wrong(problems)) }
    }

    fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        let text = std::str::from_utf8(bytes).map_err(|_| DocumentError::NotText)?;
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('{') {
            // JSON is YAML as well, but its own reader is faster and says more.
            match serde_json::from_str(text) {
                Ok(document) => return Ok(document),
                Err(error) if error.is_data() => {
                    return Err(explained(error.to_string(), serde_json::from_str(text).ok()));
                }
                Err(error) if is_lone_surrogate(&error) => {
                    return Err(DocumentError::Unreadable(json_fault(&error)));
                }
                Err(_) => {}
            }
        }
        serde_saphyr::from_str_with_options(text, yaml_options(text)).map_err(|error| {
            explained(error.to_string(), serde_saphyr::from_str_with_options(text, yaml_options(text)).ok())
        })
    }

    /// Writes the document.
    ///
    /// # Errors
    /// When the serialiser fails, which a document of texts gives it no reason to.
    pub fn write(&self, format: Format) -> Result<String, DocumentError> {
        let unreadable = |e: &dyn fmt::Display| DocumentError::Unreadable(e.to_string());
        match format {
            Format::Yaml => serde_saphyr::to_string(self).map_err(|e| unreadable(&e)),
            Format::Json => serde_json::to_string_pretty(self).map_err(|e| unreadable(&e)),
        }
    }
}

/// A value written as YAML (or JSON), for instance in one field of a form.
///
/// # Errors
/// What is not understood, with line and column.
pub fn read_yaml(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str_with_options(text, yaml_options(text)).map_err(|error| error.to_string())
}

/// The same value as YAML.
pub fn write_yaml(value: &impl Serialize) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}

/// Why a text is not JSON, in words that say what to do.
pub fn json_fault(error: &serde_json::Error) -> String {
    if !is_lone_surrogate(error) {
        return error.to_string();
    }
    let (line, column) = (error.line(), error.column());
    format!(
        "an escape such as \\ud83d stands for half a character (a lone surrogate) at line {line} column {column}: \
         write both halves, or the character itself"
    )
}

/// The JSON reader's two complaints about half of a pair of escapes.
fn is_lone_surrogate(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    text.contains("lone leading surrogate") || text.contains("unexpected end of hex escape")
}

/// A reader's complaint, with everything else that is wrong where the text can be read at all.
fn explained(first: String, document: Option<Value>) -> DocumentError {
    let problems = document.map(|document| wrong::wrong_places(&document, &first)).unwrap_or_default();
    if problems.is_empty() { DocumentError::Unreadable(first) } else { DocumentError::Wrong(problems) }
}

/// The most that aliases may repeat: a document of so many entries that share their links and
/// contacts is still read, one that is mostly aliases is not.
const MAX_REPEATED_EVENTS: usize = 100_000;
/// The most text that aliases may repeat, in bytes.
const MAX_REPEATED_BYTES: usize = 8 * 1024 * 1024;

/// The size of the text is bounded by who hands it in; what is bounded here is what aliases
/// make of it.
fn yaml_options(text: &str) -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.alias_limits.max_total_replayed_events = MAX_REPEATED_EVENTS;
    if let Some(budget) = &mut options.budget {
        // Many entries may share one thing: what counts is how much is repeated.
        budget.enforce_alias_anchor_ratio = false;
        // No event takes less than one byte of the text.
        budget.max_events = text.len() + MAX_REPEATED_EVENTS;
        budget.max_nodes = text.len() + MAX_REPEATED_EVENTS;
        budget.max_total_scalar_bytes = text.len() + MAX_REPEATED_BYTES;
    }
    options
}

impl EntryDocument {
    /// The document of an entry and its whole history.
    pub fn of(entry: Entry, history: &EntryHistory) -> Self {
        Self {
            entry,
            versions: history.versions.iter().map(VersionDocument::from).collect(),
            deployments: history.deployments.iter().map(DeploymentDocument::without_id).collect(),
        }
    }
}

impl Serialize for EntryDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = told(&self.entry);
        for (key, list) in
            [("versions", to_value(&self.versions)), ("deployments", to_value(&self.deployments))]
        {
            if !is_empty(&list) {
                map.insert(key.to_owned(), list);
            }
        }
        map.serialize(serializer)
    }
}

/// An entry's keys without those that say nothing.
pub(super) fn told(entry: &Entry) -> Map<String, Value> {
    let Value::Object(mut map) = to_value(entry) else { return Map::new() };
    map.retain(|_, value| !is_empty(value));
    map
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn to_value<T: Serialize>(value: &T) -> Value {
    // Texts, numbers and lists of them always fit JSON.
    serde_json::to_value(value).unwrap_or_default()
}

impl<'de> Deserialize<'de> for EntryDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntryVisitor)
    }
}

/// Reads the history's keys itself and hands the others to [`Entry`], in place: buffering
/// them (`flatten`) would lose YAML's texts and the places of errors.
struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = EntryDocument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a catalog entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EntryDocument, A::Error> {
        let mut document = EntryDocument::default();
        let rest = Rest { map, versions: &mut document.versions, deployments: &mut document.deployments };
        document.entry = Entry::deserialize(MapAccessDeserializer::new(rest))?;
        Ok(document)
    }
}

struct Rest<'a, A> {
    map: A,
    versions: &'a mut Vec<VersionDocument>,
    deployments: &'a mut Vec<DeploymentDocument>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            match key.as_str() {
                "versions" => *self.versions = self.map.next_value()?,
                "deployments" => *self.deployments = self.map.next_value()?,
                _ => return seed.deserialize(key.into_deserializer()).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Reads an entry from a request's body. `slug` is the path's, which the body may repeat.
///
/// # Errors
/// When a key is unknown, missing or of the wrong type: everything that is wrong, values
/// that fit their type but break a rule of [`check_entry`] included.
pub fn read_entry(body: Value, slug: Option<&str>) -> Result<Entry, Vec<FieldProblem>> {
    let mut map = object(body)?;
    map.retain(|key, _| !READ_ONLY.contains(&key.as_str()));
    let mut problems = settle_slug(&mut map, slug);
    problems.extend(texts_with_nul(&map));
    let entry = match Entry::deserialize(&Value::Object(map.clone())) {
        Ok(entry) if problems.is_empty() => return Ok(entry),
        Ok(entry) => entry,
        Err(_) => {
            let base = Map::from_iter([("slug".to_owned(), Value::from(""))]);
            let unfit = wrong_keys::<Entry>(&map, &base);
            map.retain(|key, _| unfit.iter().all(|problem| problem.field != *key));
            problems.extend(unfit);
            map.entry("slug").or_insert_with(|| "".into());
            Entry::deserialize(&Value::Object(map)).unwrap_or_default()
        }
    };
    let named: HashSet<String> = problems.iter().map(|problem| problem.field.clone()).collect();
    problems.extend(check_entry(&entry).into_iter().filter(|problem| !named.contains(&problem.field)));
    Err(problems)
}

/// Puts the entry's slug where it belongs, and says what is wrong with it.
fn settle_slug(map: &mut Map<String, Value>, slug: Option<&str>) -> Vec<FieldProblem> {
    let problem = match slug {
        Some(slug) => {
            let is_other = map.insert("slug".to_owned(), slug.into()).is_some_and(|named| named != slug);
            is_other.then(|| format!("must be {slug:?} as in the path: an entry keeps its slug"))
        }
        None if map.contains_key("slug") => None,
        None => {
            map.insert("slug".to_owned(), "".into());
            Some("must be given".to_owned())
        }
    };
    problem.into_iter().map(|message| FieldProblem::new("slug", message)).collect()
}

/// Reads a version or a deployment from a request's body.
///
/// # Errors
/// Every key that is unknown or of the wrong type.
pub fn read_record<T: for<'de> Deserialize<'de>>(body: Value) -> Result<T, Vec<FieldProblem>> {
    let map = object(body)?;
    let problems = texts_with_nul(&map);
    if !problems.is_empty() {
        return Err(problems);
    }
    T::deserialize(&Value::Object(map.clone())).map_err(|_| wrong_keys::<T>(&map, &Map::new()))
}

fn object(body: Value) -> Result<Map<String, Value>, Vec<FieldProblem>> {
    match body {
        Value::Object(map) => Ok(map),
        _ => Err(vec![FieldProblem::new("", "the body must be a JSON object")]),
    }
}

/// What is wrong with each key, read by itself beside the keys that must be there (`base`).
fn wrong_keys<T: for<'de> Deserialize<'de>>(
    map: &Map<String, Value>,
    base: &Map<String, Value>,
) -> Vec<FieldProblem> {
    let problems = map.iter().filter_map(|(key, value)| {
        let mut probe = base.clone();
        probe.insert(key.clone(), value.clone());
        let error = T::deserialize(&Value::Object(probe)).err()?;
        Some(FieldProblem::new(key, error.to_string()))
    });
    problems.collect()
}

impl From<&Version> for VersionDocument {
    fn from(version: &Version) -> Self {
        Self {
            version: version.version.clone(),
            valid_from: Some(version.valid_from),
            note: version.note.clone(),
            url: version.url.clone(),
        }
    }
}

impl From<&Deployment> for DeploymentDocument {
    fn from(deployment: &Deployment) -> Self {
        let Deployment {
            id,
            external_id,
            version,
            previous_version,
            at,
            actor,
            commit,
            url,
            rollback_command,
        } = deployment.clone();
        Self {
            id,
            external_id,
            version,
            previous_version,
            at: Some(at),
            actor,
            commit,
            url,
            rollback_command,
        }
    }
}

impl VersionDocument {
    /// The version, live from `now` where the document does not say.
    pub fn into_version(self, now: Timestamp) -> Version {
        let Self { version, valid_from, note, url } = self;
        Version { version, valid_from: valid_from.unwrap_or(now), note, url }
    }
}

impl DeploymentDocument {
    /// The document of a deployment without our id, which means nothing elsewhere.
    pub(super) fn without_id(deployment: &Deployment) -> Self {
        Self { id: String::new(), ..Self::from(deployment) }
    }

    /// The deployment under our id, made `now` where the document does not say.
    pub fn into_deployment(self, id: String, now: Timestamp) -> Deployment {
        let Self { id: _, external_id, version, previous_version, at, actor, commit, url, rollback_command } =
            self;
        let at = at.unwrap_or(now);
        Deployment { id, external_id, version, previous_version, at, actor, commit, url, rollback_command }
    }
}

mod nul;
#[cfg(test)]
mod tests;
mod wrong;

pub use nul::NUL_MESSAGE;
use nul::texts_with_nul;
