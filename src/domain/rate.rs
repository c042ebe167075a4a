//! How fast a channel may send, and the bucket of tokens that keeps it so. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::clock::Timestamp;
use super::duration::PromDuration;

/// How many messages a channel may send: `1/s`, `120/m`, `30/5m burst 10`, `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// As many as there are.
    None,
    /// No more than that.
    Rate(Rate),
}

impl RateLimit {
    /// So many messages in so long, and so many at once.
    pub const fn per(count: u32, per: Duration, burst: u32) -> Self {
        Self::Rate(Rate { count, per, burst })
    }
}

/// So many messages in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many messages …
    pub count: u32,
    /// … in how long.
    pub per: Duration,
    /// How many at once, after nothing was sent for long enough.
    pub burst: u32,
}

/// A text that is not a rate limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a rate limit such as 1/s, 120/m, `30/5m burst 10` or none")]
pub struct InvalidRate(String);

/// Until when the messages sent so far have used the rate up, in microseconds since the Unix
/// epoch: all there is to remember of a bucket of tokens. Zero: nothing was sent yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket(pub i64);

impl Rate {
    /// How many messages may be sent at `now`.
    pub fn allowance(&self, bucket: Bucket, now: Timestamp) -> usize {
        let now = micros(now);
        let tokens = (now + self.full() - self.used_until(bucket, now)) / self.interval();
        usize::try_from(tokens).unwrap_or(usize::MAX)
    }

    /// The moment from which on `count` messages may be sent together; no more than a burst.
    pub fn next(&self, bucket: Bucket, count: usize, now: Timestamp) -> Timestamp {
        let now = micros(now);
        let count = i64::try_from(count).unwrap_or(i64::MAX).min(i64::from(self.burst.max(1)));
        let at = self.used_until(bucket, now) + self.interval().saturating_mul(count) - self.full();
        Timestamp::from_millis(at.max(now).div_euclid(1_000) + i64::from(at.max(now) % 1_000 != 0))
    }

    /// The bucket after `count` messages more.
    pub fn take(&self, bucket: Bucket, count: usize, now: Timestamp) -> Bucket {
        let used_until = self.used_until(bucket, micros(now));
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        Bucket(used_until.saturating_add(self.interval().saturating_mul(count)))
    }

    /// How many messages may be sent in so long, beside a burst.
    pub fn within(&self, time: Duration) -> usize {
        let messages = time.as_micros() / u128::from(self.interval().unsigned_abs());
        usize::try_from(messages).unwrap_or(usize::MAX)
    }

    /// A bucket that is further ahead than it can be was written by a clock that has been set
    /// back since, or under another rate: one message goes at once, more as the rate allows.
    fn used_until(&self, bucket: Bucket, now: i64) -> i64 {
        let furthest = now.saturating_add(self.full());
        if bucket.0 > furthest {
            return furthest - self.interval();
        }
        bucket.0.max(now)
    }

    /// From one message to the next, in microseconds.
    fn interval(&self) -> i64 {
        let per = i64::try_from(self.per.as_micros()).unwrap_or(i64::MAX);
        (per / i64::from(self.count.max(1))).max(1)
    }

