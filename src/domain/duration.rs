//! Durations as Prometheus writes them: `30s`, `4h`, `1d12h`, `1w`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in Prometheus notation: whole numbers with the units y, w, d, h, m,
/// s, ms, each at most once and in that order; `0` alone is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromDuration(pub Duration);

const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration such as 30s, 4h or 1d12h")]
pub struct InvalidDuration(String);

impl FromStr for PromDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" {
            return Ok(Self::default());
        }
        parse_millis(text)
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| InvalidDuration(text.to_owned()))
    }
}

fn parse_millis(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let unit_len = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (_, millis) = units.find(|(name, _)| *name == &after[..unit_len])?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
        rest = &after[unit_len..];
    }
    (!text.is_empty()).then_some(total)
}

impl fmt::Display for PromDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        // Years and weeks only where they come out even, as Prometheus prints them.
        for (name, millis) in UNITS {
            let exact_only = matches!(name, "y" | "w");
            if left < millis || (exact_only && left % millis != 0) {
                continue;
            }
            write!(f, "{}{name}", left / millis)?;
            left %= millis;
        }
        Ok(())
    }
}

impl Serialize for PromDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PromDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for PromDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "pattern": "^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$",
            "description": "A Prometheus duration such as 30s, 4h or 1d12h."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_durations_are_read_and_written_back() {
        for text in ["30s", "4h", "1d12h", "1w", "250ms", "1h30m", "2y"] {
            assert_eq!(text.parse::<PromDuration>().unwrap().to_string(), text);
        }
        assert_eq!("0".parse::<PromDuration>().unwrap().to_string(), "0s");
    }

    #[test]
    fn what_prometheus_refuses_is_refused() {
        for text in ["", "4", "h", "1.5h", "-1h", "1m1h", "1h1h", "4 h", "99999999999999999999s"] {
            assert!(text.parse::<PromDuration>().is_err(), "{text:?}");
        }
    }
}
