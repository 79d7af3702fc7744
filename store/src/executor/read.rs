//! Point reads: exact cells and latest cells.

use std::collections::BTreeMap;
use std::sync::Arc;

use cellgate_metrics::Operation;
use cellgate_router::{Part, Plan, gather, plan};
use cellgate_schemaless::{Cell, CellKind, Chain, LatestKey, RefKey, Request, TableRef, Triple};
use futures_util::future::join_all;

use super::{Cluster, Executor, RunError};

impl Executor {
    /// The cells with these names, `None` where there is none; one answer per key, in order.
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn get(&self, table: &TableRef, keys: Vec<Triple>) -> Result<Vec<Option<Cell>>, RunError> {
        let topology = self.topology();
        let Plan::Get { parts, keys: count, .. } = plan(Request::Get { table: table.clone(), keys }, &topology) else {
            return Ok(Vec::new());
        };
        self.metrics.request_clusters(parts.len());
        let reads = parts.into_iter().map(|part| async move {
            let cluster = self.cluster(part.cluster)?;
            let cells = self.timed(cluster, Operation::Get, cluster.backend.get(table, &part.items)).await?;
            let cells = cells.into_iter().map(|cell| settled(cluster, cell)).collect::<Result<Vec<_>, _>>()?;
            self.count_read(cluster, &cells);
            Ok((part, cells))
        });
        Ok(gather(count, join_all(reads).await.into_iter().collect::<Result<Vec<_>, RunError>>()?))
    }

    /// The latest cell of each chain, `None` where there is none; one answer per key, in order.
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn latest(&self, table: &TableRef, keys: Vec<LatestKey>) -> Result<Vec<Option<Cell>>, RunError> {
        let topology = self.topology();
        let Plan::Latest { parts, keys: count, .. } = plan(Request::Latest { table: table.clone(), keys }, &topology)
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
        Ok(gather(count, join_all(reads).await.into_iter().collect::<Result<Vec<_>, RunError>>()?))
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
        let Plan::Latest { parts, .. } = plan(Request::Latest { table: table.clone(), keys }, &topology) else {
            return Ok(BTreeMap::new());
        };
        let reads = parts.into_iter().map(|part| async move {
            let cluster = self.cluster(part.cluster)?;
            self.timed(cluster, Operation::Latest, cluster.backend.latest(table, &part.items)).await
        });
        let found = join_all(reads).await.into_iter().collect::<Result<Vec<_>, RunError>>()?;
        let slot = |cell: Cell| {
            let Triple { row, column, ref_key } = cell.triple;
            (Chain { row, column }, ref_key)
        };
        Ok(found.into_iter().flatten().flatten().map(slot).collect())
    }

    /// The latest visible cells of one cluster. Where the newest slot is erased, the one below it is asked for, and so
    /// on; each round asks only for the keys that are still open.
    async fn latest_part(
        &self,
        cluster: &Arc<Cluster>,
        table: &TableRef,
        part: &Part<LatestKey>,
    ) -> Result<Vec<Option<Cell>>, RunError> {
        let mut answers: Vec<Option<Cell>> = vec![None; part.items.len()];
        let mut open: Vec<(usize, LatestKey)> = part.items.iter().cloned().enumerate().collect();
        while !open.is_empty() {
            let keys: Vec<LatestKey> = open.iter().map(|(_, key)| key.clone()).collect();
            let found = self.timed(cluster, Operation::Latest, cluster.backend.latest(table, &keys)).await?;
            let mut below = Vec::new();
            for ((position, key), cell) in open.into_iter().zip(found) {
                let Some(cell) = cell else { continue };
                match settled(cluster, Some(cell.clone()))? {
                    Some(visible) => answers[position] = Some(visible),
                    None => {
                        // The lowest number there is has nothing below it.
                        if let Some(at_most) = cell.triple.ref_key.0.checked_sub(1) {
                            below.push((position, LatestKey { at_most: Some(RefKey(at_most)), ..key }));
                        }
                    }
                }
            }
            open = below;
        }
        Ok(answers)
    }

    fn count_read(&self, cluster: &Cluster, cells: &[Option<Cell>]) {
        self.metrics.cluster(cluster.number).cells_read(cells.iter().flatten().count());
    }
}

/// What a reader sees of a stored row: the cell, nothing, or that it cannot be said yet.
pub(super) fn settled(cluster: &Cluster, cell: Option<Cell>) -> Result<Option<Cell>, RunError> {
    match cell {
        Some(cell) if cell.txn.is_some() => Err(RunError::Undecided { cluster: cluster.name.clone() }),
        Some(cell) if cell.kind == CellKind::Cell => Ok(Some(cell)),
        Some(_) | None => Ok(None),
    }
}
