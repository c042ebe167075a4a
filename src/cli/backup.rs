//! `modelpager backup FILE`: a copy of the SQLite database while the server runs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::progress::{Progress, Unit, size};
use crate::app::configuration;
use crate::store::backup::{Backup, backup};

/// Back up the SQLite database to a file; the server may be running.
///
/// The copy contains everything accepted before the command started, is verified and
/// compacted, and can be used as a database. docs/operations.md describes how to restore it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager backup /backup/modelpager-$(date +%F).db
  modelpager backup --config /etc/modelpager/modelpager.yml --json /backup/modelpager.db

Only the owner can read FILE. Exits 1 when the backup failed: FILE is then not created, and an
existing file is unchanged.")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigArg,
    /// The file to write; it must not exist.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    format: super::FormatArg,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    source: &'a Path,
    file: &'a Path,
    bytes: u64,
    rows: &'a BTreeMap<String, u64>,
    duration_ms: u128,
}

/// Copies, and says what the copy holds.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let configuration = configuration::load(args.config.config.as_deref())?;
    let url = configuration.loaded.config.storage.url.expose();
    let began = Instant::now();
    let mut progress = Progress::new("copying", Unit::Bytes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let copied = runtime.block_on(async {
        let mut show = |done, total| progress.show(done, total, "");
        tokio::select! {
            copied = backup(url, &args.file, &mut show) => copied.map_err(anyhow::Error::from),
            // What is half done is thrown away.
            () = super::serve::stop_signal() => Err(anyhow::anyhow!("stopped: no backup was made")),
        }
    });
    progress.end();
    let Backup { source, bytes, rows } = copied?;
    let duration_ms = began.elapsed().as_millis();
    if args.format.json {
        let answer = Answer { source: &source, file: &args.file, bytes, rows: &rows, duration_ms };
        super::print_json(out, &answer)?;
    } else {
        writeln!(
            out,
            "{} copied to {}: {}, {} rows in {} tables, verified, in {:.1} s",
            source.display(),
            args.file.display(),
            size(bytes),
            rows.values().sum::<u64>(),
            rows.len(),
            began.elapsed().as_secs_f64(),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
