//! One cell: what most statements are about. The same as reading or writing several, with nothing to split, to gather or
//! to wait for in between.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use cellgate_metrics::{Operation, Stage};
use cellgate_schemaless::{Body, Cell, ClusterNo, Epoch, LatestKey, RowKey, TableRef, Triple, Written};

use super::put::CellFate;
use super::read::{below_erased, settled};
use super::{Cluster, Executor, REPLAN_ROUNDS, RunError, epoch_of};
use crate::backend::{AtOnce, GroupCell, PlacedCell, PutGroup, PutMode, PutOutcome};
use crate::error::StoreError;

impl Executor {
    /// What [`Executor::cell`] answers to who asked at `now`, if it is known without waiting: from the cache, or from a
    /// store that is part of this process. Who is told nothing goes on with the other, which also says what is wrong.
    pub fn cell_at_once(&self, table: &TableRef, key: &Triple, now: Instant) -> Option<Option<Cell>> {
        let cluster = self.near(&key.row)?;
        let cache = self.cache.as_ref().map(|cache| (cache, Self::source_of(table, cluster)));
        if let Some((cache, source)) = cache
            && let Some(found) = cache.look_up(source, key, now)
        {
            self.metrics.cache_lookup(true);
            return Some(Some(found));
        }
        // What shares statements is never known at once.
        if cluster.queues().is_some() {
            return None;
        }
        let ticket = cache.map(|(cache, _)| cache.ticket());
        let slot = self.at_once(cluster, Operation::Get, |_| false, || cluster.backend.get_at_once(table, key))?;
        if let (Some((cache, source)), Some(ticket)) = (cache, ticket) {
            self.metrics.cache_lookup(false);
            if let Some(slot) = &slot {
                cache.fill(ticket, source, slot);
            }
        }
        Some(slot.filter(Cell::is_visible))
    }

    /// What [`Executor::latest_cell`] answers, if it is known without waiting.
    pub fn latest_at_once(&self, table: &TableRef, key: &LatestKey) -> Option<Option<Cell>> {
        let cluster = self.near(&key.row).filter(|cluster| cluster.queues().is_none())?;
        // Below an erased one there may be others.
        let more = |slot: &Cell| below_erased(slot).is_some();
        let slot = self.at_once(cluster, Operation::Latest, more, || cluster.backend.latest_at_once(table, key))?;
        Some(slot.filter(Cell::is_visible))
    }

    /// The cluster of a row, if it may be asked.
    fn near(&self, row: &RowKey) -> Option<&Cluster> {
        let (_, number) = self.topology().locate(row.as_bytes());
        self.clusters.get(&number).map(Arc::as_ref).filter(|cluster| cluster.is_verified())
    }

    /// Asks for a slot that is known without waiting, and counts it like one that was waited for. An undecided one, and one
    /// there is `more` to ask about, are for the other way, which counts them.
    fn at_once(
        &self,
        cluster: &Cluster,
        operation: Operation,
        more: impl Fn(&Cell) -> bool,
        ask: impl FnOnce() -> AtOnce,
    ) -> Option<Option<Cell>> {
        let started = Instant::now();
        let AtOnce::Row(slot) = ask() else { return None };
        if slot.as_ref().is_some_and(|slot| slot.txn.is_some() || more(slot)) {
            return None;
        }
        let took = started.elapsed();
        self.metrics.request_clusters(1);
        self.metrics.cluster(cluster.number).observe(operation, took);
        self.metrics.stage(Stage::Store, took);
        self.count_read(cluster, std::slice::from_ref(&slot));
        Some(slot)
    }

    /// The cell of this name from its store, `None` if there is none.
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn cell(&self, table: &TableRef, key: &Triple) -> Result<Option<Cell>, RunError> {
        let (_, number) = self.topology().locate(key.row.as_bytes());
        self.metrics.request_clusters(1);
        let cluster = self.cluster(number)?;
        let cache = self.cache.as_ref().map(|cache| {
            self.metrics.cache_lookup(false);
            (cache, cache.ticket(), Self::source_of(table, cluster))
        });
        let read = async {
            match cluster.queues() {
                Some(queues) => queues.get_one(table, key.clone())?.await,
                None => Ok(cluster.backend.get(table, std::slice::from_ref(key)).await?.pop().flatten()),
            }
        };
        let slot = self.timed(cluster, Operation::Get, pin!(read)).await?;
        if slot.as_ref().is_some_and(|slot| slot.txn.is_some()) {
            return Err(RunError::Undecided { cluster: cluster.name.clone() });
        }
        self.count_read(cluster, std::slice::from_ref(&slot));
        if let (Some((cache, ticket, source)), Some(slot)) = (cache, &slot) {
            cache.fill(ticket, source, slot);
        }
        Ok(slot.filter(Cell::is_visible))
    }

