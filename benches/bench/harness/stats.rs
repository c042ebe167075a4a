//! Percentiles over what was measured, without assumptions about its shape.

use std::time::Duration;

/// Durations, kept whole: at most some millions of them.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    micros: Vec<u32>,
    sorted: bool,
}

impl Samples {
    /// Room for `count`, so that measuring does not wait for memory.
    pub fn with_capacity(count: usize) -> Self {
        Self { micros: Vec::with_capacity(count), sorted: true }
    }

    /// Takes one more.
    pub fn add(&mut self, took: Duration) {
        self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.sorted = false;
    }

    /// Takes all of another's.
    pub fn merge(&mut self, other: &Self) {
        self.micros.extend_from_slice(&other.micros);
        self.sorted = false;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.micros.len()
    }

    /// The smallest value that at least `percent` of the samples do not exceed (nearest
    /// rank), in milliseconds; nothing without samples.
    pub fn percentile_ms(&mut self, percent: f64) -> Option<f64> {
        if !self.sorted {
            self.micros.sort_unstable();
            self.sorted = true;
        }
        let rank = (percent / 100.0 * self.micros.len() as f64).ceil() as usize;
        let micros = self.micros.get(rank.max(1) - 1)?;
        Some(f64::from(*micros) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(millis: impl IntoIterator<Item = u64>) -> Samples {
        let mut samples = Samples::with_capacity(0);
        for one in millis {
            samples.add(Duration::from_millis(one));
        }
        samples
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let mut hundred = samples((1..=100).rev());

        assert_eq!(hundred.percentile_ms(50.0), Some(50.0));
        assert_eq!(hundred.percentile_ms(99.0), Some(99.0));
        assert_eq!(hundred.percentile_ms(99.1), Some(100.0));
        assert_eq!(hundred.percentile_ms(100.0), Some(100.0));
        assert_eq!(hundred.percentile_ms(0.0), Some(1.0));
    }

    #[test]
    fn one_sample_is_every_percentile_and_none_is_no_number() {
        assert_eq!(samples([7]).percentile_ms(1.0), Some(7.0));
        assert_eq!(samples([7]).percentile_ms(99.9), Some(7.0));
        assert_eq!(samples([]).percentile_ms(50.0), None);
    }

    #[test]
    fn merged_samples_count_as_one_set() {
        let mut all = samples([1, 2]);
        assert_eq!(all.percentile_ms(100.0), Some(2.0));

        all.merge(&samples([9]));

        assert_eq!((all.len(), all.percentile_ms(100.0)), (3, Some(9.0)));
    }
}
