//! `modelpager catalog export`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use super::remote::ServerArgs;
use crate::config::Scope;

/// Print the catalog of a running server as a document for `catalog import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager catalog export > catalog.yml
  modelpager catalog export --config modelpager.yml --json --output catalog.json")]
pub(super) struct Args {
    /// Write to this file.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    format: crate::cli::FormatArg,
}

/// Exports.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let format = if args.format.json { "json" } else { "yaml" };
    let document =
        args.server.connect(Scope::Read)?.get(&format!("/api/v1/catalog/export?format={format}"))?;
    match &args.output {
        Some(file) => {
            std::fs::write(file, document).with_context(|| format!("could not write {}", file.display()))?;
        }
        None => out.write_all(&document)?,
    }
    Ok(ExitCode::SUCCESS)
}
