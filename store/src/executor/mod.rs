//! Runs plans: fans out over the clusters, merges the answers, and writes with compare-and-append.
//!
//! The executor knows which cluster does what; it does not know how a cluster keeps its cells ([`Backend`]) nor why
//! it is asked. Reads see settled cells only; an intent of a transaction is an error that says so, never "not there".

mod ahead;
mod chains;
mod erase;
mod error;
mod explain;
mod given_up;
mod look;
mod put;
mod read;
mod single;
mod stream;
mod tokens;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cellgate_metrics::{Label, Metrics, Operation, Stage};
use cellgate_router::{Plan, Topology};
use cellgate_schemaless::{ClusterNo, Epoch, ErrorKind, Request, TableRef};
use futures_util::future::join_all;

pub use error::{META_STORE, RunError};
pub use explain::statement_text;
pub use given_up::GivenUp;
pub use put::{CellFate, PutItem};
pub use stream::CellStream;

use crate::backend::Backend;
use crate::cache::{CellCache, Source};
use crate::coalesce::Coalescing;
use crate::error::{Reason, StoreError};
use crate::sync::lock;
use ahead::Ahead;
use chains::ChainQueues;
use given_up::UnderWay;
use tokens::Tokens;

/// How often a write is planned again because the topology changed under it.
const REPLAN_ROUNDS: u32 = 5;

/// The pause before a write is planned again although the stored topology has not changed: who changes it raises the
/// epoch in the stores first and publishes the new map then. Doubled with every round, 300 ms in all.
const REPLAN_PAUSE: Duration = Duration::from_millis(10);

/// The incarnation of a cluster that was never promoted.
const FIRST_INCARNATION: i64 = 1;

/// Where the executor learns the shard map from.
#[async_trait]
pub trait TopologySource: Send + Sync + std::fmt::Debug {
    /// The newest map this proxy knows.
    fn current(&self) -> Arc<Topology>;
    /// Reads the stored map again, because a store refused a write planned under `seen`.
    async fn refresh(&self, seen: i64) -> Result<(), StoreError>;
}

/// What makes sure that erased cells are in no cache.
#[async_trait]
pub trait ErasureFence: Send + Sync + std::fmt::Debug {
    /// Cells of this table were erased on their primary. When this returns, no proxy answers them any more.
    async fn erased(&self, table: &TableRef) -> Result<(), StoreError>;
}

/// One cluster as the executor uses it.
#[derive(Debug)]
pub struct Cluster {
    /// Its number.
    pub number: ClusterNo,
    /// Its name in the configuration.
    pub name: String,
    /// Its engine's name: `sqlite`, `mysql`, `postgres`, `memory`.
    pub engine: &'static str,
    /// Its cells, behind its queues if there are any.
    pub backend: Arc<dyn Backend>,
    /// The same, for whoever asks about one cell.
    queues: Option<Arc<Coalescing>>,
    /// Whether the store said who it is. Until then nothing is sent to it.
    verified: AtomicBool,
    /// Whether it answered when it was last asked.
    up: AtomicBool,
    /// Why it did not, if it did not.
    why_down: Mutex<Option<ErrorKind>>,
    /// Raised by a promotion; what was read under another is not what is there now.
    incarnation: AtomicI64,
    /// Whether the times of what is stored there are ahead of the clock.
    ahead: Ahead,
    /// Its appenders: those of another cluster never wait for it.
    chains: ChainQueues,
}

impl Cluster {
    /// A cluster; `verified` says whether its identity was checked already.
    pub fn new(
        number: ClusterNo,
        name: impl Into<String>,
        engine: &'static str,
        backend: Arc<dyn Backend>,
        verified: bool,
    ) -> Self {
        Self {
            number,
            name: name.into(),
            engine,
            backend,
            queues: None,
            verified: AtomicBool::new(verified),
            up: AtomicBool::new(verified),
            why_down: Mutex::new(None),
            incarnation: AtomicI64::new(FIRST_INCARNATION),
            ahead: Ahead::default(),
            chains: ChainQueues::new(),
        }
    }

    /// The cluster behind queues, which stand in front of its store.
    pub fn behind(self, queues: Arc<Coalescing>) -> Self {
        Self { backend: Arc::clone(&queues) as _, queues: Some(queues), ..self }
    }

    /// The queues in front of its store, if there are any.
    pub(crate) fn queues(&self) -> Option<&Coalescing> {
        self.queues.as_deref()
    }