    /// The latest cell of a chain, `None` if it has none.
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn latest_cell(&self, table: &TableRef, key: &LatestKey) -> Result<Option<Cell>, RunError> {
        let (_, number) = self.topology().locate(key.row.as_bytes());
        self.metrics.request_clusters(1);
        let cluster = self.cluster(number)?;
        let read = async {
            match cluster.queues() {
                // A bound on the version makes another statement of it.
                Some(queues) if key.at_most.is_none() => queues.latest_one(table, key.clone())?.await,
                Some(_) | None => Ok(cluster.backend.latest(table, std::slice::from_ref(key)).await?.pop().flatten()),
            }
        };
        let slot = self.timed(cluster, Operation::Latest, pin!(read)).await?;
        let cell = match slot.as_ref().and_then(below_erased) {
            Some(at_most) => Box::pin(self.newest_cell(cluster, table, slot, at_most)).await?,
            None => settled(cluster, slot)?,
        };
        self.count_read(cluster, std::slice::from_ref(&cell));
        Ok(cell)
    }

    /// Writes a cell of an explicit version: the same bytes are no conflict. The write goes on to its end even if the
    /// caller stops waiting.
    pub async fn put_cell(&self, table: &TableRef, triple: &Triple, body: Body) -> CellFate {
        let mut round = 1;
        loop {
            let topology = self.topology();
            let (shard, number) = topology.locate(triple.row.as_bytes());
            self.metrics.request_clusters(1);
            let cell = GroupCell {
                table: table.clone(),
                shard,
                triple: triple.clone(),
                body: body.clone(),
                mode: PutMode::Explicit,
            };
            let put = self.put_group(number, epoch_of(&topology, number), cell);
            let error = match put.await {
                Ok(fate) => return fate,
                Err(error) => error,
            };
            if !matches!(error, RunError::Cluster { error: StoreError::StaleEpoch { .. }, .. })
                || round >= REPLAN_ROUNDS
            {
                return CellFate::Failed(Arc::new(error));
            }
            self.metrics.cluster(number).retried(Operation::Put);
            if let Err(error) = Box::pin(self.plan_again(&topology, round)).await {
                return CellFate::Failed(Arc::new(error));
            }
            round += 1;
        }
    }

    async fn put_group(&self, number: ClusterNo, epoch: Epoch, cell: GroupCell) -> Result<CellFate, RunError> {
        let cluster = self.cluster(number)?;
        let (shard, ref_key) = (cell.shard, cell.triple.ref_key);
        let table = cell.table.clone();
        let group = PutGroup { token: self.tokens.next()?, cells: vec![cell] };
        let write = async {
            match cluster.queues() {
                Some(queues) => queues.put_one(epoch, &table, group)?.await?.settled(),
                None => PutOutcome::of_one(cluster.backend.put(epoch, &[group]).await),
            }
        };
        match self.timed(cluster, Operation::Put, pin!(write)).await? {
            PutOutcome::Stored(places) if !places.is_empty() => {
                self.count_written(number, &places);
                let PlacedCell { added_id, created_at, new } = places[0];
                Ok(CellFate::Written(Written { ref_key, added_id, shard, created_at, new }))
            }
            PutOutcome::Conflict { .. } => {
                self.metrics.cluster(number).cells_conflicting(1);
                Ok(CellFate::Conflict(ref_key))
            }
            PutOutcome::Undecided { .. } => Err(RunError::Undecided { cluster: cluster.name.clone() }),
            PutOutcome::Failed(error) => Err(RunError::Cluster { cluster: cluster.name.clone(), error }),
            PutOutcome::Stored(_) => {
                let error = StoreError::Failed { detail: "the store answered no outcome".into() };
                Err(RunError::Cluster { cluster: cluster.name.clone(), error })
            }
        }
    }
}
