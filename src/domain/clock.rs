//! Time. The only file that reads the system clock; everything else is given a
//! [`Clock`], so that tests move time by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339 with any offset and up to nanosecond digits; digits below a
    /// millisecond are cut.
    ///
    /// # Errors
    /// When the text is not a date and time with an offset.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InvalidTime> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_millisecond()))
            .map_err(|source| InvalidTime { text: text.chars().take(64).collect(), source })
    }

    /// This moment as RFC 3339 in UTC with exactly three fraction digits.
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map(|t| format!("{t:.3}"))
            .unwrap_or_else(|_| format!("{}ms", self.0))
    }

    /// The moment `duration` later; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `duration` earlier; saturates.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// A text that is not an RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an RFC 3339 time such as 2026-08-20T10:00:03.125Z")]
pub struct InvalidTime {
    text: String,
    source: jiff::Error,
}

/// Serde: an optional moment as RFC 3339 text; for documents people read and write.
pub mod rfc3339_option {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Timestamp;

    /// Writes the text, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the text, or null.
    ///
    /// # Errors
    /// When the text is not RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Timestamp::parse_rfc3339(&text)).transpose().map_err(D::Error::custom)
    }
}

/// Where the time comes from, and how to wait for it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
    /// Completes once [`Clock::now`] has reached `at`; or, should the clock be set back
    /// meanwhile, after as long as it would have taken without that.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;
}

/// A clock that several parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The longest wait without a look at the clock.
const SLICE: Duration = Duration::from_secs(30);

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let clock = *self;
        Box::pin(sleep_in_slices(move || clock.now(), at, SLICE))
    }
}

/// Sleeps until `now` shows `at`, by the steady clock and in slices: that `now` was set
/// forward is noticed after a slice, and that it was set back makes no sleep longer.
pub async fn sleep_in_slices(now: impl Fn() -> Timestamp, at: Timestamp, slice: Duration) {
    let mut left = at.since(now());
    while !left.is_zero() {
        let next = left.min(slice);
        tokio::time::sleep(next).await;
        left = at.since(now()).min(left - next);
    }
}

/// A clock set right by another one, such as that of a database which several machines share:
/// what one of them writes down the others compare with their own present.
#[derive(Debug, Clone)]
pub struct AdjustedClock {
    inner: SharedClock,
    ahead_ms: Arc<AtomicI64>,
}

impl AdjustedClock {
    /// A clock that shows what `inner` shows, until it is adjusted.
    pub fn new(inner: SharedClock) -> Self {
        Self { inner, ahead_ms: Arc::default() }
    }

    /// The clock that is set right.
    pub fn inner(&self) -> &SharedClock {
        &self.inner
    }

    /// How far this clock is set ahead of the inner one, in milliseconds.
    pub fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::Relaxed)
    }

    /// Shows from now on what the inner clock shows plus so many milliseconds.
    pub fn adjust(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }
}

impl Clock for AdjustedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.inner.now().0.saturating_add(self.ahead_ms()))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            // Waits in slices, so that an adjustment is noticed.
            let mut left = at.since(clock.now());
            while !left.is_zero() {
                let next = left.min(SLICE);
                clock.inner.sleep_until(clock.inner.now().plus(next)).await;
                left = at.since(clock.now()).min(left - next);
            }
        })
    }
}

/// A clock that stands still until it is moved; for tests and for the demo's story.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
    moved: watch::Sender<Timestamp>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self { now: Arc::new(Mutex::new(start)), moved: watch::Sender::new(start) }
    }

    /// Moves the clock forward and wakes who waits for a moment passed by.
    pub fn advance(&self, by: Duration) {
        let now = {
            let mut now = self.now.lock();
            *now = now.plus(by);
            *now
        };
        self.moved.send_replace(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            if moved.wait_for(|now| *now >= at).await.is_err() {
                // The clock is gone: nobody can move it any more.
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_nanoseconds_are_understood() {
        let utc = Timestamp::parse_rfc3339("2026-08-20T10:34:56.123456789Z").unwrap();
        let berlin = Timestamp::parse_rfc3339("2026-08-20T12:34:56.123456789+02:00").unwrap();

        assert_eq!(utc, berlin);
        assert_eq!(utc.to_rfc3339(), "2026-08-20T10:34:56.123Z");
    }

    #[tokio::test]
    async fn a_clock_that_is_set_forward_ends_a_sleep_and_one_set_back_does_not_make_it_longer() {
        const SLICE: i64 = 5;
        const HOUR: i64 = 3_600_000;
        // Set forward or back before the second look.
        for (jump, expected) in [(0, 4), (HOUR, 2), (-HOUR, 4)] {
            let looks = std::cell::Cell::new(0);
            let now = || {
                let look = looks.replace(looks.get() + 1);
                Timestamp::from_millis(look * SLICE + if look > 0 { jump } else { 0 })
            };
            sleep_in_slices(now, Timestamp::from_millis(3 * SLICE), Duration::from_millis(5)).await;
            assert_eq!(looks.get(), expected, "{jump}");
        }
    }

    #[tokio::test]
    async fn an_adjusted_clock_shows_and_waits_for_the_time_of_the_other() {
        let manual = ManualClock::at(Timestamp::from_millis(1_000));
        let clock = AdjustedClock::new(Arc::new(manual.clone()));
        clock.adjust(-400);
        assert_eq!(clock.now(), Timestamp::from_millis(600));
        let sleeper = tokio::spawn(clock.sleep_until(Timestamp::from_millis(1_200)));

        manual.advance(Duration::from_millis(300));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());

        manual.advance(Duration::from_millis(300));
        sleeper.await.unwrap();
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_only_when_their_time_has_come() {
        let clock = ManualClock::at(Timestamp::from_millis(1_000));
        let sleeper = tokio::spawn(clock.sleep_until(Timestamp::from_millis(3_000)));

        clock.advance(Duration::from_millis(1_000));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());

        clock.advance(Duration::from_millis(1_000));
        sleeper.await.unwrap();
    }
}
