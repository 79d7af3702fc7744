//! Requests of many clients in one statement: a queue in front of a backend.
//!
//! For every cluster there are lanes per kind of request: reads by name, reads of the latest, writes. A lane has one
//! statement under way. While a lane is free, a request takes it at once; while all are busy, requests queue, and the
//! next free lane takes everything that waits (up to a bound) as one statement. As a rule there are two, of which the second
//! begins only with half of those outstanding, because larger batches are cheaper; more when batches are full, a statement is
//! slow, the store is far away, or each request can have a lane. No batch ever waits for a timer, so that at low load this
//! costs nothing, and the more clients there are, the less each of them costs the server.
//!
//! While many requests are outstanding and few of them wait, a lane first lets those run who are ready to ask, for as long
//! as that brings more: a batch of one just before thirty others is the dearest there is.
//!
//! # What is promised
//! - Everybody gets its own outcome. What can be wrong with one request is checked before it is queued, and a batch
//!   that fails of one member is run one by one.
//! - The keys of one call are read by one statement, from one snapshot (C7 of docs/ARCHITECTURE.md).
//! - Writes: one batch at a time (two if the store is far away or a PostgreSQL), and only groups of one cell share one (C4 of
//!   docs/ARCHITECTURE.md); what must stand or fall together is its own transaction. A batch is bounded in bytes, so that it is one
//!   transaction, and large bodies have a queue of their own, so that small ones do not wait for those. A write that was taken in
//!   goes on to its end, whoever stops waiting.
//! - Fairness: a call about more keys than `per_request` runs beside the lanes, and so do scans; all of these together
//!   leave connections for every lane (a pool of less than ten has one or two fewer than that, one of less than four not
//!   even one for each). Writes have half of those beside the lanes at most, and making and removing tables a quarter: they
//!   wait for the log head or for who reads the table, and no read is to wait for that. Where there are two, they have one each.
//! - A queue that is full, of cells or of bytes of writes, refuses at once; who waits longer than its patience is told so,
//!   though statements hang.
//!
//! # What is refused
//! Nothing else: every other method goes to the backend as it is.

mod asked;
mod beside;
mod kinds;
mod lanes;
mod pages;
mod queue;
mod way;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cellgate_metrics::{ClusterMetrics, PoolState, Queue as Label};
use cellgate_schemaless::{
    AddedId, Cell, Epoch, Erasure, LatestKey, LogScan, RowScan, ShardId, TableRef, Triple, limits,
};

pub use self::asked::Waiting;
use self::beside::Beside;
use self::kinds::{Bodies, Gets, Latests, Puts};
use self::lanes::Lanes;
use self::pages::Pages;
use self::queue::Bounds;
use self::way::Way;
use crate::backend::{
    BATCH_BYTES, Backend, EraseStep, Erased, Identity, Location, LogPage, PutGroup, PutOutcome, RowPage, ShardState,
    Timeouts,
};
use crate::draining::wait_until;
use crate::error::StoreError;
use crate::sql::Dialect;

/// How long after the last shared statement pages stay short: where there are fewer of them, few wait behind a page.
const BESIDE: Duration = Duration::from_millis(10);

/// Most shared writes under way at once. They commit one after the other, for the log head is locked, but one is on its way to
/// a store that is far away while the other commits.
const WRITES: usize = 2;

/// From how many bytes on a write is large: some such are a batch, and others would wait long behind one.
const LARGE: usize = BATCH_BYTES / 8;

