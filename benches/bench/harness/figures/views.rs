//! What open pages cost: a thousand of them, each of which hears of changes and reads itself
//! again at most once a second, while alerts arrive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::body::Identity;
use super::super::cpu::Snapshot;
use super::super::load::{self, Load, Open};
use super::super::report::{Figure, Target};
use super::super::sink::Sink;
use super::super::stats::Samples;
use super::super::wire::{Connection, find};
use super::{Context, Entry, config, start};

const VIEWS: usize = 1_000;
/// Alerts a second.
const RATE: f64 = 10.0;
/// A page reads itself again no sooner.
const PAUSE: Duration = Duration::from_secs(1);
/// What the pages show: a list, as most do.
const PATH: &str = "/incidents";

/// What the views saw.
#[derive(Default)]
struct Seen {
    ended: AtomicBool,
    open: AtomicU64,
    reads: Mutex<Samples>,
}

/// Measures it.
pub fn run(context: &Context, entry: &Entry) -> anyhow::Result<Vec<Figure>> {
    let sink = Sink::start(false)?;
    let product = start(context, &config(&sink.url()))?;
    let alone = drive(context, &product)?;
    let before = product.memory_mib("VmRSS");
    let seen = Arc::new(Seen::default());
    let address = product.address();
    let theirs = seen.clone();
    let views = (context.scaled(VIEWS as u64)) as usize;
    let viewers = std::thread::spawn(move || watch(address, views, &theirs));
    while seen.open.load(Ordering::Relaxed) < views as u64 {
        ensure!(!viewers.is_finished(), "the views ended early");
        std::thread::sleep(Duration::from_millis(20));
    }
    let used = drive(context, &product)?;
    let after = product.memory_mib("VmRSS");
    seen.ended.store(true, Ordering::Relaxed);
    viewers.join().map_err(|_| anyhow::anyhow!("the views broke down"))??;
    let mut reads = std::mem::take(&mut *seen.reads.lock());
    Ok(vec![
        Figure::new(entry.name, entry.what, "processors", used, Target::AtMost(0.5))
            .and("without views", alone)
            .and("pages read", reads.len() as f64)
            .and("page p50 ms", reads.percentile_ms(50.0))
            .and("page p99 ms", reads.percentile_ms(99.0))
            .and("memory MiB", after)
            .and("memory without views MiB", before)
            .limited_by("an answer to each view for each change, at most one a second".to_owned()),
    ])
}

/// The processors that the product uses while alerts arrive.
fn drive(context: &Context, product: &super::Product) -> anyhow::Result<f64> {
    let load =
        Load { target: product.address(), connections: 4, identity: Identity::Fleet, alerts: 1, first: 0 };
    let plan = Open { rate: RATE, count: (RATE * context.measure.as_secs_f64()) as u64 };
    let cpu = Snapshot::take(product.id());
    load::open(&load, plan, Instant::now())?;
    Ok(cpu.until_now().product_total())
}

fn watch(target: SocketAddr, views: usize, seen: &Arc<Seen>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let all: Vec<_> = (0..views).map(|_| tokio::task::spawn_local(view(target, seen.clone()))).collect();
        for one in all {
            one.await??;
        }
        Ok(())
    })
}

/// A page that is open until all are to end.
async fn view(target: SocketAddr, seen: Arc<Seen>) -> anyhow::Result<()> {
    let mut reader = Connection::open(target).await?;
    let mut events = TcpStream::connect(target).await?;
    events.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    seen.open.fetch_add(1, Ordering::Relaxed);
    let mut buffer = [0_u8; 1_024];
    let mut last = Instant::now();
    while !seen.ended.load(Ordering::Relaxed) {
        let Ok(read) = tokio::time::timeout(Duration::from_millis(500), events.read(&mut buffer)).await
        else {
            continue;
        };
        let heard = &buffer[..read?];
        ensure!(!heard.is_empty(), "a view was ended");
        let Some(at) = find(heard, b"data: ") else { continue };
        let beat: String =
            heard[at + 6..].iter().take_while(|b| b.is_ascii_graphic()).map(|b| *b as char).collect();
        if last.elapsed() < PAUSE {
            tokio::time::sleep(PAUSE - last.elapsed()).await;
        }
        last = Instant::now();
        let request = format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Live-Beat: {beat}\r\n\r\n");
        let answer = reader.exchange(request.as_bytes()).await?;
        ensure!(answer.status == 200, "{PATH} is answered {}", answer.status);
        seen.reads.lock().add(last.elapsed());
    }
    Ok(())
}
