//! `application/x-www-form-urlencoded` bodies, the other way to talk to Slack.

use serde_json::{Map, Value};

use crate::fakes::engine::Request;

/// The fields of a request, from a JSON or a form body; `None` when it is neither.
pub(super) fn fields(request: &Request) -> Option<Map<String, Value>> {
    if request.media_type() == "application/x-www-form-urlencoded" {
        return Some(decode(&request.text()));
    }
    match request.json()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

fn decode(body: &str) -> Map<String, Value> {
    let pairs = body.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(name), Value::String(unescape(value)))
        })
        .collect()
}

fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_plus_signs_and_broken_escapes_are_decoded() {
        let fields = decode("payload=%7B%22text%22%3A+%22a%26b%22%7D&x=100%&empty");

        assert_eq!(fields["payload"], r#"{"text": "a&b"}"#);
        assert_eq!(fields["x"], "100%");
        assert_eq!(fields["empty"], "");
    }
}
