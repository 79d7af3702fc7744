//! Families: their descriptions, and the registrar that builds handles from them.

use std::marker::PhantomData;
use std::sync::OnceLock;

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use crate::distribution::{Distribution, DistributionFamily, Unit};
use crate::error::MetricsError;
use crate::label::Label;

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever goes up.
    Counter,
    /// A value now.
    Gauge,
    /// A distribution.
    Histogram,
}

impl Kind {
    /// Prometheus's own word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelDescription {
    /// Its name.
    pub name: &'static str,
    /// Its values; empty when they come from the configuration (`cluster`) or the build (`version`).
    pub values: Vec<&'static str>,
}

impl LabelDescription {
    /// The description of a compiled-in label.
    pub(crate) fn of<L: Label>() -> Self {
        Self { name: L::NAME, values: L::all().map(Label::label).collect() }
    }

    /// A label whose values are not known when the program is compiled.
    pub(crate) fn open(name: &'static str) -> Self {
        Self { name, values: Vec::new() }
    }
}

/// A metric family: everything that is said of it in the exposition and in docs/METRICS.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name: `cellgate_*`, base units, counters end in `_total`.
    pub name: &'static str,
    /// What it measures, in which unit.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its labels, in the order of the exposition.
    pub labels: Vec<LabelDescription>,
}

/// Builds handles, registers their families and notes their descriptions.
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    pub(crate) registry: prometheus::Registry,
    pub(crate) families: Vec<Family>,
}

impl Registrar {
    fn describe(&mut self, name: &'static str, help: &'static str, kind: Kind, labels: Vec<LabelDescription>) {
        self.families.push(Family { name, help, kind, labels });
    }

    fn register(&self, name: &str, collector: impl Collector + 'static) -> Result<(), MetricsError> {
        self.registry.register(Box::new(collector)).map_err(|error| failed(name, &error))
    }

    pub(crate) fn counter(&mut self, name: &'static str, help: &'static str) -> Result<IntCounter, MetricsError> {
        let counter = IntCounter::new(name, help).map_err(|error| failed(name, &error))?;
        self.register(name, counter.clone())?;
        self.describe(name, help, Kind::Counter, Vec::new());
        Ok(counter)
    }

    pub(crate) fn gauge(&mut self, name: &'static str, help: &'static str) -> Result<IntGauge, MetricsError> {
        let gauge = IntGauge::new(name, help).map_err(|error| failed(name, &error))?;
        self.register(name, gauge.clone())?;
        self.describe(name, help, Kind::Gauge, Vec::new());
        Ok(gauge)
    }

    pub(crate) fn distribution(
        &mut self,
        name: &'static str,
        help: &'static str,
        bounds: &[f64],
        unit: Unit,
    ) -> Result<Distribution, MetricsError> {
        Ok(self.distributions(name, help, bounds, unit, Vec::new())?.with_label_values(&[]))
    }

    pub(crate) fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Vec<LabelDescription>,
    ) -> Result<IntCounterVec, MetricsError> {
        let counters = IntCounterVec::new(Opts::new(name, help), &names(&labels)).map_err(|e| failed(name, &e))?;
        self.register(name, counters.clone())?;
        self.describe(name, help, Kind::Counter, labels);
        Ok(counters)
    }

    pub(crate) fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Vec<LabelDescription>,
    ) -> Result<IntGaugeVec, MetricsError> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), &names(&labels)).map_err(|e| failed(name, &e))?;
        self.register(name, gauges.clone())?;
        self.describe(name, help, Kind::Gauge, labels);
        Ok(gauges)
    }

    pub(crate) fn distributions(
        &mut self,
        name: &'static str,
        help: &'static str,
        bounds: &[f64],
        unit: Unit,
        labels: Vec<LabelDescription>,
    ) -> Result<DistributionFamily, MetricsError> {
        let family =
            DistributionFamily::new(name, help, &names(&labels), bounds, unit).map_err(|e| failed(name, &e))?;
        self.register(name, family.clone())?;
        self.describe(name, help, Kind::Histogram, labels);
        Ok(family)
    }
}

fn names(labels: &[LabelDescription]) -> Vec<&'static str> {
    labels.iter().map(|label| label.name).collect()
}

pub(crate) fn failed(family: &str, error: &prometheus::Error) -> MetricsError {
    MetricsError { family: family.to_owned(), detail: error.to_string() }
}

/// One handle per value of a label, resolved up front: every series is exposed from the start, at zero.
#[derive(Debug)]
pub(crate) struct By<L, M> {
    handles: Box<[M]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label, M> By<L, M> {
    /// Resolves the handle of every value.
    pub(crate) fn resolve(handle: impl FnMut(L) -> M) -> Self {
        Self { handles: L::all().map(handle).collect(), label: PhantomData }
    }

    #[inline]
    pub(crate) fn of(&self, value: L) -> &M {
        &self.handles[value.index()]
    }
}

/// One counter per combination of three labels, resolved when it is first needed: of the thousands that are possible
/// a deployment sees a few dozen, and only those are worth a line in every scrape.
#[derive(Debug)]
pub(crate) struct Lazy3<A, B, C> {
    family: IntCounterVec,
    handles: Box<[OnceLock<IntCounter>]>,
    labels: PhantomData<fn(A, B, C)>,
}

impl<A: Label, B: Label, C: Label> Lazy3<A, B, C> {
    pub(crate) fn new(family: IntCounterVec) -> Self {
        let handles = (0..A::COUNT * B::COUNT * C::COUNT).map(|_| OnceLock::new()).collect();
        Self { family, handles, labels: PhantomData }
    }

    #[inline]
    pub(crate) fn of(&self, a: A, b: B, c: C) -> &IntCounter {
        self.handles[(a.index() * B::COUNT + b.index()) * C::COUNT + c.index()]
            .get_or_init(|| self.family.with_label_values(&[a.label(), b.label(), c.label()]))
    }
}
