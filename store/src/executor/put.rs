//! Writes: grouped by cluster, versions found by compare-and-append, planned again when the topology changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::{Operation, Stage};
use cellgate_router::Topology;
use cellgate_schemaless::{
    Body, Cell, Chain, ClusterNo, ErrorKind, LatestKey, NewCell, RefKey, ShardId, TableId, TableRef, Triple, Version,
    Written,
};
use futures_util::future::join_all;
use tokio::sync::MutexGuard;

use super::given_up::Waiting;
use super::{Cluster, Executor, REPLAN_ROUNDS, RunError, epoch_of};
use crate::backend::{GroupCell, PlacedCell, PutGroup, PutMode, PutOutcome};
use crate::engine::now_micros;
use crate::error::{Reason, StoreError};

/// How often a compare-and-append may lose its race before the client is told to try again. Appenders of one proxy
/// take turns, but for those to many chains: each loss is another proxy's win, or one of those.
const APPEND_ATTEMPTS: usize = 64;

/// An append to more chains takes no turns on them before it has lost a race: it would keep nearly all other appenders of
/// the cluster waiting, mostly for nothing.
const MOST_TURNS: usize = 64;

/// How long an appender waits for its turn on a chain. Nothing of it has been written by then, so that giving up is safe;
/// long enough for hundreds of durable commits before it, short enough that writers do not pile up behind a store that hangs.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// A cell to be written to a table.
#[derive(Clone, Debug)]
pub struct PutItem {
    /// The table.
    pub table: TableRef,
    /// The cell.
    pub cell: NewCell,
    /// For an exact version: whether a cell with the same bytes by another write is a conflict, too. A transaction
    /// says so of cells that were not there when their statement ran.
    pub must_be_new: bool,
}

/// What became of one cell of a put.
#[derive(Clone, Debug)]
pub enum CellFate {
    /// It is there, durably.
    Written(Written),
    /// The triple exists with other bytes (this is its version); nothing in this cell's cluster was written.
    Conflict(RefKey),
    /// Not written, because another cell of the same cluster could not be.
    Withheld,
    /// The cluster failed: not written, unless [`RunError::may_be_written`].
    Failed(Arc<RunError>),
}

impl CellFate {
    /// Whether it is not known if the cell is there.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Failed(error) if error.may_be_written())
    }
}

/// A cell on its way, with its place in the statement.
#[derive(Clone, Debug)]
struct Pending {
    position: usize,
    table: TableRef,
    shard: ShardId,
    cell: NewCell,
    must_be_new: bool,
}

impl Executor {
    /// Writes cells: all that live in one cluster stand or fall together, in one transaction there.
    ///
    /// One fate per item, in order. The write goes on to its end even if the caller stops waiting.
    pub async fn put(self: &Arc<Self>, items: Vec<PutItem>) -> Vec<CellFate> {
        let count = items.len();
        let executor = Arc::clone(self);
        match tokio::spawn(async move { executor.put_all(items).await }).await {
            Ok(fates) => fates,
            Err(panic) => {
                let error = StoreError::MaybeWritten { detail: format!("the writing task died: {panic}") };
                let error = Arc::new(RunError::Cluster { cluster: "proxy".into(), error });
                vec![CellFate::Failed(error); count]
            }
        }
    }

    async fn put_all(&self, items: Vec<PutItem>) -> Vec<CellFate> {
        let mut fates: Vec<Option<CellFate>> = vec![None; items.len()];
        let mut open: Vec<(usize, PutItem)> = items.into_iter().enumerate().collect();
        for round in 1..=REPLAN_ROUNDS {
            let topology = self.topology();
            let started = Instant::now();
            let parts = route(&open, &topology);
            self.metrics.stage(Stage::Route, started.elapsed());
            self.metrics.request_clusters(parts.len());
            // A cluster that has not been used yet, or that this proxy does not know, takes nothing: then nothing is written
            // in the others either.
            if let Some(error) = parts.iter().find_map(|(number, _)| self.cluster(*number).err()) {
                let error = Arc::new(error);
                open.iter().for_each(|(p, _)| fates[*p] = Some(CellFate::Failed(Arc::clone(&error))));
                break;
            }
            let writes = parts.into_iter().map(|(number, cells)| {
                let topology = &topology;
                async move {
                    let positions: Vec<usize> = cells.iter().map(|c| c.position).collect();
                    (number, positions, self.put_cluster(number, cells, topology).await)
                }
            });
            let mut stale = BTreeSet::new();
            for (number, positions, outcome) in join_all(writes).await {
                match outcome {
                    Err(RunError::Cluster { error: StoreError::StaleEpoch { .. }, .. }) if round < REPLAN_ROUNDS => {
                        self.metrics.cluster(number).retried(Operation::Put);
                        stale.extend(positions);
                    }
                    Err(error) => {
                        let error = Arc::new(error);
                        positions.into_iter().for_each(|p| fates[p] = Some(CellFate::Failed(Arc::clone(&error))));
                    }
                    Ok(settled) => settled.into_iter().for_each(|(p, fate)| fates[p] = Some(fate)),
                }
            }
            open.retain(|(position, _)| stale.contains(position));
            if open.is_empty() {
                break;
            }
            if let Err(error) = self.plan_again(&topology, round).await {
                let error = Arc::new(error);
                open.iter().for_each(|(p, _)| fates[*p] = Some(CellFate::Failed(Arc::clone(&error))));
                break;
            }
        }
        fates.into_iter().map(|fate| fate.unwrap_or(CellFate::Withheld)).collect()
    }

