//! Opening a deployment: create it, or check everything about it.
//!
//! Whatever refuses the start does so before it has changed what others use; who is refused behind that leaves the registry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use cellgate_metrics::Metrics;
use cellgate_router::Topology;
use tokio::sync::watch;

use super::Deployment;
use super::creating::create_store;
use super::documents::{ClusterState, DeploymentDocument, TopologyDocument};
use super::erasing::ErasureLog;
use super::error::OpenError;
use super::identity::settle_identity;
use super::locating::Store;
use super::properties::{
    cluster_no, create_first_documents, entry_of, fixed_properties, planned_topology, refuse_doubled_names,
    refuse_lost_documents, stored_topology,
};
use super::registry::{Files, Registration};
use super::setup::{ClusterSetup, Setup};
use super::tables::{Compared, compare_tables};
use super::topology::{StoredTopology, build};
use crate::cache::CellCache;
use crate::error::StoreError;
use crate::executor::{Cluster, Executor};

impl Deployment {
    /// Creates the deployment if there is none, else checks it: see the module's documentation.
    ///
    /// A cluster that was created before and cannot be reached now, or refuses the login, does not prevent the start: it
    /// is checked when it comes back (see [`Deployment::run`]), and nothing is sent to it before.
    ///
    /// # Errors
    /// [`OpenError`], with what to do about it.
    pub async fn open(setup: Setup, metrics: Arc<Metrics>) -> Result<Arc<Self>, OpenError> {
        let began = Instant::now();
        refuse_doubled_names(&setup.clusters)?;
        let meta = Arc::clone(&setup.meta);
        let (fixed, is_new) = fixed_properties(&setup).await?;
        // Whatever refuses the start does so before it has changed what others use.
        let planned = planned_topology(&setup, &fixed).await?;
        refuse_lost_documents(&setup, &planned.document).await?;
        let mut looked = Looked::at(&setup, &fixed, &planned.document).await?;
        let reached = setup.clusters.iter().filter_map(|cluster| {
            let entry = entry_of(&planned.document, &cluster.name).ok()?;
            let has_shards = planned.document.map.contains(&entry.number);
            let compared = Compared { name: &cluster.name, backend: cluster.backend.as_ref(), has_shards };
            looked.reached.contains_key(&entry.number).then_some(compared)
        });
        let reached: Vec<_> = reached.collect();
        compare_tables(meta.as_ref(), &setup.first_documents, &reached).await?.tell();
        // Before anything is stored or claimed: of two that start at once with files of their own, none may claim what
        // belongs to the other's deployment.
        let id = random_id().map_err(OpenError::Meta)?;
        let registration =
            Registration::enter(&setup, &id, Files::of(&setup, looked.own_files), planned.version).await?;
        metrics.meta_writable(true);
        let claimed = claim(&setup, &fixed, &planned.document, &registration, &mut looked).await;
        let used = claimed.and_then(|document| in_use(&setup, &document, &looked.reached, &metrics));
        let (topology, clusters) = match used {
            Ok(both) => both,
            Err(error) => {
                registration.leave().await;
                return Err(error);
            }
        };
        let cache = (setup.cache_bytes > 0).then(|| Arc::new(CellCache::new(setup.cache_bytes, Arc::clone(&metrics))));
        if let Some(cache) = cache.as_ref().filter(|_| registration.is_exclusive()) {
            cache.trust();
        }
        let erasures = Arc::new(ErasureLog::new(Arc::clone(&meta), cache.clone(), Arc::clone(&registration)));
        metrics.topology_version(topology.version());
        let topology = Arc::new(StoredTopology::new(Arc::clone(&meta), topology));
        let executor = Executor::new(clusters, Arc::clone(&topology) as _, Arc::clone(&metrics))
            .with_cache(cache, Arc::clone(&erasures) as _);
        let executor = Arc::new(executor);
        let deployment = Arc::new(Self {
            id: fixed.deployment,
            is_new,
            meta,
            topology,
            executor,
            registration,
            erasures,
            metrics,
            poll: setup.poll,
            first_documents: setup.first_documents,
            fresh: watch::Sender::new(began),
        });
        Ok(deployment)
    }
}

/// The stores that were reached, for the registry.
fn stores<'a>(setup: &'a Setup, topology: &TopologyDocument, reached: &BTreeMap<u16, i64>) -> Vec<Store<'a>> {
    let stores = setup.clusters.iter().filter_map(|cluster| {
        let entry = topology.clusters.iter().find(|entry| entry.name == cluster.name)?;
        let store = Store { number: entry.number, name: &cluster.name, backend: cluster.backend.as_ref() };
        reached.contains_key(&entry.number).then_some(store)
    });
    stores.collect()
}

