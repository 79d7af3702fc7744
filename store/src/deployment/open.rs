//! Opening a deployment: create it, or check everything about it.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::Metrics;
use cellgate_router::{Topology, Weight};
use cellgate_schemaless::ClusterNo;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::creating::create_store;
use super::documents::{ClusterState, DEPLOYMENT, DeploymentDocument, FOLLOWER, TopologyDocument, decode};
use super::erasing::{ErasureLog, LOOK_EVERY};
use super::error::OpenError;
use super::identity::{check_identity, check_shards, failed, identity, settle_identity};
use super::locating::Store;
use super::properties::{
    cluster_no, create_first_documents, entry_of, fixed_properties, missing, planned_topology, refuse_doubled_names,
    refuse_lost_documents, stored_topology,
};
use super::registry::{Departure, Files, LEASE, ProxyInfo, Registration};
use super::renewals::Renewals;
use super::tables::{Compared, ReadTables, compare_tables};
use super::topology::{StoredTopology, build};
use crate::backend::Backend;
use crate::cache::CellCache;
use crate::coalesce::Coalescing;
use crate::error::StoreError;
use crate::executor::{Cluster, Executor};
use crate::meta::MetaStore;
use crate::sql::FIRST_EPOCH;

/// How often every cluster is asked for a sign of life, and one that could not be reached at the start for its
/// identity.
const VERIFY_EVERY: Duration = Duration::from_secs(2);

/// How often the log is told that a cluster that is back is still not used, for the same reason.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

/// How long the meta store may take to answer a poll before it counts as not answering. The poll itself goes on waiting,
/// for as long as a statement may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

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
    /// What stands in front of them, if statements are to be shared.
    pub queues: Option<Arc<Coalescing>>,
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
    /// Documents that a deployment has from the beginning.
    pub first_documents: Vec<FirstDocument>,
    /// The way out for who stops waiting for the start.
    pub departure: Departure,
}

/// A document of the meta store that is made before the first cluster is, and never again: without it a start is refused.
#[derive(Clone, Debug)]
pub struct FirstDocument {
    /// Its name.
    pub name: &'static str,
    /// What it says in a new deployment.
    pub body: Vec<u8>,
    /// Reads what it says of physical tables, if it is the one that does.
    pub tables: Option<ReadTables>,
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
    first_documents: Vec<FirstDocument>,
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
        refuse_doubled_names(&setup.clusters)?;
        let meta = Arc::clone(&setup.meta);
        let fixed = fixed_properties(&setup).await?;
        // Whatever refuses the start does so before it has changed what others use.
        let planned = planned_topology(&setup, &fixed).await?;
        refuse_lost_documents(&setup, &planned.document).await?;
        let mut looked = Looked::default();
        for cluster in &setup.clusters {
            let entry = entry_of(&planned.document, &cluster.name)?;
            match entry.state {
                ClusterState::New => looked.new.push(cluster),
                ClusterState::Claimed => match settle_identity(cluster, &entry, &fixed, &planned.document).await {
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
                    Err(error) => return Err(error),
                },
            }
        }
        let reached = setup.clusters.iter().filter_map(|cluster| {
            let entry = entry_of(&planned.document, &cluster.name).ok()?;
            let has_shards = planned.document.map.contains(&entry.number);
            let compared = Compared { name: &cluster.name, backend: cluster.backend.as_ref(), has_shards };
            looked.reached.contains_key(&entry.number).then_some(compared)
        });
        let reached: Vec<_> = reached.collect();
        compare_tables(meta.as_ref(), &setup.first_documents, &reached).await?.tell();
        let files = match (setup.meta_exclusive, setup.clusters.iter().any(|c| c.exclusive), looked.own_files) {
            (true, _, _) => Files::Meta,
            (false, true, true) => Files::Clusters,
            (false, true, false) => Files::NewClusters,
            (false, false, _) => Files::None,
        };
        // Before anything is stored or claimed: of two that start at once with files of their own, none may claim what
        // belongs to the other's deployment.
        let id = random_id().map_err(OpenError::Meta)?;
        let registration = Registration::enter(&setup, &id, files, planned.version).await?;
        metrics.meta_writable(true);
        if let Err(error) = registration.agree(&stores(&setup, &planned.document, &looked.reached)).await {
            registration.leave().await;
            return Err(error);
        }
        let created = registration.renewed_during(create(&setup, &fixed, &registration, &mut looked)).await;
        let created = match created {
            Ok(document) if !looked.new.is_empty() => {
                let agreed = registration.agree(&stores(&setup, &document.1, &looked.reached)).await;
                agreed.map(|()| document)
            }
            created => created,
        };
        let used = created.and_then(|document| in_use(&setup, &document, &looked.reached, &metrics));
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

    /// Its id: 32 hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Runs requests on its clusters.
    pub fn executor(&self) -> &Arc<Executor> {
        &self.executor
    }

