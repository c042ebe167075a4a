//! Reading a large delivery log over HTTP: the first page, pages by filters that leave much
//! and little, words, and the timeline of an incident.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::super::log_database::{self, ROWS};
use super::super::product::Product;
use super::super::report::{Figure, Target};
use super::super::stats::Samples;
use super::super::wire::Connection;
use super::{Context, Entry};

/// How often each request is repeated.
const ROUNDS: usize = 20;

/// The first pages that people look at.
const PAGES: [&str; 7] = [
    "/",
    "/incidents",
    "/incidents?state=open",
    "/notifications",
    "/notifications?state=failed",
    "/events",
    "/channels",
];

/// One number: what is asked for, and how long it may take.
struct Class {
    name: &'static str,
    target_ms: f64,
    paths: Vec<String>,
}

/// Measures it on a database that is made once and kept.
pub fn run(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let database = log_database::make(&context.site.folder, context.scaled(ROWS))?;
    let config = json!({
        "storage": {"url": format!("sqlite://{}", database.file.display())},
        // The rows are old, and are to stay as they are.
        "retention": {"events": "forever", "notifications": "forever", "incidents": "forever", "audit": "forever"},
        "incidents": {"stale_after": "3650d"},
    });
    let product = Product::start(&context.site, &config)?;
    let classes = classes(&product)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bare = Class { name: "bare", target_ms: 0.0, paths: vec!["/-/healthy".to_owned()] };
    let mut bare = runtime.block_on(measure(product.address(), &bare, 500))?;
    let mut figures = Vec::new();
    for class in &classes {
        // Once for the pages of the file: a log that is read is in memory.
        runtime.block_on(measure(product.address(), class, 1))?;
        let mut samples = runtime.block_on(measure(product.address(), class, ROUNDS))?;
        let p99 = samples.percentile_ms(99.0).unwrap_or_default();
        let name = format!("{} {}", entry.name, class.name);
        figures.push(
            Figure::new(&name, entry.what, "ms", p99, Target::AtMost(class.target_ms))
                .with_bare(bare.percentile_ms(99.0).unwrap_or_default())
                .and("p50 ms", samples.percentile_ms(50.0))
                .and("requests", samples.len() as f64)
                .and("rows", database.rows as f64)
                .and("database GiB", database.bytes as f64 / f64::from(1 << 30))
                .and("index bytes per row", database.index_bytes as f64 / database.rows as f64)
                .limited_by("one reader: seeks in the index, then fetching the page's rows".to_owned()),
        );
    }
    Ok(figures)
}

fn classes(product: &Product) -> anyhow::Result<Vec<Class>> {
    let list = |query: &str| format!("/api/v1/notifications?{query}");
    let lists = |queries: &[&str]| queries.iter().map(|query| list(query)).collect::<Vec<_>>();
    let incidents = |queries: &[&str]| {
        queries.iter().map(|query| format!("/api/v1/incidents?{query}")).collect::<Vec<_>>()
    };
    let mut filtered = lists(&[
        "state=failed",
        "state=delivered",
        "state=pending",
        "channel=pager-2",
        "severity=critical",
        "alertname=GpuMemoryLow",
        "entry=churn-0001",
        "entry=voice-4939",
        "dedup_key=ModelLatencyHigh:fraud-detector-0000",
        "channel=team-0&state=failed",
        "channel=pager-0&state=cancelled",
        "severity=info&state=failed&channel=team-1",
        "alertname=LlmCostSpike&entry=fraud-detector-0000",
        "since=2025-02-01T00:00:00Z&until=2025-02-01T06:00:00Z&channel=team-3",
        "until=2025-01-30T00:00:00Z&state=failed",
    ]);
    filtered.extend(incidents(&["entry=churn-0001", "alertname=GpuStale&entry=ranker-0002", "state=open"]));
    // What never occurs: every block has to be looked into.
    let nothing = lists(&[
        "channel=team-0&entry=churn-0001",
        "channel=team-3&state=failed",
        "channel=pager-1&state=failed&severity=critical",
        "alertname=GpuStale&severity=critical",
        "channel=nowhere",
    ]);
    let mut words = lists(&[
        "q=latency",
        "q=needle7",
        "q=needle",
        "q=fraud%20cost",
        "q=fraud-detector-0100%20memory",
        "q=v4.32%20restarting%20gpu",
        "q=nothing-has-this",
        "q=2",
        "q=ranker&state=failed&channel=team-2",
        "q=hook&entry=voice-4939",
    ]);
    words.extend(incidents(&["q=voice-4939%20gpu", "q=latency"]));
    let (_, answer) = product.call("GET", "/api/v1/incidents?limit=50", "")?;
    let answer: Value = serde_json::from_str(&answer)?;
    let ids = answer["items"].as_array().context("no incidents")?;
    let timelines = ids.iter().filter_map(|item| Some(format!("/api/v1/incidents/{}", item["id"].as_str()?)));
    Ok(vec![
        Class { name: "first page", target_ms: 20.0, paths: vec![list("limit=50")] },
        Class { name: "filtered page", target_ms: 20.0, paths: filtered },
        Class { name: "empty filtered page", target_ms: 20.0, paths: nothing },
        Class { name: "words", target_ms: 200.0, paths: words },
        Class { name: "timeline", target_ms: 20.0, paths: timelines.collect() },
        Class { name: "pages", target_ms: 50.0, paths: PAGES.map(str::to_owned).to_vec() },
    ])
}

async fn measure(target: SocketAddr, class: &Class, rounds: usize) -> anyhow::Result<Samples> {
    let mut connection = Connection::open(target).await?;
    let mut samples = Samples::with_capacity(rounds * class.paths.len());
    ensure!(!class.paths.is_empty(), "nothing to ask for: {}", class.name);
    for _ in 0..rounds {
        for path in &class.paths {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let begun = Instant::now();
            let answer = connection.exchange(request.as_bytes()).await?;
            let took = begun.elapsed();
            if answer.status != 200 {
                bail!("{path} is answered {}", answer.status);
            }
            if rounds == 1 {
                eprintln!("  {:>9.1} ms {path}", took.as_secs_f64() * 1_000.0);
            }
            samples.add(took);
        }
    }
    Ok(samples)
}
