//! What every promise starts from.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::databases::Engine;
use bytes::Bytes;
use cellgate_metrics::Metrics;
use cellgate_schemaless::{
    AddedId, Body, Cell, Chain, ClusterNo, ColumnFilter, ColumnKey, Direction, Epoch, LatestKey, LogScan, RefKey,
    RefRange, RowKey, RowScan, RowSet, ShardId, TableId, TableRef, Token, Triple,
};
use cellgate_store::coalesce::{CoalesceOptions, Coalescing};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::sqlite::{SqliteBackend, SqliteOptions};
use cellgate_store::{
    Backend, EraseStep, FORMAT, GroupCell, Identity, LogPage, PlacedCell, PutGroup, PutMode, PutOutcome, RowPage,
    StoreError, Timeouts,
};

/// Shards of the store under test.
pub const SHARDS: u16 = 16;

/// Number of the cluster under test.
pub const CLUSTER: u16 = 7;

/// A store nobody has claimed, as one or more proxies see it.
pub struct Fixture {
    /// At least one; each is a `Backend` of its own over the same store.
    pub peers: Vec<Arc<dyn Backend>>,
    /// Keeps what the store lives in (a directory, a database) until the test ends.
    #[allow(dead_code, reason = "it is only dropped")]
    pub guard: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    pub fn memory() -> Self {
        Self { peers: vec![Arc::new(MemoryBackend::new())], guard: Box::new(()) }
    }

    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let backend = SqliteBackend::open(&directory.path().join("cells.db"), SqliteOptions::default()).unwrap();
        Self { peers: vec![Arc::new(backend)], guard: Box::new(directory) }
    }

    /// Two proxies on a database of a server; `None` if servers are not to be tested.
    pub fn server(engine: Engine) -> Option<Self> {
        let database = engine.database()?;
        Some(Self { peers: vec![database.connect(), database.connect()], guard: Box::new(database) })
    }

    /// The same with queues in front. One lane and small batches, so that requests meet in them.
    pub fn coalescing(mut self) -> Self {
        let options = CoalesceOptions { batch_reads: 8, batch_writes: 8, lanes: 1, ..CoalesceOptions::default() };
        let metrics = Metrics::new("test", &["c"]).unwrap().cluster_named("c").unwrap();
        let queues = |peer| Arc::new(Coalescing::new(peer, options, 8, Timeouts::default(), &metrics)) as _;
        self.peers = self.peers.into_iter().map(queues).collect();
        self
    }

    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.peers[0]
    }

    /// Claims the store and creates a table.
    pub async fn open(self) -> Bench {
        self.backend().claim(&identity(CLUSTER), &shards(0..SHARDS)).await.unwrap();
        let table = table(1);
        self.backend().create_table(&table).await.unwrap();
        let (epoch, _) = self.backend().shards().await.unwrap();
        Bench { fixture: self, table, epoch, tokens: AtomicI64::new(1) }
    }
}

/// A claimed store with one table.
pub struct Bench {
    pub fixture: Fixture,
    pub table: TableRef,
    pub epoch: Epoch,
    pub tokens: AtomicI64,
}

impl Bench {
    pub fn backend(&self) -> &Arc<dyn Backend> {
        self.fixture.backend()
    }

    pub fn token(&self) -> Token {
        // Tokens are random; an odd factor scatters the counter over all 64 bits, signs included.
        Token(self.tokens.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x5851_f42d_4c95_7f2d))
    }

    pub fn cell(&self, triple: &Triple, text: &str, mode: PutMode) -> GroupCell {
        GroupCell {
            table: self.table.clone(),
            shard: shard_of(&triple.row),
            triple: triple.clone(),
            body: body(text),
            mode,
        }
    }

    /// A group of explicit cells.
    pub fn group(&self, cells: &[(&Triple, &str)]) -> PutGroup {
        let cells = cells.iter().map(|(triple, text)| self.cell(triple, text, PutMode::Explicit)).collect();
        PutGroup { token: self.token(), cells }
    }

    /// A group of one appended cell.
    pub fn append(&self, triple: &Triple, text: &str) -> PutGroup {
        PutGroup { token: self.token(), cells: vec![self.cell(triple, text, PutMode::Append)] }
    }

    pub async fn put(&self, groups: &[PutGroup]) -> Vec<PutOutcome> {
        self.backend().put(self.epoch, groups).await.unwrap()
    }

    /// Puts one explicit cell.
    pub async fn put_one(&self, triple: &Triple, text: &str) -> PutOutcome {
        self.put(&[self.group(&[(triple, text)])]).await.remove(0)
    }

    /// Puts one explicit cell that must be new.
    pub async fn store(&self, triple: &Triple, text: &str) -> PlacedCell {
        let place = stored(&self.put_one(triple, text).await)[0];
        assert!(place.new, "{triple:?} was there");
        place
    }

    pub async fn get(&self, keys: &[Triple]) -> Vec<Option<Cell>> {
        self.backend().get(&self.table, keys).await.unwrap()
    }

    pub async fn get_one(&self, key: &Triple) -> Option<Cell> {
        self.get(std::slice::from_ref(key)).await.remove(0)
    }

    pub async fn latest(&self, keys: &[LatestKey]) -> Vec<Option<Cell>> {
        self.backend().latest(&self.table, keys).await.unwrap()
    }

    pub async fn rows(&self, scan: &RowScan) -> RowPage {
        self.backend().rows(&self.table, scan).await.unwrap()
    }

    pub async fn log(&self, scan: &LogScan) -> LogPage {
        self.backend().log(&self.table, scan).await.unwrap()
    }

    /// All pages of a row scan, joined.
    pub async fn all_rows(&self, scan: &RowScan) -> Vec<Cell> {
        let (mut scan, mut all) = (scan.clone(), Vec::new());
        loop {
            let page = self.rows(&scan).await;
            if let Some(limit) = scan.limit {
                assert!(page.cells.len() as u64 <= limit, "a page is longer than its limit");
            }
            assert!(!page.more || !page.cells.is_empty(), "a page without cells says that there are more");
            scan.after = page.cells.last().map(|c| c.triple.clone()).or(scan.after);
            all.extend(page.cells);
            if !page.more {
                return all;
            }
        }
    }

    /// All pages of a log scan, joined.
    pub async fn all_log(&self, scan: &LogScan) -> Vec<Cell> {
        let (mut scan, mut all) = (scan.clone(), Vec::new());
        loop {
            let page = self.log(&scan).await;
            if let Some(limit) = scan.limit {
                assert!(page.cells.len() as u64 <= limit, "a page is longer than its limit");
            }
            assert!(!page.more || !page.cells.is_empty(), "a page without cells says that there are more");
            scan.after = page.cells.last().map(|c| (c.shard, c.added_id)).or(scan.after);
            all.extend(page.cells);
            if !page.more {
                return all;
            }
        }
    }
}

