//! Every figure there is, by name. A file may hold several that share their way of
//! measuring.

use std::time::Duration;

use serde_json::{Value, json};

use super::bare::Host;
use super::product::{Product, Site};
use super::report::Figure;

pub mod accept;
pub mod catalog;
pub mod deliver;
pub mod latency;
pub mod log;
pub mod memory;
pub mod processed;
pub mod start;
pub mod storm;

/// What a figure is measured with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The program and where its data goes.
    pub site: Site,
    /// How to start a bare limit.
    pub host: Host,
    /// How long each run counts.
    pub measure: Duration,
    /// How long each run goes before it counts.
    pub warm_up: Duration,
    /// How many alerts may be on their way to the provider at the same time.
    pub under_way: u64,
    /// What to multiply great counts with: less than 1 only to see whether all works.
    pub scale: f64,
}

impl Context {
    /// So many, or the fitting part of them.
    fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.scale).ceil() as u64).max(1)
    }

    /// So long, or the fitting part of it.
    fn scaled_time(&self, time: Duration) -> Duration {
        time.mul_f64(self.scale)
    }
}

/// A figure by its name.
pub struct Entry {
    /// What to call it on the command line.
    pub name: &'static str,
    /// What is measured, in words.
    pub what: &'static str,
    /// Measures it; may have more than one number to tell.
    pub run: fn(&Context, &Entry) -> anyhow::Result<Vec<Figure>>,
}

/// All of them, in the order in which they run.
pub const ALL: &[Entry] = &[
    Entry {
        name: "accept1",
        what: "durable accept, one alert of 1.2 KB per request, 64 connections",
        run: accept::one,
    },
    Entry { name: "accept50", what: "durable accept, 50 alerts per request", run: accept::fifty },
    Entry {
        name: "processed1",
        what: "accept to processed, sustained, one alert per request",
        run: processed::one,
    },
    Entry {
        name: "processed50",
        what: "accept to processed, sustained, 50 alerts per request",
        run: processed::fifty,
    },
    Entry {
        name: "deliver",
        what: "end to end to a loopback provider, each alert its own request, incident and message",
        run: deliver::run,
    },
    Entry {
        name: "latency",
        what: "from the scheduled post to the provider's receipt, 500 alerts/s, open loop",
        run: latency::run,
    },
    Entry { name: "storm", what: "100,000 alerts of 200 models in 60 s", run: storm::run },
    Entry { name: "memory-idle", what: "memory with nothing to do", run: memory::idle },
    Entry { name: "memory-million", what: "most memory ever, after a million events", run: memory::million },
    Entry { name: "binary", what: "the program, stripped", run: memory::binary },
    Entry { name: "start", what: "start on a database of 1 GB until ready", run: start::run },
    Entry { name: "log", what: "a log of 10 million notifications, over HTTP", run: log::run },
    Entry { name: "catalog", what: "a catalog of 100,000 entries", run: catalog::run },
];

/// One channel to the provider at `sink`; an incident per model.
fn config(sink: &str) -> Value {
    json!({
        "channels": [{"name": "sink", "kind": "webhook", "url": sink}],
        "route": {"channels": ["sink"]},
    })
}

/// The same with an incident per instance: every alert its own message.
fn config_per_instance(sink: &str) -> Value {
    let mut config = config(sink);
    config["dedup_key"] = json!("{{alertname}}:{{entry}}:{{labels.instance}}");
    config
}

/// A program with this configuration that knows the models the alerts are about.
fn start(context: &Context, config: &Value) -> anyhow::Result<Product> {
    let product = Product::start(&context.site, config)?;
    product.import_models()?;
    Ok(product)
}
