//! What it takes when it has nothing to do, what it takes after a million events, and how
//! large the program is.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::body::Identity;
use super::super::cpu::Snapshot;
use super::super::load::{self, Ahead, Closed, Load};
use super::super::product::fresh_folder;
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::{Context, Entry, config, start};

const MIB: f64 = 1024.0 * 1024.0;
/// Events posted before memory is looked at.
const EVENTS: u64 = 1_000_000;
/// How far requests run ahead of triage.
const UNDER_WAY: u64 = 20_000;
/// How long idle is watched.
const IDLE: Duration = Duration::from_secs(6);
const MIB_UNIT: &str = "MiB";

/// Memory with nothing to do.
pub fn idle(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let product = start(context, &config(&sink.url()))?;
    let cpu = Snapshot::take(product.id());
    sleep(context.scaled_time(IDLE));
    let used = cpu.until_now().product_total();
    let figure =
        Figure::new(entry.name, entry.what, MIB_UNIT, product.memory_mib("VmRSS"), Target::AtMost(25.0));
    Ok(vec![
        figure
            .and("peak", product.memory_mib("VmHWM"))
            .and("processors", used)
            .limited_by("pages of the program touched so far, its threads and their caches".to_owned()),
    ])
}

/// Memory after a million events.
pub fn million(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let product = start(context, &config(&sink.url()))?;
    let events = context.scaled(EVENTS);
    let triaged = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let load =
        Load { target: product.address(), connections: 64, identity: Identity::Fleet, alerts: 1, first: 0 };
    let plan = Closed {
        warm_up: Duration::ZERO,
        measure: Duration::from_secs(1_200),
        at_most: Some(events),
        ahead: Some(Ahead { done: triaged.clone(), limit: UNDER_WAY }),
    };
    let begun = Instant::now();
    let cpu = Snapshot::take(product.id());
    let poster = std::thread::spawn(move || load::closed(&load, &plan));
    loop {
        let processed = product.processed_alerts()?;
        triaged.store(processed, std::sync::atomic::Ordering::Relaxed);
        if processed >= events || (poster.is_finished() && begun.elapsed() > Duration::from_secs(1_200)) {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    let usage = cpu.until_now();
    let took = begun.elapsed().as_secs_f64();
    let outcome = poster.join().map_err(|_| anyhow::anyhow!("the load generator broke down"))??;
    ensure!(outcome.accepted_in_all >= events, "only {} events were taken", outcome.accepted_in_all);
    Ok(vec![
        Figure::new(entry.name, entry.what, MIB_UNIT, product.memory_mib("VmHWM"), Target::AtMost(150.0))
            .and("at the end", product.memory_mib("VmRSS"))
            .and("events", outcome.accepted_in_all as f64)
            .and("triaged/s", outcome.accepted_in_all as f64 / took)
            .and("database MiB", product.database_size() as f64 / MIB)
            .limited_by(usage.limit()),
    ])
}

/// The program's size without symbols.
pub fn binary(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let folder = fresh_folder(&context.site.folder)?;
    let copy = folder.join("modelpager");
    fs::copy(&context.site.binary, &copy)?;
    let stripped = Command::new("strip").arg(&copy).status().is_ok_and(|status| status.success());
    let size = fs::metadata(&copy)?.len() as f64 / MIB;
    fs::remove_dir_all(folder)?;
    let built = fs::metadata(&context.site.binary)?.len() as f64 / MIB;
    let limit = if stripped { "code and data linked in" } else { "not stripped: there is no `strip`" };
    Ok(vec![
        Figure::new(entry.name, entry.what, MIB_UNIT, size, Target::AtMost(30.0))
            .and("as built", built)
            .limited_by(limit.to_owned()),
    ])
}
