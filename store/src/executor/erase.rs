//! Erasing: on the primaries first, then in the caches of all proxies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::Operation;
use cellgate_schemaless::{AddedId, ClusterNo, Erasure, TableRef};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{Executor, META_STORE, REPLAN_ROUNDS, RunError, epoch_of};
use crate::backend::{EraseStep, Erased};
use crate::error::{Reason, StoreError};

/// Most clusters at which erasures of one call are under way at the same time. At each there is one: several would wait for
/// each other at its log head, each with a connection, and for longer than a lock is waited for.
const AT_ONCE: usize = 8;

/// How many cells the first step of an erasure may erase: most rows have fewer. With bodies of the largest size that is
/// a gigabyte, which a server still writes to its log in the time of a statement.
pub(super) const FIRST_STEP: u32 = 64;

/// Most cells of any step. Of a few hundred ids in a list, all servers read just the rows.
const LONGEST_STEP: u32 = 512;

/// A step that takes less is followed by one of twice as many cells, one that takes longer and erases nothing by one of as
/// many, any other by one of the first's: others who write to the cluster wait for each. The time is also that which a step waits for them.
const SHORT: Duration = Duration::from_millis(100);

/// How often in a row a step that is not the first in its cluster is put off by [`SHORT`] when it was refused for others
/// who have the cluster. A long erasure has thousands of steps, and each of them may meet a busy moment.
const PUT_OFF: u32 = 10;

/// The keys of an erasure that are in one cluster.
#[derive(Debug, Default)]
struct Keys<'a> {
    /// Those behind the one that is being erased.
    left: VecDeque<&'a Erasure>,
    /// Of none of them is erased what has a higher id in this cluster: what was written behind this. `None` until it is read.
    bound: Option<(ClusterNo, AddedId)>,
    /// Whether a step of any of them has been done.
    begun: bool,
}

impl Keys<'_> {
    /// Whether the next step has to end at a bound: not if it may be the only one of the only key.
    fn want_bound(&self) -> bool {
        self.begun || !self.left.is_empty()
    }

    /// The highest id that is erased in this cluster, if it was read there: ids of two clusters are not compared.
    fn up_to(&self, cluster: ClusterNo) -> Option<AddedId> {
        self.bound.filter(|(of, _)| *of == cluster).map(|(_, up_to)| up_to)
    }
}

/// What became of an erasure.
#[derive(Debug, Default)]
struct Outcome {
    /// How many cells all its steps have erased, as far as was answered.
    cells: u64,
    /// It may have erased more than these.
    perhaps_more: bool,
    failure: Option<RunError>,
}

impl Executor {
    /// Erases; answers how many cells were, when no proxy answers them any more. However many erasures there are, the
    /// caches are waited for once. A cluster that fails is asked for nothing more, the others do all of theirs. It goes
    /// on to its end even if the caller stops waiting: what is erased on a primary must not stay in a cache. Where the
    /// answer of a store was lost and it was asked again, what the first attempt erased is not in the number.
    ///
    /// # Errors
    /// The first [`RunError::Cluster`], if nothing was erased; [`RunError::PartlyErased`] otherwise, also if all of it is and
    /// the caches could not be told.
    pub async fn erase(self: &Arc<Self>, table: &TableRef, what: Vec<Erasure>) -> Result<u64, RunError> {
        let (executor, table) = (Arc::clone(self), table.clone());
        match tokio::spawn(async move { executor.erase_all(&table, what).await }).await {
            Ok(erased) => erased,
            Err(panic) => {
                let error = StoreError::MaybeWritten { detail: format!("the erasing task died: {panic}") };
                Err(RunError::PartlyErased { cluster: "proxy".into(), error })
            }
        }
    }

    async fn erase_all(&self, table: &TableRef, what: Vec<Erasure>) -> Result<u64, RunError> {
        if what.is_empty() {
            return Ok(0);
        }
        let topology = self.topology();
        let mut by_cluster: BTreeMap<ClusterNo, Keys<'_>> = BTreeMap::new();
        for one in &what {
            let (_, cluster) = topology.locate(one.row().as_bytes());
            by_cluster.entry(cluster).or_default().left.push_back(one);
        }
        let mut waiting = by_cluster.into_values().collect::<VecDeque<_>>();
        let mut under_way = FuturesUnordered::new();
        let (mut erased, mut may_have, mut begun, mut failure) = (0, false, false, None);
        // Those under way end before the caches are told: a read that begins after that must not find what they erase.
        loop {
            while under_way.len() < AT_ONCE
                && let Some(mut keys) = waiting.pop_front()
                && let Some(next) = keys.left.pop_front()
            {
                under_way.push(async move { (self.erase_one(table, next, &mut keys).await, keys) });
            }
            match under_way.next().await {
                Some((one, keys)) => {
                    erased += one.cells;
                    may_have |= one.perhaps_more;
                    begun |= keys.begun;
                    if one.failure.is_none() && !keys.left.is_empty() {
                        waiting.push_back(keys);
                    }
                    failure = failure.or(one.failure);
                }
                None => break,
            }
        }
        let nothing = erased == 0 && !may_have;
        // Also when nothing was erased where a step was done: an earlier attempt may have ended before the caches were told.
        let told = match &self.fence {
            Some(fence) if begun || may_have => fence.erased(table).await,
            Some(_) | None => Ok(()),
        };
        match failure {
            Some(RunError::Cluster { cluster, error }) if !nothing || told.is_err() => {
                Err(RunError::PartlyErased { cluster, error })
            }
            Some(error) => Err(error),
            None => told.map(|()| erased).map_err(|error| RunError::PartlyErased { cluster: META_STORE.into(), error }),
        }
    }

