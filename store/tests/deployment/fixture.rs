//! Setups of deployments: in memory, with everything shared, and in the files of a directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cellgate_metrics::Metrics;
use cellgate_router::Weight;
use cellgate_schemaless::{Body, ColumnKey, NewCell, RefKey, RowKey, TableId, TableRef, Triple, Version};
use cellgate_store::Backend;
use cellgate_store::deployment::{ClusterSetup, Departure, Deployment, FirstDocument, OpenError, ProxyInfo, Setup};
use cellgate_store::executor::{CellFate, PutItem};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::meta::MetaStore;
use cellgate_store::meta::memory::MemoryMeta;
use cellgate_store::meta::sqlite::SqliteMeta;
use cellgate_store::sqlite::{SqliteBackend, SqliteOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::faulty::Faulty;

/// The document that these deployments have from the beginning.
pub const FIRST: &str = "catalog";

/// Few, so that a topology is quick to make.
pub const SHARDS: u32 = 32;

/// A cluster of a configuration.
pub fn cluster(name: &str, backend: Arc<dyn Backend>) -> ClusterSetup {
    ClusterSetup {
        name: name.to_owned(),
        number: None,
        weight: Weight::new(1.0).unwrap(),
        engine: "memory",
        backend,
        queues: None,
        exclusive: false,
    }
}

/// A proxy on a host.
pub fn proxy(host: &str, pid: u32) -> ProxyInfo {
    ProxyInfo { host: host.to_owned(), pid, address: format!("{host}:{pid}"), version: "0".to_owned() }
}

/// A configuration that shares nothing with one process alone.
pub fn setup(meta: Arc<dyn MetaStore>, clusters: Vec<ClusterSetup>) -> Setup {
    Setup {
        virtual_shards: Some(SHARDS),
        meta,
        meta_exclusive: false,
        clusters,
        proxy: proxy("host", 1),
        poll: Duration::from_millis(5),
        cache_bytes: 0,
        first_documents: vec![FirstDocument { name: FIRST, body: b"{\"ids\":0}".to_vec(), tables: None }],
        departure: Departure::default(),
    }
}

pub async fn open(setup: Setup) -> Result<Arc<Deployment>, OpenError> {
    let names: Vec<_> = setup.clusters.iter().map(|c| c.name.clone()).collect();
    Deployment::open(setup, Arc::new(Metrics::new("0", &names).unwrap())).await
}

/// A meta store and the stores of clusters, all in memory.
pub struct Stores {
    pub meta: Arc<MemoryMeta>,
    pub clusters: Vec<(&'static str, Arc<Faulty>)>,
}

impl Stores {
    pub fn new(names: &[&'static str]) -> Self {
        let clusters = names.iter().map(|name| (*name, Faulty::new(Arc::new(MemoryBackend::new())))).collect();
        Self { meta: Arc::new(MemoryMeta::new()), clusters }
    }

    pub fn setup(&self) -> Setup {
        let clusters = self.clusters.iter().map(|(name, store)| cluster(name, Arc::clone(store) as _)).collect();
        setup(Arc::clone(&self.meta) as _, clusters)
    }

    /// The same, which looks for changes this often.
    pub fn setup_polling(&self, poll: Duration) -> Setup {
        Setup { poll, ..self.setup() }
    }

    pub async fn open(&self) -> Result<Arc<Deployment>, OpenError> {
        open(self.setup()).await
    }

    /// As another process sees them.
    pub fn restarted(&self) {
        self.clusters.iter().for_each(|(_, store)| store.forget_expected());
    }

    pub fn store(&self, name: &str) -> &Arc<Faulty> {
        &self.clusters.iter().find(|(known, _)| *known == name).unwrap().1
    }
}

/// The clusters `a`, `b` and so on in the files `files`, one each, as the default configuration has them.
pub fn files(directory: &Path, meta: &str, files: &[&str]) -> Setup {
    let clusters = ('a'..).zip(files).map(|(name, file)| {
        let backend = SqliteBackend::open(&directory.join(file), SqliteOptions::default()).unwrap();
        ClusterSetup { exclusive: true, ..cluster(&name.to_string(), Arc::new(backend)) }
    });
    let clusters = clusters.collect();
    let meta = SqliteMeta::open(&directory.join(meta), cellgate_store::Timeouts::default()).unwrap();
    Setup { meta_exclusive: true, ..setup(Arc::new(meta), clusters) }
}

/// As a clean shutdown does.
pub async fn close(deployment: Arc<Deployment>) {
    let (stop, stopped) = watch::channel(true);
    deployment.run(stopped).await;
    drop(stop);
    deployment.executor().close().await;
}

/// Starts the deployment's background work, which ends once the answer's first part sends `true`.
pub fn start(deployment: &Arc<Deployment>) -> (watch::Sender<bool>, JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let deployment = Arc::clone(deployment);
    (stop, tokio::spawn(async move { deployment.run(stopped).await }))
}

/// Runs the deployment's background work until `done`.
pub async fn run_until(deployment: &Arc<Deployment>, mut done: impl FnMut() -> bool) {
    let (stop, running) = start(deployment);
    while !done() {
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    running.await.unwrap();
}

pub fn table() -> TableRef {
    TableRef::new("trips", TableId(1), 1)
}

/// The `index`th row that lives in a cluster.
pub fn row_in(deployment: &Deployment, name: &str, index: usize) -> RowKey {
    let topology = deployment.executor().topology();
    let number = topology.clusters().iter().find(|c| c.name == name).unwrap().number;
    let mut rows = (0..).map(|n| format!("row{n}")).filter(|row| topology.locate(row.as_bytes()).1 == number);
    RowKey::new(rows.nth(index).unwrap()).unwrap()
}

pub async fn put(deployment: &Deployment, row: &RowKey) -> CellFate {
    put_all(deployment, std::slice::from_ref(row)).await.remove(0)
}

/// Writes a cell to each row, in one statement.
pub async fn put_all(deployment: &Deployment, rows: &[RowKey]) -> Vec<CellFate> {
    let item = |row: &RowKey| {
        let (column, version) = (ColumnKey::new("BASE").unwrap(), Version::Exact(RefKey(1)));
        let cell = NewCell { row: row.clone(), column, version, body: Body::json("{}").unwrap() };
        PutItem { table: table(), cell, must_be_new: false }
    };
    deployment.executor().put(rows.iter().map(item).collect()).await
}

pub async fn is_there(deployment: &Deployment, row: &RowKey) -> bool {
    let column = ColumnKey::new("BASE").unwrap();
    let name = Triple { row: row.clone(), column, ref_key: RefKey(1) };
    deployment.executor().get(&table(), vec![name]).await.unwrap()[0].is_some()
}

/// Writes a cell to every cluster and reads it back.
pub async fn use_all(deployment: &Deployment) {
    deployment.executor().create_table(&table()).await.unwrap();
    let topology = deployment.executor().topology();
    for entry in topology.clusters().iter().filter(|c| topology.shards_of(c.number).next().is_some()) {
        let row = row_in(deployment, &entry.name, 0);
        assert!(matches!(put(deployment, &row).await, CellFate::Written(_)), "cluster {}", entry.name);
        assert!(is_there(deployment, &row).await, "cluster {}", entry.name);
    }
}
