//! Who a cluster is by its own account, and whether that is who it should be.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use cellgate_schemaless::{ClusterNo, Epoch, ShardId};

use super::documents::{ClusterDocument, ClusterState, DeploymentDocument, TopologyDocument};
use super::error::OpenError;
use super::properties::cluster_no;
use super::setup::ClusterSetup;
use crate::backend::{Backend, FORMAT, Identity};
use crate::error::StoreError;

/// Creates the store of a new cluster, or checks that it is the one it was; answers its incarnation.
pub(super) async fn settle_identity(
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
            let shards: Vec<ShardId> = mapped(topology, entry).collect();
            cluster.backend.claim(&expected, &shards).await.map_err(|error| failed(&cluster.name, error))?
        }
    };
    check_identity(&cluster.name, &stands, &expected)?;
    let mapped = mapped(topology, entry).collect();
    check_shards(&cluster.name, cluster.backend.as_ref(), &mapped, Epoch(entry.epoch)).await?;
    cluster.backend.expect_identity(&stands);
    Ok(stands.incarnation)
}

/// The shards that the map gives a cluster.
fn mapped(topology: &TopologyDocument, entry: &ClusterDocument) -> impl Iterator<Item = ShardId> {
    let numbered = (0..=u16::MAX).zip(&topology.map);
    numbered.filter(|(_, n)| **n == entry.number).map(|(shard, _)| ShardId(shard))
}

/// Every shard that the map gives a cluster must be its own by its own account, and both must be at one epoch: they are
/// of one moment then.
pub(super) async fn check_shards(
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

pub(super) fn check_identity(cluster: &str, found: &Identity, expected: &Identity) -> Result<(), OpenError> {
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

pub(super) fn identity(fixed: &DeploymentDocument, cluster: ClusterNo) -> Identity {
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

pub(super) fn failed(cluster: &str, error: StoreError) -> OpenError {
    OpenError::Cluster { cluster: cluster.to_owned(), error }
}
