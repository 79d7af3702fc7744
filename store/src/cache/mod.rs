//! Cells that were read before, kept in memory.
//!
//! A cell that was found under an exact name can never change, so that it needs no invalidation, in any number of
//! proxies. Only settled rows of kind cell, read from a primary, are kept; never "not there" and never "latest", which
//! are not immutable.
//!
//! The one exception to immutability is erasure (C9 of docs/ARCHITECTURE.md). The meta store keeps, per table, the
//! number of the last erasure. Every proxy reads it again and again; an entry answers only if its read began under a
//! number at least as high as the last erasure in its table, and only while the last successful look at the meta store
//! began less than a lease ago. Who erases waits out that lease. So a fill that was in flight during an erasure is
//! never seen, and nothing has to be searched and dropped.
//!
//! A key carries table id, cluster, the cluster's incarnation and the start of its server: a promotion, and on MariaDB and
//! MySQL a crash, may lose a cell that was read and then take another one under its name.

mod erasures;
#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use cellgate_metrics::Metrics;
use cellgate_schemaless::{AddedId, Body, Cell, CellKind, ClusterNo, Micros, RefKey, ShardId, TableId, Token, Triple};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub use erasures::Erasures;

/// How long a proxy that has read the number of the last erasure may go by it, and how long an erasure waits before it
/// is answered.
pub const LEASE: Duration = Duration::from_secs(2);

/// Largest entry, in bytes. Larger bodies are read from their store: a few of them would push out thousands of others.
const LARGEST: usize = 64 * 1024;

/// What an entry costs beside its keys and body: its name and what is kept of the cell, their places in the table and the
/// queue, and the count of who uses the bytes.
const OVERHEAD: usize = 288;

/// Bytes of an entry of usual size: how many entries the table is first made for.
const USUAL: usize = 1024;

/// Where a cell was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its table.
    pub table: TableId,
    /// The cluster.
    pub cluster: ClusterNo,
    /// The cluster's incarnation.
    pub incarnation: i64,
    /// The start of its server, as [`Backend::start`](crate::Backend::start).
    pub start: i64,
}

/// The number of the last erasure that was known when a read began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(i64);

/// The cache of a proxy.
pub struct CellCache {
    cells: Cache<Key, Kept, Weight, BuildHasherDefault<Digest>, DefaultLifecycle<Key, Kept>>,
    seed: u64,
    news: ArcSwap<News>,
    /// How many erasures are known: an entry that is younger than all of them needs no look at the others.
    erased: AtomicI64,
    started: Instant,
    /// When the last successful look at the erasures began: microseconds after `started`, plus one; 0 is never, the
    /// highest number is "for ever".
    looked: AtomicU64,
    metrics: Arc<Metrics>,
}

/// The last erasures, as far as is known. Their numbers are those of the document, but for what they are raised by when
/// that went back: to the cache they only ever grow.
struct News {
    erasures: Erasures,
    /// When they were learned: a look that begins later finds them, or the document went back.
    learned: Instant,
    /// What the numbers of the document are raised by.
    up: i64,
    /// What was read before this number is not answered, whatever the document says.
    floor: i64,
}

impl News {
    /// What is known behind a look that began at `began` and found `document`; `None` if it is nothing new.
    fn behind(&self, began: Instant, document: &Erasures) -> Option<Self> {
        let known = self.erasures.number;
        let found = document.raised(self.up, self.floor);
        // A slower look may end after a later one. One that began after that has found another document: the meta store was
        // restored from a backup, and nobody knows what the erasures were that it has forgotten. It may have counted beyond
        // the known number since.
        let went_back = if found.number < known { began >= self.learned } else { !found.follows(&self.erasures) };
        if went_back {
            let (up, floor) = (self.up.max(known + 1 - document.number), known + 1);
            return Some(Self { erasures: document.raised(up, floor), learned: Instant::now(), up, floor });
        }
        (found.number > known).then(|| Self { erasures: found, learned: Instant::now(), ..*self })
    }
}

/// What is kept of a cell beside its name, which whoever asks has.
#[derive(Clone)]
struct Kept {
    body: Body,
    added_id: AddedId,
    created_at: Micros,
    token: Token,
    shard: ShardId,
    ticket: Ticket,
}

impl Kept {
    fn named(self, triple: &Triple) -> Cell {
        let Self { body, added_id, created_at, token, shard, ticket: _ } = self;
        let (triple, body, kind) = (triple.clone(), Some(body), CellKind::Cell);
        Cell { triple, body, added_id, shard, created_at, kind, token, txn: None }
    }
}

/// The name of an entry.
struct Key {
    digest: u64,
    source: Source,
    ref_key: RefKey,
    /// The row key and, behind its last byte, the column key.
    keys: Bytes,
    row_bytes: usize,
}

/// The same, borrowed.
struct Asked<'a> {
    digest: u64,
    source: Source,
    triple: &'a Triple,
}

/// Bytes of an entry.
#[derive(Clone)]
struct Weight;

/// Keys come with a hash.
#[derive(Default)]
struct Digest(u64);

