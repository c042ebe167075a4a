//! A shortened run of the benchmark: how far the program is from the bare limits, so that
//! a change that makes it several times slower does not pass unnoticed. What the figures
//! are on a quiet machine: docs/performance.md.

#[path = "../../benches/bench/harness/mod.rs"]
#[allow(dead_code, reason = "the benchmark uses all of it")]
mod harness;

use std::path::PathBuf;
use std::time::Duration;

use harness::bare::{Host, serve_if_asked};
use harness::figures::{self, Context};
use harness::product::Site;
use harness::report::Figure;

/// A busy machine may spoil a run; a slow program spoils them all.
const ATTEMPTS: usize = 3;

fn context() -> Context {
    Context {
        site: Site {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_modelpager")),
            folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("speed"),
        },
        host: Host {
            program: std::env::current_exe().unwrap(),
            arguments: ["speed::a_bare_program", "--exact", "--ignored", "--nocapture"]
                .map(str::to_owned)
                .to_vec(),
        },
        measure: Duration::from_millis(1_000),
        warm_up: Duration::from_millis(400),
        under_way: 300,
        scale: 0.002,
    }
}

/// Measures the figure until it is far enough from nothing.
fn assert_ratio(name: &str, floor: f64) {
    let entry = figures::ALL.iter().find(|entry| entry.name == name).unwrap();
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let figure: Figure = (entry.run)(&context(), entry).unwrap().remove(0);
        let ratio = figure.ratio().unwrap();
        eprintln!("{name}: {:.0} {}, {ratio:.2} of the bare limit", figure.value, figure.unit);
        if ratio >= floor {
            return;
        }
        seen.push(ratio);
    }
    panic!("{name}: {seen:.2?} of the bare limit, and {floor} is the least");
}

#[test]
fn accepting_stays_near_the_bare_limit() {
    assert_ratio("accept1", 0.05);
}

#[test]
fn delivering_stays_near_the_bare_limit() {
    assert_ratio("deliver", 0.05);
}

/// Not how fast, only that it works: the benchmark takes too long to be run all the time.
#[test]
#[ignore = "takes a minute; after a change to the benchmark"]
fn every_figure_can_be_measured() {
    let context = Context { measure: Duration::from_millis(300), ..context() };
    for entry in figures::ALL {
        let figures =
            (entry.run)(&context, entry).unwrap_or_else(|error| panic!("{}: {error:#}", entry.name));
        eprint!("{}", harness::report::table(&figures));
        assert!(figures.iter().all(|figure| figure.value.is_finite()), "{}", entry.name);
    }
}

#[test]
#[ignore = "started by the other tests of this file as a program of its own"]
fn a_bare_program() {
    serve_if_asked().unwrap();
}
