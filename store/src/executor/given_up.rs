//! Calls whose end nobody waits for: the caller's time was over, it was killed, or its client is gone.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Instant;

use cellgate_metrics::{ClusterMetrics, Operation};
use cellgate_schemaless::ClusterNo;

use crate::sync::lock;

/// The clusters that had not answered when a caller stopped waiting for them.
#[derive(Debug, Default)]
pub struct GivenUp(Mutex<BTreeSet<ClusterNo>>);

impl GivenUp {
    /// Those since it was last asked, in order of their numbers.
    pub fn take(&self) -> BTreeSet<ClusterNo> {
        std::mem::take(&mut *lock(&self.0))
    }
}

/// A call to a cluster. When it is over, the metrics are told how long it took, whether it was answered or given up.
pub(super) struct UnderWay<'a> {
    metrics: &'a ClusterMetrics,
    operation: Operation,
    cluster: ClusterNo,
    started: Instant,
    given_up: Option<&'a GivenUp>,
}

impl<'a> UnderWay<'a> {
    /// A call that begins now.
    pub(super) fn new(
        metrics: &'a ClusterMetrics,
        operation: Operation,
        cluster: ClusterNo,
        given_up: Option<&'a GivenUp>,
    ) -> Self {
        Self { metrics, operation, cluster, started: Instant::now(), given_up }
    }

    /// The cluster has answered.
    pub(super) fn is_answered(&mut self) {
        self.given_up = None;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.observe(self.operation, self.started.elapsed());
        if let Some(given_up) = self.given_up {
            lock(&given_up.0).insert(self.cluster);
        }
    }
}
