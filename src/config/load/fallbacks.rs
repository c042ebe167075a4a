//! `fallback` of channels: each names another channel that sends, and following them comes
//! to an end.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::yaml::pointer::{child, list_at, text_at};
use crate::yaml::{Report, did_you_mean};

/// Checks every channel's `fallback`.
pub(super) fn check_fallbacks(document: &Value, report: &mut Report) {
    let channels: Vec<&Value> = list_at(document, "/channels").collect();
    let next: BTreeMap<&str, &str> =
        channels.iter().filter_map(|channel| Some((name(channel)?, text_at(channel, "fallback")?))).collect();
    for (index, channel) in channels.iter().enumerate() {
        let (Some(name), Some(fallback)) = (name(channel), text_at(channel, "fallback")) else { continue };
        let at = child(&child("/channels", index.to_string()), "fallback");
        if let Some(message) = problem(name, fallback, &channels, &next) {
            report.add(&at, message);
        }
    }
}

fn problem(
    channel: &str,
    fallback: &str,
    channels: &[&Value],
    next: &BTreeMap<&str, &str>,
) -> Option<String> {
    if fallback == channel {
        return Some("a channel cannot stand in for itself".to_owned());
    }
    let Some(target) = channels.iter().find(|channel| name(channel) == Some(fallback)) else {
        let names = channels.iter().filter_map(|channel| name(channel)).filter(|name| *name != channel);
        let hint = did_you_mean(fallback, names.clone())
            .unwrap_or_else(|| format!("there are `{}`", names.collect::<Vec<_>>().join("`, `")));
        return Some(format!("no channel is named `{fallback}`; {hint}"));
    };
    if target.get("enabled").and_then(Value::as_bool) == Some(false) {
        return Some(format!("the channel `{fallback}` is disabled: it cannot stand in for another"));
    }
    let way = circle(channel, next)?;
    Some(format!("the fallbacks lead round in a circle: {}", way.join(" → ")))
}

/// The way from a channel back to itself, when there is one.
fn circle<'n>(channel: &'n str, next: &BTreeMap<&'n str, &'n str>) -> Option<Vec<&'n str>> {
    let mut way = vec![channel];
    // Every step takes another channel: a longer way goes round a circle elsewhere.
    for _ in 0..next.len() {
        let following = *next.get(way.last()?)?;
        way.push(following);
        if following == channel {
            return Some(way);
        }
    }
    None
}

fn name(channel: &Value) -> Option<&str> {
    text_at(channel, "name")
}
