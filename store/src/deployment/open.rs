//! Opening a deployment: create it, or check everything about it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::Metrics;
use cellgate_router::{HASH_NAME, HASH_SEED, PlacementNode, Weight, propose};
use cellgate_schemaless::{ClusterNo, Epoch, ShardId};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::documents::{
    ClusterDocument, ClusterState, DEPLOYMENT, DeploymentDocument, TOPOLOGY, TopologyDocument, decode, encode,
};
use super::erasing::{ErasureLog, LOOK_EVERY};
use super::error::OpenError;
use super::registry::{Files, LEASE, ProxyInfo, Registration};
use super::topology::{StoredTopology, build};
use crate::backend::{Backend, FORMAT, Identity};
use crate::cache::CellCache;
use crate::error::StoreError;
use crate::executor::{Cluster, Executor};
use crate::meta::{Document, MetaStore};

/// The epoch a cluster's log heads start at.
const FIRST_EPOCH: i64 = 1;
/// How often two proxies that create the same deployment may get in each other's way before one gives up.
const CREATE_ATTEMPTS: usize = 20;
/// How often every cluster is asked for a sign of life, and one that could not be reached at the start for its
/// identity.
const VERIFY_EVERY: Duration = Duration::from_secs(2);

/// A configured cluster.
#[derive(Clone, Debug)]
pub struct ClusterSetup {
    /// Its name.
    pub name: String,
    /// Its number, if the configuration says so; the next free one otherwise.
    pub number: Option<ClusterNo>,
    /// Its weight.
    pub weight: Weight,
    /// Its engine's name.
    pub engine: &'static str,
    /// Its cells.
    pub backend: Arc<dyn Backend>,
    /// Whether its files belong to this process alone (SQLite).
    pub exclusive: bool,
}

/// A configured deployment.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Number of virtual shards, if the configuration says so; what is stored otherwise.
    pub virtual_shards: Option<u32>,
    /// The meta store.
    pub meta: Arc<dyn MetaStore>,
    /// Whether the meta store's file belongs to this process alone (SQLite).
    pub meta_exclusive: bool,
    /// The clusters.
    pub clusters: Vec<ClusterSetup>,
    /// Who this proxy is.
    pub proxy: ProxyInfo,
    /// How often the meta store is asked for changes.
    pub poll: Duration,
    /// Bytes of memory for cells that were read before; 0 for none.
    pub cache_bytes: usize,
}

/// An open deployment.
#[derive(Debug)]
pub struct Deployment {
    id: String,
    meta: Arc<dyn MetaStore>,
    topology: Arc<StoredTopology>,
    executor: Arc<Executor>,
    registration: Arc<Registration>,
    erasures: Arc<ErasureLog>,
    metrics: Arc<Metrics>,
    poll: Duration,
    /// When the last successful read of the meta store began.
    fresh: watch::Sender<Instant>,
}