/// How requests share statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoalesceOptions {
    /// Most cells of one shared read. Measured: at 64 a cell costs MariaDB a fifth of a statement of its own, and
    /// twice as many keys gain little.
    pub batch_reads: usize,
    /// Most cells of one shared write; it is one durable commit.
    pub batch_writes: usize,
    /// Most keys of one call in a shared statement; a call about more runs by itself.
    pub per_request: usize,
    /// Most shared statements of one kind of read under way at once: so many are if batches are full, statements slow,
    /// the store far away, or no more cells asked for than that, so that each has a lane of its own. Writes have one then, or
    /// two if the store is far away.
    pub lanes: usize,
    /// How many there are as a rule: fewer make larger batches, which cost the server less. With two of them the server works
    /// on one while the clients of the other get their answers and ask again; a second one begins only with half of those
    /// outstanding, so that batches stay as large. Measured with one MariaDB on two processors, beside one lane: 1.25x the
    /// reads of 8 clients, 1.08x of 16, 1.15x of 32, 1.07x of 64, at the same processor time per read.
    pub busy_lanes: usize,
    /// The same of writes, 1 or 2. They commit one after the other, for the log head is locked; of a PostgreSQL, whose
    /// lock lasts until the log is on disk, a second one is worth while: it is there when the first is over. Measured on two
    /// processors: 1.1x the puts of 16 clients, 1.2x of 64. A MariaDB gets 0.85x and 0.9x through two. A full batch
    /// waits for the one before it either way: with 256 clients a second one is a tenth less and a longer tail.
    pub write_lanes: usize,
    /// A statement under way for so long keeps nobody waiting: all lanes are used beside it. They are, too, if none takes
    /// less, and for whoever has waited for so long.
    pub slow: Duration,
    /// A store whose answer to a ping takes so long is far away: the time of a statement goes by on the way and not on the
    /// server's processor, larger batches save little of it, and all lanes are used. The shortest of the last
    /// eight pings counts. Measured with MariaDB: beside the proxy one takes 0.1 to 0.25 ms, also while two
    /// processors are busy; with half a millisecond on the way there and back, 4 and 16 clients get half as many reads
    /// through one lane as through four.
    pub far: Duration,
    /// Most cells that may wait, per kind.
    pub queue_cells: usize,
    /// Most bytes of keys and bodies of writes that wait, of small and of large ones each. One write may have more.
    pub queue_bytes: usize,
}

impl Default for CoalesceOptions {
    fn default() -> Self {
        Self {
            batch_reads: 64,
            batch_writes: 128,
            per_request: 16,
            lanes: 4,
            busy_lanes: 2,
            write_lanes: 1,
            slow: Duration::from_millis(2),
            far: Duration::from_micros(400),
            queue_cells: 8192,
            queue_bytes: 256 << 20,
        }
    }
}

/// A [`Backend`] behind queues.
pub struct Coalescing {
    backend: Arc<dyn Backend>,
    options: CoalesceOptions,
    timeouts: Timeouts,
    gets: Arc<Lanes<Gets>>,
    latests: Arc<Lanes<Latests>>,
    puts: Arc<Lanes<Puts>>,
    /// Writes of [`LARGE`] bytes and more.
    large_puts: Arc<Lanes<Puts>>,
    /// How far away the store is.
    way: Way,
    /// Connections for what runs beside the lanes.
    beside: Beside,
    /// How long pages are, of logs and of rows.
    log_pages: Pages,
    row_pages: Pages,
}

impl fmt::Debug for Coalescing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalescing").field("backend", &self.backend).field("options", &self.options).finish()
    }
}

impl Coalescing {
    /// Queues in front of `backend`, which has `connections` connections.
    pub fn new(
        backend: Arc<dyn Backend>,
        options: CoalesceOptions,
        connections: usize,
        timeouts: Timeouts,
        metrics: &ClusterMetrics,
    ) -> Self {
        // A small pool: every kind of read has at most a quarter of it, writes have two and large ones one, the rest is for scans.
        let lanes = options.lanes.clamp(1, (connections / 4).max(1));
        let most_writes = if connections > 4 { WRITES } else { 1 };
        // One for a write and one for a read at least.
        let beside = connections.saturating_sub(2 * lanes + most_writes + 1).max(2);
        let (busy_lanes, slow, waiting) = (options.busy_lanes.clamp(1, lanes), options.slow, options.queue_cells);
        let batch = options.batch_reads.max(1);
        let (bytes, waiting_bytes) = (BATCH_BYTES, options.queue_bytes);
        let reads = Bounds { batch, bytes, lanes, far_lanes: lanes, busy_lanes, slow, waiting, waiting_bytes };
        let batch = options.batch_writes.max(1);
        let busy_lanes = options.write_lanes.clamp(1, most_writes);
        let far_lanes = most_writes;
        let writes = Bounds { batch, bytes, lanes: 1, far_lanes, busy_lanes, slow, waiting, waiting_bytes };
        let large = Bounds { far_lanes: 1, busy_lanes: 1, ..writes };
        let patience = timeouts.queue;
        let metrics = |label| metrics.queue(label).clone();
        Self {
            gets: Lanes::new(Arc::clone(&backend), reads, patience, metrics(Label::Get)),
            latests: Lanes::new(Arc::clone(&backend), reads, patience, metrics(Label::Latest)),
            puts: Lanes::new(Arc::clone(&backend), writes, patience, metrics(Label::Put)),
            large_puts: Lanes::new(Arc::clone(&backend), large, patience, metrics(Label::LargePut)),
            way: Way::default(),
            beside: Beside::new(beside, &timeouts),
            log_pages: Pages::of_logs(),
            row_pages: Pages::of_rows(),
            backend,
            options,
            timeouts,
        }
    }