/// What a start has found out about the clusters before it changes anything.
#[derive(Debug, Default)]
struct Looked<'a> {
    /// By cluster number: the incarnation of those that are who they should be.
    reached: BTreeMap<u16, i64>,
    /// Those that are yet to be created.
    new: Vec<&'a ClusterSetup>,
    /// The files of a cluster that was created before are this process's.
    own_files: bool,
}

impl<'a> Looked<'a> {
    /// Asks every cluster that was created before who it is. One that cannot be reached, or that refuses the login, does not
    /// prevent the start: it could not say who it is.
    async fn at(setup: &'a Setup, fixed: &DeploymentDocument, topology: &TopologyDocument) -> Result<Self, OpenError> {
        let mut looked = Self::default();
        for cluster in &setup.clusters {
            let entry = entry_of(topology, &cluster.name)?;
            match entry.state {
                ClusterState::New => looked.new.push(cluster),
                ClusterState::Claimed => match settle_identity(cluster, &entry, fixed, topology).await {
                    Ok(incarnation) => {
                        looked.own_files |= cluster.exclusive;
                        looked.reached.insert(entry.number, incarnation);
                    }
                    Err(OpenError::Cluster {
                        error: error @ (StoreError::Unavailable { .. } | StoreError::Timeout { .. }),
                        ..
                    }) => {
                        tracing::error!(cluster = cluster.name, up = false, %error, "the cluster is down at the start")
                    }
                    Err(OpenError::Cluster { error: error @ StoreError::Denied { .. }, .. }) => {
                        tracing::error!(cluster = cluster.name, up = false, %error, "the cluster refuses the login at the start")
                    }
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(looked)
    }
}

/// Makes the clusters this deployment's, under the lease: all proxies agree where their stores are, and new ones are created.
/// Answers the topology that is stored then.
async fn claim(
    setup: &Setup,
    fixed: &DeploymentDocument,
    planned: &TopologyDocument,
    registration: &Registration,
    looked: &mut Looked<'_>,
) -> Result<(i64, TopologyDocument), OpenError> {
    registration.agree(&stores(setup, planned, &looked.reached)).await?;
    let created = registration.renewed_during(create(setup, fixed, registration, looked)).await?;
    if !looked.new.is_empty() {
        registration.agree(&stores(setup, &created.1, &looked.reached)).await?;
    }
    Ok(created)
}

/// Stores what is new of the topology, and creates the stores of new clusters.
async fn create(
    setup: &Setup,
    fixed: &DeploymentDocument,
    registration: &Registration,
    looked: &mut Looked<'_>,
) -> Result<(i64, TopologyDocument), OpenError> {
    let mut document = stored_topology(setup, fixed).await?;
    create_first_documents(setup, &document.1).await?;
    // All proxies in one order: of two with other stores one creates all of them.
    let number_of = |cluster: &&ClusterSetup| entry_of(&document.1, &cluster.name).map_or(0, |entry| entry.number);
    looked.new.sort_by_key(number_of);
    for cluster in &looked.new {
        let (number, incarnation, newer) = create_store(setup, fixed, registration, cluster).await?;
        looked.reached.insert(number, incarnation);
        document = newer;
    }
    Ok(document)
}

/// The shard map, and its clusters as the executor uses them.
fn in_use(
    setup: &Setup,
    (version, document): &(i64, TopologyDocument),
    reached: &BTreeMap<u16, i64>,
    metrics: &Metrics,
) -> Result<(Topology, Vec<Arc<Cluster>>), OpenError> {
    let clusters = setup.clusters.iter().map(|c| {
        let entry = entry_of(document, &c.name)?;
        let number = cluster_no(entry.number)?;
        metrics.number_cluster(number, &c.name);
        let incarnation = reached.get(&entry.number);
        let cluster = Cluster::new(number, &c.name, c.engine, Arc::clone(&c.backend), incarnation.is_some());
        let cluster = match &c.queues {
            Some(queues) => cluster.behind(Arc::clone(queues)),
            None => cluster,
        };
        if let Some(incarnation) = incarnation {
            cluster.set_verified(*incarnation);
        }
        Ok(Arc::new(cluster))
    });
    Ok((build(*version, document)?, clusters.collect::<Result<_, OpenError>>()?))
}

pub(super) fn random_id() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Failed { detail: format!("no randomness: {error}") })?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
