//! What is left of a document once all that is wrong is taken out: so that one slip hides no
//! other, wherever that one is.

use serde_json::{Value, json};

use crate::config::ChannelConfig;

use super::schema::KindSchema;
use crate::yaml::{Checker, Report, pointer};

/// A document that can be read as a configuration, and the channels of it that are as written.
pub(super) struct Sound {
    /// Without what is wrong: there the defaults apply.
    pub document: Value,
    /// For each channel, whether it can be judged by its kind.
    pub whole_channels: Vec<bool>,
}

/// Takes out what the report calls wrong. Channels keep their places: what cannot be read as one
/// gives way to a log.
pub(super) fn sound(checker: &Checker, document: &Value, kinds: &[KindSchema], report: &Report) -> Sound {
    let mut sound = document.clone();
    for at in report.wrong() {
        take_out(&mut sound, at);
    }
    let misfits = checker.misfits(&sound);
    let mut whole_channels = Vec::new();
    for (index, channel) in
        sound.pointer_mut("/channels").and_then(Value::as_array_mut).into_iter().flatten().enumerate()
    {
        let at = format!("/channels/{index}");
        let is_within = |other: &String| other == &at || other.starts_with(&format!("{at}/"));
        let is_whole =
            !misfits.iter().any(is_within) && kinds.iter().any(|kind| channel["kind"] == *kind.name);
        whole_channels.push(is_whole);
        if serde_json::from_value::<ChannelConfig>(channel.clone()).is_err() {
            let name = channel["name"].as_str().map_or_else(|| format!("channel-{index}"), str::to_owned);
            *channel = json!({"name": name, "kind": super::DEFAULT_KIND, "enabled": true});
        }
    }
    Sound { document: sound, whole_channels }
}

/// Removes a member, or the whole list that holds an element: to close up would move the rest.
fn take_out(document: &mut Value, at: &str) {
    let Some((parent, key)) = at.rsplit_once('/') else {
        if !document.is_object() {
            *document = json!({});
        }
        return;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent) {
        Some(Value::Object(members)) => drop(members.remove(&key)),
        Some(Value::Array(elements)) if parent == "/channels" => {
            if let Some(element) = key.parse::<usize>().ok().and_then(|index| elements.get_mut(index)) {
                *element = Value::Null;
            }
        }
        Some(Value::Array(_)) => take_out(document, pointer::parent(at).unwrap_or_default()),
        _ => {}
    }
}