    fn full(&self) -> i64 {
        self.interval().saturating_mul(i64::from(self.burst.max(1)))
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}

impl FromStr for RateLimit {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "none" {
            return Ok(Self::None);
        }
        parse(text).map(Self::Rate).ok_or_else(|| InvalidRate(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Rate> {
    let (rate, burst) = match text.split_once(" burst ") {
        Some((rate, burst)) => (rate, Some(burst.trim().parse::<u32>().ok()?)),
        None => (text, None),
    };
    let (count, per) = rate.trim().split_once('/')?;
    let count: u32 = count.parse().ok()?;
    // `1/s` is `1/1s`.
    let per = if per.starts_with(|c: char| c.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
    let per = per.parse::<PromDuration>().ok()?.0;
    let burst = burst.unwrap_or_else(|| default_burst(count, per));
    (count > 0 && burst > 0 && !per.is_zero()).then_some(Rate { count, per, burst })
}

/// What may be sent in five seconds, at least one message and never more than the count.
fn default_burst(count: u32, per: Duration) -> u32 {
    let in_five_seconds = u128::from(count) * 5_000 / per.as_millis().max(1);
    u32::try_from(in_five_seconds).unwrap_or(u32::MAX).clamp(1, count.max(5))
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Rate(rate) = self else { return f.write_str("none") };
        let per = PromDuration(rate.per).to_string();
        let per = match per.strip_prefix('1') {
            Some(unit) if unit.chars().all(|c| c.is_ascii_alphabetic()) => unit,
            _ => &per,
        };
        write!(f, "{}/{per}", rate.count)?;
        if rate.burst != default_burst(rate.count, rate.per) {
            write!(f, " burst {}", rate.burst)?;
        }
        Ok(())
    }
}

impl Serialize for RateLimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RateLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for RateLimit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RateLimit".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(none|[1-9][0-9]*/[0-9]*(ms|s|m|h|d)( burst [1-9][0-9]*)?)$",
            "description": "So many messages in so long, and how many at once: 1/s, 120/m, `30/5m burst 10`; or none."
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_787_220_000_000);

    fn rate(text: &str) -> Rate {
        match text.parse() {
            Ok(RateLimit::Rate(rate)) => rate,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn limits_are_read_and_written_back() {
        for text in ["1/s", "120/m", "30/5m burst 10", "none", "2/h", "1000/s"] {
            assert_eq!(text.parse::<RateLimit>().unwrap().to_string(), text);
        }
        assert_eq!(rate("1/s").burst, 5);
        assert_eq!(rate("120/m").burst, 10);
        assert_eq!(rate("2/h").burst, 1);
        for text in ["", "1", "1/", "/s", "0/s", "1/0s", "-1/s", "1/s burst 0", "1/s burst", "fast"] {
            assert!(text.parse::<RateLimit>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_message_an_interval() {
        let rate = rate("1/s burst 3");
        assert_eq!(rate.allowance(Bucket::default(), NOW), 3);

        let empty = rate.take(Bucket::default(), 3, NOW);

        assert_eq!(rate.allowance(empty, NOW), 0);
        let next = rate.next(empty, 1, NOW);
        assert_eq!(next, NOW.plus(Duration::from_secs(1)));
        assert_eq!(rate.allowance(empty, next), 1);
        assert_eq!(rate.allowance(empty, rate.next(empty, 2, NOW)), 2);
        assert_eq!(rate.allowance(empty, NOW.plus(Duration::from_secs(3_600))), 3);
    }

    #[test]
    fn a_bucket_from_a_clock_that_ran_ahead_does_not_silence_a_channel() {
        let rate = rate("1/s burst 3");
        let ahead = rate.take(Bucket::default(), 3, NOW.plus(Duration::from_secs(86_400)));

        assert_eq!(rate.allowance(ahead, NOW), 1);
        let used = rate.take(ahead, 1, NOW);
        assert_eq!(rate.next(used, 1, NOW), NOW.plus(Duration::from_secs(1)));
    }

    proptest! {
        #[test]
        fn no_span_of_time_sees_more_than_its_rate_and_one_burst(
            count in 1_u32..50, seconds in 1_u64..90, burst in 1_u32..20,
            steps in prop::collection::vec(0_u64..5_000, 1..60),
        ) {
            let rate = Rate { count, per: Duration::from_secs(seconds), burst };
            let (mut bucket, mut now, mut sent) = (Bucket::default(), NOW, 0_u64);
            for step in steps {
                now = now.plus(Duration::from_millis(step));
                let allowed = rate.allowance(bucket, now);
                bucket = rate.take(bucket, allowed, now);
                sent += allowed as u64;
                let most = u64::from(burst) + rate.within(now.since(NOW)) as u64;
                prop_assert!(sent <= most + 1, "{sent} > {most}");
            }
        }
    }
}