impl Deployment {
    /// Creates the deployment if there is none, else checks it: see the module's documentation.
    ///
    /// A cluster that was created before and cannot be reached now does not prevent the start: it is checked when it
    /// comes back (see [`Deployment::run`]), and nothing is sent to it before.
    ///
    /// # Errors
    /// [`OpenError`], with what to do about it.
    pub async fn open(setup: Setup, metrics: Arc<Metrics>) -> Result<Arc<Self>, OpenError> {
        let began = Instant::now();
        let meta = Arc::clone(&setup.meta);
        let fixed = fixed_properties(&setup).await?;
        let mut document = stored_topology(&setup, &fixed).await?;
        // By cluster number: the incarnation of those that were reached.
        let mut reached = BTreeMap::new();
        let (mut new, mut own_files) = (Vec::new(), false);
        for cluster in &setup.clusters {
            let entry = entry_of(&document.1, &cluster.name)?;
            match entry.state {
                ClusterState::New => new.push((cluster, entry)),
                ClusterState::Claimed => match settle_identity(cluster, &entry, &fixed, &document.1).await {
                    Ok(incarnation) => {
                        own_files |= cluster.exclusive;
                        reached.insert(entry.number, incarnation);
                    }
                    Err(OpenError::Cluster {
                        error: StoreError::Unavailable { .. } | StoreError::Timeout { .. },
                        ..
                    }) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        let files = match (setup.meta_exclusive, setup.clusters.iter().any(|c| c.exclusive), own_files) {
            (true, _, _) => Files::Meta,
            (false, true, true) => Files::Clusters,
            (false, true, false) => Files::NewClusters,
            (false, false, _) => Files::None,
        };
        // Before anything is claimed: of two that start at once with files of their own, none may claim what belongs to
        // the other's deployment.
        let id = random_id().map_err(OpenError::Meta)?;
        let registration = Registration::enter(Arc::clone(&meta), &id, &setup.proxy, files, document.0).await?;
        for (cluster, entry) in new {
            let claimed = match settle_identity(cluster, &entry, &fixed, &document.1).await {
                Ok(incarnation) => {
                    reached.insert(entry.number, incarnation);
                    mark_claimed(&setup, entry.number).await
                }
                Err(error) => Err(error),
            };
            match claimed {
                Ok(newer) => document = newer,
                Err(error) => {
                    registration.leave().await;
                    return Err(error);
                }
            }
        }
        let topology = build(document.0, &document.1)?;
        let clusters = setup.clusters.iter().map(|c| {
            let entry = entry_of(&document.1, &c.name)?;
            let number = cluster_no(entry.number)?;
            metrics.number_cluster(number, &c.name);
            let incarnation = reached.get(&entry.number);
            let cluster = Cluster::new(number, &c.name, c.engine, Arc::clone(&c.backend), incarnation.is_some());
            if let Some(incarnation) = incarnation {
                cluster.set_verified(*incarnation);
            }
            Ok(Arc::new(cluster))
        });
        let clusters = clusters.collect::<Result<Vec<_>, OpenError>>()?;
        let registration = Arc::new(registration);
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
            meta,
            topology,
            executor,
            registration,
            erasures,
            metrics,
            poll: setup.poll,
            fresh: watch::Sender::new(began),
        });
        Ok(deployment)
    }

    /// Its id: 32 hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Runs requests on its clusters.
    pub fn executor(&self) -> &Arc<Executor> {
        &self.executor
    }

    /// Its meta store.
    pub fn meta(&self) -> &Arc<dyn MetaStore> {
        &self.meta
    }

    /// Whether no other proxy can be serving the deployment now.
    ///
    /// # Errors
    /// What the meta store says: then it is not known.
    pub async fn is_alone(&self) -> Result<bool, StoreError> {
        self.registration.is_alone().await
    }

    /// When the last successful read of the meta store began.
    pub fn fresh_at(&self) -> Instant {
        *self.fresh.borrow()
    }

    /// Follows the meta store, renews the lease and checks clusters that come back, until `shutdown`; then leaves.
    ///
    /// The three do not wait for each other: a cluster that hangs must not cost this proxy its lease.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut leaving = shutdown.clone();
        let look = async {
            let follow = every(self.poll, || self.follow());
            let verify = every(VERIFY_EVERY, || async {
                self.verify_returned().await;
                self.executor.check_health().await;
            });
            let erasures = async {
                if !self.erasures.is_followed() {
                    std::future::pending::<()>().await;
                }
                every(LOOK_EVERY, || self.erasures.look()).await;
            };
            // All only read: what is running at the shutdown is cut off.
            tokio::select! {
                () = told(&mut shutdown) => {}
                () = follow => {}
                () = verify => {}
                () = erasures => {}
            }
        };
        let stay = async {
            let mut interval = tokio::time::interval(LEASE / 3);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = told(&mut leaving) => break,
                    _ = interval.tick() => {}
                }
                // Not cut off: to leave, the entry's version must be known.
                self.renew().await;
            }
            self.registration.leave().await;
        };
        tokio::join!(look, stay);
    }

    async fn renew(&self) {
        if let Err(error) = self.registration.renew(self.executor.topology().version()).await {
            tracing::warn!(%error, "could not renew the lease in the registry of proxies");
        }
    }

    async fn follow(&self) {
        let began = Instant::now();
        match self.topology.poll().await {
            Ok(()) => {
                self.fresh.send_replace(began);
                self.metrics.meta_up(true);
                self.metrics.topology_version(self.executor.topology().version());
            }
            Err(error) => {
                self.metrics.meta_up(false);
                tracing::warn!(%error, "cannot read the meta store");
            }
        }
    }

    /// Checks the identity of clusters that could not be reached at the start.
    async fn verify_returned(&self) {
        let unknown = self.executor.clusters().filter(|c| !c.is_verified());
        let checks = unknown.map(|cluster| async move {
            match self.verify(cluster).await {
                Ok(incarnation) => {
                    cluster.set_verified(incarnation);
                    tracing::info!(cluster = cluster.name, "the cluster is back and is the one expected");
                }
                Err(error @ OpenError::Cluster { .. }) => {
                    tracing::debug!(cluster = cluster.name, %error, "the cluster is not back");
                }
                Err(error) => tracing::error!(cluster = cluster.name, %error, "the cluster is not the one expected"),
            }
        });
        join_all(checks).await;
    }

    /// Checks who a cluster is; answers its incarnation.
    async fn verify(&self, cluster: &Cluster) -> Result<i64, OpenError> {
        let load = self.meta.load(DEPLOYMENT).await.map_err(OpenError::Meta)?;
        let Some(document) = load else { return Err(missing(DEPLOYMENT)) };
        let fixed: DeploymentDocument = decode(DEPLOYMENT, &document.body).map_err(OpenError::Meta)?;
        let expected = identity(&fixed, cluster.number);
        let found = cluster.backend.identity().await.map_err(|error| failed(&cluster.name, error))?;
        let Some(found) = found else { return Err(OpenError::StoreLost { cluster: cluster.name.clone() }) };
        check_identity(&cluster.name, &found, &expected)?;
        let topology = self.executor.topology();
        let mapped = topology.shards_of(cluster.number).collect();
        let epoch = topology.cluster(cluster.number).map_or(Epoch(FIRST_EPOCH), |entry| entry.epoch);
        check_shards(&cluster.name, cluster.backend.as_ref(), &mapped, epoch).await?;
        Ok(found.incarnation)
    }
}

