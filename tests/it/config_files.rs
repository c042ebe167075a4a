//! The configuration files that come with the program: they say everything there is to
//! say, and the program takes them.

use std::collections::BTreeSet;
use std::path::Path;

use modelpager::app::configuration::kinds;
use modelpager::config::{self, Loaded, Problems};
use serde_json::Value;

const EXAMPLE: &str = "modelpager.example.yml";
const SCHEMA: &str = "modelpager.schema.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn load(path: &Path) -> Result<Loaded, Problems> {
    config::load_file(path, &example_env, &kinds())
}

/// An environment in which the example makes sense.
pub fn example_env(name: &str) -> Option<String> {
    let value = match name.rsplit_once('_').unwrap_or_default() {
        // It has a default, which is meant.
        ("DATABASE", _) => return None,
        (_, "TOKEN") => format!("{name}-0123456789abcdef"),
        (who, "URL") => format!("https://{}.example.org/hook", who.to_lowercase()),
        (_, "SECRET" | "OLD") => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
        (_, "KEY") => "0123456789abcdef0123456789abcdef".to_owned(),
        (_, "PASSWORD") => "example".to_owned(),
        _ => return None,
    };
    Some(value)
}

/// What the example takes from the environment: names and values.
pub fn example_variables() -> Vec<(String, String)> {
    let text = read(EXAMPLE);
    let names = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    names.filter_map(|name| Some((name.to_owned(), example_env(name)?))).collect()
}

#[test]
fn the_example_loads() {
    let loaded = load(&root().join(EXAMPLE)).unwrap_or_else(|problems| panic!("{problems}"));

    let kinds_used: BTreeSet<&str> =
        loaded.config.channels.iter().map(|channel| channel.kind.as_str()).collect();
    let all_kinds = kinds();
    assert_eq!(kinds_used, all_kinds.iter().map(|kind| kind.name.as_str()).collect());
}

#[test]
fn every_key_stands_in_the_example() {
    let text = read(EXAMPLE);
    let example: Value = serde_saphyr::from_str(&text).unwrap();
    let schema: Value = config::schema(&kinds());
    let mut missing = Vec::new();

    collect_missing(&schema, &schema, &[&example], "", &mut missing);

    let is_given_as_file = |path: &String| {
        let key = path.rsplit('.').next().unwrap_or_default();
        key.ends_with("_file") || text.contains(&format!("{key}_file"))
    };
    missing.retain(|path| !is_given_as_file(path));
    assert_eq!(missing, Vec::<String>::new(), "not in {EXAMPLE}");
}

/// The keys of `schema` that none of the values has.
fn collect_missing(root: &Value, schema: &Value, values: &[&Value], at: &str, missing: &mut Vec<String>) {
    let is_route = schema["$ref"] == "#/$defs/RouteConfig";
    let values = if is_route { all_routes(values) } else { values.to_vec() };
    let schema = resolve(root, schema);
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let found: Vec<&Value> = values.iter().filter_map(|value| value.get(key)).collect();
        let path = format!("{at}.{key}");
        if found.is_empty() {
            missing.push(path);
        } else if !(is_route && key == "routes") {
            collect_missing(root, property, &found, &path, missing);
        }
    }
    if let Some(items) = schema.get("items") {
        let elements: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
        collect_missing(root, items, &elements, at, missing);
    }
    for branch in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        let kind = &branch["if"]["properties"]["kind"]["const"];
        if let Some(name) = kind.as_str() {
            // A key common to several kinds need only stand once: these two show them.
            let shows = |v: &&Value| [name, "log", "webhook"].iter().any(|kind| v["kind"] == **kind);
            let of_kind: Vec<&Value> = values.iter().copied().filter(shows).collect();
            collect_missing(root, &branch["then"], &of_kind, &format!("{at}({name})"), missing);
        }
    }
}

/// The routes of all levels: a key need stand in one of them only.
fn all_routes<'v>(routes: &[&'v Value]) -> Vec<&'v Value> {
    let below: Vec<&Value> = routes.iter().filter_map(|route| route["routes"].as_array()).flatten().collect();
    let deeper = if below.is_empty() { Vec::new() } else { all_routes(&below) };
    routes.iter().copied().chain(deeper).collect()
}

fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

#[test]
fn values_called_defaults_are_the_defaults() {
    let example = load(&root().join(EXAMPLE)).unwrap();
    let empty = config::parse("", root(), &|_| None, &kinds()).unwrap();

    for key in ["server", "storage", "intake", "incidents", "delivery", "dedup_key"] {
        assert_eq!(example.redacted_json()[key], empty.redacted_json()[key], "{key}");
    }
}

#[test]
fn the_schema_for_editors_is_up_to_date() {
    let path = root().join(SCHEMA);
    let current = serde_json::to_string_pretty(&config::schema(&kinds())).unwrap() + "\n";

    // `make accept` takes over what the program says now, as it does for snapshots.
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "{SCHEMA} is out of date: run `modelpager config-schema > {SCHEMA}`");
}

#[test]
fn the_schema_for_editors_takes_the_example() {
    let schema: Value = serde_json::from_str(&read(SCHEMA)).unwrap();
    let example: Value = serde_saphyr::from_str(&read(EXAMPLE)).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();

    let errors: Vec<String> =
        validator.iter_errors(&example).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn the_configuration_of_the_compose_file_lacks_nothing_but_its_mounted_secrets() {
    let path = root().join("deploy/compose/modelpager/modelpager.yml");
    let Err(problems) = load(&path) else { return };

    for problem in &problems.problems {
        let is_unmounted = problem.message.starts_with("reading the secret file /run/secrets/");
        assert!(is_unmounted, "{problems}");
    }
}
