//! A storm: 100,000 alerts of 200 models within a minute, one a request. Memory stays
//! bounded, nobody is refused, and a reader gets a few hundred messages, not thousands.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::body::{Identity, MODELS};
use super::super::cpu::Snapshot;
use super::super::load::{self, Load, Open};
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::{Context, Entry, config, start};

/// Alerts in the whole storm.
const ALERTS: u64 = 100_000;
const LENGTH: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 64;
/// How long the last messages may take to be told, beyond the group interval.
const SETTLE: Duration = Duration::from_secs(75);
/// Three messages a model: it begins, it grows, it is as it is.
const FEW_HUNDRED: f64 = 3.0 * MODELS as f64;

/// Measures it: messages, memory, refusals.
pub fn run(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let product = start(context, &config(&sink.url()))?;
    let load = Load {
        target: product.address(),
        connections: CONNECTIONS,
        identity: Identity::Fleet,
        alerts: 1,
        first: 0,
    };
    let cpu = Snapshot::take(product.id());
    let count = context.scaled(ALERTS);
    let rate = ALERTS as f64 / LENGTH.as_secs_f64();
    let mut outcome = load::open(&load, Open { rate, count }, Instant::now())?;
    let usage = cpu.until_now();
    ensure!(outcome.broken == 0, "{} requests were not answered", outcome.broken);
    let during = sink.distinct();
    std::thread::sleep(context.scaled_time(SETTLE));
    let figure = |name: &str, unit, value, target| {
        Figure::new(
            &format!("{} {name}", entry.name),
            &format!("{}: {name}", entry.what),
            unit,
            value,
            target,
        )
        .limited_by(usage.limit())
    };
    Ok(vec![
        figure("messages", "messages", sink.distinct() as f64, Target::AtMost(FEW_HUNDRED))
            .and("within the minute", during as f64)
            .and("told twice", sink.repeated() as f64),
        figure("peak memory", "MiB", product.memory_mib("VmHWM"), Target::AtMost(150.0))
            .and("at the end", product.memory_mib("VmRSS")),
        figure("refused", "requests", outcome.refused as f64, Target::AtMost(0.0))
            .and("p99 ms", outcome.latency.percentile_ms(99.0))
            .and("triaged", product.processed_alerts()? as f64),
    ])
}
