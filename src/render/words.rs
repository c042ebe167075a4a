//! Times and lengths of time as a person would say them.

use std::time::Duration;

use super::escape::clean_line;
use crate::domain::clock::Timestamp;

/// `45 s`, `14 min`, `2 h 5 min`, `3 d 4 h`: two units at most, cut rather than rounded.
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => two(hours, "h", minutes % 60, "min"),
        (days, hours, _) => two(days, "d", hours % 24, "h"),
    }
}

/// `10:34 UTC` on the day of `now`, else `10:34 UTC on 20 Aug 2026`.
pub fn clock_time(at: Timestamp, now: Timestamp) -> String {
    let format = if day(at) == day(now) { "%H:%M UTC" } else { "%H:%M UTC on %-d %b %Y" };
    jiff::Timestamp::from_millisecond(at.as_millis())
        .ok()
        .and_then(|at| jiff::fmt::strtime::format(format, at).ok())
        .unwrap_or_else(|| at.to_rfc3339())
}

/// `3 alerts`, `1 alert`.
pub fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// A version as it is said everywhere: a bare number gets its `v`.
pub fn version(version: &str) -> String {
    let version = clean_line(version).into_owned();
    let is_number = !version.is_empty() && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    if is_number { format!("v{version}") } else { version }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        return format!("{large} {large_unit}");
    }
    format!("{large} {large_unit} {small} {small_unit}")
}

fn day(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_two_units() {
        let said = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(said(0), "0 s");
        assert_eq!(said(59), "59 s");
        assert_eq!(said(14 * 60 + 59), "14 min");
        assert_eq!(said(7_200), "2 h");
        assert_eq!(said(7_500), "2 h 5 min");
        assert_eq!(said(3 * 86_400 + 4 * 3_600), "3 d 4 h");
    }

    #[test]
    fn another_day_is_named() {
        let at = Timestamp::parse_rfc3339("2026-08-20T23:59:30Z").unwrap();

        assert_eq!(clock_time(at, at), "23:59 UTC");
        assert_eq!(clock_time(at, at.plus(Duration::from_secs(60))), "23:59 UTC on 20 Aug 2026");
    }
}
