//! Three clusters, their shard map, and the executors of as many proxies as a test wants.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cellgate_metrics::{ClusterMetrics, Metrics};
use cellgate_router::{ClusterEntry, PlacementNode, Topology, Weight, propose};
use cellgate_schemaless::{
    Body, Cell, ClusterNo, ColumnKey, Epoch, LatestKey, NewCell, RefKey, RowKey, TableId, TableRef, Token, Triple,
    Version, Written,
};
use cellgate_store::cache::CellCache;
use cellgate_store::coalesce::{CoalesceOptions, Coalescing};
use cellgate_store::executor::{CellFate, Cluster, ErasureFence, Executor, PutItem, RunError, TopologySource};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::sqlite::{SqliteBackend, SqliteOptions};
use cellgate_store::{Backend, FORMAT, GroupCell, Identity, PutGroup, PutMode, StoreError, Timeouts};

use crate::faulty::Faulty;

/// Few, so that every shard has several rows.
pub const SHARDS: u32 = 16;

/// A stored shard map that a test changes.
#[derive(Debug)]
pub struct Map {
    known: Mutex<Arc<Topology>>,
    stored: Mutex<Arc<Topology>>,
    refreshes: AtomicUsize,
}

impl Map {
    fn new(topology: Topology) -> Arc<Self> {
        let topology = Arc::new(topology);
        Arc::new(Self {
            known: Mutex::new(Arc::clone(&topology)),
            stored: Mutex::new(topology),
            refreshes: AtomicUsize::new(0),
        })
    }

    /// What the next refresh finds.
    pub fn publish(&self, topology: Topology) {
        *self.stored.lock().unwrap() = Arc::new(topology);
    }

    pub fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TopologySource for Map {
    fn current(&self) -> Arc<Topology> {
        Arc::clone(&self.known.lock().unwrap())
    }

    async fn refresh(&self, _seen: i64) -> Result<(), StoreError> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        let stored = Arc::clone(&self.stored.lock().unwrap());
        *self.known.lock().unwrap() = stored;
        Ok(())
    }
}

/// The clusters 1, 2 and 3.
pub struct Fixture {
    pub backends: Vec<Arc<Faulty>>,
    pub map: Arc<Map>,
}

impl Fixture {
    /// All in memory.
    pub async fn memory() -> Self {
        Self::over((0..3).map(|_| Arc::new(MemoryBackend::new()) as Arc<dyn Backend>).collect()).await
    }

    /// One in memory, two in SQLite files.
    pub async fn mixed(directory: &Path) -> Self {
        let file = |name: &str| SqliteBackend::open(&directory.join(name), SqliteOptions::default()).unwrap();
        Self::over(vec![Arc::new(MemoryBackend::new()), Arc::new(file("b.db")), Arc::new(file("c.db"))]).await
    }

    async fn over(stores: Vec<Arc<dyn Backend>>) -> Self {
        let topology = topology(1, &[1, 1, 1]);
        let mut backends = Vec::new();
        for (number, store) in (1..).map(cluster).zip(stores) {
            let identity = Identity {
                deployment: "d".repeat(32),
                cluster: number,
                incarnation: 1,
                virtual_shards: SHARDS,
                hash: "xxh3".to_owned(),
                seed: 0,
                format: FORMAT,
            };
            let shards: Vec<_> = topology.shards_of(number).collect();
            store.claim(&identity, &shards).await.unwrap();
            backends.push(Faulty::new(store));
        }
        let fixture = Self { backends, map: Map::new(topology) };
        fixture.proxy().create_table(&table()).await.unwrap();
        fixture
    }

    /// The executor of one more proxy on these clusters.
    pub fn proxy(&self) -> Arc<Executor> {
        self.proxy_with_metrics(&metrics())
    }

    /// The same that counts there.
    pub fn proxy_with_metrics(&self, metrics: &Arc<Metrics>) -> Arc<Executor> {
        self.proxy_over(metrics, |_, _| None)
    }

    /// The same with queues in front of the clusters.
    pub fn proxy_with_queues(&self) -> Arc<Executor> {
        self.proxy_over(&metrics(), |backend, metrics| {
            let options = CoalesceOptions::default();
            Some(Coalescing::new(backend, options, 16, Timeouts::default(), metrics))
        })
    }

    /// The same that tells of erasures.
    pub fn proxy_with_fence(&self, fence: Arc<dyn ErasureFence>) -> Arc<Executor> {
        self.proxy_with_cache(None, fence)
    }

    /// The same with a cache of exact cells.
    pub fn proxy_with_cache(&self, cache: Option<Arc<CellCache>>, fence: Arc<dyn ErasureFence>) -> Arc<Executor> {
        let proxy = Arc::into_inner(self.proxy()).expect("nobody else has it");
        Arc::new(proxy.with_cache(cache, fence))
    }

