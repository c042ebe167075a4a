//! `modelpager healthcheck`: whether a running server is ready; for container engines.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use crate::app::configuration;
use crate::domain::duration::PromDuration;
use crate::domain::secret::Secret;
use crate::http::{Deadline, Endpoint, Headers, HttpClient};

/// Ask a running server whether it is ready.
///
/// Without `--url` it asks the listen address of the configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager healthcheck
  modelpager healthcheck --config modelpager.yml --timeout 2s
  modelpager healthcheck --json | jq .ready
  modelpager healthcheck --url http://127.0.0.1:9095

Exits 0 when the server is ready, 1 when it is not ready or does not answer.")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigArg,
    /// The address of the server; overrides the configuration.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The timeout.
    #[arg(long, value_name = "DURATION", default_value = "5s")]
    timeout: PromDuration,
    #[command(flatten)]
    format: super::FormatArg,
}

/// The answer as `--json` prints it.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    server: &'a str,
    ready: bool,
    reason: Option<&'a str>,
}

/// Asks, and says the answer in one line.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let base = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => configured_address(args)?,
    };
    let endpoint = Endpoint::parse(&Secret::new(format!("{base}/-/ready")))
        .map_err(|error| anyhow::anyhow!("the address {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let verdict = runtime.block_on(ask(&endpoint, args.timeout.0));
    let origin = endpoint.origin();
    let reason = verdict.err();
    match &reason {
        reason if args.format.json => {
            let ready = reason.is_none();
            super::print_json(out, &Verdict { server: &origin, ready, reason: reason.as_deref() })?;
        }
        None => writeln!(out, "{origin} is ready")?,
        Some(reason) => writeln!(out, "{origin} is not ready: {reason}")?,
    }
    Ok(if reason.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(endpoint: &Endpoint, timeout: Duration) -> Result<(), String> {
    let client = HttpClient::new(timeout);
    let answer = client.get(endpoint, &Headers::default(), Deadline::after(timeout)).await;
    let answer = answer.map_err(|failure| failure.to_string())?;
    if answer.status == 200 {
        return Ok(());
    }
    let detail = answer.json().and_then(|problem| problem["detail"].as_str().map(str::to_owned));
    Err(format!("it answered {} {}", answer.status, detail.unwrap_or_default()).trim_end().to_owned())
}

fn configured_address(args: &Args) -> anyhow::Result<String> {
    let configuration = configuration::load(args.config.config.as_deref())?;
    let server = &configuration.loaded.config.server;
    let address = server.listen_address().with_context(|| {
        format!("server.listen {:?} cannot be used as an address: set --url", server.listen)
    })?;
    Ok(format!("http://{}", reachable(address)))
}

/// Who listens on every address is reached on this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_asked_on_loopback() {
        let asked = |address: &str| reachable(address.parse().unwrap()).to_string();

        assert_eq!(asked("0.0.0.0:9095"), "127.0.0.1:9095");
        assert_eq!(asked("[::]:9095"), "[::1]:9095");
        assert_eq!(asked("10.0.0.7:80"), "10.0.0.7:80");
    }
}
