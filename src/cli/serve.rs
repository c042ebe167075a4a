//! `modelpager serve`: the service.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Start, configuration};
use crate::domain::clock::SystemClock;
use crate::domain::random::SystemRandom;
use crate::telemetry::logging::{self, LogFormat};
use crate::web::state::Operations;

/// Serve: take alerts in, tell who must know, keep the log.
///
/// Without a configuration file it listens on 127.0.0.1:9095, keeps its data in
/// `modelpager.db` in the working directory, and writes every message to its own log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager serve
  modelpager serve --config /etc/modelpager/modelpager.yml --log.format json

SIGHUP loads the configuration again, SIGTERM and SIGINT stop in order.")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigArg,
    /// What to log: error, warn, info, debug, trace, or a filter such as info,modelpager::dispatch=debug.
    #[arg(long = "log.level", value_name = "LEVEL", env = "RUST_LOG", default_value = "info")]
    log_level: String,
    /// How to log: text or json.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

/// Serves until it is told to stop.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    logging::start(&args.log_level, args.log_format)?;
    let file = args.config.config.clone();
    let configuration = configuration::load(file.as_deref())?;
    configuration.warn_about_templates();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let start =
            Start { configuration, file, clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
        let app = App::start(start).await?;
        writeln!(out, "modelpager listens on http://{}", app.address())?;
        out.flush()?;
        let reloads = tokio::spawn(reload_on_hangup(app.control()));
        let outcome = app.run_until(stop_signal()).await;
        reloads.abort();
        outcome.map(|()| ExitCode::SUCCESS)
    })
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
            tracing::error!(%error, "cannot listen for signals, only a kill stops this process");
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
