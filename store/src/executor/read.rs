//! Point reads: exact cells and latest cells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use cellgate_metrics::{Operation, Stage};
use cellgate_router::{Part, Plan, gather};
use cellgate_schemaless::{
    Cell, CellKind, Chain, Direction, LatestKey, RefKey, RefRange, Request, RowScan, RowSet, TableRef, Triple,
};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::{Cluster, Executor, RunError};

/// How many chains with an erased newest slot are read at once in one cluster.
const ERASED_READS: usize = 4;

impl Executor {
    /// How many of these cells are in memory and may be answered from there now; `None` without a cache.
    pub fn cached_of(&self, table: &TableRef, keys: &[Triple]) -> Option<usize> {
        let cache = self.cache.as_ref()?;
        let topology = self.topology();
        let has = |key: &&Triple| {
            let (_, number) = topology.locate(key.row.as_bytes());
            self.clusters.get(&number).is_some_and(|cluster| cache.has(Self::source_of(table, cluster), key))
        };
        Some(keys.iter().filter(has).count())
    }

    /// The cells with these names, `None` where there is none; one answer per key, in order.
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn get(&self, table: &TableRef, keys: Vec<Triple>) -> Result<Vec<Option<Cell>>, RunError> {
        let slots = self.slots(table, keys).await?;
        Ok(slots.into_iter().map(|slot| slot.filter(Cell::is_visible)).collect())
    }

    /// What has these names: cells, and the slots of erased ones, whose names are taken for ever (C8 of
    /// docs/ARCHITECTURE.md).
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn slots(&self, table: &TableRef, keys: Vec<Triple>) -> Result<Vec<Option<Cell>>, RunError> {
        let topology = self.topology();
        let Plan::Get { parts, keys: count, .. } = self.route(Request::Get { table: table.clone(), keys }, &topology)
        else {
            return Ok(Vec::new());
        };
        self.metrics.request_clusters(parts.len());
        let reads = parts.into_iter().map(|part| async move {
            let cluster = self.cluster(part.cluster)?;
            let slots = self.slots_of(cluster, table, &part.items).await?;
            Ok((part, slots))
        });
        Ok(self.merge(count, join_all(reads).await.into_iter().collect::<Result<Vec<_>, RunError>>()?))
    }

    /// What has these names in one cluster: from memory, or else from one snapshot of its store (C7 of docs/ARCHITECTURE.md).
    /// A cell in memory is in every later snapshot, too, but for an erasure and for a crash of its server; behind either all
    /// of them are read from the store. An erasure that is not answered yet and is of none of the cells that are missing in
    /// memory is not seen: what it erases may be answered beside what was written since (C9).
    async fn slots_of(
        &self,
        cluster: &Arc<Cluster>,
        table: &TableRef,
        keys: &[Triple],
    ) -> Result<Vec<Option<Cell>>, RunError> {
        let Some(cache) = &self.cache else { return self.read_slots(cluster, table, keys).await };
        let source = Self::source_of(table, cluster);
        let mut answers: Vec<Option<Cell>> = keys.iter().map(|key| cache.get(source, key)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|i| answers[*i].is_none()).collect();
        if missing.is_empty() {
            return Ok(answers);
        }
        let ticket = cache.ticket();
        if missing.len() == keys.len() {
            answers = self.read_slots(cluster, table, keys).await?;
            answers.iter().flatten().for_each(|cell| cache.fill(ticket, source, cell));
            return Ok(answers);
        }
        let asked: Vec<Triple> = missing.iter().map(|i| keys[*i].clone()).collect();
        let found = self.read_slots(cluster, table, &asked).await?;
        let is_erased = |slot: &Cell| slot.kind == CellKind::Erased;
        if found.iter().flatten().any(is_erased) || Self::source_of(table, cluster) != source {
            let (ticket, source) = (cache.ticket(), Self::source_of(table, cluster));
            let slots = self.read_slots(cluster, table, keys).await?;
            slots.iter().flatten().for_each(|cell| cache.fill(ticket, source, cell));
            return Ok(slots);
        }
        for (i, slot) in missing.into_iter().zip(found) {
            if let Some(cell) = &slot {
                cache.fill(ticket, source, cell);
            }
            answers[i] = slot;
        }
        Ok(answers)
    }

    pub(super) async fn read_slots(
        &self,
        cluster: &Arc<Cluster>,
        table: &TableRef,
        keys: &[Triple],
    ) -> Result<Vec<Option<Cell>>, RunError> {
        let slots = self.timed(cluster, Operation::Get, cluster.backend.get(table, keys)).await?;
        if slots.iter().flatten().any(|slot| slot.txn.is_some()) {
            return Err(RunError::Undecided { cluster: cluster.name.clone() });
        }
        self.count_read(cluster, &slots);
        Ok(slots)
    }

