//! `modelpager demo`: the service on one machine with nothing to set up, and a story that
//! shows what it does.

use std::io::{IsTerminal as _, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use crate::domain::clock::{SharedClock, SystemClock};
use crate::telemetry::logging::{self, LogFormat};

mod alertmanager;
mod catalog;
mod marks;
mod narrate;
mod play;
mod readers;
mod receivers;
mod service;
mod stage;
mod story;
mod verdict;

use marks::Ink;
use narrate::Narrator;
use play::Pace;
use stage::Stage;

/// See it work: no configuration, no network, no other program.
///
/// Starts the service with a demo catalog and loopback stand-ins for Slack, PagerDuty,
/// e-mail and a webhook, plays a two-minute story through its HTTP endpoint, shows each
/// message as its reader sees it, and goes on serving until Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager demo
  modelpager demo --once                     at full speed; exits 0 when every message arrived
  modelpager demo --listen 127.0.0.1:0       on a free port")]
pub struct Args {
    /// Play at full speed, check that every expected message was delivered, and end.
    #[arg(long)]
    once: bool,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9095", value_parser = loopback)]
    listen: SocketAddr,
    /// Do not open the page in a browser. Without a desktop none is opened anyway.
    #[arg(long)]
    no_browser: bool,
    /// What to log: error, warn, info, debug, trace, or a filter. The sends that fail in
    /// the story, and a slow disk, are left out unless you say otherwise.
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        env = "RUST_LOG",
        default_value = "warn,modelpager::dispatch=error,sqlx::query=error"
    )]
    log_level: String,
}

/// The demo asks for no token, so it is for this machine alone.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .replace("localhost:", "127.0.0.1:")
        .parse()
        .map_err(|_| "not an address such as 127.0.0.1:9095".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("the demo listens on loopback only".to_owned()) }
}

/// Whether somebody sits at this machine's screen: elsewhere a browser would take over the
/// terminal, or nobody would see it.
fn has_desktop() -> bool {
    let is_given = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_screen =
        cfg!(any(target_os = "macos", windows)) || is_given("DISPLAY") || is_given("WAYLAND_DISPLAY");
    std::io::stdout().is_terminal() && has_screen && !is_given("SSH_CONNECTION")
}

/// Plays the story.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    logging::start(&args.log_level, LogFormat::Text)?;
    let mut narrator = Narrator::new(out, ink());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(perform(args, &mut narrator))
}

fn ink() -> Ink {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if !refused && std::io::stdout().is_terminal() { Ink::Coloured } else { Ink::Plain }
}

/// Sets the stage, plays unless interrupted, and clears it away whatever happened.
async fn perform(args: &Args, narrator: &mut Narrator<'_>) -> anyhow::Result<ExitCode> {
    let clock: SharedClock = Arc::new(SystemClock);
    let mut stage = Stage::set(args.listen, &clock).await?;
    let ended = tokio::select! {
        ended = show(args, &mut stage, &clock, narrator) => ended,
        () = super::serve::stop_signal() => Ok(interrupted(args)),
    };
    let struck = stage.strike().await;
    let code = ended?;
    struck.map(|()| code)
}

/// A reader who has seen enough leaves; a check that was broken off has not passed.
fn interrupted(args: &Args) -> ExitCode {
    if args.once { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn show(
    args: &Args,
    stage: &mut Stage,
    clock: &SharedClock,
    narrator: &mut Narrator<'_>,
) -> anyhow::Result<ExitCode> {
    let begin = clock.now().minus(alertmanager::LEAD);
    let entries = catalog::fill(&stage.service, begin).await?;
    narrator.open(stage.service.base(), entries)?;
    let pace = if args.once { Pace::Full } else { Pace::Reading };
    if !args.once && !args.no_browser && has_desktop() {
        // Whoever has no browser after all reads the address above.
        let _ = open::that_detached(stage.service.base());
    }
    play::play(stage, clock, pace, narrator).await?;
    let verdict = verdict::judge(&stage.service.log().await?, &stage.receivers);
    narrator.judge(verdict.delivered, verdict.expected, &verdict.amiss)?;
    if args.once {
        return Ok(if verdict.amiss.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    narrator.point_on(stage.service.base())?;
    Err(stage.service_ends().await)
}
