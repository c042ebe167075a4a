//! How long a start takes on a database that has grown to a gigabyte.

use std::time::Duration;

use anyhow::ensure;

use super::super::body::Identity;
use super::super::load::{self, Closed, Load};
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::{Context, Entry, config_per_instance};

const MIB: f64 = 1024.0 * 1024.0;
/// How large the database is to be.
const SIZE: u64 = 1 << 30;
/// Requests posted between looks at its size.
const PORTION: u64 = 20_000;
/// How often the start is repeated.
const STARTS: usize = 5;

/// Measures it: after an orderly stop, and after `kill -9`.
pub fn run(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let mut product = super::start(context, &config_per_instance(&sink.url()))?;
    let mut next = 0;
    while product.database_size() < context.scaled(SIZE) {
        let load = Load {
            target: product.address(),
            connections: 64,
            identity: Identity::Unique,
            alerts: 1,
            first: next,
        };
        let plan = Closed {
            warm_up: Duration::ZERO,
            measure: Duration::from_secs(120),
            at_most: Some(next + context.scaled(PORTION)),
            ahead: None,
        };
        let outcome = load::closed(&load, &plan)?;
        ensure!(outcome.accepted_in_all > 0, "nothing is taken any more");
        next = outcome.next;
        super::deliver::wait_for(&sink, next - outcome.refused - outcome.broken)?;
    }
    let size = product.database_size() as f64 / MIB;
    let mut after_stop = Vec::new();
    for _ in 0..STARTS {
        product.stop()?;
        after_stop.push(product.start_again()?.as_secs_f64() * 1_000.0);
    }
    let after_kill = product.start_again()?.as_secs_f64() * 1_000.0;
    after_stop.sort_by(f64::total_cmp);
    Ok(vec![
        Figure::new(entry.name, entry.what, "ms", after_stop[STARTS / 2], Target::AtMost(300.0))
            .and("slowest", after_stop[STARTS - 1])
            .and("after kill -9", after_kill)
            .and("database MiB", size)
            .and("events", next as f64)
            .limited_by(
                "reading configuration, migrations' check, recovery of leases and the first request"
                    .to_owned(),
            ),
    ])
}