impl CellCache {
    /// A cache of `bytes`, without a look at the erasures yet: it answers nothing.
    pub fn new(bytes: usize, metrics: Arc<Metrics>) -> Self {
        let items = (bytes / USUAL).max(1);
        let started = Instant::now();
        Self {
            cells: Cache::with(items, bytes as u64, Weight, BuildHasherDefault::default(), DefaultLifecycle::default()),
            // Row keys are a client's choice: without it, one could choose keys that meet in one place.
            seed: getrandom::u64().unwrap_or(0x9e37_79b9_7f4a_7c15),
            news: ArcSwap::from_pointee(News { erasures: Erasures::default(), learned: started, up: 0, floor: 0 }),
            erased: AtomicI64::new(0),
            started,
            looked: AtomicU64::new(0),
            metrics,
        }
    }

    /// The cell of this name, if it is known and may be answered now.
    pub fn get(&self, source: Source, triple: &Triple) -> Option<Cell> {
        let found = self.look_up(source, triple, Instant::now());
        self.metrics.cache_lookup(found.is_some());
        found
    }

    /// Whether [`CellCache::get`] would find it; nothing is counted.
    pub fn has(&self, source: Source, triple: &Triple) -> bool {
        self.look_up(source, triple, Instant::now()).is_some()
    }

    /// The same for who asked at `now`, not counted.
    pub(crate) fn look_up(&self, source: Source, triple: &Triple, now: Instant) -> Option<Cell> {
        if !self.is_fresh(now) {
            return None;
        }
        let kept = self.cells.get(&Asked { digest: self.digest(source, triple), source, triple })?;
        // Looked at after the entry was taken: what was erased in between is known by then, or its eraser still waits.
        let young = kept.ticket.0 >= self.erased.load(Ordering::Acquire);
        (young || kept.ticket.0 >= self.news.load().erasures.last(source.table)).then(|| kept.named(triple))
    }

    /// To be taken before a read begins whose cells are to be filled in.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.news.load().erasures.number)
    }

    /// Keeps a cell that was read after `ticket` was taken, unless it is not one that can be kept.
    pub fn fill(&self, ticket: Ticket, source: Source, cell: &Cell) {
        let settled = cell.txn.is_none() && cell.kind == CellKind::Cell;
        let Some(body) = cell.body.as_ref().filter(|_| settled) else { return };
        let (row, column) = (cell.triple.row.as_bytes(), cell.triple.column.as_bytes());
        let bytes = row.len() + column.len() + body.as_bytes().len();
        if bytes > LARGEST || ticket.0 < self.news.load().erasures.last(source.table) {
            return;
        }
        // A copy of its own: the cell may be a slice of a much larger packet, which would be kept with it.
        let mut text = BytesMut::with_capacity(bytes);
        text.extend_from_slice(row);
        text.extend_from_slice(column);
        text.extend_from_slice(body.as_bytes());
        let mut keys = text.freeze();
        let body = Body::from_store(keys.split_off(row.len() + column.len()));
        let digest = self.digest(source, &cell.triple);
        let Cell { added_id, created_at, token, shard, .. } = *cell;
        let key = Key { digest, source, ref_key: cell.triple.ref_key, keys, row_bytes: row.len() };
        self.cells.insert(key, Kept { body, added_id, created_at, token, shard, ticket });
    }

    /// A look at the erasures that began at `began` has found these. If it has found fewer than were known before it began,
    /// or others, nothing that was read until now is answered any more.
    pub fn learn(&self, began: Instant, erasures: &Erasures) {
        self.news.rcu(|known| known.behind(began, erasures).map_or_else(|| Arc::clone(known), Arc::new));
        // Before it is said that this look was made.
        self.erased.fetch_max(self.news.load().erasures.number, Ordering::AcqRel);
        let looked = began.saturating_duration_since(self.started).as_micros();
        self.looked.fetch_max(u64::try_from(looked).unwrap_or(u64::MAX - 1).saturating_add(1), Ordering::AcqRel);
    }

    /// Tells the metrics what is kept.
    pub fn note(&self) {
        self.metrics.cache_state(self.cells.len(), self.cells.weight());
    }

    /// No other process can erase: there is nothing to look at.
    pub fn trust(&self) {
        self.looked.store(u64::MAX, Ordering::Release);
    }

    fn is_fresh(&self, now: Instant) -> bool {
        match self.looked.load(Ordering::Acquire) {
            0 => false,
            u64::MAX => true,
            looked => now.saturating_duration_since(self.started) < Duration::from_micros(looked - 1) + LEASE,
        }
    }

    fn digest(&self, source: Source, triple: &Triple) -> u64 {
        let place = (u64::from(source.table.0) << 16) | u64::from(source.cluster.get());
        let version =
            triple.ref_key.0.cast_unsigned() ^ (source.incarnation ^ source.start).cast_unsigned().rotate_left(32);
        let row = xxh3_64_with_seed(triple.row.as_bytes(), self.seed ^ place);
        xxh3_64_with_seed(triple.column.as_bytes(), row ^ version.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

impl fmt::Debug for CellCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CellCache").field("cells", &self.cells.len()).field("bytes", &self.cells.weight()).finish()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (self.source, self.ref_key, self.row_bytes) == (other.source, other.ref_key, other.row_bytes)
            && self.keys == other.keys
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        let Triple { row, column, ref_key } = self.triple;
        (self.source, *ref_key, row.as_bytes().len()) == (key.source, key.ref_key, key.row_bytes)
            && key.keys.strip_prefix(&row.as_bytes()[..]) == Some(&column.as_bytes()[..])
    }
}

impl Hasher for Digest {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not called for our keys.
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

impl Weighter<Key, Kept> for Weight {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        (key.keys.len() + kept.body.as_bytes().len() + OVERHEAD) as u64
    }
}
