//! The command line. A command is a file with `Args` (its documentation is the help text)
//! and `run`, a `mod` line and a line in the table below. Exit codes are amtool's: 0 when
//! all is well, 1 when what was asked for failed or does not hold, 2 for a wrong call.

use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::dispatch::plan::{ChannelPlan, Plan};
use crate::domain::connection;

mod backup;
mod catalog;
mod catalog_source;
mod check_config;
mod completions;
mod config_schema;
mod demo;
mod healthcheck;
mod migrate_storage;
mod openapi;
mod progress;
mod render;
mod routes;
mod send_test;
mod serve;

/// The alert receiver for ML teams: receives Alertmanager webhooks, finds the model of each
/// alert, notifies the right people, and logs every delivery.
#[derive(Debug, Parser)]
#[command(name = "modelpager", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  modelpager demo
  modelpager serve --config modelpager.yml
  modelpager check-config modelpager.yml
  modelpager routes test --config modelpager.yml severity=page model=churn
  modelpager completions bash > /etc/bash_completion.d/modelpager")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// Does what was asked for; what it has to say goes to `out`.
    ///
    /// # Errors
    /// Why it could not be done.
    pub fn run(self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        self.command.run(out)
    }
}

/// Declares the commands, in the order of the help text.
macro_rules! commands {
    ($($variant:ident => $module:ident,)*) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($variant($module::Args),)*
        }

        impl Command {
            fn run(self, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
                match self {
                    $(Self::$variant(args) => $module::run(&args, out),)*
                }
            }
        }
    };
}

commands! {
    Serve => serve,
    Demo => demo,
    CheckConfig => check_config,
    Routes => routes,
    Render => render,
    SendTest => send_test,
    Healthcheck => healthcheck,
    Catalog => catalog,
    Backup => backup,
    MigrateStorage => migrate_storage,
    ConfigSchema => config_schema,
    Openapi => openapi,
    Completions => completions,
}

/// `--config`, for the commands that work without a file too.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArg {
    /// The configuration file; without one the defaults apply.
    #[arg(long, short, value_name = "FILE", env = "MODELPAGER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// `--json`
#[derive(Debug, clap::Args)]
pub(crate) struct FormatArg {
    /// Print JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// An error and what caused it in one line, outermost first, each said once; plain words stand
/// for what a library says of a connection that failed.
pub fn in_one_line(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Where the system is quoted, by itself or by a library, our own words end.
        let is_of_system = cause.is::<std::io::Error>() || text.contains("(os error ");
        let words = connection::plain_words(cause).filter(|_| is_of_system);
        let is_last = words.is_some();
        let text = words.map_or(text, str::to_owned);
        if !told.iter().any(|said| said.contains(&text)) {
            told.push(text);
        }
        if is_last {
            break;
        }
    }
    told.join(": ")
}

/// The bytes of a file; `-` is the standard input.
fn read_input(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("could not read the standard input")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| format!("could not read {}", name_of(file)))
}

/// What messages call a file given on the command line.
fn name_of(file: &Path) -> String {
    if file == Path::new("-") { "the standard input".to_owned() } else { file.display().to_string() }
}

/// The enabled channel of that name.
fn find_channel(plan: &Plan, name: &str) -> anyhow::Result<Arc<ChannelPlan>> {
    plan.channel(name).ok_or_else(|| {
        let known: Vec<&str> = plan.channels().map(|channel| channel.name.as_str()).collect();
        anyhow::anyhow!("no enabled channel is named {name:?}; there are {}", known.join(", "))
    })
}

/// Prints a value as JSON for programs and people.
fn print_json(out: &mut dyn Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the target: {0}")]
    struct Side(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("could not open the database: no such file")]
    struct Inner;

    #[test]
    fn what_an_error_says_of_its_cause_is_said_once() {
        let told = in_one_line(&anyhow::Error::new(Side(Inner)).context("could not copy"));

        assert_eq!(told, "could not copy: the target: could not open the database: no such file");
    }

    #[test]
    fn a_connection_that_failed_is_told_in_plain_words() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);

        let told = in_one_line(&anyhow::Error::new(refused).context("could not reach the server"));

        assert_eq!(told, "could not reach the server: connection refused");
    }
}
