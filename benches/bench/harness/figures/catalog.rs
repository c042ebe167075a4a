//! A catalog of 100,000 entries: how long a start takes with it, how long an alert's entry
//! takes to find, and how soon a change to one entry is there.

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use modelpager::catalog::Catalog;
use modelpager::config::CatalogConfig;
use modelpager::domain::entry::{Entry as CatalogEntry, EntryRecord};
use modelpager::domain::labels::Labels;
use serde_json::{Value, json};

use super::super::product::Product;
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::super::stats::Samples;
use super::{Context, Entry, config};

const ENTRIES: u64 = 100_000;
/// Entries of one import: a body stays under the server's limit.
const PORTION: usize = 10_000;
const STARTS: usize = 5;
const UPDATES: usize = 50;

/// Measures it: start, match, update.
pub fn run(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let mut product = Product::start(&context.site, &config(&sink.url()))?;
    let entries = usize::try_from(context.scaled(ENTRIES))?;
    for first in (0..entries).step_by(PORTION) {
        import(&product, first..entries.min(first + PORTION))?;
    }
    let mut updates = update(&product, entries)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        product.stop()?;
        starts.push(product.start_again()?.as_secs_f64() * 1_000.0);
    }
    starts.sort_by(f64::total_cmp);
    let figure = |name: &str, unit, value, target| {
        Figure::new(
            &format!("{} {name}", entry.name),
            &format!("{}: {name}", entry.what),
            unit,
            value,
            target,
        )
    };
    let (matched, looked_up) = match_alerts(context.measure.min(Duration::from_secs(3)), entries);
    Ok(vec![
        figure("start", "ms", starts[STARTS / 2], Target::AtMost(2_000.0))
            .and("slowest", starts[STARTS - 1])
            .and("memory MiB", product.memory_mib("VmRSS"))
            .limited_by("reading and parsing every entry once".to_owned()),
        figure("match", "µs", matched, Target::AtMost(2.0))
            .with_bare(looked_up)
            .limited_by("folding the label's value and looking it up in memory".to_owned()),
        figure("update", "ms", updates.percentile_ms(50.0).unwrap_or(f64::INFINITY), Target::AtMost(100.0))
            .and("p99 ms", updates.percentile_ms(99.0))
            .limited_by("one commit; answered once the next alert sees it".to_owned()),
    ])
}

fn document(number: usize) -> Value {
    json!({
        "slug": format!("entry-{number:06}"), "kind": "model", "owner": format!("owner-{:03}", number % 500),
        "team": format!("team-{:02}", number % 40), "tier": number % 5 + 1, "environment": "production",
        "description": "Scores requests as they come.", "aliases": [format!("alias_{number:06}")],
        "links": {"dashboard": "https://grafana.example.net/d/ml?var-model={{labels.model}}"},
    })
}

fn import(product: &Product, numbers: Range<usize>) -> anyhow::Result<()> {
    let entries: Vec<Value> = numbers.map(document).collect();
    let body = json!({"entries": entries}).to_string();
    let (status, answer) = product.call("POST", "/api/v1/catalog/import", &body)?;
    ensure!(
        status == 200,
        "the import is answered {status}: {}",
        answer.chars().take(500).collect::<String>()
    );
    Ok(())
}

/// How long a change takes until it is there for the next alert: the answer comes then.
fn update(product: &Product, entries: usize) -> anyhow::Result<Samples> {
    let mut samples = Samples::with_capacity(UPDATES);
    for number in 0..UPDATES {
        let path = format!("/api/v1/catalog/entry-{:06}", number * entries / UPDATES);
        let owner = format!("new-owner-{number}");
        let begun = Instant::now();
        let (status, answer) = product.call("PATCH", &path, &json!({"owner": owner}).to_string())?;
        samples.add(begun.elapsed());
        ensure!(status == 200, "{path} is answered {status}: {answer}");
        ensure!(answer.contains(&owner), "the answer does not show the change: {answer}");
    }
    Ok(samples)
}

/// Microseconds to find an alert's entry, and to look one up in a plain map.
fn match_alerts(length: Duration, entries: usize) -> (f64, f64) {
    let record = |number: usize| EntryRecord {
        entry: serde_json::from_value::<CatalogEntry>(document(number)).unwrap_or_default(),
        ..EntryRecord::default()
    };
    let catalog = Catalog::new(CatalogConfig::default());
    catalog.replace((0..entries).map(record).collect(), 1);
    let plain: HashMap<String, Arc<usize>> =
        (0..entries).map(|number| (format!("alias_{number:06}"), Arc::new(number))).collect();
    let alerts: Vec<Labels> = (0..1_000).map(|number| labels(number * entries / 1_000)).collect();
    let none = Labels::new();
    let matched = per_call(length, &alerts, |labels| black_box(catalog.find_entry(labels, &none)).is_some());
    let looked_up = per_call(length, &alerts, |labels| {
        black_box(labels.get("model").and_then(|model| plain.get(model).cloned())).is_some()
    });
    (matched, looked_up)
}

fn labels(number: usize) -> Labels {
    let pairs = [
        ("alertname", "ModelLatencyP99High".to_owned()),
        ("instance", format!("infer-{number}:8080")),
        ("job", "inference".to_owned()),
        ("model", format!("alias_{number:06}")),
        ("model_version", "3.2.1".to_owned()),
        ("severity", "critical".to_owned()),
        ("team", "ml".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn per_call(length: Duration, alerts: &[Labels], find: impl Fn(&Labels) -> bool) -> f64 {
    let (begun, mut calls, mut found) = (Instant::now(), 0_u64, 0_u64);
    while begun.elapsed() < length {
        for labels in alerts {
            found += u64::from(find(labels));
        }
        calls += alerts.len() as u64;
    }
    assert_eq!(found, calls, "every alert names an entry");
    begun.elapsed().as_secs_f64() * 1e6 / calls as f64
}
