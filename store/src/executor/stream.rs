//! Row scans and log scans as streams of pages, merged over the clusters, with bounded memory.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use cellgate_metrics::{Operation, Stage};
use cellgate_router::{Merge, Plan, log_order, row_order};
use cellgate_schemaless::{AddedId, Cell, ClusterNo, LogScan, Request, RowScan, TableRef};
use futures_util::future::join_all;

use super::read::settled;
use super::{Cluster, Executor, RunError};

/// Most rows asked of one cluster at a time. With the engines' bound on bytes per page this bounds the memory of a
/// stream; large enough that the round trip is a small part of a page's cost.
pub(super) const PAGE_ROWS: u64 = 1000;

type Order = Box<dyn Fn(&Cell, &Cell) -> Ordering + Send + Sync>;

/// A scan in progress. Pages are fetched as they are asked for: who stops asking stops reading.
pub struct CellStream {
    executor: Arc<Executor>,
    table: TableRef,
    parts: Vec<(ClusterNo, Cursor)>,
    merge: Merge<Order>,
    remaining: Option<u64>,
}

#[derive(Clone, Debug)]
enum Cursor {
    Rows(RowScan),
    Log(LogScan),
}

impl Executor {
    /// Starts a [`Request::Rows`] or [`Request::Log`]. Any other request streams nothing.
    pub fn stream(self: &Arc<Self>, request: Request) -> CellStream {
        let topology = self.topology();
        let (table, parts, order, remaining): (_, Vec<_>, Order, _) = match self.route(request, &topology) {
            Plan::Rows { table, parts } => {
                let (direction, limit) = match parts.first() {
                    Some((_, scan)) => (scan.direction, scan.limit),
                    None => (cellgate_schemaless::Direction::Ascending, None),
                };
                let parts = parts.into_iter().map(|(cluster, scan)| (cluster, Cursor::Rows(scan))).collect();
                (table, parts, Box::new(row_order(direction)), limit)
            }
            Plan::Log { table, parts } => {
                let limit = parts.first().and_then(|(_, scan)| scan.limit);
                let parts = parts.into_iter().map(|(cluster, scan)| (cluster, Cursor::Log(scan))).collect();
                (table, parts, Box::new(log_order), limit)
            }
            Plan::Get { table, .. }
            | Plan::Latest { table, .. }
            | Plan::Put { table, .. }
            | Plan::Erase { table, .. } => (table, Vec::new(), Box::new(log_order), None),
        };
        self.metrics.request_clusters(parts.len());
        let merge = Merge::new(parts.len(), order);
        CellStream { executor: Arc::clone(self), table, parts, merge, remaining }
    }
}

impl CellStream {
    /// The next cells, in order; `None` at the end. Never an empty page.
    ///
    /// # Errors
    /// [`RunError::Cluster`]; [`RunError::Undecided`] for a row scan (a log scan ends in front of an undecided cell
    /// of its shard instead: what follows it is not known to be next).
    pub async fn next(&mut self) -> Result<Option<Vec<Cell>>, RunError> {
        loop {
            if self.remaining == Some(0) || self.merge.is_done() {
                return Ok(None);
            }
            let wanting: Vec<usize> = self.merge.wanting().collect();
            let pages = wanting.iter().map(|index| self.page(*index));
            let pages = join_all(pages).await.into_iter().collect::<Result<Vec<_>, RunError>>()?;
            let started = Instant::now();
            for (index, (cells, more, cursor)) in wanting.into_iter().zip(pages) {
                self.parts[index].1 = cursor;
                self.merge.deliver(index, cells, more);
            }
            let mut cells = self.merge.drain();
            self.executor.metrics.stage(Stage::Merge, started.elapsed());
            if let Some(remaining) = &mut self.remaining {
                cells.truncate(usize::try_from(*remaining).unwrap_or(usize::MAX));
                *remaining -= cells.len() as u64;
            }
            if !cells.is_empty() {
                return Ok(Some(cells));
            }
        }
    }

    /// About how many bytes its cells have that are read and not given out yet: each cluster but one has a page of them.
    pub fn held(&self) -> usize {
        self.merge.held()
    }

    /// Where the scan of a cluster ends. It is asked for with the second page, so that scans of one page cost nothing.
    /// Without an end, who writes a next version of each cell it reads would read those, too, and never come to the last.
    async fn head(&self, cluster: &Cluster, operation: Operation) -> Result<AddedId, RunError> {
        self.executor.timed(cluster, operation, cluster.backend.head()).await
    }

    /// One page of one part: its visible cells, whether another follows, and the cursor behind it.
    async fn page(&self, index: usize) -> Result<(Vec<Cell>, bool, Cursor), RunError> {
        let (number, cursor) = &self.parts[index];
        let cluster = self.executor.cluster(*number)?;
        let limit = Some(self.remaining.map_or(PAGE_ROWS, |remaining| remaining.min(PAGE_ROWS)));
        let answer = match cursor.clone() {
            Cursor::Rows(mut scan) => {
                scan.limit = limit;
                if scan.after.is_some() && scan.up_to.is_none() {
                    scan.up_to = Some(self.head(cluster, Operation::Rows).await?);
                }
                let read = cluster.backend.rows(&self.table, &scan);
                let page = self.executor.timed(cluster, Operation::Rows, read).await?;
                scan.after = page.cells.last().map(|cell| cell.triple.clone()).or(scan.after);
                let cells = visible(cluster, page.cells)?;
                (cells, page.more, Cursor::Rows(scan))
            }
            Cursor::Log(mut scan) => {
                scan.limit = limit;
                if scan.after.is_some() && scan.up_to.is_none() {
                    scan.up_to = Some(self.head(cluster, Operation::Log).await?);
                }
                let read = cluster.backend.log(&self.table, &scan);
                let page = self.executor.timed(cluster, Operation::Log, read).await?;
                scan.after = page.cells.last().map(|cell| (cell.shard, cell.added_id)).or(scan.after);
                let undecided: Vec<_> = page.cells.iter().filter(|c| c.txn.is_some()).map(|c| c.shard).collect();
                let mut cells = page.cells;
                let mut blocked = Vec::new();
                cells.retain(|cell| {
                    if cell.txn.is_some() {
                        blocked.push(cell.shard);
                    }
                    !blocked.contains(&cell.shard)
                });
                scan.shards.retain(|shard| !undecided.contains(shard));
                let more = page.more && !scan.shards.is_empty();
                (cells, more, Cursor::Log(scan))
            }
        };
        self.executor.metrics.cluster(*number).cells_read(answer.0.len());
        Ok(answer)
    }
}

fn visible(cluster: &Cluster, cells: Vec<Cell>) -> Result<Vec<Cell>, RunError> {
    let settled = cells.into_iter().map(|cell| settled(cluster, Some(cell)));
    Ok(settled.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