/// With an empty meta store, no cluster may belong to a deployment.
async fn refuse_claimed_clusters(clusters: &[ClusterSetup]) -> Result<(), OpenError> {
    for cluster in clusters {
        if let Some(found) = cluster.backend.identity().await.map_err(|error| failed(&cluster.name, error))? {
            return Err(OpenError::MetaLost { cluster: cluster.name.clone(), deployment: found.deployment });
        }
    }
    Ok(())
}

/// The deployment document: as stored, or created from the configuration.
async fn fixed_properties(setup: &Setup) -> Result<DeploymentDocument, OpenError> {
    for _ in 0..CREATE_ATTEMPTS {
        if let Some(stored) = stored_properties(setup).await? {
            check_fixed(&stored, setup.virtual_shards)?;
            return Ok(stored);
        }
        if let Err(refused) = refuse_claimed_clusters(&setup.clusters).await {
            // Another proxy may have created the deployment, and claimed its clusters, since the meta store was read.
            match stored_properties(setup).await? {
                Some(_) => continue,
                None => return Err(refused),
            }
        }
        setup.meta.create().await.map_err(OpenError::Meta)?;
        let created = DeploymentDocument {
            deployment: random_id().map_err(OpenError::Meta)?,
            virtual_shards: setup.virtual_shards.unwrap_or(cellgate_schemaless::limits::VIRTUAL_SHARDS_DEFAULT),
            hash: HASH_NAME.into(),
            seed: HASH_SEED.cast_signed(),
            format: FORMAT,
        };
        let body = encode(DEPLOYMENT, &created).map_err(OpenError::Meta)?;
        if setup.meta.compare_and_set(DEPLOYMENT, 0, &body).await.map_err(OpenError::Meta)? {
            tracing::info!(deployment = created.deployment, "created a new deployment");
        }
    }
    Err(missing(DEPLOYMENT))
}