    /// Whether the store said who it is.
    pub fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Acquire)
    }

    /// Whether it answered when it was last asked for a sign of life, and is the one expected.
    pub fn is_up(&self) -> bool {
        self.is_verified() && self.up.load(Ordering::Acquire)
    }

    /// The store said who it is, and it is the one expected, in this incarnation. Whether it is up is said by the next check
    /// of its health ([`Executor::check_health_of`]), which logs it.
    pub fn set_verified(&self, incarnation: i64) {
        self.incarnation.store(incarnation, Ordering::Release);
        self.verified.store(true, Ordering::Release);
    }
}

/// Runs requests on the clusters of a deployment.
#[derive(Clone, Debug)]
pub struct Executor {
    clusters: Arc<BTreeMap<ClusterNo, Arc<Cluster>>>,
    source: Arc<dyn TopologySource>,
    tokens: Arc<Tokens>,
    cache: Option<Arc<CellCache>>,
    fence: Option<Arc<dyn ErasureFence>>,
    metrics: Arc<Metrics>,
    /// Where the calls are noted that its caller stopped waiting for.
    given_up: Option<Arc<GivenUp>>,
}

impl Executor {
    /// An executor over these clusters.
    pub fn new(clusters: Vec<Arc<Cluster>>, source: Arc<dyn TopologySource>, metrics: Arc<Metrics>) -> Self {
        let clusters: BTreeMap<_, _> = clusters.into_iter().map(|c| (c.number, c)).collect();
        Self {
            clusters: Arc::new(clusters),
            source,
            tokens: Arc::default(),
            cache: None,
            fence: None,
            metrics,
            given_up: None,
        }
    }

    /// The same with a cache of exact cells, and with what keeps erased cells out of those of all proxies.
    #[must_use]
    pub fn with_cache(self, cache: Option<Arc<CellCache>>, fence: Arc<dyn ErasureFence>) -> Self {
        Self { cache, fence: Some(fence), ..self }
    }

    /// The same for one caller, who is told by `given_up` which calls it has stopped waiting for.
    #[must_use]
    pub fn for_caller(&self, given_up: Arc<GivenUp>) -> Self {
        Self { given_up: Some(given_up), ..self.clone() }
    }

    /// The shard map as this proxy knows it.
    pub fn topology(&self) -> Arc<Topology> {
        self.source.current()
    }

