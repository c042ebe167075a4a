//! What a schema says about one value of a document.

use serde_json::{Map, Value};

/// All that the schema says about one value: references followed, unions and conditions
/// opened as far as the value decides them.
pub struct View<'s> {
    root: &'s Value,
    parts: Vec<&'s Map<String, Value>>,
}

impl<'s> View<'s> {
    /// What the subschemas `schemas` of `root` say about `value`.
    pub fn new(root: &'s Value, schemas: &[&'s Value], value: &Value) -> Self {
        let mut view = Self { root, parts: Vec::new() };
        for schema in schemas {
            view.open(schema, value);
        }
        view
    }

    fn open(&mut self, schema: &'s Value, value: &Value) {
        let Value::Object(object) = schema else { return };
        // A schema may refer to itself through a union: each part is opened once.
        if self.parts.iter().any(|part| std::ptr::eq(*part, object)) {
            return;
        }
        self.parts.push(object);
        if let Some(target) = object.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'))
            && let Some(target) = self.root.pointer(target)
        {
            self.open(target, value);
        }
        for union in ["anyOf", "oneOf", "allOf"] {
            for member in object.get(union).and_then(Value::as_array).into_iter().flatten() {
                self.open(member, value);
            }
        }
        if let (Some(condition), Some(then)) = (object.get("if"), object.get("then"))
            && holds(condition, value)
        {
            self.open(then, value);
        }
    }

    /// What is said about the member `key` of the value.
    pub fn member(&self, key: &str, member: &Value) -> View<'s> {
        let named = self.parts.iter().filter_map(|part| part.get("properties")?.get(key));
        let mut schemas: Vec<&'s Value> = named.collect();
        if schemas.is_empty() {
            schemas.extend(self.parts.iter().filter_map(|part| part.get("additionalProperties")));
        }
        View::new(self.root, &schemas, member)
    }

    /// What is said about an element of the value.
    pub fn element(&self, element: &Value) -> View<'s> {
        let schemas: Vec<&'s Value> = self.parts.iter().filter_map(|part| part.get("items")).collect();
        View::new(self.root, &schemas, element)
    }

    /// What the schema `root` says about the value at a JSON pointer of `document`.
    pub fn at(root: &'s Value, document: &Value, pointer: &str) -> View<'s> {
        let mut value = document;
        let mut view = View::new(root, &[root], value);
        for part in pointer.split('/').skip(1) {
            let key = part.replace("~1", "/").replace("~0", "~");
            let index = key.parse::<usize>().ok().filter(|_| value.is_array());
            let below = match index {
                Some(index) => value.get(index),
                None => value.get(&key),
            };
            value = below.unwrap_or(&Value::Null);
            view = match index {
                Some(_) => view.element(value),
                None => view.member(&key, value),
            };
        }
        view
    }

    /// The keys the value may have.
    pub fn keys(&self) -> Vec<&'s str> {
        let mut keys: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| part.get("properties")?.as_object())
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Whether the value is secret: the schema calls it write-only.
    pub fn is_secret(&self) -> bool {
        self.parts.iter().any(|part| part.get("writeOnly") == Some(&Value::Bool(true)))
    }

    /// Whether a value of the JSON type is welcome.
    pub fn takes(&self, json_type: &str) -> bool {
        self.parts.iter().any(|part| match part.get("type") {
            Some(Value::String(name)) => name == json_type,
            Some(Value::Array(names)) => names.iter().any(|name| name == json_type),
            _ => part.get("const").is_some_and(|value| value.is_string() && json_type == "string"),
        })
    }

    /// Whether the value must have that key.
    pub fn requires(&self, key: &str) -> bool {
        self.required().any(|required| required == key)
    }

    /// The least that could stand in the place of the value and be read.
    pub fn placeholder(&self) -> Value {
        if self.takes("string") {
            return Value::String(String::new());
        }
        if self.takes("array") {
            return Value::Array(Vec::new());
        }
        let member = |key: &'s str| (key.to_owned(), self.member(key, &Value::Null).placeholder());
        if self.takes("object") { self.required().map(member).collect() } else { Value::Null }
    }

    fn required(&self) -> impl Iterator<Item = &'s str> {
        let lists = self.parts.iter().filter_map(|part| part.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str)
    }

    /// What could stand there.
    pub fn example(&self) -> Option<&'s Value> {
        self.parts.iter().find_map(|part| part.get("examples")?.get(0))
    }

    /// What the schema says the value is, in words.
    pub fn description(&self) -> Option<&'s str> {
        self.parts.iter().rev().find_map(|part| part.get("description")?.as_str())
    }
}

/// Whether a condition of the form this module writes holds: some members are constants.
fn holds(condition: &Value, value: &Value) -> bool {
    let Some(properties) = condition.get("properties").and_then(Value::as_object) else { return false };
    properties.iter().all(|(key, expected)| value.get(key) == expected.get("const"))
}

/// The key under which the file with the secret `key` is named.
pub fn twin_of(key: &str) -> String {
    format!("{key}_file")
}
