//! `modelpager check-config FILE…`: everything that `serve` would check, without serving.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use crate::app::configuration::{self, Checked, Configuration};
use crate::config::{Problem, Problems};
use crate::triage::routes::Node;

/// Check configuration files: prints every problem with its line, and warnings about
/// settings that are valid but cannot work.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager check-config modelpager.yml
  modelpager check-config --strict staging.yml production.yml
  modelpager check-config - < modelpager.yml
  modelpager check-config --json modelpager.yml | jq '.problems[]'

Exits 0 when all files are valid, 1 when one is not. Set the environment variables that the files
use as for `serve`. With --json each file has its own answer.")]
pub struct Args {
    /// The files; `-` for the standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Treat warnings as errors.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    format: super::FormatArg,
}

/// What the file holds.
#[derive(Debug, Serialize)]
struct Found {
    listen: String,
    storage: String,
    channels: usize,
    routes: usize,
    tokens: usize,
    severity_aliases: usize,
    templates_dir: Option<String>,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    file: &'a str,
    valid: bool,
    found: Option<Found>,
    problems: &'a [Problem],
    warnings: &'a [Problem],
}

/// Checks the files and prints the verdicts.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut all_valid = true;
    for file in &args.files {
        let name = super::name_of(file);
        let checked = check(file, &name)?;
        let is_fine = checked.warnings.is_empty() || !args.strict;
        let valid = checked.problems.problems.is_empty() && is_fine;
        all_valid &= valid;
        let found = checked.configuration.as_ref().filter(|_| valid).map(describe);
        let Checked { problems, warnings, .. } = &checked;
        if args.format.json {
            let problems = &problems.problems;
            super::print_json(out, &Answer { file: &name, valid, found, problems, warnings })?;
        } else {
            print_verdict(out, &name, found.as_ref(), &checked)?;
        }
    }
    Ok(if all_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(file: &Path, name: &str) -> anyhow::Result<Checked> {
    if file != Path::new("-") {
        return Ok(configuration::check_file(file));
    }
    let text = String::from_utf8(super::read_input(file)?).context("the standard input is not UTF-8")?;
    Ok(configuration::check_text(name, &text))
}

fn describe(configuration: &Configuration) -> Found {
    let config = &configuration.loaded.config;
    let storage = &configuration.loaded.redacted_json()["storage"]["url"];
    Found {
        listen: config.server.listen.clone(),
        storage: storage.as_str().unwrap_or_default().to_owned(),
        channels: config.channels.len(),
        routes: count(configuration.rules.tree.root()),
        tokens: config.auth.tokens.len(),
        severity_aliases: config.severity.aliases.len(),
        templates_dir: config.templates_dir.as_deref().map(describe_folder),
    }
}

fn describe_folder(folder: &Path) -> String {
    let absent = if folder.exists() { "" } else { " (does not exist: the built-in templates are used)" };
    format!("{}{absent}", folder.display())
}

fn count(node: &Node) -> usize {
    1 + node.children().iter().map(count).sum::<usize>()
}

fn print_verdict(
    out: &mut dyn Write,
    file: &str,
    found: Option<&Found>,
    checked: &Checked,
) -> anyhow::Result<()> {
    match found {
        Some(found) => {
            writeln!(out, "Checking '{file}'  SUCCESS")?;
            print_found(out, found)?;
        }
        None => writeln!(out, "Checking '{file}'  FAILED:")?,
    }
    let Problems { source_name, problems } = &checked.problems;
    for problem in problems {
        writeln!(out, "{}", problem.line(source_name))?;
    }
    for warning in &checked.warnings {
        writeln!(out, "WARNING: {}", warning.line(source_name))?;
    }
    Ok(())
}

fn print_found(out: &mut dyn Write, found: &Found) -> std::io::Result<()> {
    writeln!(out, "Found:")?;
    writeln!(out, " - listen on {}", found.listen)?;
    writeln!(out, " - storage in {}", found.storage)?;
    writeln!(out, " - {} channels", found.channels)?;
    writeln!(out, " - {} routes", found.routes)?;
    writeln!(out, " - {} tokens", found.tokens)?;
    writeln!(out, " - {} severity aliases", found.severity_aliases)?;
    if let Some(folder) = &found.templates_dir {
        writeln!(out, " - templates in {folder}")?;
    }
    Ok(())
}