async fn stored_properties(setup: &Setup) -> Result<Option<DeploymentDocument>, OpenError> {
    if !setup.meta.exists().await.map_err(OpenError::Meta)? {
        return Ok(None);
    }
    let document = setup.meta.load(DEPLOYMENT).await.map_err(OpenError::Meta)?;
    document.map(|document| decode(DEPLOYMENT, &document.body).map_err(OpenError::Meta)).transpose()
}

fn check_fixed(stored: &DeploymentDocument, configured_shards: Option<u32>) -> Result<(), OpenError> {
    let place = "the meta store".to_owned();
    if stored.format > FORMAT {
        return Err(OpenError::NewerFormat { place, stored: stored.format, known: FORMAT });
    }
    let mismatch = |what, stored: String, configured: String| {
        Err(OpenError::Mismatch { what, stored, configured, place: place.clone() })
    };
    if let Some(configured) = configured_shards.filter(|c| *c != stored.virtual_shards) {
        return mismatch("virtual_shards", stored.virtual_shards.to_string(), configured.to_string());
    }
    if stored.hash != HASH_NAME {
        return mismatch("the placement hash", stored.hash.clone(), HASH_NAME.into());
    }
    if stored.seed != HASH_SEED.cast_signed() {
        return mismatch("the placement seed", stored.seed.to_string(), HASH_SEED.cast_signed().to_string());
    }
    Ok(())
}

/// The topology document, with an entry for every configured cluster.
async fn stored_topology(setup: &Setup, fixed: &DeploymentDocument) -> Result<(i64, TopologyDocument), OpenError> {
    for _ in 0..CREATE_ATTEMPTS {
        let (version, document) = match setup.meta.load(TOPOLOGY).await.map_err(OpenError::Meta)? {
            Some(document) => decoded(&document)?,
            None => (0, first_topology(setup, fixed)?),
        };
        refuse_missing_clusters(&document, &setup.clusters)?;
        let complete = with_new_clusters(document.clone(), &setup.clusters)?;
        if version > 0 && complete == document {
            return Ok((version, document));
        }
        let body = encode(TOPOLOGY, &complete).map_err(OpenError::Meta)?;
        if setup.meta.compare_and_set(TOPOLOGY, version, &body).await.map_err(OpenError::Meta)? {
            return Ok((version + 1, complete));
        }
    }
    Err(missing(TOPOLOGY))
}

/// The map of a new deployment: all configured clusters share the shards by weight.
fn first_topology(setup: &Setup, fixed: &DeploymentDocument) -> Result<TopologyDocument, OpenError> {
    let empty = TopologyDocument { clusters: Vec::new(), map: Vec::new() };
    let mut document = with_new_clusters(empty, &setup.clusters)?;
    let nodes = document
        .clusters
        .iter()
        .map(|c| Ok(PlacementNode { cluster: cluster_no(c.number)?, weight: Weight::new(c.weight)? }))
        .collect::<Result<Vec<_>, OpenError>>()?;
    document.map = propose(fixed.virtual_shards, &nodes)?.into_iter().map(ClusterNo::get).collect();
    Ok(document)
}

