//! `modelpager serve`: the service.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::app::configuration::{self, Configuration};
use crate::app::{App, Start};
use crate::config::ChannelConfig;
use crate::domain::clock::SystemClock;
use crate::domain::random::SystemRandom;
use crate::telemetry::logging::{self, LogFormat};
use crate::web::state::Operations;

/// Run the server: receive alerts, send notifications, keep the delivery log.
///
/// Without a configuration file it listens on 127.0.0.1:9095, keeps its data in
/// `modelpager.db` in the working directory, and writes every message to its own log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager serve
  modelpager serve --config /etc/modelpager/modelpager.yml --log.format json

SIGHUP reloads the configuration; SIGTERM and SIGINT shut down gracefully.")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigArg,
    /// What to log: error, warn, info, debug, trace, or a filter such as info,modelpager::dispatch=debug.
    #[arg(long = "log.level", value_name = "LEVEL", env = "RUST_LOG", default_value = "info", value_parser = logging::check_level)]
    log_level: String,
    /// How to log: text or json.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// Serves until a signal stops it.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    logging::start(&args.log_level, args.log_format)?;
    let file = args.config.config.clone();
    let configuration = configuration::load(file.as_deref())?;
    write!(out, "{}", greeting(&configuration, file.as_deref()))?;
    out.flush()?;
    configuration.warn();
    let external_url = configuration.loaded.config.server.external_url.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let start =
            Start { configuration, file, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
        let app = App::start(start).await?;
        writeln!(out, "listening on {}: open {external_url}", app.address())?;
        out.flush()?;
        let reloads = tokio::spawn(reload_on_hangup(app.control()));
        let outcome = app.run_until(stop_signal()).await;
        reloads.abort();
        outcome.map(|()| ExitCode::SUCCESS)
    })
}

/// What runs here, in lines for the person who started it; without secrets.
fn greeting(configuration: &Configuration, file: Option<&Path>) -> String {
    let loaded = &configuration.loaded;
    let from = file.map_or_else(
        || "none, the defaults are used (--config FILE names one)".to_owned(),
        |file| file.display().to_string(),
    );
    let database = loaded.redacted_json()["storage"]["url"].as_str().unwrap_or_default();
    let channel = |channel: &ChannelConfig| {
        let off = if channel.enabled { "" } else { ", disabled" };
        format!("{} ({}{off})", channel.name, channel.kind)
    };
    let channels: Vec<String> = loaded.config.channels.iter().map(channel).collect();
    format!(
        "modelpager {}\nconfiguration: {from}\ndatabase: {database}\nchannels: {}\n",
        env!("CARGO_PKG_VERSION"),
        channels.join(", ")
    )
}

/// Completes when the process is asked to stop.
pub(super) async fn stop_signal() {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot listen for signals: only SIGKILL stops this process");
            std::future::pending::<()>().await;
        }
    }
}

async fn reload_on_hangup(control: Arc<impl Operations>) {
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => {
            tracing::error!(%error, "cannot listen for SIGHUP, use POST /-/reload");
            return;
        }
    };
    while hangups.recv().await.is_some() {
        // What is wrong with the file is in the log already.
        let _ = control.reload().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_say_what_runs_and_no_secret() {
        let text = "storage: {url: 'postgres://pager:hunter2secret@db/pager?password=hunter3secret'}\n\
            channels:\n- {name: console, kind: log}\n- {name: hook, kind: webhook, url: 'https://h/hunter4secret', enabled: false}\n";
        let configuration = configuration::parse(text).unwrap();

        let told = greeting(&configuration, Some(Path::new("/etc/modelpager.yml")));

        let version = env!("CARGO_PKG_VERSION");
        assert!(told.starts_with(&format!(
            "modelpager {version}\nconfiguration: /etc/modelpager.yml\ndatabase: postgres://pager:"
        )));
        assert!(told.ends_with("@db/pager\nchannels: console (log), hook (webhook, disabled)\n"), "{told}");
        assert!(!told.contains("hunter"), "{told}");
        let defaults = greeting(&configuration::parse("").unwrap(), None);
        assert!(defaults.contains("configuration: none, the defaults are used"), "{defaults}");
    }
}
