//! What a schema cannot say: values that must agree with each other or mean something.
//! Each section is checked on its own, so that a slip in one does not hide the others.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{ChannelConfig, DeliveryConfig, RetentionConfig, ServerConfig, StorageConfig};
use crate::domain::duration::PromDuration;
use crate::domain::matcher::Matchers;

use super::KindSchema;
use super::fallbacks::check_fallbacks;
use super::sound::Sound;
use crate::yaml::pointer::{child, from_dotted, list_at, text_at};
use crate::yaml::{Part, Report, did_you_mean};

mod retention;

/// Durations that make no sense at zero.
const POSITIVE: [(&str, &str); 5] = [
    ("server", "client_timeout"),
    ("incidents", "stale_after"),
    ("delivery", "max_age"),
    ("delivery", "backoff_min"),
    ("delivery", "backoff_max"),
];

const MIN_TOKEN_CHARS: usize = 16;

/// Checks everything; what the report calls wrong already is taken for its default.
pub(super) fn check(document: &Value, sound: &Sound, kinds: &[KindSchema], report: &mut Report) {
    let server = section::<ServerConfig>(&sound.document, "server");
    if let Some(server) = &server {
        check_server(server, report);
        if report.is_clean("/server/allow_unauthenticated") {
            check_exposure(server, document, report);
        }
    }
    check_tokens(document, report);
    if let Some(storage) = section::<StorageConfig>(&sound.document, "storage") {
        check_storage(&storage, report);
    }
    for (section, key) in POSITIVE {
        if let Some(holder) = document.get(section) {
            check_positive(holder, key, &child("", section), report);
        }
    }
    if let Some(delivery) = section::<DeliveryConfig>(&sound.document, "delivery") {
        check_delivery(&delivery, report);
    }
    if let Some(retention) = section::<RetentionConfig>(&sound.document, "retention") {
        retention::check(&retention, &sound.document, report);
    }
    let channels = check_channels(document, report);
    check_fallbacks(document, report);
    check_kinds(sound, kinds, report);
    if let Some(route) = document.get("route") {
        check_route(route, "/route", &channels, report);
    }
}

/// A section as its type; an absent one has its defaults.
fn section<T: DeserializeOwned + Default>(document: &Value, key: &str) -> Option<T> {
    match document.get(key) {
        Some(value) => serde_json::from_value(value.clone()).ok(),
        None => Some(T::default()),
    }
}

fn check_server(server: &ServerConfig, report: &mut Report) {
    if server.listen_address().is_none() {
        report.add(
            "/server/listen",
            "not an address and port to listen on, such as `127.0.0.1:9095`, `[::1]:9095` or `:9095`",
        );
    }
    let host =
        server.external_url.strip_prefix("http://").or_else(|| server.external_url.strip_prefix("https://"));
    let is_usable = host.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':'])
            && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '@'))
    });
    if !is_usable {
        report.add(
            "/server/external_url",
            "must be an http or https URL without user, query and fragment, such as `https://pager.example.com`",
        );
    }
}

fn check_tokens(document: &Value, report: &mut Report) {
    let mut names = BTreeSet::new();
    let mut secrets = BTreeSet::new();
    for (index, token) in list_at(document, "/auth/tokens").enumerate() {
        let at = child("/auth/tokens", index.to_string());
        if let Some(name) = text_at(token, "name") {
            check_name(name, &child(&at, "name"), report);
            if !names.insert(name) {
                report.add(&child(&at, "name"), format!("the name `{name}` is taken by another token"));
            }
        }
        if let Some(secret) = text_at(token, "token") {
            if secret.chars().count() < MIN_TOKEN_CHARS {
                let message =
                    format!("must have at least {MIN_TOKEN_CHARS} characters; try `openssl rand -hex 24`");
                report.add(&child(&at, "token"), message);
            } else if !secrets.insert(secret) {
                report.add(&child(&at, "token"), "another token has the same value");
            }
        }
        if token.get("scopes").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            report.add(&child(&at, "scopes"), "must not be empty: ingest, read, write or admin");
        }
    }
}