/// A cluster the topology does not know gets the number that the configuration gives it, else the next, and no shards.
fn with_new_clusters(mut document: TopologyDocument, clusters: &[ClusterSetup]) -> Result<TopologyDocument, OpenError> {
    // Those with a number of their own first, so that nobody else is given it.
    let (numbered, free): (Vec<_>, Vec<_>) = clusters.iter().partition(|cluster| cluster.number.is_some());
    for cluster in numbered.into_iter().chain(free) {
        if let Some(known) = document.clusters.iter().find(|c| c.name == cluster.name) {
            match cluster.number {
                Some(wanted) if wanted.get() != known.number => {
                    return Err(OpenError::Mismatch {
                        what: "the number of a cluster",
                        stored: format!("{} ({})", known.number, known.name),
                        configured: wanted.to_string(),
                        place: "the meta store".to_owned(),
                    });
                }
                Some(_) | None => continue,
            }
        }
        let next = || document.clusters.iter().map(|c| c.number).max().unwrap_or(0) + 1;
        let number = cluster.number.map_or_else(next, ClusterNo::get);
        ClusterNo::new(number).map_err(|_| OpenError::ClustersExhausted)?;
        if let Some(owner) = document.clusters.iter().find(|c| c.number == number) {
            let (cluster, owner) = (cluster.name.clone(), owner.name.clone());
            return Err(OpenError::NumberTaken { cluster, number, owner });
        }
        document.clusters.push(ClusterDocument {
            number,
            name: cluster.name.clone(),
            weight: cluster.weight.get(),
            epoch: FIRST_EPOCH,
            state: ClusterState::New,
        });
    }
    Ok(document)
}

fn refuse_missing_clusters(document: &TopologyDocument, clusters: &[ClusterSetup]) -> Result<(), OpenError> {
    for known in &document.clusters {
        let shards = document.map.iter().filter(|n| **n == known.number).count();
        let configured = clusters.iter().any(|c| c.name == known.name);
        if !configured && shards > 0 {
            return Err(OpenError::ClusterMissing { cluster: known.name.clone(), shards });
        }
    }
    Ok(())
}

/// Creates the store of a new cluster, or checks that it is the one it was; answers its incarnation.
async fn settle_identity(
    cluster: &ClusterSetup,
    entry: &ClusterDocument,
    fixed: &DeploymentDocument,
    topology: &TopologyDocument,
) -> Result<i64, OpenError> {
    let expected = identity(fixed, cluster_no(entry.number)?);
    let found = cluster.backend.identity().await.map_err(|error| failed(&cluster.name, error))?;
    let stands = match (found, entry.state) {
        (Some(found), ClusterState::New | ClusterState::Claimed) => found,
        (None, ClusterState::Claimed) => return Err(OpenError::StoreLost { cluster: cluster.name.clone() }),
        (None, ClusterState::New) => {
            let shards: Vec<ShardId> =
                (0..).zip(&topology.map).filter(|(_, n)| **n == entry.number).map(|(s, _)| ShardId(s)).collect();
            cluster.backend.claim(&expected, &shards).await.map_err(|error| failed(&cluster.name, error))?
        }
    };
    check_identity(&cluster.name, &stands, &expected)?;
    let mapped = (0..).zip(&topology.map).filter(|(_, n)| **n == entry.number).map(|(s, _)| ShardId(s)).collect();
    check_shards(&cluster.name, cluster.backend.as_ref(), &mapped, Epoch(entry.epoch)).await?;
    Ok(stands.incarnation)
}

/// Every shard that the map gives a cluster must be its own by its own account, and both must be at one epoch: they are
/// of one moment then.
async fn check_shards(
    cluster: &str,
    backend: &dyn Backend,
    mapped: &BTreeSet<ShardId>,
    stored: Epoch,
) -> Result<(), OpenError> {
    let (epoch, states) = backend.shards().await.map_err(|error| failed(cluster, error))?;
    let (cluster_name, meta) = (|| cluster.to_owned(), stored.0);
    match epoch.cmp(&stored) {
        Ordering::Equal => {}
        Ordering::Greater => return Err(OpenError::MetaOlder { cluster: cluster_name(), store: epoch.0, meta }),
        Ordering::Less => return Err(OpenError::StoreOlder { cluster: cluster_name(), store: epoch.0, meta }),
    }
    let owned: BTreeSet<ShardId> = states.iter().filter(|s| s.moved_to.is_none()).map(|s| s.shard).collect();
    let mut missing = mapped.difference(&owned);
    match missing.next() {
        None => Ok(()),
        Some(shard) => {
            Err(OpenError::ShardsDiffer { cluster: cluster.to_owned(), shard: shard.0, count: missing.count() + 1 })
        }
    }
}