    /// Asks for one cell, as [`Backend::get`].
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] if the queue is full.
    pub fn get_one(&self, table: &TableRef, key: Triple) -> Result<Waiting<Option<Cell>>, StoreError> {
        self.gets.join(&(table.clone(), Bodies::All), key)
    }

    /// Asks for the latest cell of one chain, as [`Backend::latest`].
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] if the queue is full.
    pub fn latest_one(&self, table: &TableRef, key: LatestKey) -> Result<Waiting<Option<Cell>>, StoreError> {
        self.latests.join(&(table.clone(), Bodies::All), key)
    }

    /// Writes a group of one cell, as [`Backend::put`].
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] if the queue is full, [`StoreError::TooLarge`].
    pub fn put_one(&self, epoch: Epoch, table: &TableRef, group: PutGroup) -> Result<Waiting<PutOutcome>, StoreError> {
        check(std::slice::from_ref(&group))?;
        self.puts_of(std::slice::from_ref(&group)).join(&(epoch, table.clone()), group)
    }

    /// Notes the state of every queue in the metrics.
    pub(crate) fn observe(&self) {
        self.gets.observe();
        self.latests.observe();
        self.puts.observe();
        self.large_puts.observe();
    }

    /// The queue for such a write.
    fn puts_of(&self, groups: &[PutGroup]) -> &Arc<Lanes<Puts>> {
        let large = groups.iter().map(PutGroup::bytes).sum::<usize>() >= LARGE;
        if large { &self.large_puts } else { &self.puts }
    }

    /// Whether a call about so many keys may share a statement.
    fn shares(&self, keys: usize) -> bool {
        keys <= self.options.per_request.min(self.options.batch_reads)
    }

    /// What a statement about cells takes at least, while there are such statements.
    fn busy(&self) -> Option<Duration> {
        let now = Instant::now();
        let gets = self.gets.ran_within(BESIDE, now).then(|| self.gets.fastest());
        let latests = self.latests.ran_within(BESIDE, now).then(|| self.latests.fastest());
        // Before the first is over it is not known.
        gets.into_iter().chain(latests).filter(|fastest| !fastest.is_zero()).min()
    }

    /// Reads a page of a scan that wants so many rows; `rows` says how many it has, and whether more may follow.
    async fn page<P>(
        &self,
        pages: &Pages,
        wanted: Option<u64>,
        read: impl AsyncFnOnce(Option<u64>) -> Result<P, StoreError>,
        rows: impl FnOnce(&P) -> (usize, bool),
    ) -> Result<P, StoreError> {
        let _permit = self.beside.to_read().await?;
        let Some(one) = self.busy() else { return read(wanted).await };
        let bound = pages.rows();
        // Who wants fewer rows shows nothing about how long a page may be.
        if let Some(rows) = wanted.filter(|rows| *rows < bound) {
            return read(Some(rows)).await;
        }
        let began = Instant::now();
        let page = read(Some(bound)).await?;
        pages.took(bound, rows(&page), began.elapsed(), one);
        Ok(page)
    }
}

/// The table of a write that can share a statement: groups of one cell, all of one table.
fn shared_table(groups: &[PutGroup]) -> Option<&TableRef> {
    let mut tables = groups.iter().map(|group| match group.cells.as_slice() {
        [cell] => Some(&cell.table),
        _ => None,
    });
    let first = tables.next()??;
    tables.all(|table| table == Some(first)).then_some(first)
}

/// Refuses what no store takes, before it can spoil a batch.
fn check(groups: &[PutGroup]) -> Result<(), StoreError> {
    for cell in groups.iter().flat_map(|group| &group.cells) {
        let triple = &cell.triple;
        let sizes = [
            (cell.body.as_bytes().len(), limits::BODY_BYTES),
            (triple.row.as_bytes().len(), limits::STORED_ROW_KEY_BYTES),
            (triple.column.as_bytes().len(), limits::COLUMN_KEY_BYTES),
        ];
        if let Some((bytes, max)) = sizes.into_iter().find(|(bytes, max)| bytes > max) {
            return Err(StoreError::TooLarge { bytes, max });
        }
    }
    Ok(())
}