pub fn identity(cluster: u16) -> Identity {
    Identity {
        deployment: "0123456789abcdef0123456789abcdef".to_owned(),
        cluster: ClusterNo::new(cluster).unwrap(),
        incarnation: 1,
        virtual_shards: 4096,
        hash: "xxh3".to_owned(),
        seed: -7,
        format: FORMAT,
    }
}

pub fn table(id: u32) -> TableRef {
    TableRef::new("Trips", TableId(id), 3)
}

pub fn shards(numbers: std::ops::Range<u16>) -> Vec<ShardId> {
    numbers.map(ShardId).collect()
}

/// Any fixed placement will do: the sum of the key's bytes.
pub fn shard_of(row: &RowKey) -> ShardId {
    ShardId(row.as_bytes().iter().fold(0, |sum, b| (sum + u16::from(*b)) % SHARDS))
}

pub fn row(bytes: impl AsRef<[u8]>) -> RowKey {
    RowKey::new(Bytes::copy_from_slice(bytes.as_ref())).unwrap()
}

pub fn column(bytes: impl AsRef<[u8]>) -> ColumnKey {
    ColumnKey::new(Bytes::copy_from_slice(bytes.as_ref())).unwrap()
}

pub fn triple(r: impl AsRef<[u8]>, c: impl AsRef<[u8]>, ref_key: i64) -> Triple {
    Triple { row: row(r), column: column(c), ref_key: RefKey(ref_key) }
}

pub fn latest_key(r: &str, c: &str, at_most: Option<i64>) -> LatestKey {
    LatestKey { row: row(r), column: column(c), at_most: at_most.map(RefKey) }
}

pub fn chain(r: &str, c: &str) -> Chain {
    Chain { row: row(r), column: column(c) }
}

pub fn body(text: &str) -> Body {
    Body::json(text.as_bytes().to_vec()).unwrap()
}

/// A scan of whole rows, given in any order.
pub fn rows_of(rows: &[&str]) -> RowScan {
    let mut keys: Vec<RowKey> = rows.iter().map(row).collect();
    keys.sort();
    RowScan {
        set: RowSet::Rows(keys, ColumnFilter::All),
        refs: RefRange::default(),
        direction: Direction::Ascending,
        after: None,
        up_to: None,
        limit: None,
    }
}

/// A step of an erasure that is all of it.
pub fn whole() -> EraseStep {
    EraseStep { after: None, up_to: None, slots: 1000 }
}

/// A scan of the whole log of some shards.
pub fn log_of(shards: Vec<ShardId>) -> LogScan {
    LogScan {
        shards,
        added_after: None,
        created_from: None,
        columns: ColumnFilter::All,
        after: None,
        up_to: None,
        limit: None,
    }
}

/// The places of a group that must have been stored.
pub fn stored(outcome: &PutOutcome) -> &[PlacedCell] {
    match outcome {
        PutOutcome::Stored(places) => places,
        other => panic!("not stored: {other:?}"),
    }
}

pub fn text_of(cell: &Cell) -> &str {
    std::str::from_utf8(cell.body.as_ref().unwrap().as_bytes()).unwrap()
}

pub fn triples(cells: &[Cell]) -> Vec<Triple> {
    cells.iter().map(|c| c.triple.clone()).collect()
}

pub fn ids(cells: &[Cell]) -> Vec<AddedId> {
    cells.iter().map(|c| c.added_id).collect()
}

pub fn is_no_table<T: std::fmt::Debug>(result: Result<T, StoreError>, table: &TableRef) {
    match result {
        Err(StoreError::NoTable { table: name }) => assert_eq!(name, table.physical()),
        other => panic!("expected NoTable, got {other:?}"),
    }
}
