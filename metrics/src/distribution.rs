//! Distributions: what a histogram counts, for what is counted several times per statement.
//!
//! An observation is a search in a short list and two additions, without floating point and without a lock. A scrape
//! reads the counts one after the other: what is counted meanwhile is in it or in the next one.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// What is counted, and so how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds, shown as seconds.
    Nanoseconds,
    /// Pieces, shown as they are.
    Pieces,
}

impl Unit {
    /// How many of what is counted make one of what is shown.
    fn scale(self) -> f64 {
        match self {
            Self::Nanoseconds => 1e9,
            Self::Pieces => 1.0,
        }
    }
}

/// The bounds of a family's buckets.
#[derive(Debug)]
struct Bounds {
    unit: Unit,
    shown: Vec<f64>,
    /// The same, in what is counted.
    counted: Vec<u64>,
}

/// One series. Clones count into the same.
#[derive(Clone, Debug)]
pub(crate) struct Distribution(Arc<Series>);

#[derive(Debug)]
struct Series {
    bounds: Arc<Bounds>,
    /// One per bound, and one for what is above them all.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A family of series. Clones are the same family.
#[derive(Clone, Debug)]
pub(crate) struct DistributionFamily(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    desc: Desc,
    bounds: Arc<Bounds>,
    series: Mutex<BTreeMap<Vec<String>, Distribution>>,
}

impl Distribution {
    /// A duration.
    #[inline]
    pub(crate) fn took(&self, took: Duration) {
        self.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// A number of pieces, or of nanoseconds.
    #[inline]
    pub(crate) fn observe(&self, value: u64) {
        let series = &self.0;
        // Most are small: from below it is found sooner than by halving.
        let bounds = &series.bounds.counted;
        let bucket = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        series.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        series.sum.fetch_add(value, Ordering::Relaxed);
    }
}

impl DistributionFamily {
    pub(crate) fn new(
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
        unit: Unit,
    ) -> Result<Self, prometheus::Error> {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        let desc = Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds are small and positive")]
        let counted = bounds.iter().map(|bound| (bound * unit.scale()).round() as u64).collect();
        let bounds = Arc::new(Bounds { unit, shown: bounds.to_vec(), counted });
        Ok(Self(Arc::new(Shared { desc, bounds, series: Mutex::default() })))
    }

    /// The series of these values of the family's labels.
    pub(crate) fn with_label_values(&self, values: &[&str]) -> Distribution {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let mut series = self.0.series.lock().unwrap_or_else(PoisonError::into_inner);
        let bounds = &self.0.bounds;
        let new = || {
            let buckets = (0..=bounds.counted.len()).map(|_| AtomicU64::new(0)).collect();
            Distribution(Arc::new(Series { bounds: Arc::clone(bounds), buckets, sum: AtomicU64::new(0) }))
        };
        series.entry(values).or_insert_with(new).clone()
    }
}

impl Collector for DistributionFamily {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let series = self.0.series.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = series.iter().map(|(values, series)| {
            let pairs = self.0.desc.variable_labels.iter().zip(values).map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name(name.clone());
                pair.set_value(value.clone());
                pair
            });
            let mut metric = Metric::from_label(pairs.collect());
            metric.set_histogram(series.histogram());
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name(self.0.desc.fq_name.clone());
        family.set_help(self.0.desc.help.clone());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(metrics.collect());
        vec![family]
    }
}

impl Distribution {
    fn histogram(&self) -> Histogram {
        let Series { bounds, buckets, sum } = self.0.as_ref();
        let sum = sum.load(Ordering::Relaxed);
        let mut count = 0;
        let mut shown = Vec::with_capacity(bounds.shown.len());
        for (bucket, counted) in buckets.iter().enumerate() {
            count += counted.load(Ordering::Relaxed);
            if let Some(bound) = bounds.shown.get(bucket) {
                let mut bucket = Bucket::default();
                bucket.set_cumulative_count(count);
                bucket.set_upper_bound(*bound);
                shown.push(bucket);
            }
        }
        let mut histogram = Histogram::default();
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum as f64 / bounds.unit.scale());
        histogram.set_bucket(shown);
        histogram
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Encoder, TextEncoder};

    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_that_is_not_below_it() {
        let family = DistributionFamily::new("seconds", "help", &["of"], &[0.001, 0.01], Unit::Nanoseconds).unwrap();
        let one = family.with_label_values(&["one"]);
        for micros in [1, 1_000, 1_001, 10_001] {
            family.with_label_values(&["one"]).took(Duration::from_micros(micros));
        }
        one.took(Duration::ZERO);
        let mut text = Vec::new();
        TextEncoder::new().encode(&family.collect(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "seconds_bucket{of=\"one\",le=\"0.001\"} 3",
            "seconds_bucket{of=\"one\",le=\"0.01\"} 4",
            "seconds_bucket{of=\"one\",le=\"+Inf\"} 5",
            "seconds_sum{of=\"one\"} 0.012003",
            "seconds_count{of=\"one\"} 5",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn pieces_are_shown_as_they_are() {
        let family = DistributionFamily::new("pieces", "help", &[], &[1.0, 64.0], Unit::Pieces).unwrap();
        family.with_label_values(&[]).observe(64);
        let histogram = family.collect()[0].mut_metric()[0].get_histogram().clone();
        assert_eq!((histogram.get_sample_sum(), histogram.get_sample_count()), (64.0, 1));
    }
}
