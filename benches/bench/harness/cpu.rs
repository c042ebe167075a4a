//! Who used the processor: the product, the benchmark itself, anybody else; and by which
//! of its threads.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

/// Linux counts processor time in hundredths of a second everywhere.
const TICKS_PER_SECOND: f64 = 100.0;

/// What had been used at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    at: Instant,
    machine_busy: u64,
    product: BTreeMap<String, u64>,
    bench: u64,
    product_id: u32,
}

/// Processors used between two moments: 1.0 is one of them, all the time.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// The measured program by its threads' names, the busiest first.
    pub product: Vec<(String, f64)>,
    /// Load generator and sink.
    pub bench: f64,
    /// Everybody else on the machine.
    pub others: f64,
    /// How many processors there are.
    pub cores: f64,
}

impl Snapshot {
    /// Looks now at the program with this process id.
    pub fn take(product_id: u32) -> Self {
        let mut product = BTreeMap::new();
        for (name, ticks) in threads(product_id) {
            *product.entry(name).or_default() += ticks;
        }
        // The process as a whole: its threads of a moment ago may have ended.
        let bench = fs::read_to_string("/proc/self/stat").ok();
        let bench = bench.and_then(|stat| parse_thread(&stat)).map_or(0, |(_, ticks)| ticks);
        Self { at: Instant::now(), machine_busy: machine_busy(), product, bench, product_id }
    }

    /// What was used since.
    pub fn until_now(&self) -> Usage {
        let now = Self::take(self.product_id);
        let seconds = now.at.duration_since(self.at).as_secs_f64().max(1e-3);
        let processors = |ticks: u64| ticks as f64 / TICKS_PER_SECOND / seconds;
        let since = |name: &String, ticks: u64| {
            ticks.saturating_sub(self.product.get(name).copied().unwrap_or_default())
        };
        let mut product: Vec<(String, f64)> =
            now.product.iter().map(|(name, &ticks)| (name.clone(), processors(since(name, ticks)))).collect();
        product.sort_by(|a, b| b.1.total_cmp(&a.1));
        let bench = processors(now.bench.saturating_sub(self.bench));
        let ours = product.iter().map(|(_, used)| used).sum::<f64>() + bench;
        let all = processors(now.machine_busy.saturating_sub(self.machine_busy));
        Usage { product, bench, others: (all - ours).max(0.0), cores: cores() }
    }
}

impl Usage {
    /// Processors used by the measured program.
    pub fn product_total(&self) -> f64 {
        self.product.iter().map(|(_, used)| used).sum()
    }

    /// What the run was limited by, in a few words.
    pub fn limit(&self) -> String {
        let threads: Vec<String> = self
            .product
            .iter()
            .filter(|(_, used)| *used >= 0.05)
            .take(4)
            .map(|(name, used)| format!("{name} {used:.2}"))
            .collect();
        let (product, bench) = (self.product_total(), self.bench);
        let parts = format!("program {product:.2} ({}), load and sink {bench:.2}", threads.join(", "));
        let busy = product + bench + self.others;
        let verdict = if busy >= 0.92 * self.cores {
            "processors"
        } else if self.product.first().is_some_and(|(_, used)| *used >= 0.9) {
            "one thread"
        } else {
            "waiting"
        };
        let noise =
            if self.others >= 0.1 { format!(", other programs {:.2}", self.others) } else { String::new() };
        format!("{verdict}: {busy:.2} of {:.0} processors: {parts}{noise}", self.cores)
    }
}

/// How many processors there are.
pub fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64)
}

/// Names and ticks of a process's threads; those that ended are missing.
fn threads(id: u32) -> Vec<(String, u64)> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{id}/task")) else { return Vec::new() };
    tasks
        .flatten()
        .filter_map(|task| parse_thread(&fs::read_to_string(task.path().join("stat")).ok()?))
        .collect()
}

/// `ID (NAME) STATE …` with user and system time as the 14th and 15th words.
fn parse_thread(stat: &str) -> Option<(String, u64)> {
    let (start, end) = (stat.find('(')?, stat.rfind(')')?);
    let mut words = stat.get(end + 1..)?.split_whitespace().skip(11);
    let user: u64 = words.next()?.parse().ok()?;
    let system: u64 = words.next()?.parse().ok()?;
    // Threads of one kind are numbered.
    let name =
        stat.get(start + 1..end)?.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == ':');
    Some((name.to_owned(), user + system))
}

/// Ticks of all processors that were not idle.
fn machine_busy() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let numbers: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal; guest time is within user time.
    numbers.iter().take(8).enumerate().filter(|(at, _)| *at != 3 && *at != 4).map(|(_, ticks)| ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_read_whatever_its_name() {
        let line = "42 (a) b (c-3) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0";

        assert_eq!(parse_thread(line), Some(("a) b (c".to_owned(), 300)));
    }

    #[test]
    fn a_busy_machine_and_a_busy_thread_are_told_apart() {
        let usage = |first: f64, second: f64| Usage {
            product: vec![("writer".to_owned(), first), ("web".to_owned(), second)],
            bench: 0.4,
            others: 0.0,
            cores: 2.0,
        };

        assert!(usage(1.0, 0.5).limit().starts_with("processors: 1.90 of 2"));
        assert!(usage(0.95, 0.1).limit().starts_with("one thread"));
        assert!(usage(0.3, 0.1).limit().starts_with("waiting"));
    }
}
