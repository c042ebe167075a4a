//! What the schema knows about the secrets among the values, which may be given by a file
//! instead.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::domain::secret::REDACTED;
use crate::yaml::{Part, Report, View, pointer, twin_of, visit};

const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Replaces every `KEY_file` twin of a secret by the content of its file.
pub(super) fn read_files(root: &Value, value: &mut Value, base: &Path, report: &mut Report) {
    let view = View::new(root, &[root], value);
    read_files_below(&view, value, "", base, report);
}

fn read_files_below(view: &View<'_>, value: &mut Value, at: &str, base: &Path, report: &mut Report) {
    match value {
        Value::Object(map) => {
            for key in secret_keys(view, map) {
                read_twin(map, &key, at, base, report);
            }
            for (key, member) in map {
                let below = view.member(key, member);
                read_files_below(&below, member, &pointer::child(at, key), base, report);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                let below = view.element(item);
                read_files_below(&below, item, &pointer::child(at, index.to_string()), base, report);
            }
        }
        _ => {}
    }
}

/// The secret keys of which a twin is present.
fn secret_keys(view: &View<'_>, map: &Map<String, Value>) -> Vec<String> {
    let keys = view.keys();
    keys.iter()
        .filter(|key| {
            let twin = twin_of(key);
            map.contains_key(&twin) && !keys.contains(&twin.as_str())
        })
        .filter(|key| view.member(key, &Value::Null).is_secret())
        .map(|key| (*key).to_owned())
        .collect()
}

fn read_twin(map: &mut Map<String, Value>, key: &str, at: &str, base: &Path, report: &mut Report) {
    let twin = twin_of(key);
    let twin_at = pointer::child(at, &twin);
    let path = map.shift_remove(&twin);
    if map.contains_key(key) {
        report.add_at(Part::Key, &twin_at, format!("give either `{key}` or `{twin}`, not both"));
        return;
    }
    let at_key = pointer::child(at, key);
    report.marks.copy(&twin_at, &at_key);
    let secret = match path.as_ref().and_then(Value::as_str) {
        Some(path) => read_secret(&base.join(path)),
        None => Err("expected the name of a file".to_owned()),
    };
    let secret = secret.unwrap_or_else(|message| {
        // The key counts as present: that its file is of no use is problem enough.
        report.add(&twin_at, message);
        report.ignore(&at_key);
        String::new()
    });
    map.insert(key.to_owned(), Value::String(secret));
}

fn read_secret(path: &Path) -> Result<String, String> {
    let describe =
        |reason: &dyn std::fmt::Display| format!("reading the secret file {}: {reason}", path.display());
    let file = std::fs::File::open(path).map_err(|error| describe(&error))?;
    let mut text = String::new();
    let size = file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text).map_err(|error| describe(&error))?;
    if size as u64 > MAX_SECRET_BYTES {
        return Err(describe(&"larger than 64 KiB"));
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(describe(&"it is empty"));
    }
    Ok(secret.to_owned())
}

/// All secret texts, and the pointers they stand at.
pub(super) fn find_secrets(root: &Value, value: &mut Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    visit(&View::new(root, &[root], value), value, "", &mut |view, value, at| {
        if let (true, Value::String(text)) = (view.is_secret(), value) {
            found.push((at.to_owned(), text.clone()));
        }
    });
    found
}

/// Puts a placeholder in the place of every secret.
pub(super) fn redact(root: &Value, value: &mut Value) {
    visit(&View::new(root, &[root], value), value, "", &mut |view, value, _| {
        if view.is_secret() && !value.is_null() {
            *value = Value::String(REDACTED.to_owned());
        }
    });
}