fn check_identity(cluster: &str, found: &Identity, expected: &Identity) -> Result<(), OpenError> {
    let place = format!("the store of cluster {cluster}");
    if found.format > FORMAT {
        return Err(OpenError::NewerFormat { place, stored: found.format, known: FORMAT });
    }
    let pairs = [
        ("the deployment id", found.deployment.clone(), expected.deployment.clone()),
        ("the cluster number", found.cluster.to_string(), expected.cluster.to_string()),
        ("virtual_shards", found.virtual_shards.to_string(), expected.virtual_shards.to_string()),
        ("the placement hash", found.hash.clone(), expected.hash.clone()),
        ("the placement seed", found.seed.to_string(), expected.seed.to_string()),
    ];
    match pairs.into_iter().find(|(_, stored, configured)| stored != configured) {
        None => Ok(()),
        Some((what, stored, configured)) => Err(OpenError::Mismatch { what, stored, configured, place }),
    }
}

/// Notes that a cluster's store exists from now on.
async fn mark_claimed(setup: &Setup, number: u16) -> Result<(i64, TopologyDocument), OpenError> {
    for _ in 0..CREATE_ATTEMPTS {
        let Some(document) = setup.meta.load(TOPOLOGY).await.map_err(OpenError::Meta)? else {
            return Err(missing(TOPOLOGY));
        };
        let (version, mut topology) = decoded(&document)?;
        let mut changed = false;
        for entry in topology.clusters.iter_mut().filter(|c| c.number == number && c.state == ClusterState::New) {
            entry.state = ClusterState::Claimed;
            changed = true;
        }
        if !changed {
            return Ok((version, topology));
        }
        let body = encode(TOPOLOGY, &topology).map_err(OpenError::Meta)?;
        if setup.meta.compare_and_set(TOPOLOGY, version, &body).await.map_err(OpenError::Meta)? {
            return Ok((version + 1, topology));
        }
    }
    Err(missing(TOPOLOGY))
}

fn decoded(document: &Document) -> Result<(i64, TopologyDocument), OpenError> {
    Ok((document.version, decode(TOPOLOGY, &document.body).map_err(OpenError::Meta)?))
}

fn entry_of(document: &TopologyDocument, name: &str) -> Result<ClusterDocument, OpenError> {
    document.clusters.iter().find(|c| c.name == name).cloned().ok_or_else(|| missing(TOPOLOGY))
}

fn identity(fixed: &DeploymentDocument, cluster: ClusterNo) -> Identity {
    Identity {
        deployment: fixed.deployment.clone(),
        cluster,
        incarnation: 1,
        virtual_shards: fixed.virtual_shards,
        hash: fixed.hash.clone(),
        seed: fixed.seed,
        format: FORMAT,
    }
}

fn cluster_no(number: u16) -> Result<ClusterNo, OpenError> {
    ClusterNo::new(number).map_err(|error| OpenError::Meta(StoreError::Corrupt { detail: error.to_string() }))
}

fn failed(cluster: &str, error: StoreError) -> OpenError {
    OpenError::Cluster { cluster: cluster.to_owned(), error }
}

fn missing(document: &str) -> OpenError {
    OpenError::Meta(StoreError::Corrupt { detail: format!("document {document} is missing or keeps changing") })
}

fn random_id() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Failed { detail: format!("no randomness: {error}") })?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Does `work` at once and then in this interval, for ever.
async fn every<F: Future<Output = ()>>(period: Duration, work: impl Fn() -> F) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        work().await;
    }
}

/// Returns once `shutdown` is `true`, or nobody is left who could turn it.
async fn told(shutdown: &mut watch::Receiver<bool>) {
    // What it answers borrows the channel's lock, which must not be held over an await of the caller's.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
