//! How long it takes from the moment an alert is due to be posted until the provider has
//! read the message about it, at a steady rate.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::bare::Bare;
use super::super::body::Identity;
use super::super::cpu::{Snapshot, Usage};
use super::super::load::{self, Load, Open, due};
use super::super::product::fresh_folder;
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::super::stats::Samples;
use super::deliver::wait_for;
use super::{Context, Entry, config_per_instance, start};

/// Alerts a second.
const RATE: f64 = 500.0;
const CONNECTIONS: usize = 64;

/// Measures it: two figures, the median and the 99th percentile.
pub fn run(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(true)?;
    let product = start(context, &config_per_instance(&sink.url()))?;
    let (mut told, mut lateness, usage) = drive(context, product.address(), product.id(), sink)?;
    drop(product);

    let folder = fresh_folder(&context.site.folder)?;
    let url = format!("sqlite://{}", folder.join("bare.db").display());
    let sink = Sink::start(true)?;
    let bare = Bare::accept(&context.host, &url, Some(&sink.url()))?;
    let (mut limit, _, _) = drive(context, bare.address(), bare.id(), sink)?;
    drop(bare);
    std::fs::remove_dir_all(folder)?;

    let figure = |name: &str, percent: f64, most: f64, told: &mut Samples, limit: &mut Samples| {
        let value = told.percentile_ms(percent).unwrap_or(f64::INFINITY);
        Figure::new(
            &format!("{} {name}", entry.name),
            &format!("{}, {name}", entry.what),
            "ms",
            value,
            Target::AtMost(most),
        )
        .with_bare(limit.percentile_ms(percent).unwrap_or_default())
        .limited_by(usage.limit())
    };
    Ok(vec![
        figure("p50", 50.0, 10.0, &mut told, &mut limit).and("messages", told.len() as f64),
        figure("p99", 99.0, 50.0, &mut told, &mut limit)
            .and("p99.9 ms", told.percentile_ms(99.9))
            .and("sent late p99 ms", lateness.percentile_ms(99.0)),
    ])
}

/// The same load on whoever listens at `target`; how long each message took, how late
/// requests were sent, and who used the processors.
fn drive(
    context: &Context,
    target: std::net::SocketAddr,
    process: u32,
    sink: Sink,
) -> anyhow::Result<(Samples, Samples, Usage)> {
    let load =
        |first: u64| Load { target, connections: CONNECTIONS, identity: Identity::Unique, alerts: 1, first };
    let warm = (RATE * context.warm_up.as_secs_f64()) as u64;
    load::open(&load(0), Open { rate: RATE, count: warm }, Instant::now())?;
    let count = (RATE * context.measure.as_secs_f64()) as u64;
    let cpu = Snapshot::take(process);
    let start = Instant::now() + Duration::from_millis(20);
    let outcome = load::open(&load(warm), Open { rate: RATE, count }, start)?;
    let usage = cpu.until_now();
    ensure!(outcome.accepted_in_all == count, "{} of {count} were taken", outcome.accepted_in_all);
    wait_for(&sink, warm + count)?;

    let arrived: HashMap<u64, Instant> =
        sink.stop().into_iter().map(|arrival| (arrival.alert, arrival.at)).collect();
    let mut told = Samples::with_capacity(arrived.len());
    for place in 0..count {
        let at = arrived.get(&(warm + place));
        ensure!(at.is_some(), "alert {place} was never told");
        if let Some(at) = at {
            told.add(at.saturating_duration_since(due(start, RATE, place)));
        }
    }
    Ok((told, outcome.lateness, usage))
}
