//! YAML as a plain value plus where each part of it stands. Refuses what a configuration
//! never needs and an attacker might send: several documents, duplicate keys, deep
//! nesting, aliases that explode.

use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::document::{Document, Fault, fault};
use super::node::{Collector, Node};

/// How deep values may be nested.
pub const MAX_DEPTH: usize = 64;
const STACK_BYTES: usize = 16 * 1024 * 1024;
const MAX_NODES: usize = 100_000;
const MAX_REPLAYED_EVENTS: usize = 20_000;

/// Reads one YAML document. An empty file is an empty mapping; members without a value are
/// left out, as if they had not been written.
///
/// # Errors
/// Where and why the text is not acceptable; never cites a value.
pub fn read(text: &str) -> Result<Document, Fault> {
    let options = || {
        serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED_EVENTS },
            strict_booleans: true,
            reject_unsupported_tags: true,
            with_snippet: false,
        }
    };
    let node = on_a_large_stack(|| {
        serde_saphyr::from_str_with_options::<Option<Spanned<Node>>>(text, options())
            .map_err(|error| fault(&error))
    })?;

    let mut document = Document::default();
    if let Some(node) = node {
        Collector::without_nulls(text, &mut document).take(node);
    }
    if document.value.is_null() {
        document.value = Value::Object(Map::new());
    }
    Ok(document)
}

/// The parser takes some 35 KiB of stack for each level in a debug build; a small thread
/// of a runtime would not do for the depth that is allowed.
pub(super) fn on_a_large_stack<T: Send>(read: impl FnOnce() -> Result<T, Fault> + Send) -> Result<T, Fault> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("yaml".to_owned()).stack_size(STACK_BYTES);
        let thread = builder
            .spawn_scoped(scope, read)
            .map_err(|error| (None, format!("starting a thread to read the file: {error}")))?;
        thread.join().unwrap_or_else(|_| Err((None, "not valid YAML".to_owned())))
    })
}