    /// The part of one cluster, as one transaction.
    async fn put_cluster(
        &self,
        number: ClusterNo,
        cells: Vec<Pending>,
        topology: &Topology,
    ) -> Result<Vec<(usize, CellFate)>, RunError> {
        let cluster = self.cluster(number)?;
        let epoch = epoch_of(topology, number);
        let appended: BTreeSet<(TableId, Chain)> =
            cells.iter().filter(|c| c.cell.version == Version::Next).map(Pending::chain).collect();
        let mut turns = None;
        for attempt in 0..APPEND_ATTEMPTS {
            if turns.is_none() && (appended.len() <= MOST_TURNS || attempt > 0) {
                turns = Some(self.turns(cluster, &appended).await?);
            }
            let (group, of) = match self.resolve(cluster, &cells).await.map_err(RunError::not_begun)? {
                Resolved::Group { cells, of } => (cells, of),
                Resolved::Clash { position, ref_key } => return Ok(conflict(&cells, position, ref_key)),
            };
            // A token names one write of these triples (C3 of docs/ARCHITECTURE.md). An attempt that lost its race
            // wrote nothing, and the next one has other triples: it is another write.
            let groups = [PutGroup { token: self.tokens.next()?, cells: group }];
            let write = async { PutOutcome::of_one(cluster.backend.put(epoch, &groups).await) };
            let outcome = self.timed(cluster, Operation::Put, write).await?;
            let [PutGroup { cells: group, .. }] = groups;
            match outcome {
                PutOutcome::Stored(places) => {
                    self.count_written(number, &places);
                    return Ok(written(&cells, &group, &of, &places));
                }
                PutOutcome::Conflict { cell } => {
                    self.metrics.cluster(number).cells_conflicting(1);
                    let position = of.iter().position(|g| *g == cell).unwrap_or_default();
                    let lost_race = cells.get(position).is_some_and(|c| c.cell.version == Version::Next);
                    if !lost_race {
                        let ref_key = group.get(cell).map_or(RefKey(0), |c| c.triple.ref_key);
                        return Ok(conflict(&cells, position, ref_key));
                    }
                    self.metrics.cluster(number).retried(Operation::Put);
                }
                PutOutcome::Undecided { .. } => {
                    return Err(RunError::Undecided { cluster: cluster.name.clone() });
                }
                PutOutcome::Failed(error) => {
                    return Err(RunError::Cluster { cluster: cluster.name.clone(), error });
                }
            }
        }
        Err(RunError::Contended)
    }

