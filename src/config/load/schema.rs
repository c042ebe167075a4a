//! The JSON Schema of the whole file, put together from the sections' types and the
//! channel kinds' own schemas: one for checking (values resolved) and, with the `_file`
//! twins of secrets, one for editors.

use serde_json::{Map, Value, json};

use crate::config::{ChannelConfig, Config, KindPolicy};
use crate::domain::secret::REDACTED;

use crate::yaml::{View, twin_of};

/// What the configuration needs to know of a kind of channel.
#[derive(Clone, Debug)]
pub struct KindSchema {
    /// The word in `channels[].kind`.
    pub name: String,
    /// One line for documentation.
    pub title: String,
    /// JSON Schema of the kind's own keys: an object, as `schemars` writes it.
    pub schema: Value,
    /// How it is sent to unless the configuration says otherwise.
    pub policy: KindPolicy,
    /// Whether it talks HTTP: the others have no `proxy_url`.
    pub over_http: bool,
    /// What is wrong with a channel of the kind that a schema cannot say: pairs of a key,
    /// dotted below the channel, and a message without any secret.
    pub check: fn(&ChannelConfig) -> Vec<(String, String)>,
}

/// The JSON Schema (draft 2020-12) of `modelpager.yml`, for editors.
pub fn schema(kinds: &[KindSchema]) -> Value {
    let mut root = checking_schema(kinds);
    let original = root.clone();
    add_twins(&original, &mut root);
    root
}

/// The schema that a file must satisfy once secrets are read from their files.
pub(super) fn checking_schema(kinds: &[KindSchema]) -> Value {
    let mut root = object_of::<Config>();
    root.insert("title".into(), json!("modelpager.yml"));
    let mut definitions = take_definitions(&mut root);

    let mut common = object_of::<ChannelConfig>();
    merge_definitions(&mut definitions, take_definitions(&mut common), "");
    let channel = channel_schema(common, kinds, &mut definitions);
    definitions.insert("ChannelConfig".into(), channel);

    root.insert("$defs".into(), Value::Object(definitions));
    let mut root = Value::Object(root);
    drop_composite_defaults(&mut root);
    root
}

fn object_of<T: schemars::JsonSchema>() -> Map<String, Value> {
    let schema =
        schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    match schema.to_value() {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn take_definitions(schema: &mut Map<String, Value>) -> Map<String, Value> {
    match schema.remove("$defs") {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    }
}

fn merge_definitions(into: &mut Map<String, Value>, from: Map<String, Value>, prefix: &str) {
    for (name, definition) in from {
        into.insert(format!("{prefix}{name}"), definition);
    }
}

/// Which keys a channel may have depends on its kind.
fn channel_schema(
    mut common: Map<String, Value>,
    kinds: &[KindSchema],
    definitions: &mut Map<String, Value>,
) -> Value {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    for meta in ["$schema", "additionalProperties"] {
        common.remove(meta);
    }
    let branches: Vec<Value> = kinds
        .iter()
        .map(|kind| {
            let id = format!("channel.{}", kind.name);
            let complete = complete_kind(&common, kind, definitions);
            definitions.insert(id.clone(), complete);
            json!({
                "if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]},
                "then": {"$ref": format!("#/$defs/{id}")},
            })
        })
        .collect();
    let mut kind = json!({"type": "string", "description": "What sort of destination it is."});
    let mut channel = json!({
        "type": "object",
        "description": common.get("description"),
        "required": ["name", "kind"],
    });
    // Neither keyword may be empty.
    if !kinds.is_empty() {
        kind["enum"] = json!(names);
        channel["allOf"] = Value::Array(branches);
    }
    channel["properties"] = json!({"name": common["properties"]["name"], "kind": kind});
    channel
}

/// A kind's schema with the keys every channel has.
fn complete_kind(
    common: &Map<String, Value>,
    kind: &KindSchema,
    definitions: &mut Map<String, Value>,
) -> Value {
    let prefix = format!("{}.", kind.name);
    let mut own = kind.schema.as_object().cloned().unwrap_or_default();
    own.remove("$schema");
    let own_definitions = take_definitions(&mut own);
    let mut own = Value::Object(own);
    prefix_references(&mut own, &prefix);
    for (name, mut definition) in own_definitions {
        prefix_references(&mut definition, &prefix);
        definitions.insert(format!("{prefix}{name}"), definition);
    }

    let mut properties = common["properties"].as_object().cloned().unwrap_or_default();
    properties["rate_limit"]["default"] = json!(kind.policy.rate_limit);
    properties["supersede"]["default"] = json!(kind.policy.supersede);
    if !kind.over_http {
        properties.remove("proxy_url");
    }
    properties.extend(own["properties"].as_object().cloned().unwrap_or_default());
    let mut required = vec![json!("name"), json!("kind")];
    required.extend(own["required"].as_array().cloned().unwrap_or_default());
    own["title"] = json!(kind.title);
    own["type"] = json!("object");
    own["properties"] = Value::Object(properties);
    own["required"] = Value::Array(required);
    own["additionalProperties"] = json!(false);
    own
}

fn prefix_references(schema: &mut Value, prefix: &str) {
    each_schema(schema, &mut |object| {
        if let Some(Value::String(reference)) = object.get_mut("$ref")
            && let Some(name) = reference.strip_prefix("#/$defs/")
        {
            *reference = format!("#/$defs/{prefix}{name}");
        }
    });
}

/// A section's default repeats what its keys say, and would show a secret's placeholder.
fn drop_composite_defaults(schema: &mut Value) {
    each_schema(schema, &mut |object| {
        let is_noise =
            object.get("default").is_some_and(|default| default.is_object() || *default == REDACTED);
        if is_noise {
            object.remove("default");
        }
    });
}

/// Calls `change` for a schema and every schema within it.
fn each_schema(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    let Value::Object(object) = schema else { return };
    change(object);
    for (keyword, below) in object {
        match (keyword.as_str(), below) {
            ("properties" | "$defs", Value::Object(named)) => {
                named.values_mut().for_each(|schema| each_schema(schema, change));
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(|schema| each_schema(schema, change));
            }
            ("items" | "additionalProperties" | "if" | "then", schema) => each_schema(schema, change),
            _ => {}
        }
    }
}

/// Lets every secret key of an object be given as `KEY_file` instead.
fn add_twins(root: &Value, schema: &mut Value) {
    each_schema(schema, &mut |object| {
        let Some(properties) = object.get("properties").and_then(Value::as_object) else { return };
        let secrets: Vec<String> = properties
            .iter()
            .filter(|(_, property)| View::new(root, &[property], &Value::Null).is_secret())
            .map(|(key, _)| key.clone())
            .collect();
        for key in secrets {
            add_twin(object, &key);
        }
    });
}

fn add_twin(object: &mut Map<String, Value>, key: &str) {
    let twin = twin_of(key);
    let description = format!("A file that holds `{key}`; relative to the configuration's folder.");
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.entry(twin.clone()).or_insert(json!({"type": "string", "description": description}));
    }
    let Some(Value::Array(required)) = object.get_mut("required") else { return };
    let Some(index) = required.iter().position(|name| name == key) else { return };
    required.remove(index);
    let either = json!({"anyOf": [{"required": [key]}, {"required": [twin]}]});
    if let Value::Array(all) = object.entry("allOf").or_insert_with(|| json!([])) {
        all.push(either);
    }
}
