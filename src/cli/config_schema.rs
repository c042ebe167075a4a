//! `modelpager config-schema`: the JSON Schema of the configuration file.

use std::io::Write;
use std::process::ExitCode;

use crate::app::configuration;
use crate::config;

/// Print the JSON Schema of modelpager.yml, for editors.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager config-schema > modelpager.schema.json
  # then, as the first line of modelpager.yml:
  # yaml-language-server: $schema=./modelpager.schema.json")]
pub struct Args {
    /// The output is always JSON; accepted for consistency with other commands.
    #[arg(long = "json")]
    _json: bool,
}

/// Prints the schema.
pub fn run(_: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    super::print_json(out, &config::schema(&configuration::kinds()))?;
    Ok(ExitCode::SUCCESS)
}
