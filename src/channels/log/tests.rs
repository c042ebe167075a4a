//! What stands in the log.

use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::domain::outcome::SendOutcome;
use crate::render::{Rendered, samples};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_message_is_one_structured_line_without_anything_that_steers_a_terminal() {
    let config = serde_json::from_value(json!({"name": "console", "kind": "log"})).unwrap();
    let channel = build(&config, &Proxies::default()).ok().unwrap();
    let snapshot = samples::firing();
    let fields =
        [("title", "title \u{1b}[2J\r\n2026 ERROR forged"), ("body", "one\n\n  two\u{202e}\u{7}\r\n")];
    let rendered = Rendered {
        fields: fields.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        ..Rendered::default()
    };
    let message = Message {
        notification_id: "n-1",
        dedup_key: "HighLatency:fraud",
        snapshot: &snapshot,
        rendered: &rendered,
        reference: None,
        now: samples::NOW,
    };
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();

    let report = tracing::subscriber::with_default(subscriber, || {
        futures_util::FutureExt::now_or_never(channel.send(&message, Duration::from_secs(1))).unwrap()
    });

    assert_eq!(report.outcome, SendOutcome::Accepted);
    let text = String::from_utf8(buffer.0.lock().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["target"], "modelpager::message");
    assert_eq!(line["fields"]["message"], "title [2J 2026 ERROR forged");
    assert_eq!(line["fields"]["text"], "one | two");
    assert_eq!(line["fields"]["channel"], "console");
    assert_eq!(line["fields"]["dedup_key"], "HighLatency:fraud");
    assert_eq!(channel.preview(&message).body, "title [2J 2026 ERROR forged | one | two");
}
