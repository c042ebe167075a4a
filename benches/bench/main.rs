//! `make bench`: every figure of the product beside its bare limit, measured in one run on
//! one machine, as a table and as JSON. docs/performance.md says what each means.

mod args;
#[cfg_attr(test, allow(unused_imports, dead_code, reason = "the tests of these files run with the others"))]
mod harness;

use std::path::PathBuf;
use std::process::ExitCode;

use args::Args;
use harness::bare::{self, Host};
use harness::figures::{self, Context, Entry};
use harness::machine::Machine;
use harness::product::Site;
use harness::report::{self, Figure};

/// How many alerts may be on their way to the provider where no queue is to grow.
const UNDER_WAY: u64 = 4_000;

fn main() -> anyhow::Result<ExitCode> {
    if bare::serve_if_asked()? {
        return Ok(ExitCode::SUCCESS);
    }
    let args = match args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(said) => {
            eprintln!("{said}");
            return Ok(ExitCode::from(2));
        }
    };
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench"));
    let machine = Machine::look(&folder)?;
    eprintln!("{}", machine.sentence());
    let binary = args.binary.clone().unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_modelpager")));
    let context = Context {
        site: Site { binary, folder },
        host: Host { program: std::env::current_exe()?, arguments: Vec::new() },
        measure: args.seconds,
        warm_up: args.seconds.div_f64(4.0),
        under_way: UNDER_WAY,
        scale: args.scale,
    };
    let (figures, failed) = measure(&args, &context);
    print!("{}", if args.markdown { report::markdown(&machine, &figures) } else { report::table(&figures) });
    std::fs::write(&args.json, report::json(&machine, &figures)?)?;
    eprintln!("written to {}", args.json.display());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What could be measured, and whether something could not.
fn measure(args: &Args, context: &Context) -> (Vec<Figure>, bool) {
    let wanted =
        |entry: &&Entry| args.figures.is_empty() || args.figures.iter().any(|name| name == entry.name);
    let (mut measured, mut failed) = (Vec::new(), false);
    for entry in figures::ALL.iter().filter(wanted) {
        eprintln!("{}: {} …", entry.name, entry.what);
        match (entry.run)(context, entry) {
            Ok(figures) => {
                eprint!("{}", report::table(&figures));
                measured.extend(figures);
            }
            Err(error) => {
                failed = true;
                eprintln!("{} could not be measured: {error:#}", entry.name);
            }
        }
    }
    (measured, failed)
}
