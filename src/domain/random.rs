//! Randomness, behind a trait for the same reason as time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where random numbers come from.
pub trait Random: Send + Sync + fmt::Debug {
    /// Sixty-four random bits.
    fn bits(&self) -> u64;

    /// A number in `0.0..1.0`.
    fn fraction(&self) -> f64 {
        // 53 bits fill a double's mantissa exactly.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A source of randomness that several parts share.
pub type SharedRandom = Arc<dyn Random>;

/// The operating system's source.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bits(&self) -> u64 {
        getrandom::u64().unwrap_or_else(|_| {
            // Jitter and ids need variety, not secrecy: an address and a counter will do
            // on a system whose random device is broken.
            static FALLBACK: AtomicU64 = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
            mix(FALLBACK.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed))
        })
    }
}

/// A repeatable source for tests.
#[derive(Debug, Default)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn bits(&self) -> u64 {
        mix(self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
