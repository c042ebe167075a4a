//! The section `smtp` of a mail channel.

use std::net::IpAddr;
use std::sync::OnceLock;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Certificate;
use lettre::transport::smtp::extension::ClientId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::smtp::{Protection, Smtp};
use crate::channels::settings::Problems;
use crate::domain::secret::Secret;

/// The server that takes the mails.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port; default 587 for `starttls`, 465 for `tls`, 25 for `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected; default `starttls`.
    #[serde(default)]
    pub tls: Protection,
    /// The user to log in as; without it nobody logs in.
    #[serde(default)]
    pub username: Option<String>,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The name to greet the server with; default this machine's host name.
    #[serde(default)]
    pub helo: Option<String>,
    /// PEM certificates to trust beside the system's, for a server with a certificate of
    /// your own authority.
    #[serde(default)]
    pub ca: Option<Secret>,
}

impl Smtp {
    /// The server that the settings describe; `None` when there is a problem.
    pub fn from_settings(settings: &SmtpSettings, problems: &mut Problems) -> Option<Self> {
        let host = settings.host.trim();
        if let Some(problem) = host_problem(host) {
            problems.add("smtp.host", problem);
        }
        if settings.port == Some(0) {
            problems.add("smtp.port", "must be between 1 and 65535");
        }
        let credentials = credentials(settings, problems);
        let helo = helo(settings.helo.as_deref(), problems)?;
        let ca = settings.ca.as_ref().and_then(|pem| {
            let certificate = certificate(pem);
            if certificate.is_none() {
                problems.add("smtp.ca", "must hold certificates in PEM form");
            }
            certificate
        });
        Some(Self {
            host: host.to_owned(),
            port: settings.port.unwrap_or(settings.tls.default_port()),
            protection: settings.tls,
            credentials,
            helo,
            ca,
            tls: OnceLock::new(),
        })
    }
}

/// What keeps a text from being a host; Alertmanager's `smarthost` is `host:port` in one.
fn host_problem(host: &str) -> Option<&'static str> {
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    if host.contains("://") {
        return Some("must be a host's name or address alone, without `://`");
    }
    let port = host
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    if port.is_some_and(|(before, _)| !before.contains(':') || before.ends_with(']')) {
        return Some(
            "must be a host's name or address without its port: write the number under `port` beside it",
        );
    }
    if host.starts_with('[') {
        return Some("must be an address without brackets");
    }
    let is_name =
        !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    (!is_name).then_some("must be a host's name or address")
}

fn credentials(settings: &SmtpSettings, problems: &mut Problems) -> Option<Credentials> {
    match (&settings.username, &settings.password) {
        (None, None) => None,
        (Some(username), Some(password)) => {
            if settings.tls == Protection::None && !is_this_machine(settings.host.trim()) {
                problems.add("smtp.tls", "must be starttls or tls where a password is sent");
            }
            Some(Credentials::new(username.clone(), password.expose().to_owned()))
        }
        (Some(_), None) => {
            problems.add("smtp.password", "is missing beside username");
            None
        }
        (None, Some(_)) => {
            problems.add("smtp.username", "is missing beside password");
            None
        }
    }
}

/// The library reads a text without any certificate as none, and is content.
fn certificate(pem: &Secret) -> Option<Certificate> {
    let pem = pem.expose();
    let certificate = Certificate::from_pem(pem.as_bytes()).ok()?;
    pem.contains("-----BEGIN CERTIFICATE-----").then_some(certificate)
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn helo(name: Option<&str>, problems: &mut Problems) -> Option<ClientId> {
    let Some(name) = name.map(str::trim) else { return Some(ClientId::default()) };
    match name.parse() {
        Ok(IpAddr::V4(address)) => return Some(ClientId::Ipv4(address)),
        Ok(IpAddr::V6(address)) => return Some(ClientId::Ipv6(address)),
        Err(_) => {}
    }
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    if !is_name {
        problems.add("smtp.helo", "must be a host name or an address");
        return None;
    }
    Some(ClientId::Domain(name.to_owned()))
}
