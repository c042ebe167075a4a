//! JSON pointers (RFC 6901), by which values and their places in the file are found, and
//! the dotted paths people read.

use serde_json::Value;

/// The pointer of a member or element of the value at `parent`.
pub(super) fn child(parent: &str, key: impl AsRef<str>) -> String {
    format!("{parent}/{}", key.as_ref().replace('~', "~0").replace('/', "~1"))
}

/// The pointer of the value that holds the one at `pointer`.
pub(super) fn parent(pointer: &str) -> Option<&str> {
    pointer.rfind('/').map(|slash| &pointer[..slash])
}

/// `/channels/2/webhook_url` as `channels[2].webhook_url`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let is_index = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_index {
            path.push_str(&format!("[{part}]"));
        } else {
            let dot = if path.is_empty() { "" } else { "." };
            path.push_str(&format!("{dot}{part}"));
        }
    }
    path
}

/// `channels[2].webhook_url` as `/channels/2/webhook_url`.
pub(super) fn from_dotted(path: &str) -> String {
    let flat = path.replace('[', ".").replace(']', "");
    flat.split('.').filter(|part| !part.is_empty()).fold(String::new(), |at, key| child(&at, key))
}

/// The items of a list at that place; none where there is no list.
pub(super) fn list_at<'v>(value: &'v Value, at: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

/// A key's text.
pub(super) fn text_at<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
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
}
