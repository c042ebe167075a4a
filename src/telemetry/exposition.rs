//! The Prometheus text format 0.0.4, made from OpenMetrics text.
//!
//! The metrics library writes OpenMetrics, where a counter's family lacks the `_total`
//! that its sample has; the older format, which every scraper and `promtool` reads,
//! wants family and sample to have one name.

use std::collections::BTreeSet;

/// The media type of what [`from_openmetrics`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Rewrites the comment lines of an OpenMetrics text; samples are the same in both.
pub fn from_openmetrics(text: &str) -> String {
    let counters: BTreeSet<&str> = text.lines().filter_map(counter_name).collect();
    let mut out = String::with_capacity(text.len() + 16 * counters.len());
    for line in text.lines().filter(|line| !is_openmetrics_only(line)) {
        match split_comment(line) {
            Some((keyword, name, rest)) if counters.contains(name) => {
                out.extend(["# ", keyword, " ", name, "_total ", rest]);
            }
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

fn counter_name(line: &str) -> Option<&str> {
    line.strip_prefix("# TYPE ")?.strip_suffix(" counter")
}

fn is_openmetrics_only(line: &str) -> bool {
    line == "# EOF" || line.starts_with("# UNIT ")
}

/// `# TYPE name rest` and `# HELP name rest` in their parts.
fn split_comment(line: &str) -> Option<(&str, &str, &str)> {
    let (keyword, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    Some((keyword, name, rest))
}
