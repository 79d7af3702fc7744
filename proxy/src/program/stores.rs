//! The stores that a configuration names.

use std::sync::Arc;

use cellgate_metrics::{ClusterMetrics, Metrics};
use cellgate_router::Weight;
use cellgate_store::coalesce::{CoalesceOptions, Coalescing};
use cellgate_store::deployment::{ClusterSetup, Departure, ProxyInfo, Setup};
use cellgate_store::meta::{self, MetaStore};
use cellgate_store::{Backend, Engines, StoreError, Timeouts};

use super::ProgramError;
use crate::catalog::Catalog;
use crate::config::{Cluster, Config, Target};

/// What stores are opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be used.
    Serve,
    /// To be looked at. Lock files are not made: the user who checks need not be the one who serves.
    Check,
}

/// The stores of a configuration. Nothing is created by opening them.
pub(super) fn setup(
    config: &Config,
    purpose: Purpose,
    proxy: ProxyInfo,
    metrics: &Metrics,
) -> Result<Setup, ProgramError> {
    let clusters = config.clusters.iter().map(|cluster| {
        let counted = metrics.cluster_named(&cluster.name);
        let backend = open_cluster(config, purpose, cluster, counted)
            .map_err(|error| ProgramError::Store { place: format!("cluster {}", cluster.name), error })?;
        Ok(ClusterSetup {
            name: cluster.name.clone(),
            number: cluster.number,
            weight: Weight::new(cluster.weight)?,
            engine: cluster.primary.engine(),
            queues: queues(config, cluster, &backend, metrics.cluster_named(&cluster.name)),
            backend,
            exclusive: cluster.primary.is_file(),
        })
    });
    let clusters = clusters.collect::<Result<Vec<_>, ProgramError>>()?;
    let meta = open_meta(config, purpose).map_err(|error| ProgramError::Store { place: "meta store".into(), error })?;
    Ok(Setup {
        virtual_shards: Some(config.topology.virtual_shards),
        meta,
        meta_exclusive: config.topology.meta.is_file(),
        clusters,
        proxy,
        poll: config.meta.poll,
        cache_bytes: config.cache.size.bytes(),
        first_documents: vec![Catalog::first().map_err(ProgramError::Catalog)?],
        departure: Departure::default(),
    })
}

fn timeouts(config: &Config) -> Timeouts {
    let t = &config.timeouts;
    Timeouts { connect: t.connect, statement: t.statement, lock: t.lock, queue: t.queue }
}

pub(super) fn open_cluster(
    config: &Config,
    purpose: Purpose,
    cluster: &Cluster,
    metrics: Option<Arc<ClusterMetrics>>,
) -> Result<Arc<dyn Backend>, StoreError> {
    let pool_size = usize::try_from(cluster.pool_size).unwrap_or(usize::MAX);
    let (timeouts, queue_bytes) = (timeouts(config), config.coalesce.queue_bytes.bytes());
    let engines = Engines { timeouts, pool_size, queue_bytes, looks: purpose == Purpose::Check };
    match &cluster.primary {
        Target::Sqlite { path } => engines.sqlite(path),
        Target::Server(dsn) => engines.server(&cluster.name, dsn, metrics),
    }
}

/// Queues in front of a server. A file needs none: its reads are cheaper than a queue, and its writer commits in groups.
fn queues(
    config: &Config,
    cluster: &Cluster,
    backend: &Arc<dyn Backend>,
    metrics: Option<Arc<ClusterMetrics>>,
) -> Option<Arc<Coalescing>> {
    let c = &config.coalesce;
    let metrics = metrics.filter(|_| c.enabled && !cluster.primary.is_file())?;
    let options = CoalesceOptions {
        batch_reads: c.batch_reads,
        batch_writes: c.batch_writes,
        per_request: c.per_request,
        lanes: c.lanes,
        busy_lanes: c.busy_lanes,
        write_lanes: if cluster.primary.is_postgres() { 2 } else { 1 },
        slow: c.slow,
        far: c.far,
        queue_cells: c.queue_cells,
        queue_bytes: c.queue_bytes.bytes(),
    };
    let connections = usize::try_from(cluster.pool_size).unwrap_or(usize::MAX);
    Some(Arc::new(Coalescing::new(Arc::clone(backend), options, connections, timeouts(config), &metrics)))
}

pub(super) fn open_meta(config: &Config, purpose: Purpose) -> Result<Arc<dyn MetaStore>, StoreError> {
    match &config.topology.meta {
        Target::Sqlite { path } => meta::open_sqlite(path, timeouts(config), purpose == Purpose::Check),
        Target::Server(dsn) => meta::open_server(dsn, timeouts(config)),
    }
}
