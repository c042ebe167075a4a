//! `modelpager send-test`: one test message through one channel, without a server and
//! without a database.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use crate::app::configuration;
use crate::dispatch::{Trial, send_unlogged};
use crate::domain::clock::{SharedClock, SystemClock};
use crate::domain::ids::IdMaker;
use crate::domain::outcome::SendOutcome;
use crate::domain::random::SystemRandom;
use crate::telemetry::logging::{self, LogFormat};

/// Send one test message through a channel, now.
///
/// It goes straight to the provider, without retries and without a line in the delivery log.
/// To have it in the log, ask a running server: POST /api/v1/channels/NAME/test.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager send-test --config modelpager.yml --channel ml-alerts
  modelpager send-test --config modelpager.yml --channel ml-oncall --json | jq .outcome

Exits 0 when the provider accepted it, 1 when it did not or the result is unknown.")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigArg,
    /// The channel's name.
    #[arg(long, value_name = "NAME")]
    channel: String,
    #[command(flatten)]
    format: super::FormatArg,
}

/// Sends and prints the result.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    // A channel of kind `log` has nowhere else to show it.
    logging::start("info", LogFormat::Text)?;
    let configuration = configuration::load(args.config.config.as_deref())?;
    super::find_channel(&configuration.plan, &args.channel)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let ids = IdMaker::new(clock.clone(), Arc::new(SystemRandom));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = Arc::new(configuration.plan);
    let sending = send_unlogged(&plan, &args.channel, "modelpager send-test", &clock, &ids);
    let trial = runtime.block_on(sending)?;
    if args.format.json {
        super::print_json(out, &trial)?;
    } else {
        print_trial(out, &args.channel, &trial)?;
    }
    Ok(if trial.outcome == SendOutcome::Accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_trial(out: &mut dyn Write, channel: &str, trial: &Trial) -> std::io::Result<()> {
    let status = trial.status.map(|status| format!(" with status {status}")).unwrap_or_default();
    let outcome = match trial.outcome {
        SendOutcome::Accepted => "accepted",
        SendOutcome::Rejected => "rejected",
        SendOutcome::NotProcessed => "not processed",
        SendOutcome::Ambiguous => "ambiguous, the message may have been sent",
    };
    writeln!(out, "{channel}: {outcome}{status} after {} ms", trial.duration_ms)?;
    for (name, text) in [("error", &trial.error), ("response", &trial.response)] {
        if let Some(text) = text {
            writeln!(out, "  {name}: {text}")?;
        }
    }
    Ok(())
}