    /// The clusters, by number.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.values()
    }

    /// Creates the physical table in every cluster.
    ///
    /// # Errors
    /// The first [`RunError::Cluster`]; the others have been tried.
    pub async fn create_table(&self, table: &TableRef) -> Result<(), RunError> {
        let each = self.clusters.keys().map(|number| self.create_table_in(*number, table));
        join_all(each).await.into_iter().collect()
    }

    /// Creates the physical table in one cluster.
    ///
    /// # Errors
    /// [`RunError::Cluster`].
    pub async fn create_table_in(&self, number: ClusterNo, table: &TableRef) -> Result<(), RunError> {
        let cluster = self.cluster(number)?;
        self.timed(cluster, Operation::Ddl, cluster.backend.create_table(table)).await
    }

    /// The physical tables of cells in every cluster, by its name.
    ///
    /// # Errors
    /// The first [`RunError::Cluster`].
    pub async fn tables(&self) -> Result<Vec<(String, Vec<String>)>, RunError> {
        let each = self.clusters.keys().map(async |number| {
            let cluster = self.cluster(*number)?;
            let tables = self.timed(cluster, Operation::Ddl, cluster.backend.tables()).await?;
            Ok((cluster.name.clone(), tables))
        });
        join_all(each).await.into_iter().collect()
    }

    /// Drops the physical table in one cluster.
    ///
    /// # Errors
    /// [`RunError::Cluster`].
    pub async fn drop_table_in(&self, number: ClusterNo, table: &TableRef) -> Result<(), RunError> {
        let cluster = self.cluster(number)?;
        self.timed(cluster, Operation::Ddl, cluster.backend.drop_table(table)).await
    }

    /// Drops the physical table in every cluster.
    ///
    /// # Errors
    /// The first [`RunError::Cluster`]; the others have been tried.
    pub async fn drop_table(&self, table: &TableRef) -> Result<(), RunError> {
        let each = self.clusters.keys().map(|number| self.drop_table_in(*number, table));
        join_all(each).await.into_iter().collect()
    }

    /// Asks one cluster of this executor for a sign of life, and notes whether it gave one. One that has not said yet who it
    /// is is not asked.
    pub async fn check_health_of(&self, cluster: &Cluster) {
        let asked = match self.cluster(cluster.number) {
            Ok(cluster) => self.timed(cluster, Operation::Ping, cluster.backend.ping()).await,
            Err(error) => Err(error),
        };
        let up = asked.is_ok();
        let why = asked.as_ref().err().map(RunError::kind);
        let why_before = std::mem::replace(&mut *lock(&cluster.why_down), why);
        if cluster.up.swap(up, Ordering::AcqRel) == up {
            if let (Err(error), Some(_)) = (&asked, why_before.filter(|before| Some(*before) != why)) {
                tracing::error!(cluster = cluster.name, up, %error, "the cluster is down for another reason than before");
            }
        } else {
            match asked {
                Ok(_) => tracing::warn!(cluster = cluster.name, up, "the cluster's health changed"),
                Err(error) => tracing::error!(cluster = cluster.name, up, %error, "the cluster's health changed"),
            }
        }
        self.metrics.cluster(cluster.number).up(up);
    }

    /// Notes the state of every queue and pool of connections in the metrics, and of the cache.
    pub fn observe(&self) {
        if let Some(cache) = &self.cache {
            cache.note();
        }
        for cluster in self.clusters.values() {
            if let Some(queues) = cluster.queues() {
                queues.observe();
            }
            if let Some(state) = cluster.backend.pool() {
                self.metrics.cluster(cluster.number).pool(state);
            }
        }
    }

    /// Closes every cluster: finishes what is running, flushes.
    pub async fn close(&self) {
        join_all(self.clusters.values().map(|cluster| cluster.backend.close())).await;
    }

    /// Where a cell of this table in this cluster is read.
    fn source_of(table: &TableRef, cluster: &Cluster) -> Source {
        let incarnation = cluster.incarnation.load(Ordering::Acquire);
        Source { table: table.id, cluster: cluster.number, incarnation, start: cluster.backend.start() }
    }

    /// A request as a plan, timed.
    fn route(&self, request: Request, topology: &Topology) -> Plan {
        let started = Instant::now();
        let plan = cellgate_router::plan(request, topology);
        self.metrics.stage(Stage::Route, started.elapsed());
        plan
    }

    /// A cluster that may be spoken to.
    fn cluster(&self, number: ClusterNo) -> Result<&Arc<Cluster>, RunError> {
        let Some(cluster) = self.clusters.get(&number) else {
            let error = StoreError::Unavailable {
                reason: Reason::Connect,
                detail: format!("cluster {number} is not configured in this proxy"),
            };
            return Err(RunError::Cluster { cluster: number.to_string(), error });
        };
        if cluster.is_verified() {
            return Ok(cluster);
        }
        let error = StoreError::Unavailable {
            reason: Reason::Connect,
            detail: "its identity is not known yet: since the start the store has not been reached, has refused the login, or was \
                     found not to be the one expected, of which the log has why"
                .into(),
        };
        Err(RunError::Cluster { cluster: cluster.name.clone(), error })
    }

    /// Runs one backend call with its metrics, which have it also if nobody waits for its end.
    async fn timed<T>(
        &self,
        cluster: &Cluster,
        operation: Operation,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, RunError> {
        let metrics = self.metrics.cluster(cluster.number);
        let under_way = UnderWay::new(metrics, operation, cluster.number, self.given_up.as_deref());
        let answer = call.await;
        let awaited = under_way.answered();
        answer.map_err(|error| {
            // How a statement notices a change of the topology or of the catalog is no fault of the cluster, nor is how
            // much it asks for at once. If a table of the newest catalog is missing, whoever tells the client counts it;
            // behind a ping stands no client.
            let is_no_fault = match error {
                StoreError::StaleEpoch { .. } | StoreError::AnswerTooLarge { .. } => true,
                StoreError::NoTable { .. } => operation != Operation::Ping,
                _ => false,
            };
            if !is_no_fault {
                // Whose caller ran out of time was counted as that then, if the limit was the server's.
                if awaited || error.kind() != ErrorKind::Timeout {
                    metrics.failed(error.kind());
                }
                // Whoever asked says so where it matters, once.
                tracing::debug!(cluster = cluster.name, operation = operation.label(), %error, "store error");
            }
            RunError::Cluster { cluster: cluster.name.clone(), error }
        })
    }

    /// Learns the topology again, because a store refused what was planned under `seen` in this round.
    async fn plan_again(&self, seen: &Topology, round: u32) -> Result<(), RunError> {
        let refreshed = self.source.refresh(seen.version()).await;
        refreshed.map_err(of_meta)?;
        if self.topology().version() == seen.version() {
            tokio::time::sleep(REPLAN_PAUSE * 2_u32.pow(round)).await;
        }
        Ok(())
    }
}

/// A failure of the meta store.
fn of_meta(error: StoreError) -> RunError {
    RunError::Cluster { cluster: META_STORE.into(), error }
}

/// The epoch a write to this cluster is planned under.
fn epoch_of(topology: &Topology, cluster: ClusterNo) -> Epoch {
    topology.cluster(cluster).map_or(Epoch(0), |entry| entry.epoch)
}
