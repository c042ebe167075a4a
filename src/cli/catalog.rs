//! `modelpager catalog`: the catalog as a file, checked, brought to a running server, and
//! taken from it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;

use crate::catalog::document::{Document, DocumentError};
use crate::catalog::service::check_document;
use crate::catalog::validate::FieldProblem;
use crate::domain::clock::{Clock as _, SystemClock};

mod export;
mod import;
pub(super) mod remote;

/// Check a catalog file, import it into a running server, or export it from there.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(ValidateArgs),
    Import(import::Args),
    Export(export::Args),
}

/// Check a catalog file without any server: every wrong field of every entry at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager catalog validate catalog.yml
  modelpager catalog validate --json catalog.yml | jq '.problems[]'

Exits 0 when the file could be imported into an empty catalog, 1 when it could not.")]
struct ValidateArgs {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    format: super::FormatArg,
}

/// `FILE`
#[derive(Debug, clap::Args)]
struct FileArg {
    /// The document, YAML or JSON; `-` for the standard input.
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    file: String,
    valid: bool,
    entries: usize,
    problems: &'a [FieldProblem],
}

/// Does what was asked for.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Validate(args) => validate(args, out),
        Command::Import(args) => import::run(args, out),
        Command::Export(args) => export::run(args, out),
    }
}

fn validate(args: &ValidateArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let file = args.file.path.display().to_string();
    let bytes = super::read_input(&args.file.path)?;
    let (entries, problems) = match Document::parse(&bytes) {
        Ok(document) => (document.entries.len(), check_document(&document, SystemClock.now())),
        Err(DocumentError::Wrong(problems)) => (0, problems),
        Err(error) => (0, vec![FieldProblem { field: String::new(), message: error.to_string() }]),
    };
    let valid = problems.is_empty();
    if args.format.json {
        super::print_json(out, &Verdict { file, valid, entries, problems: &problems })?;
    } else if valid {
        writeln!(out, "{file}: {entries} entries, no problem")?;
    } else {
        print_problems(out, &args.file.path, &problems)?;
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_problems(out: &mut dyn Write, file: &Path, problems: &[FieldProblem]) -> anyhow::Result<()> {
    for FieldProblem { field, message } in problems {
        let place = if field.is_empty() { String::new() } else { format!("{field}: ") };
        writeln!(out, "{}: {place}{message}", file.display())?;
    }
    Ok(())
}

impl FileArg {
    fn read(&self) -> anyhow::Result<Document> {
        let name = self.path.display();
        let bytes = super::read_input(&self.path)?;
        Document::parse(&bytes).with_context(|| format!("could not use {name}"))
    }
}