#[async_trait]
impl Backend for Coalescing {
    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        match keys {
            [] => Ok(Vec::new()),
            keys if self.shares(keys.len()) => self.gets.submit(&(table.clone(), Bodies::All), keys).await,
            keys => {
                let _permit = self.beside.to_read().await?;
                self.backend.get(table, keys).await
            }
        }
    }

    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        match keys {
            [] => Ok(Vec::new()),
            keys if self.shares(keys.len()) => self.gets.submit(&(table.clone(), Bodies::Short), keys).await,
            keys => {
                let _permit = self.beside.to_read().await?;
                self.backend.get_shared(table, keys).await
            }
        }
    }

    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        let open = keys.iter().all(|key| key.at_most.is_none());
        match keys {
            [] => Ok(Vec::new()),
            keys if open && self.shares(keys.len()) => self.latests.submit(&(table.clone(), Bodies::Short), keys).await,
            keys => {
                let _permit = self.beside.to_read().await?;
                self.backend.versions(table, keys).await
            }
        }
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        // A bound on the version makes another statement of it; AS OF is rare.
        let open = keys.iter().all(|key| key.at_most.is_none());
        match keys {
            [] => Ok(Vec::new()),
            keys if open && self.shares(keys.len()) => self.latests.submit(&(table.clone(), Bodies::All), keys).await,
            keys => {
                let _permit = self.beside.to_read().await?;
                self.backend.latest(table, keys).await
            }
        }
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        let read = async |limit| match limit == scan.limit {
            true => self.backend.rows(table, scan).await,
            false => self.backend.rows(table, &RowScan { limit, ..scan.clone() }).await,
        };
        self.page(&self.row_pages, scan.limit, read, |page| (page.cells.len(), page.more)).await
    }

    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        let read = async |limit| match limit == scan.limit {
            true => self.backend.log(table, scan).await,
            false => self.backend.log(table, &LogScan { limit, ..scan.clone() }).await,
        };
        self.page(&self.log_pages, scan.limit, read, |page| (page.cells.len(), page.more)).await
    }

    async fn head(&self) -> Result<AddedId, StoreError> {
        let _permit = self.beside.to_read().await?;
        self.backend.head().await
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        check(groups)?;
        match shared_table(groups) {
            Some(table) if groups.len() <= self.options.per_request.min(self.options.batch_writes) => {
                self.puts_of(groups).submit(&(epoch, table.clone()), groups).await
            }
            Some(_) | None => {
                let _permits = self.beside.to_write().await?;
                self.backend.put(epoch, groups).await
            }
        }
    }

    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError> {
        let _permits = self.beside.to_write().await?;
        self.backend.erase(epoch, table, what, step).await
    }

    async fn create_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let _permits = self.beside.for_tables().await?;
        self.backend.create_table(table).await
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        let _permits = self.beside.for_tables().await?;
        self.backend.drop_table(table).await
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        let _permit = self.beside.to_read().await?;
        self.backend.tables().await
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        self.backend.identity().await
    }

    async fn location(&self) -> Result<Option<Location>, StoreError> {
        self.backend.location().await
    }

    async fn check_rights(&self) -> Result<(), StoreError> {
        self.backend.check_rights().await
    }

    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        self.backend.claim(identity, shards).await
    }

    fn expect_identity(&self, identity: &Identity) {
        self.backend.expect_identity(identity);
    }

    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        self.backend.shards().await
    }

    async fn raise_epoch(&self, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
        self.backend.raise_epoch(from, to).await
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        let way = self.backend.ping().await?;
        let far = self.way.took(way) >= self.options.far;
        self.gets.set_far(far);
        self.latests.set_far(far);
        self.puts.set_far(far);
        self.large_puts.set_far(far);
        Ok(way)
    }

    fn start(&self) -> i64 {
        self.backend.start()
    }

    fn dialect(&self) -> Option<&'static Dialect> {
        self.backend.dialect()
    }

    fn pool(&self) -> Option<PoolState> {
        self.backend.pool()
    }

    async fn close(&self) {
        let puts_idle = || self.puts.is_idle() && self.large_puts.is_idle();
        let idle = || self.gets.is_idle() && self.latests.is_idle() && puts_idle();
        wait_until(idle, self.timeouts.statement).await;
        self.backend.close().await;
    }
}

#[cfg(test)]
mod tests;