fn check_exposure(server: &ServerConfig, document: &Value, report: &mut Report) {
    let has_tokens = list_at(document, "/auth/tokens").next().is_some();
    let is_open = !has_tokens && !server.allow_unauthenticated;
    let is_reachable = server.listen_address().is_some_and(|address| !address.ip().is_loopback());
    if is_open && is_reachable {
        report.add(
            "/server/listen",
            "other machines could reach this without a token: add `auth.tokens`, listen on 127.0.0.1, \
             or set `server.allow_unauthenticated: true` in a network you trust entirely",
        );
    }
}

fn check_storage(storage: &StorageConfig, report: &mut Report) {
    let url = storage.url.expose();
    let is_known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if !is_known {
        let message = "must begin with `sqlite://` (a file) or `postgres://` (a server)";
        report.add("/storage/url", message);
    }
}

fn check_delivery(delivery: &DeliveryConfig, report: &mut Report) {
    let is_readable = report.is_clean("/delivery/backoff_min") && report.is_clean("/delivery/backoff_max");
    if is_readable && delivery.backoff_max < delivery.backoff_min {
        report.add("/delivery/backoff_max", "must not be less than `backoff_min`");
    }
}

/// Checks what all channels have in common; returns their names.
fn check_channels(document: &Value, report: &mut Report) -> Vec<String> {
    let mut names = Vec::new();
    for (index, channel) in list_at(document, "/channels").enumerate() {
        let at = child("/channels", index.to_string());
        if let Some(name) = text_at(channel, "name") {
            let name_at = child(&at, "name");
            check_name(name, &name_at, report);
            if names.iter().any(|taken| taken == name) {
                report.add(&name_at, format!("the name `{name}` is taken by another channel"));
            }
            names.push(name.to_owned());
        }
        check_positive(channel, "timeout", &at, report);
    }
    if names.is_empty() {
        names.push(super::DEFAULT_CHANNEL.to_owned());
    }
    names
}

/// Lets every kind look at its channels; not at those it would stumble over.
fn check_kinds(sound: &Sound, kinds: &[KindSchema], report: &mut Report) {
    let channels = list_at(&sound.document, "/channels").zip(&sound.whole_channels).enumerate();
    for (index, (channel, _)) in channels.filter(|(_, (_, is_whole))| **is_whole) {
        let at = child("/channels", index.to_string());
        let kind = kinds.iter().find(|kind| text_at(channel, "kind") == Some(&kind.name));
        let channel = serde_json::from_value::<ChannelConfig>(channel.clone());
        let (Some(kind), Ok(channel)) = (kind, channel) else { continue };
        for (key, message) in (kind.check)(&channel) {
            report.add_unless_known(&format!("{at}{}", from_dotted(&key)), message);
        }
    }
}

fn check_route(route: &Value, at: &str, channels: &[String], report: &mut Report) {
    for (index, name) in list_at(route, "/channels").enumerate() {
        let Some(name) = name.as_str().filter(|name| !channels.iter().any(|known| known == name)) else {
            continue;
        };
        let hint = did_you_mean(name, channels.iter().map(String::as_str))
            .unwrap_or_else(|| format!("defined are `{}`", channels.join("`, `")));
        let at = child(&child(at, "channels"), index.to_string());
        report.add(&at, format!("no channel is named `{name}`; {hint}"));
    }
    for (index, text) in list_at(route, "/matchers").enumerate() {
        let Some(Err(error)) = text.as_str().map(Matchers::parse) else { continue };
        let at = child(&child(at, "matchers"), index.to_string());
        let message = if report.is_private(&at) { "not a matcher".to_owned() } else { error.to_string() };
        report.add(&at, message);
    }
    check_positive(route, "repeat_interval", at, report);
    check_positive(route, "group_interval", at, report);
    for (index, below) in list_at(route, "/routes").enumerate() {
        check_route(below, &child(&child(at, "routes"), index.to_string()), channels, report);
    }
}

fn check_positive(holder: &Value, key: &str, at: &str, report: &mut Report) {
    let duration = text_at(holder, key).and_then(|text| text.parse::<PromDuration>().ok());
    if duration.is_some_and(|duration| duration.0 == Duration::ZERO) {
        report.add(&child(at, key), "must be greater than zero");
    }
}

fn check_name(name: &str, at: &str, report: &mut Report) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if name.is_empty() || !name.bytes().all(is_plain) {
        report.add_at(Part::Value, at, "a name has letters, digits, `_`, `.` and `-` only");
    }
}