    /// The name of the document in which this proxy says which catalog it uses. It is removed with the entry in the registry.
    pub fn follower(&self) -> String {
        format!("{FOLLOWER}{}", self.registration.id())
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

    /// Whether no other proxy can ever serve the deployment while this one runs: whatever the registry says.
    pub fn is_exclusive(&self) -> bool {
        self.registration.is_exclusive()
    }

    /// When the last successful read of the meta store began.
    pub fn fresh_at(&self) -> Instant {
        *self.fresh.borrow()
    }

    /// Whether the stored topology is none: the one known before stays in use, for as long as it may.
    pub fn is_topology_corrupt(&self) -> bool {
        self.topology.reading().is_corrupt()
    }

    /// Brings the metrics of the documents of the meta store up to date.
    pub fn observe_documents(&self) {
        self.topology.reading().observe(&self.metrics);
        self.erasures.reading().observe(&self.metrics);
    }

    /// Follows the meta store, renews the lease and checks clusters that come back, until `shutdown`; then leaves.
    ///
    /// These do not wait for each other: a cluster that hangs must not cost this proxy its lease, nor the others their
    /// checks.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut leaving = shutdown.clone();
        let renewals = Renewals::default();
        let look = async {
            let follow = every(self.poll, || self.follow(&renewals));
            let verify = async {
                join_all(self.executor.clusters().map(|cluster| self.verify_returned(cluster))).await;
                // All are known.
                std::future::pending::<()>().await;
            };
            let health = every(VERIFY_EVERY, || self.executor.check_health());
            let erasures = async {
                if !self.erasures.is_followed() {
                    std::future::pending::<()>().await;
                }
                every(LOOK_EVERY, || self.erasures.look()).await;
            };
            // These only read, but for a lease that has lapsed: what is running at the shutdown is cut off.
            tokio::select! {
                () = told(&mut shutdown) => {}
                () = follow => {}
                () = verify => {}
                () = health => {}
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
                    () = renewals.wanted.notified() => {}
                }
                // Not cut off: to leave, the entry's version must be known.
                renewals.ended(&self.renew().await);
            }
            self.registration.leave().await;
        };
        tokio::join!(look, stay);
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let verified = self.executor.clusters().filter(|cluster| cluster.is_verified());
        let stores: Vec<_> = verified.map(|cluster| store_of(cluster)).collect();
        let mut renewed = pin!(self.registration.renew(Some(self.executor.topology().version()), &stores, true));
        let renewed = match tokio::time::timeout(ANSWER_WITHIN, renewed.as_mut()).await {
            Ok(renewed) => renewed,
            Err(_) => {
                self.metrics.meta_writable(false);
                renewed.await
            }
        };
        self.metrics.meta_writable(renewed.is_ok());
        renewed
    }

    async fn follow(&self, renewals: &Renewals) {
        // Before anything that is read is gone by: others may have taken this proxy for gone, and not wait for it.
        // A renewal that hangs must not keep what can be read from being read.
        if !self.registration.is_held(Instant::now()) {
            let mut ended = pin!(renewals.ended.notified());
            ended.as_mut().enable();
            renewals.wanted.notify_one();
            let _ = tokio::time::timeout(ANSWER_WITHIN, ended).await;
        }
        let began = Instant::now();
        let mut polled = pin!(self.topology.poll());
        let polled = match tokio::time::timeout(ANSWER_WITHIN, polled.as_mut()).await {
            Ok(polled) => polled,
            Err(_) => {
                self.metrics.meta_up(false);
                self.topology.reading().hangs(ANSWER_WITHIN);
                polled.await
            }
        };
        match polled {
            Ok(()) => {
                self.fresh.send_replace(began);
                self.metrics.meta_up(true);
                self.metrics.topology_version(self.executor.topology().version());
            }
            // The log was told, once.
            Err(_) => self.metrics.meta_up(false),
        }
    }

    /// Checks the identity of a cluster that could not be reached at the start, until it is known.
    async fn verify_returned(&self, cluster: &Cluster) {
        let mut interval = tokio::time::interval(VERIFY_EVERY);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refusals = Refusals::default();
        while !cluster.is_verified() {
            interval.tick().await;
            match self.verify(cluster).await {
                Ok(incarnation) => {
                    cluster.set_verified(incarnation);
                    tracing::info!(cluster = cluster.name, "the cluster is back and is the one expected");
                    // Of use at once: the check of all clusters may be waiting for another one.
                    self.executor.check_health_of(cluster).await;
                }
                Err(error @ OpenError::Cluster { .. }) => {
                    tracing::debug!(cluster = cluster.name, %error, "the cluster is not back");
                }
                Err(error) if !refusals.is_news(&error, Instant::now()) => {}
                Err(OpenError::Meta(error)) => {
                    let name = &cluster.name;
                    tracing::warn!(cluster = name, %error, "the cluster is not used: the meta store keeps it from being checked");
                }
                Err(error) => tracing::error!(cluster = cluster.name, %error, "the cluster is not the one expected"),
            }
        }
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
        let epoch = topology.cluster(cluster.number).map_or(FIRST_EPOCH, |entry| entry.epoch);
        check_shards(&cluster.name, cluster.backend.as_ref(), &mapped, epoch).await?;
        let has_shards = topology.shards_of(cluster.number).next().is_some();
        let compared = Compared { name: &cluster.name, backend: cluster.backend.as_ref(), has_shards };
        let compared = compare_tables(self.meta.as_ref(), &self.first_documents, &[compared]).await?;
        self.registration.agree(&[store_of(cluster)]).await?;
        compared.tell();
        cluster.backend.expect_identity(&found);
        Ok(found.incarnation)
    }
}

/// Why a cluster that is back is not used, as the log was told last.
#[derive(Debug, Default)]
struct Refusals(Option<(Discriminant<OpenError>, Instant)>);

impl Refusals {
    /// Whether the log is to be told: of another reason at once, of the same one once a minute.
    fn is_news(&mut self, error: &OpenError, now: Instant) -> bool {
        let reason = discriminant(error);
        let is_known =
            |(known, said): (_, Instant)| known == reason && now.saturating_duration_since(said) < REFUSED_AGAIN;
        let is_news = !self.0.is_some_and(is_known);
        if is_news {
            self.0 = Some((reason, now));
        }
        is_news
    }
}

/// A cluster's store, for the registry.
fn store_of(cluster: &Cluster) -> Store<'_> {
    Store { number: cluster.number.get(), name: &cluster.name, backend: cluster.backend.as_ref() }
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

#[cfg(test)]
mod tests;
