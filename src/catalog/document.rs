//! What users write: an entry with its history, alone over REST or many in one YAML or
//! JSON document: `{entries: [{slug: …, versions: […], deployments: […]}]}`.
//!
//! An exported document imports without any difference.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::faults::{Faults, FieldError};
use crate::domain::clock::{Timestamp, rfc3339_option};
use crate::domain::entry::{Deployment, Entry, EntryHistory, Version};

/// Entries as imported and exported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The entries, by slug when exported.
    pub entries: Vec<EntryDocument>,
}

impl Document {
    /// The slugs of its entries.
    pub fn slugs(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|document| document.entry.slug.as_str())
    }
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VersionDocument {
    /// The version's name.
    #[schema(required, example = "2.4.1")]
    pub version: String,
    /// From when it was live, RFC 3339; now when absent.
    #[serde(with = "rfc3339_option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
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
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
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
    /// It is neither of the two formats.
    #[error("the document cannot be read: {}{}", .0.message, told_place(.0))]
    Unreadable(FieldError),
    /// Fields are wrong.
    #[error("fields of the document are wrong")]
    Wrong(Faults),
}

impl DocumentError {
    /// The wrong fields; what stands for the document as a whole has no field.
    pub fn into_faults(self) -> Faults {
        match self {
            Self::NotText => vec![FieldError::new("", self.to_string())].into(),
            Self::Unreadable(problem) => vec![problem].into(),
            Self::Wrong(faults) => faults,
        }
    }
}

fn told_place(problem: &FieldError) -> String {
    match (problem.line, problem.column) {
        (Some(line), Some(column)) => format!(" at line {line} column {column}"),
        _ => String::new(),
    }
}

impl Document {
    /// Reads YAML or JSON up to the first fault; [`super::reading`] finds all of them.
    ///
    /// # Errors
    /// At the first place that is not understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let text = std::str::from_utf8(bytes).map_err(|_| DocumentError::NotText)?;
        parse::parse(text.trim_start_matches('\u{feff}'))
            .map_err(|refusal| DocumentError::Unreadable(refusal.problem))
    }

    /// Writes the document.
    ///
    /// # Errors
    /// When the serialiser fails, which a document of texts gives it no reason to.
    pub fn write(&self, format: Format) -> Result<String, DocumentError> {
        let unreadable = |e: &dyn fmt::Display| DocumentError::Unreadable(FieldError::new("", e.to_string()));
        match format {
            Format::Yaml => serde_saphyr::to_string(self).map_err(|e| unreadable(&e)),
            Format::Json => serde_json::to_string_pretty(self).map_err(|e| unreadable(&e)),
        }
    }
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

impl JsonSchema for EntryDocument {
    fn schema_name() -> Cow<'static, str> {
        "EntryDocument".into()
    }

    /// The keys of an entry and those of its history, side by side.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Entry::json_schema(generator);
        let versions = generator.subschema_for::<Vec<VersionDocument>>();
        let deployments = generator.subschema_for::<Vec<DeploymentDocument>>();
        if let Some(Value::Object(properties)) = schema.ensure_object().get_mut("properties") {
            properties.insert("versions".to_owned(), versions.to_value());
            properties.insert("deployments".to_owned(), deployments.to_value());
        }
        schema
    }
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

mod body;
pub(super) mod parse;
pub(super) mod shape;
#[cfg(test)]
mod tests;

pub use body::{read_entry, read_record};
pub use parse::{json_fault, read_yaml, write_yaml};
