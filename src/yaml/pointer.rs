//! JSON pointers (RFC 6901), by which values and their places in the file are found, and
//! the dotted paths people read.

use serde_json::Value;

/// The pointer of a member or element of the value at `parent`.
pub fn child(parent: &str, key: impl AsRef<str>) -> String {
    format!("{parent}/{}", key.as_ref().replace('~', "~0").replace('/', "~1"))
}

/// The pointer of the value that holds the one at `pointer`.
pub fn parent(pointer: &str) -> Option<&str> {
    pointer.rfind('/').map(|slash| &pointer[..slash])
}

/// `/channels/2/webhook_url` as `channels[2].webhook_url`.
pub fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        push(&mut path, part, false);
    }
    path
}

/// Adds one part of a pointer to a dotted path. What looks like an index is one, unless it is
/// known to be a key.
pub(super) fn push(path: &mut String, part: &str, is_key: bool) {
    let part = part.replace("~1", "/").replace("~0", "~");
    let is_index = !is_key && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if is_index {
        path.push_str(&format!("[{part}]"));
    } else {
        let dot = if path.is_empty() { "" } else { "." };
        path.push_str(&format!("{dot}{part}"));
    }
}

/// The pointer of what a dotted path means in `document`, or of the nearest value around it:
/// keys may hold dots and brackets themselves.
pub fn resolve(document: &Value, path: &str) -> String {
    let (mut value, mut rest, mut at) = (document, path, String::new());
    while !rest.is_empty() {
        let found = match value {
            Value::Object(map) => {
                let rest = rest.strip_prefix('.').unwrap_or(rest);
                let fits = |key: &&String| {
                    rest.strip_prefix(key.as_str())
                        .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
                };
                let key = map.keys().filter(fits).max_by_key(|key| key.len());
                key.and_then(|key| Some((key.clone(), map.get(key)?, &rest[key.len()..])))
            }
            Value::Array(items) => rest.strip_prefix('[').and_then(|rest| {
                let (index, after) = rest.split_once(']')?;
                Some((index.to_owned(), items.get(index.parse::<usize>().ok()?)?, after))
            }),
            _ => None,
        };
        let Some((key, below, after)) = found else { break };
        at = child(&at, key);
        (value, rest) = (below, after);
    }
    at
}

/// `channels[2].webhook_url` as `/channels/2/webhook_url`.
pub fn from_dotted(path: &str) -> String {
    let flat = path.replace('[', ".").replace(']', "");
    flat.split('.').filter(|part| !part.is_empty()).fold(String::new(), |at, key| child(&at, key))
}

/// The items of a list at that place; none where there is no list.
pub fn list_at<'v>(value: &'v Value, at: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

/// A key's text.
pub fn text_at<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_become_paths_and_back() {
        assert_eq!(dotted("/channels/2/smtp/port"), "channels[2].smtp.port");
        assert_eq!(from_dotted("channels[2].smtp.port"), "/channels/2/smtp/port");
        assert_eq!(dotted(""), "");
        assert_eq!(dotted(&child("/tags", "a/b~c")), "tags.a/b~c");
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!(parent(""), None);
    }

    #[test]
    fn a_path_is_found_where_keys_hold_dots() {
        let document = serde_json::json!({"tags": {"a.b": "x", "a": "y", "c[0]": ["z"]}, "list": [[1], 2]});
        let found = |path: &str| resolve(&document, path);

        assert_eq!(found("tags.a.b"), "/tags/a.b");
        assert_eq!(found("tags.a"), "/tags/a");
        assert_eq!(found("tags.c[0][0]"), "/tags/c[0]/0");
        assert_eq!(found("list[0][0]"), "/list/0/0");
        assert_eq!(found("list[7].name"), "/list");
        assert_eq!(found("absent"), "");
    }
}