    /// Erases on the primary. What it has passed by was erased by others, which is safe with a later commit of ours under
    /// the same start of the server (C17 of docs/ARCHITECTURE.md): behind another one all is looked at once more.
    async fn erase_one(&self, table: &TableRef, what: &Erasure, keys: &mut Keys<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let start = || self.clusters.get(&self.topology().locate(what.row().as_bytes()).1).map(|c| c.backend.start());
        for _ in 0..=REPLAN_ROUNDS {
            let began_under = start();
            self.erase_steps(table, what, keys, &mut outcome).await;
            if outcome.failure.is_some() || start() == began_under {
                return outcome;
            }
        }
        let detail = "the server was started again each time that the cells were erased".to_owned();
        let error = StoreError::Unavailable { reason: Reason::Statement, detail };
        let cluster = self.topology().locate(what.row().as_bytes()).1;
        let cluster = self.clusters.get(&cluster).map_or_else(|| cluster.to_string(), |cluster| cluster.name.clone());
        outcome.failure = Some(RunError::Cluster { cluster, error });
        outcome
    }

    /// Erases step by step, up to the first failure. What is written behind the first step of all `keys` is not erased: it
    /// would never end while somebody writes behind each, and a list of keys may be long.
    async fn erase_steps(&self, table: &TableRef, what: &Erasure, keys: &mut Keys<'_>, outcome: &mut Outcome) {
        let mut step = EraseStep { after: None, up_to: None, slots: FIRST_STEP };
        let mut put_off = 0;
        loop {
            let began = Instant::now();
            let erased = match self.erase_step(table, what, keys, &mut step, outcome).await {
                Ok(erased) => erased,
                Err(error) if keys.begun && put_off < PUT_OFF && is_busy(&error) => {
                    put_off += 1;
                    step.slots = FIRST_STEP;
                    tokio::time::sleep(SHORT).await;
                    continue;
                }
                Err(error) => {
                    outcome.failure = Some(error);
                    return;
                }
            };
            keys.begun = true;
            outcome.cells += erased.cells;
            outcome.perhaps_more |= erased.perhaps_more;
            let Some(last) = erased.last else { return };
            put_off = 0;
            step.slots = match (began.elapsed() < SHORT, erased.cells) {
                (true, _) => (step.slots * 2).min(LONGEST_STEP),
                // No shorter, or it would not get past what is erased.
                (false, 0) => step.slots,
                (false, _) => FIRST_STEP,
            };
            step.after = Some(last);
        }
    }

    /// Does one step. Up to where the erasure goes is read before the first step if there are several keys, and before the
    /// second one else: an erasure of a single step costs no more. What fails there has erased nothing.
    async fn erase_step(
        &self,
        table: &TableRef,
        what: &Erasure,
        keys: &mut Keys<'_>,
        step: &mut EraseStep,
        outcome: &mut Outcome,
    ) -> Result<Erased, RunError> {
        let mut last = None;
        for round in 1..=REPLAN_ROUNDS {
            let topology = self.topology();
            let (_, number) = topology.locate(what.row().as_bytes());
            let cluster = self.cluster(number)?;
            let epoch = epoch_of(&topology, number);
            if keys.want_bound() && keys.up_to(number).is_none() {
                keys.bound = Some((number, self.timed(cluster, Operation::Erase, cluster.backend.head()).await?));
            }
            step.up_to = keys.up_to(number);
            match self.timed(cluster, Operation::Erase, cluster.backend.erase(epoch, table, what, step)).await {
                Err(RunError::Cluster { error: StoreError::StaleEpoch { planned, current }, cluster }) => {
                    self.metrics.cluster(number).retried(Operation::Erase);
                    self.plan_again(&topology, round).await?;
                    last = Some(RunError::Cluster { cluster, error: StoreError::StaleEpoch { planned, current } });
                }
                Err(error) => {
                    outcome.perhaps_more |= matches!(&error, RunError::Cluster { error, .. } if may_have_erased(error));
                    return Err(error);
                }
                Ok(erased) => return Ok(erased),
            }
        }
        Err(last.unwrap_or(RunError::Contended))
    }
}

/// Whether others kept it from being done, which may be over soon. Nothing was erased.
fn is_busy(error: &RunError) -> bool {
    let RunError::Cluster { error: StoreError::Timeout { reason, .. }, .. } = error else { return false };
    matches!(reason, Reason::Queue | Reason::Lock)
}

/// Whether the cells may be erased although the store answered this: as of any write, and where a file's log could not be
/// emptied behind a statement that erased them.
fn may_have_erased(error: &StoreError) -> bool {
    error.may_be_written() || matches!(error, StoreError::Timeout { reason: Reason::Statement, .. })
}
