//! How many requests are stored and answered 200 in a second, in a closed loop; triage and
//! delivery go on at the same time, as they do in life.

use std::path::Path;

use anyhow::ensure;
use serde_json::json;

use super::super::bare::Bare;
use super::super::body::Identity;
use super::super::cpu::{Snapshot, Usage};
use super::super::load::{self, Closed, Load, Outcome};
use super::super::postgres::Postgres;
use super::super::product::fresh_folder;
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::{Context, Entry, config, start};

const CONNECTIONS: usize = 64;
/// The least share of the bare limit, in percent.
const SHARE: f64 = 70.0;
/// The most that 99 of 100 answers may take.
const P99_MS: f64 = 15.0;

/// One alert a request.
pub fn one(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    measure(context, entry, 1, Target::AtLeast(25_000.0), &Storage::Sqlite)
}

/// Fifty alerts a request.
pub fn fifty(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    measure(context, entry, 50, Target::AtLeast(50_000.0), &Storage::Sqlite)
}

/// One alert a request, on PostgreSQL.
pub fn one_postgres(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let storage = Storage::Postgres(Postgres::start(&context.site.folder)?);
    measure(context, entry, 1, Target::AtLeast(15_000.0), &storage)
}

/// Where both the product and the bare limit keep what they take.
enum Storage {
    Sqlite,
    Postgres(Postgres),
}

impl Storage {
    /// The product's; nothing for a file in its own folder.
    fn product_url(&self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Sqlite => Ok(None),
            Self::Postgres(server) => server.create_database("modelpager").map(Some),
        }
    }

    fn bare_url(&self, folder: &Path) -> anyhow::Result<String> {
        match self {
            Self::Sqlite => Ok(format!("sqlite://{}", folder.join("bare.db").display())),
            Self::Postgres(server) => server.create_database("bare"),
        }
    }
}

fn measure(
    context: &Context,
    entry: &Entry,
    alerts: usize,
    target: Target,
    storage: &Storage,
) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let mut config = config(&sink.url());
    if let Some(url) = storage.product_url()? {
        config["storage"] = json!({"url": url});
    }
    let product = start(context, &config)?;
    let (mut outcome, usage) = drive(context, product.address(), product.id(), alerts)?;
    let stored = product.metric("modelpager_events_total", "result=\"accepted\"")?;
    ensure!(
        stored as u64 == outcome.accepted_in_all,
        "{} were answered 200 and {stored} counted as stored",
        outcome.accepted_in_all
    );
    drop(product);

    let folder = fresh_folder(&context.site.folder)?;
    let bare = Bare::accept(&context.host, &storage.bare_url(&folder)?, None)?;
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
    let is_strict = alerts == 1 && matches!(storage, Storage::Sqlite);
    let share = Figure::new(
        &format!("{} share", entry.name),
        &format!("{}: share of the bare limit", entry.what),
        "%",
        rate.ratio().unwrap_or_default() * 100.0,
        if is_strict { Target::AtLeast(SHARE) } else { Target::None },
    );
    let p99 = Figure::new(
        &format!("{} p99", entry.name),
        &format!("{}: 99th percentile of the answers", entry.what),
        "ms",
        outcome.latency.percentile_ms(99.0).unwrap_or(f64::INFINITY),
        if is_strict { Target::AtMost(P99_MS) } else { Target::None },
    )
    .with_bare(limit.latency.percentile_ms(99.0).unwrap_or_default());
    let more = [share, p99].map(|figure| figure.limited_by(format!("as {}", entry.name)));
    Ok([rate].into_iter().chain(more).collect())
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
