//! The bare limits: the least that anybody must do for the same promise, written plainly,
//! with none of the product in it. What the product does is measured against these in the
//! same run, so that a slow or busy machine changes both.
//!
//! A server runs as a process of its own, as the product does: the benchmark's own
//! program is started again with [`VARIABLE`] set.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::product::{self, free_address};

pub mod accept;
pub mod deliver;
pub mod triage;
mod writer;

/// Says to a process which bare limit it is: `accept ADDRESS DATABASE [FORWARD_TO]` or
/// `deliver DATABASE SINK COUNT`.
pub const VARIABLE: &str = "MODELPAGER_BENCH_BARE";

/// How long one may take to listen.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// How to start the benchmark's own program again.
#[derive(Clone, Debug)]
pub struct Host {
    /// The program.
    pub program: PathBuf,
    /// What it needs to get to [`serve_if_asked`].
    pub arguments: Vec<String>,
}

/// A running bare program; ended when this is dropped.
pub struct Bare {
    child: Child,
    address: SocketAddr,
}

impl Bare {
    /// Starts a server that stores what is posted in the database at `url`, and, when
    /// asked, forwards it.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn accept(host: &Host, url: &str, forward_to: Option<&str>) -> anyhow::Result<Self> {
        let address = free_address()?;
        let order = format!("accept {address} {url} {}", forward_to.unwrap_or_default());
        let mut bare = Self { child: launch(host, &order)?, address };
        let end = Instant::now() + READY_LIMIT;
        while product::call(address, "GET", "/", "").is_err() {
            if Instant::now() > end || bare.child.try_wait()?.is_some() {
                bail!("the bare server does not listen");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(bare)
    }

    /// Starts a loop that delivers `count` messages to `sink` and ends.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn deliver(host: &Host, url: &str, sink: &str, count: u64) -> anyhow::Result<Self> {
        let child = launch(host, &format!("deliver {url} {sink} {count}"))?;
        Ok(Self { child, address: free_address()? })
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When it ended because something failed.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        match self.child.try_wait()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!("the bare program ended with {status}"),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(host: &Host, order: &str) -> anyhow::Result<Child> {
    Command::new(&host.program)
        .args(&host.arguments)
        .env(VARIABLE, order)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("could not start {}", host.program.display()))
}

/// Does what a bare program does, in a process that was started as one; answers whether
/// this is one.
///
/// # Errors
/// When it cannot do it.
pub fn serve_if_asked() -> anyhow::Result<bool> {
    let Ok(order) = std::env::var(VARIABLE) else { return Ok(false) };
    let words: Vec<&str> = order.split_whitespace().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match words.as_slice() {
            ["accept", address, url] => accept::serve(address.parse()?, url, None).await,
            ["accept", address, url, sink] => accept::serve(address.parse()?, url, Some(sink)).await,
            ["deliver", url, sink, count] => deliver::run(url, sink, count.parse()?).await,
            _ => bail!("{VARIABLE} holds no order: {order}"),
        }
    })?;
    Ok(true)
}
