//! How many messages a second get all the way to a provider: posted, stored, triaged,
//! rendered, sent and recorded. No more than a few thousand alerts may be under way, so
//! that what is measured is sustained and no queue is left over.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::super::bare::Bare;
use super::super::body::Identity;
use super::super::cpu::{Snapshot, Usage};
use super::super::load::{self, Ahead, Closed, Load};
use super::super::product::fresh_folder;
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::{Context, Entry, config_per_instance, start};

const CONNECTIONS: usize = 64;
/// How long what is under way may take when no more is posted.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// What the bare loop can at most deliver in a second: so much is laid out for it.
const BARE_AT_MOST: f64 = 40_000.0;
/// How long the bare loop is watched at most.
const BARE_LENGTH: Duration = Duration::from_secs(5);

/// Measures it.
pub fn run(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let product = start(context, &config_per_instance(&sink.url()))?;
    let (rate, usage, accepted) = {
        let load = Load {
            target: product.address(),
            connections: CONNECTIONS,
            identity: Identity::Unique,
            alerts: 1,
            first: 0,
        };
        let ahead = Ahead { done: sink.distinct_counter(), limit: context.under_way };
        let plan =
            Closed { warm_up: context.warm_up, measure: context.measure, at_most: None, ahead: Some(ahead) };
        let poster = std::thread::spawn(move || load::closed(&load, &plan));
        sleep(context.warm_up);
        let (rate, usage) = watch(&sink, product.id(), context.measure);
        let Ok(outcome) = poster.join() else { bail!("the load generator broke down") };
        let outcome = outcome?;
        ensure!(outcome.broken == 0, "{} requests were not answered", outcome.broken);
        (rate, usage, outcome.accepted_in_all)
    };
    wait_for(&sink, accepted)?;
    ensure!(sink.distinct() == accepted, "{accepted} alerts taken, {} messages told", sink.distinct());
    let repeated = sink.repeated();
    drop(product);

    Ok(vec![
        Figure::new(entry.name, entry.what, "messages/s", rate, Target::AtLeast(8_000.0))
            .with_bare(bare(context)?)
            .and("taken", accepted as f64)
            .and("lost", 0.0)
            .and("told twice", repeated as f64)
            .limited_by(usage.limit()),
    ])
}

fn watch(sink: &Sink, process: u32, length: Duration) -> (f64, Usage) {
    let (before, begun, cpu) = (sink.distinct(), Instant::now(), Snapshot::take(process));
    sleep(length);
    let told = sink.distinct() - before;
    (told as f64 / begun.elapsed().as_secs_f64(), cpu.until_now())
}

/// Waits for what is under way.
pub fn wait_for(sink: &Sink, messages: u64) -> anyhow::Result<()> {
    let end = Instant::now() + DRAIN_LIMIT;
    while sink.distinct() < messages {
        ensure!(
            Instant::now() < end,
            "{messages} messages are owed, {} were told within {DRAIN_LIMIT:?}",
            sink.distinct()
        );
        sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// What the plain loop delivers in a second, once it is under way.
fn bare(context: &Context) -> anyhow::Result<f64> {
    let length = context.measure.min(BARE_LENGTH);
    let count = (BARE_AT_MOST * length.as_secs_f64()) as u64;
    let folder = fresh_folder(&context.site.folder)?;
    let url = format!("sqlite://{}", folder.join("bare.db").display());
    let sink = Sink::start(false)?;
    let mut bare = Bare::deliver(&context.host, &url, &sink.url(), count)?;
    while sink.distinct() < count / 100 && !bare.has_ended()? {
        sleep(Duration::from_millis(5));
    }
    let (before, begun) = (sink.distinct(), Instant::now());
    while begun.elapsed() < length && !bare.has_ended()? {
        sleep(Duration::from_millis(5));
    }
    let told = sink.distinct() - before;
    let rate = told as f64 / begun.elapsed().as_secs_f64();
    ensure!(told > 0, "the bare loop told nothing in {length:?}");
    drop(bare);
    std::fs::remove_dir_all(folder)?;
    Ok(rate)
}
