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
    /// Where one was given up.
    given_up: BTreeSet<ClusterNo>,
    /// Those under way, by the numbers they were given.
    under_way: Vec<(u64, ClusterNo)>,
    begun: u64,
    /// The caller's time was over while some were under way: that they run out of time after it is not counted.
    ran_out: bool,
}

impl GivenUp {
    /// The caller's time is over: those that have not answered it, in order of their numbers. Further calls of the same
    /// work are not the caller's next ones: those need another of this ([`GivenUp::goes_on`]).
    pub fn ran_out(&self) -> BTreeSet<ClusterNo> {
        let mut calls = lock(&self.0);
        calls.ran_out = !calls.under_way.is_empty();
        let going_on: Vec<ClusterNo> = calls.under_way.iter().map(|(_, cluster)| *cluster).collect();
        std::mem::take(&mut calls.given_up).into_iter().chain(going_on).collect()
    }

    /// What was given up until now is not asked about. Once nothing is under way, the next calls are another work's.
    pub fn forget(&self) {
        let mut calls = lock(&self.0);
        calls.given_up.clear();
        calls.ran_out &= !calls.under_way.is_empty();
    }

    /// Whether something is under way.
    pub fn goes_on(&self) -> bool {
        !lock(&self.0).under_way.is_empty()
    }

    /// A caller waits for this cluster, until what is answered is dropped.
    pub(super) fn wait_for(&self, cluster: ClusterNo) -> Waiting<'_> {
        let mut calls = lock(&self.0);
        calls.begun += 1;
        let number = calls.begun;
        calls.under_way.push((number, cluster));
        Waiting { told: self, number, is_answered: false }
    }
}

/// A caller that waits for a cluster.
pub(super) struct Waiting<'a> {
    told: &'a GivenUp,
    number: u64,
    is_answered: bool,
}

impl Waiting<'_> {
    /// What it waited for is over. Answers whether the caller's time was not over before.
    pub(super) fn answered(mut self) -> bool {
        self.is_answered = true;
        !lock(&self.told.0).ran_out
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut calls = lock(&self.told.0);
        // Few at a time: one for each cluster of a statement.
        if let Some(place) = calls.under_way.iter().position(|(number, _)| *number == self.number) {
            let (_, cluster) = calls.under_way.swap_remove(place);
            if !self.is_answered {
                calls.given_up.insert(cluster);
            }
        }
    }
}

/// A call to a cluster. When it is over, the metrics are told how long it took, whether it was answered or given up.
pub(super) struct UnderWay<'a> {
    metrics: &'a ClusterMetrics,
    operation: Operation,
    started: Instant,
    waiting: Option<Waiting<'a>>,
}

impl<'a> UnderWay<'a> {
    /// A call that begins now.
    pub(super) fn new(
        metrics: &'a ClusterMetrics,
        operation: Operation,
        cluster: ClusterNo,
        given_up: Option<&'a GivenUp>,
    ) -> Self {
        let waiting = given_up.map(|given_up| given_up.wait_for(cluster));
        Self { metrics, operation, started: Instant::now(), waiting }
    }

    /// The cluster has answered. Answers whether the caller's time was not over before.
    pub(super) fn answered(mut self) -> bool {
        self.waiting.take().is_none_or(Waiting::answered)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.metrics.observe(self.operation, self.started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_when_its_caller_runs_out_of_time_is_named_like_what_is_given_up() {
        let given_up = GivenUp::default();
        let [a, b, c] = [1, 2, 3].map(|number| ClusterNo::new(number).unwrap());
        let [answered, dropped, goes_on] = [a, b, c].map(|cluster| given_up.wait_for(cluster));
        assert!(answered.answered(), "the caller waited for its answer");
        drop(dropped);
        assert!(given_up.goes_on());
        assert_eq!(given_up.ran_out(), BTreeSet::from([b, c]));
        assert!(!goes_on.answered(), "it has failed before");
        assert!(!given_up.goes_on());
    }

    #[test]
    fn a_caller_whose_calls_are_all_over_goes_on_counting_their_failures() {
        let given_up = GivenUp::default();
        let [a, b] = [1, 2].map(|number| ClusterNo::new(number).unwrap());
        drop(given_up.wait_for(a));
        assert_eq!(given_up.ran_out(), BTreeSet::from([a]));
        assert!(given_up.wait_for(b).answered());
        drop(given_up.wait_for(b));
        given_up.forget();
        assert_eq!(given_up.ran_out(), BTreeSet::new());
        // What was under way when its time was over has ended since: the next calls are counted.
        let late = given_up.wait_for(a);
        assert_eq!(given_up.ran_out(), BTreeSet::from([a]));
        drop(late);
        given_up.forget();
        assert!(given_up.wait_for(b).answered());
    }
}
