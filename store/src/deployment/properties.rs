//! The two documents of a deployment: what is fixed for its life, and which shards are where. As stored, or made of the
//! configuration the first time.

use std::collections::HashSet;

use cellgate_router::{HASH_NAME, HASH_SEED, PlacementNode, Weight, propose};
use cellgate_schemaless::ClusterNo;

use super::documents::{
    ClusterDocument, ClusterState, DEPLOYMENT, DeploymentDocument, TOPOLOGY, TopologyDocument, decode, encode,
};
use super::error::OpenError;
use super::identity::failed;
use super::open::random_id;
use super::setup::{ClusterSetup, Setup};
use crate::backend::FORMAT;
use crate::error::StoreError;
use crate::meta::Document;
use crate::sql::FIRST_EPOCH;

/// How often two proxies that create the same deployment may get in each other's way before one gives up.
pub(super) const CREATE_ATTEMPTS: usize = 20;

/// Every cluster is known by its name. That no two have one number is seen when they get it.
pub(super) fn refuse_doubled_names(clusters: &[ClusterSetup]) -> Result<(), OpenError> {
    let mut names = HashSet::new();
    match clusters.iter().find(|cluster| !names.insert(&cluster.name)) {
        Some(cluster) => Err(OpenError::NameTwice { cluster: cluster.name.clone() }),
        None => Ok(()),
    }
}

/// With an empty meta store, no cluster may belong to a deployment.
pub(super) async fn refuse_claimed_clusters(clusters: &[ClusterSetup]) -> Result<(), OpenError> {
    for cluster in clusters {
        if let Some(found) = cluster.backend.identity().await.map_err(|error| failed(&cluster.name, error))? {
            return Err(OpenError::MetaLost { cluster: cluster.name.clone(), deployment: found.deployment });
        }
    }
    Ok(())
}

