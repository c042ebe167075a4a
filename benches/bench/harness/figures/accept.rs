//! How many requests are stored and answered 200 in a second, in a closed loop; triage and
//! delivery go on at the same time, as they do in life.

use anyhow::ensure;

use super::super::bare::Bare;
use super::super::body::Identity;
use super::super::cpu::{Snapshot, Usage};
use super::super::load::{self, Closed, Load, Outcome};
use super::super::product::fresh_folder;
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::{Context, Entry, config, start};

const CONNECTIONS: usize = 64;
/// The most that 99 of 100 answers may take.
const P99_MS: f64 = 15.0;

/// One alert a request.
pub fn one(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    measure(context, entry, 1, Target::AtLeast(25_000.0))
}

/// Fifty alerts a request.
pub fn fifty(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    measure(context, entry, 50, Target::AtLeast(50_000.0))
}

fn measure(context: &Context, entry: &Entry, alerts: usize, target: Target) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let product = start(context, &config(&sink.url()))?;
    let (mut outcome, usage) = drive(context, product.address(), product.id(), alerts)?;
    let stored = product.metric("modelpager_events_total", "result=\"accepted\"")?;
    ensure!(
        stored as u64 == outcome.accepted_in_all,
        "{} were answered 200 and {stored} counted as stored",
        outcome.accepted_in_all
    );
    drop(product);

    let folder = fresh_folder(&context.site.folder)?;
    let bare = Bare::accept(&context.host, &format!("sqlite://{}", folder.join("bare.db").display()), None)?;
    let (mut limit, bare_usage) = drive(context, bare.address(), bare.id(), alerts)?;
    drop(bare);
    std::fs::remove_dir_all(folder)?;

    let unit = if alerts == 1 { "requests/s" } else { "alerts/s" };
    let per_second = outcome.per_second() * alerts as f64;
    let rate = Figure::new(entry.name, entry.what, unit, per_second, target)
        .with_bare(limit.per_second() * alerts as f64)
        .and("p50 ms", outcome.latency.percentile_ms(50.0))
        .and("refused", outcome.refused as f64)
        .limited_by(usage.limit())
        .bare_limited_by(bare_usage.limit());
    let p99 = Figure::new(
        &format!("{} p99", entry.name),
        &format!("{}: 99th percentile of the answers", entry.what),
        "ms",
        outcome.latency.percentile_ms(99.0).unwrap_or(f64::INFINITY),
        if alerts == 1 { Target::AtMost(P99_MS) } else { Target::None },
    )
    .with_bare(limit.latency.percentile_ms(99.0).unwrap_or_default());
    let p99 = p99.limited_by(format!("as {}", entry.name));
    Ok(vec![rate, p99])
}

/// The same load on whoever listens at `target`.
pub fn drive(
    context: &Context,
    target: std::net::SocketAddr,
    process: u32,
    alerts: usize,
) -> anyhow::Result<(Outcome, Usage)> {
    let load = Load { target, connections: CONNECTIONS, identity: Identity::Fleet, alerts, first: 0 };
    let plan = Closed { warm_up: context.warm_up, measure: context.measure, at_most: None, ahead: None };
    let before = Snapshot::take(process);
    let outcome = load::closed(&load, &plan)?;
    Ok((outcome, before.until_now()))
}
