//! `modelpager check-config FILE`: everything that `serve` would check, without serving.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use crate::app::configuration::{self, Configuration};
use crate::config::{Problem, Problems};
use crate::triage::routes::Node;

/// Check a configuration file: every problem at once, each with its line.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager check-config modelpager.yml
  modelpager check-config --json modelpager.yml | jq '.problems[]'

Exits 0 when the file can be used, 1 when it cannot. Variables that the file mentions must
be set as they will be for `serve`.")]
pub struct Args {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
    file: String,
    valid: bool,
    found: Option<Found>,
    problems: &'a [Problem],
}

/// Checks the file and prints the verdict.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let verdict = configuration::load(Some(&args.file)).and_then(refuse_broken_templates);
    let file = args.file.display().to_string();
    let (found, problems) = match verdict {
        Ok(configuration) => (Some(describe(&configuration)), Problems::default()),
        Err(problems) => (None, problems),
    };
    let valid = found.is_some();
    if args.format.json {
        super::print_json(out, &Answer { file, valid, found, problems: &problems.problems })?;
    } else {
        print_verdict(out, &file, found.as_ref(), &problems)?;
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `serve` would go on with the built-in texts in their stead; whoever asks for a check
/// wants to know.
fn refuse_broken_templates(configuration: Configuration) -> Result<Configuration, Problems> {
    if configuration.template_problems.is_empty() {
        return Ok(configuration);
    }
    let problems = configuration.template_problems.iter().map(|problem| Problem {
        position: None,
        path: problem.place.clone(),
        message: problem.fault.to_string(),
    });
    Err(Problems { source_name: configuration.loaded.source_name, problems: problems.collect() })
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
    let absent = if folder.exists() { "" } else { " (absent: nothing is overridden)" };
    format!("{}{absent}", folder.display())
}

fn count(node: &Node) -> usize {
    1 + node.children().iter().map(count).sum::<usize>()
}

fn print_verdict(
    out: &mut dyn Write,
    file: &str,
    found: Option<&Found>,
    problems: &Problems,
) -> anyhow::Result<()> {
    match found {
        Some(found) => {
            writeln!(out, "Checking '{file}'  SUCCESS")?;
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
        }
        None => {
            writeln!(out, "Checking '{file}'  FAILED:")?;
            writeln!(out, "{problems}")?;
        }
    }
    Ok(())
}