/// The deployment document: as stored, or created from the configuration; and whether it was created here.
pub(super) async fn fixed_properties(setup: &Setup) -> Result<(DeploymentDocument, bool), OpenError> {
    let mut is_new = false;
    for _ in 0..CREATE_ATTEMPTS {
        if let Some(stored) = stored_properties(setup).await? {
            check_fixed(&stored, setup.virtual_shards)?;
            return Ok((stored, is_new));
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
        is_new = setup.meta.compare_and_set(DEPLOYMENT, 0, &body).await.map_err(OpenError::Meta)?;
        if is_new {
            // Told here already: what comes behind it may fail, and the next start finds a deployment then.
            let deployment = created.deployment;
            tracing::warn!(
                deployment,
                "the meta store was empty: the identity of a new deployment has been stored in it"
            );
        }
    }
    Err(missing(DEPLOYMENT))
}

pub(super) async fn stored_properties(setup: &Setup) -> Result<Option<DeploymentDocument>, OpenError> {
    if !setup.meta.exists().await.map_err(OpenError::Meta)? {
        return Ok(None);
    }
    let document = setup.meta.load(DEPLOYMENT).await.map_err(OpenError::Meta)?;
    document.map(|document| decode(DEPLOYMENT, &document.body).map_err(OpenError::Meta)).transpose()
}

pub(super) fn check_fixed(stored: &DeploymentDocument, configured_shards: Option<u32>) -> Result<(), OpenError> {
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

/// The topology document with an entry for every configured cluster.
pub(super) struct Planned {
    /// The version of the stored one it was made of; 0 if there is none.
    pub(super) version: i64,
    /// It.
    pub(super) document: TopologyDocument,
    /// Whether the stored one is the same.
    is_stored: bool,
}

/// The topology as it will be, without storing it.
pub(super) async fn planned_topology(setup: &Setup, fixed: &DeploymentDocument) -> Result<Planned, OpenError> {
    for _ in 0..CREATE_ATTEMPTS {
        let stored = match setup.meta.load(TOPOLOGY).await.map_err(OpenError::Meta)? {
            Some(document) => Some(decoded(&document)?),
            // It is stored before the first cluster is claimed, perhaps since it was read.
            None => match refuse_claimed_clusters(&setup.clusters).await {
                Ok(()) => None,
                Err(OpenError::MetaLost { cluster, .. }) => {
                    if setup.meta.load(TOPOLOGY).await.map_err(OpenError::Meta)?.is_some() {
                        continue;
                    }
                    return Err(OpenError::DocumentLost { document: TOPOLOGY, cluster });
                }
                Err(error) => return Err(error),
            },
        };
        let (version, document) = match &stored {
            Some((version, document)) => (*version, document.clone()),
            None => (0, first_topology(setup, fixed)?),
        };
        refuse_missing_clusters(&document, &setup.clusters)?;
        let document = with_new_clusters(document, &setup.clusters)?;
        let is_stored = stored.is_some_and(|(_, stored)| stored == document);
        return Ok(Planned { version, document, is_stored });
    }
    Err(missing(TOPOLOGY))
}

/// The stored topology, with an entry for every configured cluster.
pub(super) async fn stored_topology(
    setup: &Setup,
    fixed: &DeploymentDocument,
) -> Result<(i64, TopologyDocument), OpenError> {
    for _ in 0..CREATE_ATTEMPTS {
        let Planned { version, document, is_stored } = planned_topology(setup, fixed).await?;
        if is_stored {
            return Ok((version, document));
        }
        let body = encode(TOPOLOGY, &document).map_err(OpenError::Meta)?;
        if setup.meta.compare_and_set(TOPOLOGY, version, &body).await.map_err(OpenError::Meta)? {
            return Ok((version + 1, document));
        }
    }
    Err(missing(TOPOLOGY))
}

/// The first cluster that was created before.
fn created_before(topology: &TopologyDocument) -> Option<&ClusterDocument> {
    topology.clusters.iter().find(|cluster| cluster.state == ClusterState::Claimed)
}

/// Of a deployment that has clusters no first document may be missing: a new one would give out again what the lost one has.
pub(super) async fn refuse_lost_documents(setup: &Setup, topology: &TopologyDocument) -> Result<(), OpenError> {
    let Some(cluster) = created_before(topology) else { return Ok(()) };
    for first in &setup.first_documents {
        if setup.meta.load(first.name).await.map_err(OpenError::Meta)?.is_none() {
            return Err(OpenError::DocumentLost { document: first.name, cluster: cluster.name.clone() });
        }
    }
    Ok(())
}

/// Makes the first documents of a deployment that has no cluster yet.
pub(super) async fn create_first_documents(setup: &Setup, topology: &TopologyDocument) -> Result<(), OpenError> {
    if created_before(topology).is_some() {
        return refuse_lost_documents(setup, topology).await;
    }
    for first in &setup.first_documents {
        // Losing this race means that it is there.
        setup.meta.compare_and_set(first.name, 0, &first.body).await.map_err(OpenError::Meta)?;
    }
    Ok(())
}

/// The map of a new deployment: all configured clusters share the shards by weight.
pub(super) fn first_topology(setup: &Setup, fixed: &DeploymentDocument) -> Result<TopologyDocument, OpenError> {
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
pub(super) fn with_new_clusters(
    mut document: TopologyDocument,
    clusters: &[ClusterSetup],
) -> Result<TopologyDocument, OpenError> {
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
            epoch: FIRST_EPOCH.0,
            state: ClusterState::New,
            creator: None,
        });
    }
    Ok(document)
}

pub(super) fn refuse_missing_clusters(document: &TopologyDocument, clusters: &[ClusterSetup]) -> Result<(), OpenError> {
    for known in &document.clusters {
        let shards = document.map.iter().filter(|n| **n == known.number).count();
        let configured = clusters.iter().any(|c| c.name == known.name);
        if !configured && shards > 0 {
            return Err(OpenError::ClusterMissing { cluster: known.name.clone(), shards });
        }
    }
    Ok(())
}

pub(super) fn decoded(document: &Document) -> Result<(i64, TopologyDocument), OpenError> {
    Ok((document.version, decode(TOPOLOGY, &document.body).map_err(OpenError::Meta)?))
}

pub(super) fn entry_of(document: &TopologyDocument, name: &str) -> Result<ClusterDocument, OpenError> {
    document.clusters.iter().find(|c| c.name == name).cloned().ok_or_else(|| missing(TOPOLOGY))
}

pub(super) fn cluster_no(number: u16) -> Result<ClusterNo, OpenError> {
    ClusterNo::new(number).map_err(|error| OpenError::Meta(StoreError::Corrupt { detail: error.to_string() }))
}

pub(super) fn missing(document: &str) -> OpenError {
    OpenError::Meta(StoreError::Corrupt { detail: format!("document {document} is missing or keeps changing") })
}
