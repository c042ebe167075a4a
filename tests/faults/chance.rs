//! Seeded chance, so that a failure can be repeated.

use std::time::Duration;

use modelpager::domain::random::{Random, SeededRandom, SystemRandom};

/// A source of random numbers that can be had again.
pub struct Chance(SeededRandom);

impl Chance {
    /// Of `FAULTS_SEED`, or else of a new seed. Either is printed; a passing test's output
    /// is not shown.
    pub fn new() -> Self {
        let given = std::env::var("FAULTS_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| SystemRandom.bits());
        println!("FAULTS_SEED={seed}");
        Self(SeededRandom::new(seed))
    }

    /// An independent source for a task of its own.
    pub fn split(&self) -> Self {
        Self(SeededRandom::new(self.0.bits()))
    }

    /// Yes, in `percent` of all cases.
    pub fn happens(&self, percent: u32) -> bool {
        self.0.fraction() * 100.0 < f64::from(percent)
    }

    /// A number in `0..limit`.
    pub fn below(&self, limit: usize) -> usize {
        (self.0.fraction() * limit as f64) as usize
    }

    /// A time in `from..to`.
    pub fn between(&self, from: Duration, to: Duration) -> Duration {
        from + (to - from).mul_f64(self.0.fraction())
    }
}
