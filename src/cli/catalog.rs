//! `modelpager catalog`: the catalog as a file, checked, brought to a running server, and
//! taken from it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::catalog::faults::{Faults, FieldError};
use crate::catalog::reading::read_checked_document;
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

/// Check a catalog file without a server: prints every invalid field with its line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager catalog validate catalog.yml
  modelpager catalog validate --json catalog.yml | jq '.problems[]'

Exits 0 when the file could be imported into an empty catalog, 1 when it could not. Problems are
printed to the standard error, one line per field; with --json to the standard output.")]
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
    problems: &'a [FieldError],
    problems_omitted: usize,
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
    let (entries, faults) = match read_checked_document(&bytes, SystemClock.now()) {
        Ok(document) => (document.entries.len(), Faults::default()),
        Err(error) => (0, error.into_faults()),
    };
    let valid = faults.is_empty();
    if args.format.json {
        let (problems, omitted) = (faults.listed(), faults.omitted());
        super::print_json(out, &Verdict { file, valid, entries, problems, problems_omitted: omitted })?;
    } else if valid {
        writeln!(out, "{file}: {entries} entries, no problems")?;
    } else {
        print_faults(&args.file.path, &faults);
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_faults(file: &Path, faults: &Faults) {
    for line in lines(&super::name_of(file), faults) {
        eprintln!("{line}");
    }
}

/// What is wrong with a document that messages call `name`, a line each.
pub(super) fn lines(name: &str, faults: &Faults) -> Vec<String> {
    let line = |problem: &FieldError| {
        let FieldError { field, line, column, message } = problem;
        let place = line.zip(*column).map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
        let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
        in_one_line(&format!("{name}{place}: {field}{message}"))
    };
    let more = (faults.omitted() > 0).then(|| format!("{name}: and {} more", faults.omitted()));
    faults.listed().iter().map(line).chain(more).collect()
}

/// Keys come from the file: what is no visible character is shown escaped.
fn in_one_line(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().collect(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