    fn proxy_over(
        &self,
        metrics: &Arc<Metrics>,
        queues: impl Fn(Arc<dyn Backend>, &ClusterMetrics) -> Option<Coalescing>,
    ) -> Arc<Executor> {
        let clusters = (1..).map(cluster).zip(&self.backends).map(|(number, backend)| {
            let name = format!("c{number}");
            let queues = queues(Arc::clone(backend) as _, &metrics.cluster_named(&name).unwrap());
            metrics.number_cluster(number, &name);
            let cluster = Cluster::new(number, name, "memory", Arc::clone(backend) as _, true);
            Arc::new(match queues {
                Some(queues) => cluster.behind(Arc::new(queues)),
                None => cluster,
            })
        });
        let clusters = clusters.collect();
        Arc::new(Executor::new(clusters, Arc::clone(&self.map) as _, Arc::clone(metrics)))
    }

    /// The store of a cluster.
    pub fn backend(&self, number: u16) -> &Arc<Faulty> {
        &self.backends[usize::from(number) - 1]
    }
}

/// Of the three clusters.
pub fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new("0", &["c1", "c2", "c3"]).unwrap())
}

pub fn cluster(number: u16) -> ClusterNo {
    ClusterNo::new(number).unwrap()
}

/// The map of three equal clusters, with the epochs given.
pub fn topology(version: i64, epochs: &[i64; 3]) -> Topology {
    let weight = Weight::new(1.0).unwrap();
    let nodes: Vec<_> = (1..=3).map(|n| PlacementNode { cluster: cluster(n), weight }).collect();
    let entry = |(node, epoch): (&PlacementNode, &i64)| ClusterEntry {
        number: node.cluster,
        name: format!("c{}", node.cluster),
        weight,
        epoch: Epoch(*epoch),
    };
    let clusters = nodes.iter().zip(epochs).map(entry).collect();
    Topology::new(version, clusters, propose(SHARDS, &nodes).unwrap()).unwrap()
}

pub fn table() -> TableRef {
    TableRef::new("trips", TableId(1), 1)
}

/// The `index`th row that lives in a cluster.
pub fn row_in(number: u16, index: usize) -> RowKey {
    rows_in(number).nth(index).unwrap()
}

/// The rows that live in a cluster.
pub fn rows_in(number: u16) -> impl Iterator<Item = RowKey> {
    let topology = topology(1, &[1, 1, 1]);
    let rows = (0..).map(|n| RowKey::new(format!("row{n}")).unwrap());
    rows.filter(move |row| topology.locate(row.as_bytes()).1 == cluster(number))
}

pub fn column() -> ColumnKey {
    ColumnKey::new("BASE").unwrap()
}

pub fn body(number: i64) -> Body {
    Body::json(format!("{{\"n\":{number}}}")).unwrap()
}

pub fn triple(row: &RowKey, version: i64) -> Triple {
    Triple { row: row.clone(), column: column(), ref_key: RefKey(version) }
}

pub fn latest(row: &RowKey) -> LatestKey {
    LatestKey { row: row.clone(), column: column(), at_most: None }
}

fn item(row: &RowKey, version: Version, value: i64) -> PutItem {
    let cell = NewCell { row: row.clone(), column: column(), version, body: body(value) };
    PutItem { table: table(), cell, must_be_new: false }
}

/// An explicit version.
pub fn exact(row: &RowKey, version: i64, value: i64) -> PutItem {
    item(row, Version::Exact(RefKey(version)), value)
}

/// The next version.
pub fn next(row: &RowKey, value: i64) -> PutItem {
    item(row, Version::Next, value)
}

/// What somebody else writes straight to a store.
pub fn foreign(row: &RowKey, version: i64, value: i64) -> PutGroup {
    let shard = topology(1, &[1, 1, 1]).shard_of(row.as_bytes());
    let (triple, body) = (triple(row, version), body(value));
    let cell = GroupCell { table: table(), shard, triple, body, mode: PutMode::Explicit };
    PutGroup { token: Token(-version - 1), cells: vec![cell] }
}

/// What a fate says that was to be a success.
#[track_caller]
pub fn stored(fate: &CellFate) -> Written {
    match fate {
        CellFate::Written(written) => written.clone(),
        CellFate::Conflict(_) | CellFate::Withheld | CellFate::Failed(_) => panic!("not written: {fate:?}"),
    }
}

/// What a fate says that was to be a failure of the cluster.
#[track_caller]
pub fn failure(fate: &CellFate) -> &RunError {
    match fate {
        CellFate::Failed(error) => error,
        CellFate::Written(_) | CellFate::Conflict(_) | CellFate::Withheld => panic!("did not fail: {fate:?}"),
    }
}

/// Writes all of it, or panics.
pub async fn put_all(executor: &Arc<Executor>, items: Vec<PutItem>) -> Vec<Written> {
    executor.put(items).await.iter().map(stored).collect()
}

/// The versions of answers, in order.
pub fn versions(cells: &[Option<Cell>]) -> Vec<Option<i64>> {
    cells.iter().map(|c| c.as_ref().map(|c| c.triple.ref_key.0)).collect()
}