    /// Waits for the turns on these chains of a cluster.
    ///
    /// # Errors
    /// A timeout of the cluster, with [`Reason::Queue`]; nothing is written.
    async fn turns<'a>(
        &self,
        cluster: &'a Cluster,
        chains: &BTreeSet<(TableId, Chain)>,
    ) -> Result<Vec<MutexGuard<'a, ()>>, RunError> {
        // Who waits behind other appenders waits for the cluster that they wait for.
        let waiting = self.given_up.as_deref().map(|given_up| given_up.wait_for(cluster.number));
        let turns = tokio::time::timeout(TURN_WAIT, cluster.chains.turn(chains.iter())).await;
        let awaited = waiting.is_none_or(Waiting::answered);
        turns.map_err(|_| {
            if awaited {
                self.metrics.cluster(cluster.number).failed(ErrorKind::Timeout);
            }
            let detail = format!("appends before it to the same chains were not over within {TURN_WAIT:?}");
            let error = StoreError::Timeout { reason: Reason::Queue, detail };
            RunError::Cluster { cluster: cluster.name.clone(), error }
        })
    }

    /// Gives every cell its version, and makes cells that name the same triple one.
    async fn resolve(&self, cluster: &Arc<Cluster>, cells: &[Pending]) -> Result<Resolved, RunError> {
        let mut latest = self.latest_versions(cluster, cells).await?;
        let mut group: Vec<GroupCell> = Vec::with_capacity(cells.len());
        let mut of = Vec::with_capacity(cells.len());
        let mut known: HashMap<(TableId, Triple), (usize, Body)> = HashMap::new();
        for (position, pending) in cells.iter().enumerate() {
            let chain = pending.chain();
            let (ref_key, mode) = match pending.cell.version {
                Version::Exact(ref_key) if pending.must_be_new => (ref_key, PutMode::Append),
                Version::Exact(ref_key) => (ref_key, PutMode::Explicit),
                Version::Next => {
                    let next = match latest.get(&chain) {
                        Some(latest) => latest.0.checked_add(1).ok_or(RunError::VersionsExhausted)?,
                        None => 1,
                    };
                    (RefKey(next), PutMode::Append)
                }
            };
            // Later cells of the statement see this one: the next version is above it.
            latest.entry(chain).and_modify(|l| *l = (*l).max(ref_key)).or_insert(ref_key);
            let NewCell { row, column, body, .. } = &pending.cell;
            let triple = Triple { row: row.clone(), column: column.clone(), ref_key };
            let name = (pending.table.id, triple.clone());
            match known.get(&name) {
                Some((index, first)) if first == body && mode == PutMode::Explicit => of.push(*index),
                Some(_) => return Ok(Resolved::Clash { position, ref_key }),
                None => {
                    known.insert(name, (group.len(), body.clone()));
                    of.push(group.len());
                    let (table, shard, body) = (pending.table.clone(), pending.shard, body.clone());
                    group.push(GroupCell { table, shard, triple, body, mode });
                }
            }
        }
        Ok(Resolved::Group { cells: group, of })
    }

    /// The highest version of every chain that is appended to. Erased and undecided slots count: their numbers are taken.
    async fn latest_versions(
        &self,
        cluster: &Arc<Cluster>,
        cells: &[Pending],
    ) -> Result<BTreeMap<(TableId, Chain), RefKey>, RunError> {
        let mut by_table: BTreeMap<&TableRef, BTreeSet<LatestKey>> = BTreeMap::new();
        for pending in cells.iter().filter(|c| c.cell.version == Version::Next) {
            let NewCell { row, column, .. } = &pending.cell;
            let key = LatestKey { row: row.clone(), column: column.clone(), at_most: None };
            by_table.entry(&pending.table).or_default().insert(key);
        }
        let mut versions = BTreeMap::new();
        for (table, keys) in by_table {
            let keys: Vec<LatestKey> = keys.into_iter().collect();
            let found = self.timed(cluster, Operation::Latest, cluster.backend.versions(table, &keys)).await?;
            let found = found.into_iter().flatten().map(|Cell { triple, .. }| {
                let Triple { row, column, ref_key } = triple;
                ((table.id, Chain { row, column }), ref_key)
            });
            versions.extend(found);
        }
        Ok(versions)
    }

    pub(super) fn count_written(&self, number: ClusterNo, places: &[PlacedCell]) {
        let new = places.iter().filter(|p| p.new).count();
        let metrics = self.metrics.cluster(number);
        metrics.cells_written(new);
        metrics.cells_same(places.len() - new);
        if let (Some(place), Some(cluster)) = (places.iter().find(|p| p.new), self.clusters.get(&number))
            && let Some(ahead) = cluster.ahead.by(place.created_at, now_micros(), Instant::now())
        {
            let (cluster, ahead_s) = (&cluster.name, ahead.as_secs());
            tracing::error!(cluster, ahead_s, "the times of the cells of a cluster are ahead of the clock");
        }
    }
}

impl Pending {
    fn chain(&self) -> (TableId, Chain) {
        (self.table.id, Chain { row: self.cell.row.clone(), column: self.cell.column.clone() })
    }
}

/// What a part looks like once every cell has its version.
enum Resolved {
    /// The cells to write, and for each cell of the statement the index of its group cell.
    Group { cells: Vec<GroupCell>, of: Vec<usize> },
    /// Two cells of the statement name one triple with different bytes.
    Clash { position: usize, ref_key: RefKey },
}

fn route(open: &[(usize, PutItem)], topology: &Topology) -> BTreeMap<ClusterNo, Vec<Pending>> {
    let mut parts: BTreeMap<ClusterNo, Vec<Pending>> = BTreeMap::new();
    for (position, item) in open {
        let (shard, cluster) = topology.locate(item.cell.row.as_bytes());
        parts.entry(cluster).or_default().push(Pending {
            position: *position,
            table: item.table.clone(),
            shard,
            cell: item.cell.clone(),
            must_be_new: item.must_be_new,
        });
    }
    parts
}

fn conflict(cells: &[Pending], position: usize, ref_key: RefKey) -> Vec<(usize, CellFate)> {
    let fate = |index| if index == position { CellFate::Conflict(ref_key) } else { CellFate::Withheld };
    cells.iter().enumerate().map(|(index, cell)| (cell.position, fate(index))).collect()
}

fn written(cells: &[Pending], group: &[GroupCell], of: &[usize], places: &[PlacedCell]) -> Vec<(usize, CellFate)> {
    let mut seen = BTreeSet::new();
    cells
        .iter()
        .zip(of)
        .filter_map(|(cell, index)| {
            let (place, stored) = (places.get(*index)?, group.get(*index)?);
            let written = Written {
                ref_key: stored.triple.ref_key,
                added_id: place.added_id,
                shard: cell.shard,
                created_at: place.created_at,
                // A repetition within the statement finds the first one there.
                new: place.new && seen.insert(*index),
            };
            Some((cell.position, CellFate::Written(written)))
        })
        .collect()
}
