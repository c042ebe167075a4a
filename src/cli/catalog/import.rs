//! `modelpager catalog import FILE`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use super::remote::{Refusal, ServerArgs};
use super::{FileArg, print_faults};
use crate::catalog::document::Format;
use crate::catalog::faults::Faults;
use crate::catalog::plan::{ChangeAction, EntryChange, ImportReport};
use crate::catalog::reading::{place, read_checked_document};
use crate::config::Scope;
use crate::domain::clock::{Clock as _, SystemClock};

/// Import a catalog file into a running server and print the changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager catalog import --dry-run catalog.yml
  modelpager catalog import --config modelpager.yml --prune catalog.yml
  MODELPAGER_TOKEN=… modelpager catalog import --server https://pager.example.org catalog.yml

Entries are created or replaced; versions and deployments are added to the histories. Exits 1 when
a field is invalid (then nothing is changed) or the server refuses. More than about 256 changes
are written in several steps: after an interrupted import, import the same file again.")]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArg,
    /// Only print what would change.
    #[arg(long)]
    dry_run: bool,
    /// Delete entries that are not in the file.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    format: crate::cli::FormatArg,
}

/// Imports and prints the report.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let refuse = |faults: &Faults| {
        print_faults(&args.file.path, faults);
        Ok(ExitCode::FAILURE)
    };
    let bytes = crate::cli::read_input(&args.file.path)?;
    let document = match read_checked_document(&bytes, SystemClock.now()) {
        Ok(document) => document,
        Err(error) => return refuse(&error.into_faults()),
    };
    let path = format!("/api/v1/catalog/import?dry_run={}&prune={}", args.dry_run, args.prune);
    let answer = match args.server.connect(Scope::Write)?.post(&path, document.write(Format::Json)?) {
        Ok(answer) => answer,
        Err(Refusal::Other(error)) => return Err(error),
        // What the server names are places in the document as it was sent.
        Err(Refusal::Fields(problems, omitted)) => {
            let mut faults = place(&bytes, problems);
            faults.omit(omitted);
            return refuse(&faults);
        }
    };
    let report: ImportReport =
        serde_json::from_slice(&answer).context("the response of the server is not an import report")?;
    if args.format.json {
        crate::cli::print_json(out, &report)?;
    } else {
        print_report(out, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_report(out: &mut dyn Write, report: &ImportReport) -> anyhow::Result<()> {
    for change in &report.entries {
        print_change(out, change)?;
    }
    if report.entries_omitted > 0 {
        writeln!(out, "… {} more", report.entries_omitted)?;
    }
    let ImportReport { created, changed, deleted, unchanged, .. } = report;
    let end = if report.dry_run { "; nothing was written (dry run)" } else { "" };
    writeln!(out, "{created} created, {changed} changed, {deleted} deleted, {unchanged} unchanged{end}")?;
    Ok(())
}

fn print_change(out: &mut dyn Write, change: &EntryChange) -> anyhow::Result<()> {
    let sign = match change.action {
        ChangeAction::Created => '+',
        ChangeAction::Changed => '~',
        ChangeAction::Deleted => '-',
    };
    writeln!(out, "{sign} {}", change.slug)?;
    if change.action == ChangeAction::Deleted {
        return Ok(());
    }
    for field in &change.fields {
        match &field.before {
            Value::Null => writeln!(out, "    {}: {}", field.field, field.after)?,
            before => writeln!(out, "    {}: {before} → {}", field.field, field.after)?,
        }
    }
    for version in &change.versions {
        writeln!(out, "    version {}", version.version)?;
    }
    for deployment in &change.deployments {
        writeln!(out, "    deployment of {}", deployment.version)?;
    }
    Ok(())
}
