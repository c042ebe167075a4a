//! The measured program: the real binary as a process of its own, with a configuration
//! and a folder for its data, and what it says about itself.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::body::MODELS;
use super::wire;

/// How long it may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// A running program; ended when this is dropped.
pub struct Product {
    binary: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    child: Child,
}

/// Where to measure.
#[derive(Clone, Debug)]
pub struct Site {
    /// The program.
    pub binary: PathBuf,
    /// A folder on the disk that counts; the data goes below it.
    pub folder: PathBuf,
}

impl Product {
    /// Starts it in a fresh folder with this configuration, to which address and database
    /// are added, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn start(site: &Site, config: &Value) -> anyhow::Result<Self> {
        let folder = fresh_folder(&site.folder)?;
        let address = free_address()?;
        let mut config = config.clone();
        config["server"]["listen"] = json!(address.to_string());
        if config["storage"].is_null() {
            let database = folder.join("modelpager.db");
            config["storage"]["url"] = json!(format!("sqlite://{}", database.display()));
        }
        // JSON is YAML, too, and needs no care with quotes.
        fs::write(folder.join("modelpager.yml"), config.to_string())?;
        let child = launch(&site.binary, &folder)?;
        let mut product = Self { binary: site.binary.clone(), folder, address, child };
        product.wait_until_ready()?;
        Ok(product)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its database file and what stands beside it, in bytes.
    pub fn database_size(&self) -> u64 {
        ["modelpager.db", "modelpager.db-wal"]
            .iter()
            .filter_map(|name| fs::metadata(self.folder.join(name)).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Ends it with SIGTERM and waits.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.id())).status()?;
        let end = Instant::now() + READY_LIMIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                bail!("the program does not end on SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Starts it again in the same folder; answers how long it took to be ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn start_again(&mut self) -> anyhow::Result<Duration> {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let begun = Instant::now();
        self.child = launch(&self.binary, &self.folder)?;
        self.wait_until_ready()?;
        Ok(begun.elapsed())
    }

    /// Brings a catalog of the models that the alerts are about into it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn import_models(&self) -> anyhow::Result<()> {
        let entries: Vec<Value> = (0..MODELS)
            .map(|model| {
                json!({
                    "slug": format!("model-{model:03}"), "kind": "model", "owner": "ml-platform",
                    "team": "ml", "tier": 1, "environment": "production",
                    "runbook_url": "https://runbooks.example.net/ml/{{alertname}}",
                })
            })
            .collect();
        self.post("/api/v1/catalog/import", &json!({"entries": entries}))
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let (status, answer) = self.call("POST", path, &body.to_string())?;
        if !(200..300).contains(&status) {
            bail!("{path} is answered {status}: {answer}");
        }
        Ok(())
    }

    /// One request on a connection of its own.
    ///
    /// # Errors
    /// When it is not answered.
    pub fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        call(self.address, method, path, body)
    }

    /// The sum of all samples of a metric whose labels contain `labels`.
    ///
    /// # Errors
    /// When the metrics are not answered.
    pub fn metric(&self, name: &str, labels: &str) -> anyhow::Result<f64> {
        let (_, text) = self.call("GET", "/metrics", "")?;
        Ok(sum_of(&text, name, labels))
    }

    /// How many alerts have been through triage.
    ///
    /// # Errors
    /// When the metrics are not answered.
    pub fn processed_alerts(&self) -> anyhow::Result<u64> {
        Ok(self.metric("modelpager_alert_entry_matches_total", "")? as u64)
    }

    /// `VmRSS` or `VmHWM` in MiB.
    pub fn memory_mib(&self, key: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }

    /// The end of what it has printed.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.join("modelpager.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + READY_LIMIT;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        loop {
            let answer = runtime.block_on(wire::call(self.address, "GET", "/-/ready", ""));
            if answer.is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the program ended with {status} before it was ready:\n{}", self.log_tail());
            }
            if Instant::now() > end {
                bail!("the program is not ready after {READY_LIMIT:?}:\n{}", self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One request from a thread that has no runtime.
///
/// # Errors
/// When it is not answered.
pub fn call(address: SocketAddr, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(wire::call(address, method, path, body))
        .with_context(|| format!("no answer to {method} {path}"))
}

/// A folder below `parent` that nobody else uses.
///
/// # Errors
/// When it cannot be made.
pub fn fresh_folder(parent: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(parent)?;
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(parent)?;
    Ok(folder.keep())
}

/// A loopback address nobody listens on at this moment.
///
/// # Errors
/// When there is none.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn launch(binary: &Path, folder: &Path) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("modelpager.log"))?;
    Command::new(binary)
        .args(["serve", "--config", "modelpager.yml"])
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("could not start {}", binary.display()))
}

fn sum_of(text: &str, name: &str, labels: &str) -> f64 {
    text.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_metric_are_summed_by_their_labels() {
        let text = "# TYPE a_total counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\na_total_more 9\nb 1.5\n";

        assert_eq!(sum_of(text, "a_total", ""), 5.0);
        assert_eq!(sum_of(text, "a_total", "x=\"2\""), 3.0);
        assert_eq!(sum_of(text, "b", ""), 1.5);
    }
}