    /// The latest cell of each chain, `None` where there is none; one answer per key, in order.
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn latest(&self, table: &TableRef, keys: Vec<LatestKey>) -> Result<Vec<Option<Cell>>, RunError> {
        let topology = self.topology();
        let Plan::Latest { parts, keys: count, .. } =
            self.route(Request::Latest { table: table.clone(), keys }, &topology)
        else {
            return Ok(Vec::new());
        };
        self.metrics.request_clusters(parts.len());
        let reads = parts.into_iter().map(|part| async move {
            let cluster = self.cluster(part.cluster)?;
            let cells = self.latest_part(cluster, table, &part).await?;
            self.count_read(cluster, &cells);
            Ok((part, cells))
        });
        Ok(self.merge(count, join_all(reads).await.into_iter().collect::<Result<Vec<_>, RunError>>()?))
    }

    /// The highest version of each chain that has one, whatever the slot holds: what is erased or held by a
    /// transaction has its number for ever.
    ///
    /// # Errors
    /// [`RunError::Cluster`].
    pub async fn latest_slots(
        &self,
        table: &TableRef,
        keys: Vec<LatestKey>,
    ) -> Result<BTreeMap<Chain, RefKey>, RunError> {
        let topology = self.topology();
        let Plan::Latest { parts, .. } = self.route(Request::Latest { table: table.clone(), keys }, &topology) else {
            return Ok(BTreeMap::new());
        };
        let reads = parts.into_iter().map(|part| async move {
            let cluster = self.cluster(part.cluster)?;
            self.timed(cluster, Operation::Latest, cluster.backend.versions(table, &part.items)).await
        });
        let found = join_all(reads).await.into_iter().collect::<Result<Vec<_>, RunError>>()?;
        let slot = |cell: Cell| {
            let Triple { row, column, ref_key } = cell.triple;
            (Chain { row, column }, ref_key)
        };
        Ok(found.into_iter().flatten().flatten().map(slot).collect())
    }

    /// The latest visible cells of one cluster. Where the newest slot of a chain is erased, the newest cell below it is
    /// asked for: one more read per such chain, however many slots under it are erased, too.
    async fn latest_part(
        &self,
        cluster: &Arc<Cluster>,
        table: &TableRef,
        part: &Part<LatestKey>,
    ) -> Result<Vec<Option<Cell>>, RunError> {
        let found = self.timed(cluster, Operation::Latest, cluster.backend.latest(table, &part.items)).await?;
        let answers = found.into_iter().map(|slot| async {
            match slot.as_ref().and_then(below_erased) {
                Some(at_most) => self.newest_cell(cluster, table, slot, at_most).await,
                None => settled(cluster, slot),
            }
        });
        // A few at a time: each takes a connection, and a statement may name many erased chains.
        stream::iter(answers).buffered(ERASED_READS).try_collect().await
    }

    /// The newest cell of the chain of `slot` up to this version, whatever was erased in between.
    pub(super) async fn newest_cell(
        &self,
        cluster: &Arc<Cluster>,
        table: &TableRef,
        slot: Option<Cell>,
        at_most: RefKey,
    ) -> Result<Option<Cell>, RunError> {
        let chain = slot.map(|slot| Chain { row: slot.triple.row, column: slot.triple.column });
        let scan = RowScan {
            set: RowSet::Chains(chain.into_iter().collect()),
            refs: RefRange { min: None, max: Some(at_most) },
            direction: Direction::Descending,
            after: None,
            up_to: None,
            limit: Some(1),
        };
        let page = self.timed(cluster, Operation::Latest, cluster.backend.rows(table, &scan)).await?;
        settled(cluster, page.cells.into_iter().next())
    }

    /// The clusters' answers as one, timed.
    pub(super) fn merge<K, T>(&self, count: usize, parts: Vec<(Part<K>, Vec<Option<T>>)>) -> Vec<Option<T>> {
        let started = Instant::now();
        let answers = gather(count, parts);
        self.metrics.stage(Stage::Merge, started.elapsed());
        answers
    }

    pub(super) fn count_read(&self, cluster: &Cluster, cells: &[Option<Cell>]) {
        self.metrics.cluster(cluster.number).cells_read(cells.iter().flatten().count());
    }
}

/// Up to which version a cell may be below a newest slot that is erased; `None` for a slot that is not, or is the lowest.
pub(super) fn below_erased(slot: &Cell) -> Option<RefKey> {
    let erased = slot.kind == CellKind::Erased && slot.txn.is_none();
    slot.triple.ref_key.0.checked_sub(1).filter(|_| erased).map(RefKey)
}

/// What a reader sees of a stored row: the cell, nothing, or that it cannot be said yet.
pub(super) fn settled(cluster: &Cluster, cell: Option<Cell>) -> Result<Option<Cell>, RunError> {
    match cell {
        Some(cell) if cell.txn.is_some() => Err(RunError::Undecided { cluster: cluster.name.clone() }),
        Some(cell) if cell.kind == CellKind::Cell => Ok(Some(cell)),
        Some(_) | None => Ok(None),
    }
}
