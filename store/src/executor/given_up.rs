//! Calls whose end nobody waits for: the caller's time was over, it was killed, or its client is gone. A read is given up
//! then; what writes goes on.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Instant;

use cellgate_metrics::{ClusterMetrics, Operation};
use cellgate_schemaless::ClusterNo;

use crate::sync::lock;

/// The clusters that had not answered when a caller stopped waiting for them.
#[derive(Debug, Default)]
pub struct GivenUp(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    given_up: BTreeSet<ClusterNo>,
    /// Those under way, by the numbers they were given.
    under_way: Vec<(u64, ClusterNo)>,
    begun: u64,
}

impl GivenUp {
    /// Those whose calls were given up since it was last asked, in order of their numbers.
    pub fn take(&self) -> BTreeSet<ClusterNo> {
        std::mem::take(&mut lock(&self.0).given_up)
    }

    /// Those whose calls go on though their caller has stopped waiting, in order of their numbers; each call once.
    pub fn take_going_on(&self) -> BTreeSet<ClusterNo> {
        lock(&self.0).under_way.drain(..).map(|(_, cluster)| cluster).collect()
    }

    fn begin(&self, cluster: ClusterNo) -> u64 {
        let mut calls = lock(&self.0);
        calls.begun += 1;
        let number = calls.begun;
        calls.under_way.push((number, cluster));
        number
    }

    fn end(&self, number: u64, cluster: ClusterNo, is_answered: bool) {
        let mut calls = lock(&self.0);
        // Few at a time: one for each cluster of a statement.
        calls.under_way.retain(|(other, _)| *other != number);
        if !is_answered {
            calls.given_up.insert(cluster);
        }
    }
}

/// A call to a cluster. When it is over, the metrics are told how long it took, whether it was answered or given up.
pub(super) struct UnderWay<'a> {
    metrics: &'a ClusterMetrics,
    operation: Operation,
    cluster: ClusterNo,
    started: Instant,
    /// Who is to be told if it is given up, and the number of the call there.
    told: Option<(&'a GivenUp, u64)>,
    is_answered: bool,
}

impl<'a> UnderWay<'a> {
    /// A call that begins now.
    pub(super) fn new(
        metrics: &'a ClusterMetrics,
        operation: Operation,
        cluster: ClusterNo,
        given_up: Option<&'a GivenUp>,
    ) -> Self {
        let told = given_up.map(|given_up| (given_up, given_up.begin(cluster)));
        Self { metrics, operation, cluster, started: Instant::now(), told, is_answered: false }
    }

    /// The cluster has answered.
    pub(super) fn is_answered(&mut self) {
        self.is_answered = true;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.observe(self.operation, self.started.elapsed());
        if let Some((given_up, number)) = self.told {
            given_up.end(number, self.cluster, self.is_answered);
        }
    }
}
