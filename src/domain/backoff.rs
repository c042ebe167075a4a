//! How long to wait before the next attempt: exponential with full jitter.

use std::time::Duration;

/// The bounds between which waits grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait is drawn from zero to this.
    pub min: Duration,
    /// No wait is drawn from beyond this.
    pub max: Duration,
}

impl Backoff {
    /// The wait after the `attempt`th failed attempt (the first is 1), drawn with
    /// `fraction` in `0.0..1.0` from zero to `min * 2^(attempt - 1)`, at most `max`; never
    /// sooner than the provider's `hint`.
    #[must_use]
    pub fn wait(self, attempt: u32, fraction: f64, hint: Option<Duration>) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let ceiling = self.min.saturating_mul(1 << doublings).min(self.max);
        let drawn = ceiling.mul_f64(fraction.clamp(0.0, 1.0));
        drawn.max(hint.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(600) };

    #[test]
    fn waits_double_up_to_the_limit() {
        let ceiling = |attempt| BACKOFF.wait(attempt, 1.0, None).as_secs();

        assert_eq!([1, 2, 3, 4, 10, 11, 500].map(ceiling), [1, 2, 4, 8, 512, 600, 600]);
    }

    proptest! {
        #[test]
        fn a_wait_is_within_bounds_and_never_sooner_than_the_hint(
            attempt in 0_u32..10_000, fraction in 0.0_f64..1.0, hint in prop::option::of(0_u64..5_000)
        ) {
            let hint = hint.map(Duration::from_secs);
            let wait = BACKOFF.wait(attempt, fraction, hint);

            prop_assert!(wait >= hint.unwrap_or_default());
            prop_assert!(wait <= BACKOFF.max.max(hint.unwrap_or_default()));
        }
    }
}
