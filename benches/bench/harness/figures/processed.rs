//! How many alerts a second get from the post through triage (entry found, incident and
//! member written, channels decided, outbox filled) for as long as one likes: the highest
//! steady rate at which the events that wait do not become more.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::super::bare::triage;
use super::super::body::Identity;
use super::super::cpu::{Snapshot, Usage};
use super::super::load::{self, Load, Open};
use super::super::product::{Product, fresh_folder};
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::{Context, Entry, config, start};

const CONNECTIONS: usize = 64;
/// Alerts a second at which the search begins.
const FIRST_RATE: f64 = 1_000.0;
/// How much faster the next step is while all goes well.
const STEP: f64 = 1.6;
/// How close the search comes.
const PRECISE_ENOUGH: f64 = 1.06;
/// The share of a step's alerts that may wait at its end more than at its middle.
const GROWTH: f64 = 0.03;
/// How long what waits may take when no more is posted.
const DRAIN_LIMIT: Duration = Duration::from_secs(120);

/// One alert a request.
pub fn one(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    measure(context, entry, 1)
}

/// Fifty alerts a request.
pub fn fifty(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    measure(context, entry, 50)
}

fn measure(context: &Context, entry: &Entry, alerts: usize) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let product = start(context, &config(&sink.url()))?;
    let mut search =
        Search { product: &product, alerts, step: context.measure.div_f64(2.0), sent: 0, next: 0 };
    let best = search.run()?;
    drop(product);
    let folder = fresh_folder(&context.site.folder)?;
    let url = format!("sqlite://{}", folder.join("bare.db").display());
    let limit = triage::measure(&url, context.measure.min(Duration::from_secs(5)), alerts)?;
    std::fs::remove_dir_all(folder)?;
    Ok(vec![
        Figure::new(entry.name, entry.what, "alerts/s", best.rate, Target::AtLeast(10_000.0))
            .with_bare(limit)
            .and("waiting at the end", best.waiting as f64)
            .limited_by(best.usage.limit()),
    ])
}

struct Search<'a> {
    product: &'a Product,
    alerts: usize,
    step: Duration,
    /// Alerts taken in all.
    sent: u64,
    /// The number of the next request.
    next: u64,
}

struct Sustained {
    rate: f64,
    waiting: u64,
    usage: Usage,
}

impl Search<'_> {
    /// Faster and faster until it is too fast, then ever closer from both sides.
    fn run(&mut self) -> anyhow::Result<Sustained> {
        let (mut best, mut rate, mut too_fast) = (None, FIRST_RATE, f64::INFINITY);
        loop {
            match self.try_rate(rate)? {
                Some(sustained) => best = Some(sustained),
                None => too_fast = rate,
            }
            let reached = best.as_ref().map_or(0.0, |best| best.rate);
            if too_fast <= reached * PRECISE_ENOUGH || too_fast < 10.0 {
                break;
            }
            rate = if too_fast.is_finite() { (reached + too_fast) / 2.0 } else { rate * STEP };
        }
        match best {
            Some(best) => Ok(best),
            None => bail!("triage keeps up with no rate at all"),
        }
    }

    /// Posts at this rate for a step; nothing when the events that wait became more.
    fn try_rate(&mut self, rate: f64) -> anyhow::Result<Option<Sustained>> {
        let requests = (rate / self.alerts as f64).max(1.0);
        let count = (requests * self.step.as_secs_f64()).ceil() as u64;
        let load = Load {
            target: self.product.address(),
            connections: CONNECTIONS,
            identity: Identity::Fleet,
            alerts: self.alerts,
            first: self.next,
        };
        let cpu = Snapshot::take(self.product.id());
        let start = Instant::now();
        let poster = std::thread::spawn(move || load::open(&load, Open { rate: requests, count }, start));
        sleep(self.step / 2);
        let half = self.sent as f64 + rate * start.elapsed().as_secs_f64();
        let waiting_then = half - self.product.processed_alerts()? as f64;
        let Ok(outcome) = poster.join() else { bail!("the load generator broke down") };
        let outcome = outcome?;
        let usage = cpu.until_now();
        self.next = outcome.next;
        self.sent += outcome.accepted_in_all * self.alerts as u64;
        let waiting = self.sent.saturating_sub(self.product.processed_alerts()?);
        let keeps_up = outcome.elapsed.as_secs_f64() <= self.step.as_secs_f64() * (1.0 + GROWTH) + 0.05;
        let grew = waiting as f64 - waiting_then.max(0.0);
        let is_sustained = keeps_up
            && outcome.refused + outcome.broken == 0
            && grew <= rate * self.step.as_secs_f64() * GROWTH + self.alerts as f64;
        self.drain()?;
        Ok(is_sustained.then_some(Sustained { rate, waiting, usage }))
    }

    fn drain(&self) -> anyhow::Result<()> {
        let end = Instant::now() + DRAIN_LIMIT;
        while self.product.processed_alerts()? < self.sent {
            ensure!(Instant::now() < end, "triage is not done within {DRAIN_LIMIT:?}");
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}
