//! `modelpager openapi`: the description of the REST API.

use std::io::Write;
use std::process::ExitCode;

use crate::web::openapi;

/// Print the OpenAPI 3.1 description of the REST API.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager openapi > openapi.json
  modelpager openapi | jq '.paths | keys'")]
pub struct Args {
    /// The output is always JSON; accepted for consistency with other commands.
    #[arg(long = "json")]
    _json: bool,
}

/// Prints the description.
pub fn run(_: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    out.write_all(openapi::document().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
