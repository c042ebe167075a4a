//! What the figures were measured on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::cpu;
use super::stats::Samples;

/// How often the disk is asked.
const SYNCS: usize = 300;

/// A machine and its disk.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many of them.
    pub cores: f64,
    /// MiB of memory.
    pub memory_mib: f64,
    /// Kernel and system.
    pub system: String,
    /// Appending 4 KiB and `fdatasync`, median.
    pub sync_p50_ms: f64,
    /// The same, 99th percentile.
    pub sync_p99_ms: f64,
    /// Tasks that wanted a processor in the minute before.
    pub load_before: f64,
}

impl Machine {
    /// Looks at it; `folder` says which disk.
    ///
    /// # Errors
    /// When the disk cannot be written.
    pub fn look(folder: &Path) -> anyhow::Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut syncs = measure_syncs(folder)?;
        let memory = value_of(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse::<f64>();
        Ok(Self {
            cpu: value_of(&read("/proc/cpuinfo"), "model name"),
            cores: cpu::cores(),
            memory_mib: memory.unwrap_or_default() / 1024.0,
            system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            sync_p50_ms: syncs.percentile_ms(50.0).unwrap_or_default(),
            sync_p99_ms: syncs.percentile_ms(99.0).unwrap_or_default(),
            load_before: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|word| word.parse().ok())
                .unwrap_or_default(),
        })
    }

    /// One sentence about it.
    pub fn sentence(&self) -> String {
        format!(
            "Measured on {} × {}, {:.0} GiB, {}; appending 4 KiB with fdatasync takes {:.2} ms (p50) and {:.2} ms (p99); load before the run {:.2}.",
            self.cores,
            self.cpu,
            self.memory_mib / 1024.0,
            self.system,
            self.sync_p50_ms,
            self.sync_p99_ms,
            self.load_before
        )
    }
}

fn measure_syncs(folder: &Path) -> anyhow::Result<Samples> {
    fs::create_dir_all(folder)?;
    let path = folder.join("syncs");
    let mut file = File::create(&path)?;
    let mut samples = Samples::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[0; 4_096])?;
        file.sync_data()?;
        samples.add(begun.elapsed());
    }
    fs::remove_file(path)?;
    Ok(samples)
}

fn value_of(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
    line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}
