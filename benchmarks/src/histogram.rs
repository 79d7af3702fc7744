//! Latencies, counted in buckets that are at most 0.8 % wide.

/// Buckets per power of two. 128 make a bucket at most 1/128 of its value wide.
const PER_DOUBLING: usize = 128;
/// Enough for every 64-bit number.
const BUCKETS: usize = (64 - PER_DOUBLING.ilog2() as usize + 1) * PER_DOUBLING;

/// How often each latency was seen, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u128,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, sum: 0, most: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.sum += u128::from(nanos);
        self.most = self.most.max(nanos);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The mean; 0 if there is none.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(u128::from(self.total)).unwrap_or(0) as u64
    }

    /// The longest.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// The latency that this share of all (0 to 1) did not exceed, up to the width of a bucket; 0 if there is none.
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return highest(index).min(self.most);
            }
        }
        0
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < PER_DOUBLING as u64 {
        return nanos as usize;
    }
    let doubling = (nanos.ilog2() - PER_DOUBLING.ilog2()) as usize;
    (doubling + 1) * PER_DOUBLING + (nanos >> doubling) as usize - PER_DOUBLING
}

/// The highest number of a bucket.
fn highest(index: usize) -> u64 {
    if index < PER_DOUBLING {
        return index as u64;
    }
    let doubling = index / PER_DOUBLING - 1;
    let place = (index % PER_DOUBLING + PER_DOUBLING) as u64;
    ((u128::from(place + 1) << doubling) - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_bucket_that_is_narrow() {
        for shift in 0..64 {
            for number in [1_u64 << shift, (1 << shift) | (1 << shift >> 1), u64::MAX >> shift] {
                let index = bucket(number);
                assert!(index < BUCKETS);
                let (below, above) = (index.checked_sub(1).map_or(0, highest), highest(index));
                assert!(number <= above && (number > below || index == 0), "{number}");
                assert!((above - number) as f64 <= number as f64 / 127.0, "{number} {above}");
            }
        }
    }

    #[test]
    fn quantiles_of_a_known_set() {
        let mut histogram = Histogram::default();
        (1..=1000_u64).for_each(|n| histogram.record(n * 1000));
        let near = |share: f64, nanos: f64| (histogram.quantile(share) as f64 / nanos - 1.0).abs() < 0.01;
        assert!(near(0.5, 500_000.0) && near(0.99, 990_000.0));
        assert_eq!(histogram.quantile(1.0), 1_000_000);
        assert_eq!((histogram.count(), histogram.mean(), histogram.most()), (1000, 500_500, 1_000_000));
        let none = Histogram::default();
        assert_eq!((none.quantile(0.5), none.mean()), (0, 0));
    }
}
