//! What is there under the names of cells that are to be written.

use std::sync::Arc;

use cellgate_metrics::Operation;
use cellgate_router::Plan;
use cellgate_schemaless::{Body, Cell, Request, TableRef, Triple};
use futures_util::future::join_all;

use super::{Cluster, Executor, RunError};
use crate::backend::{BATCH_BODY, left_out};

/// Most names one statement looks up: with bodies of [`BATCH_BODY`] it answers half of what an answer may have.
const LOOK_KEYS: usize = 128;

impl Executor {
    /// What has the names of these cells, as [`Executor::get`] says, and the slots of erased ones. A body is answered if
    /// it is that of the given cell, and no other is kept: nothing bounds what the cells there have together, and one that
    /// is longer than 256 KiB (`BATCH_BODY`) is not read unless the given one is, too. One answer per cell, in order.
    ///
    /// # Errors
    /// [`RunError::Cluster`], [`RunError::Undecided`].
    pub async fn slots_for(&self, table: &TableRef, cells: Vec<(Triple, Body)>) -> Result<Vec<Option<Cell>>, RunError> {
        let (keys, bodies): (Vec<Triple>, Vec<Body>) = cells.into_iter().unzip();
        let topology = self.topology();
        let Plan::Get { parts, keys: count, .. } = self.route(Request::Get { table: table.clone(), keys }, &topology)
        else {
            return Ok(Vec::new());
        };
        self.metrics.request_clusters(parts.len());
        let bodies = &bodies;
        let reads = parts.into_iter().map(|part| async move {
            let cluster = self.cluster(part.cluster)?;
            let mut slots = Vec::with_capacity(part.items.len());
            for (keys, positions) in part.items.chunks(LOOK_KEYS).zip(part.positions.chunks(LOOK_KEYS)) {
                let read = cluster.backend.get_shared(table, keys);
                let found = self.timed(cluster, Operation::Get, read).await?;
                self.count_read(cluster, &found);
                for (slot, position) in found.into_iter().zip(positions) {
                    let slot = match (slot, bodies.get(*position)) {
                        (Some(slot), Some(body)) => Some(self.compared(cluster, table, slot, body).await?),
                        (slot, _) => slot,
                    };
                    slots.push(slot);
                }
            }
            Ok((part, slots))
        });
        Ok(self.merge(count, join_all(reads).await.into_iter().collect::<Result<Vec<_>, RunError>>()?))
    }

    /// The slot with this body if it has the same bytes, and without any otherwise.
    async fn compared(
        &self,
        cluster: &Arc<Cluster>,
        table: &TableRef,
        mut slot: Cell,
        body: &Body,
    ) -> Result<Cell, RunError> {
        // A long body can only be that of a cell as long: the others are told apart without it.
        if left_out(&slot) && body.as_bytes().len() > BATCH_BODY {
            let alone = cluster.backend.get(table, std::slice::from_ref(&slot.triple));
            if let Some(found) = self.timed(cluster, Operation::Get, alone).await?.pop().flatten() {
                slot = found;
            }
        }
        if slot.txn.is_some() {
            return Err(RunError::Undecided { cluster: cluster.name.clone() });
        }
        slot.body = slot.body.filter(|there| there == body).map(|_| body.clone());
        Ok(slot)
    }
}
