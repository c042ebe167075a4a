//! How far a long command is, on the standard error: a bar where a person looks, else a
//! line every few seconds.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, how often a line is written.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// In what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Rows,
}

/// Tells how far something is.
pub(super) struct Progress {
    what: &'static str,
    unit: Unit,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    pub fn new(what: &'static str, unit: Unit) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(what, unit));
        Self { what, unit, bar, told: Instant::now() }
    }

    /// So much is done of so much; `part` says with what it is busy.
    pub fn show(&mut self, done: u64, total: u64, part: &str) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done.min(total));
            bar.set_message(part.to_owned());
            return;
        }
        if self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            eprintln!("{}", line(self.what, self.unit, done, total, part));
        }
    }

    /// Leaves the place to what is printed next.
    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &'static str, unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Bytes => "{prefix} {bar:30} {percent:>3} % {bytes} of {total_bytes} {msg}",
        Unit::Rows => "{prefix} {bar:30} {percent:>3} % {human_pos} of {human_len} rows {msg}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_prefix(what)
}

fn line(what: &str, unit: Unit, done: u64, total: u64, part: &str) -> String {
    let percent = done.min(total) * 100 / total.max(1);
    let amounts = match unit {
        Unit::Bytes => format!("{} of {}", size(done), size(total)),
        Unit::Rows => format!("{done} of {total} rows"),
    };
    format!("{what}: {percent} %, {amounts} {part}").trim_end().to_owned()
}

/// A number of bytes as people write it.
pub(super) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        assert_eq!(line("copying", Unit::Rows, 5, 20, "events"), "copying: 25 %, 5 of 20 rows events");
        assert_eq!(line("copying", Unit::Rows, 0, 0, ""), "copying: 0 %, 0 of 0 rows");
        assert_eq!(line("copying", Unit::Bytes, 1 << 20, 1 << 21, ""), "copying: 50 %, 1.00 MiB of 2.00 MiB");
    }
}
