//! `modelpager migrate-storage`: everything from one database to another.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;

use super::progress::{Progress, Unit};
use crate::domain::secret::Secret;
use crate::store::copy::{CopiedTable, Phase, TargetState, Transfer};

/// Copy everything from one database to another: SQLite to PostgreSQL, or back.
///
/// Nothing may run on either of them meanwhile. A copy that was cut short goes on where it
/// was when the same command is given again. At the end both sides are compared, count and
/// digest of every table; until then no server starts on the target. The source stays as
/// it is, except that its schema is brought up to this version's.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager migrate-storage --dry-run --from sqlite:///data/modelpager.db --to postgres://pager@db/pager
  PGPASSWORD=… modelpager migrate-storage --from sqlite:///data/modelpager.db --to postgres://pager@db/pager
  modelpager migrate-storage --json --from postgres://pager@db/pager --to sqlite:///data/modelpager.db

Exits 0 when everything is copied and verified, 1 when it is not. Give a password by PGPASSWORD,
PGPASSFILE or the two variables above: other users can see the command line.")]
pub struct Args {
    /// The database to copy: sqlite://FILE or postgres://…
    #[arg(
        long,
        value_name = "URL",
        env = "MODELPAGER_MIGRATE_FROM",
        hide_env_values = true,
        value_parser = secret
    )]
    from: Secret,
    /// The empty database to copy it to; a SQLite file is created.
    #[arg(long, value_name = "URL", env = "MODELPAGER_MIGRATE_TO", hide_env_values = true, value_parser = secret)]
    to: Secret,
    /// Only say what would be copied, and whether the target can take it: every row is read and
    /// tried, nothing stays.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: super::FormatArg,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer {
    dry_run: bool,
    /// What was found in the target: `empty`, `unfinished`; null when that shows only once
    /// its schema is up to date.
    target: Option<&'static str>,
    tables: Vec<Table>,
    rows: u64,
    duration_ms: u128,
}

#[derive(Debug, Serialize)]
struct Table {
    name: String,
    rows: u64,
    /// Of what both sides hold; null for a dry run.
    digest: Option<String>,
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Copies, and says what was copied.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let began = Instant::now();
    let (tables, state) = runtime.block_on(async {
        if args.dry_run {
            return Ok(Transfer::look(args.from.expose(), args.to.expose()).await?);
        }
        tokio::select! {
            copied = transfer(args) => copied,
            () = super::serve::stop_signal() => Err(anyhow::anyhow!("stopped: run the same command again to continue")),
        }
    })?;
    let answer = Answer {
        dry_run: args.dry_run,
        target: state.map(TargetState::as_str),
        rows: tables.iter().map(|table| table.rows).sum(),
        tables: tables.into_iter().map(Table::from).collect(),
        duration_ms: began.elapsed().as_millis(),
    };
    if args.format.json {
        super::print_json(out, &answer)?;
    } else {
        print(out, &answer)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn transfer(args: &Args) -> anyhow::Result<(Vec<CopiedTable>, Option<TargetState>)> {
    let transfer = Transfer::prepare(args.from.expose(), args.to.expose()).await?;
    let state = transfer.state();
    if state == TargetState::Unfinished {
        eprintln!("continuing the unfinished copy");
    }
    let mut copying = Some(Progress::new("copying", Unit::Rows));
    let mut checking: Option<Progress> = None;
    let copied = transfer
        .run(&mut |at| {
            let progress = match at.phase {
                Phase::Copying => &mut copying,
                Phase::Checking => {
                    copying.take().into_iter().for_each(Progress::end);
                    &mut checking
                }
            };
            let bar = progress.get_or_insert_with(|| Progress::new("checking", Unit::Rows));
            bar.show(at.done, at.total, &at.table);
        })
        .await;
    copying.into_iter().chain(checking).for_each(Progress::end);
    Ok((copied?, Some(state)))
}

fn print(out: &mut dyn Write, answer: &Answer) -> anyhow::Result<()> {
    for Table { name, rows, digest } in &answer.tables {
        match digest {
            Some(digest) => writeln!(out, "{name:<24} {rows:>12} rows  {}", &digest[..16])?,
            None => writeln!(out, "{name:<24} {rows:>12} rows")?,
        }
    }
    let Answer { rows, tables, duration_ms, .. } = answer;
    let tables = tables.len();
    if !answer.dry_run {
        writeln!(
            out,
            "{rows} rows in {tables} tables copied and verified in {duration_ms} ms\n\
             now set storage.url to the target and start"
        )?;
        return Ok(());
    }
    let target = match answer.target {
        Some("empty") => "the target is empty",
        Some(_) => "the target has an unfinished copy of this source; it will be continued",
        None => "the target is checked when its schema is up to date",
    };
    writeln!(out, "{rows} rows in {tables} tables to copy; {target}; nothing was written (dry run)")?;
    Ok(())
}

impl From<CopiedTable> for Table {
    fn from(table: CopiedTable) -> Self {
        let digest = (!table.digest.is_empty()).then_some(table.digest);
        Self { name: table.name, rows: table.rows, digest }
    }
}
