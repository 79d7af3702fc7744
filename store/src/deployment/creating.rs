//! Creating the stores of new clusters: each by one proxy, whoever else starts at the same time.
//!
//! Two proxies that name one new cluster by addresses that lead to two servers would otherwise create two stores, each of
//! which says that it is the cluster. So the topology says who creates it; everybody else waits, and then expects to find
//! the store that was created.

use std::time::Duration;

use tokio::time::Instant;

use super::documents::{ClusterDocument, ClusterState, DeploymentDocument, TOPOLOGY, TopologyDocument, encode};
use super::error::OpenError;
use super::identity::settle_identity;
use super::properties::{CREATE_ATTEMPTS, decoded, entry_of, missing};
use super::registry::Registration;
use super::setup::{ClusterSetup, Setup};

/// How long a proxy waits for another one to create a store. One that has died on the way is taken over from when its lease
/// is over, which is sooner.
const CREATED_WITHIN: Duration = Duration::from_secs(60);

/// Pauses between two looks at whether it was created: from the first, doubled, to the last.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// Creates the store of a new cluster, or waits until another proxy has and checks that it is that one. Answers the
/// cluster's number, its incarnation, and the topology that says that the store is there.
pub(super) async fn create_store(
    setup: &Setup,
    fixed: &DeploymentDocument,
    registration: &Registration,
    cluster: &ClusterSetup,
) -> Result<(u16, i64, (i64, TopologyDocument)), OpenError> {
    let (deadline, mut pause) = (Instant::now() + CREATED_WITHIN, LOOK_AGAIN.0);
    loop {
        let document = stored(setup).await?;
        let entry = entry_of(&document.1, &cluster.name)?;
        if entry.state == ClusterState::Claimed {
            let incarnation = settle_identity(cluster, &entry, fixed, &document.1).await?;
            return Ok((entry.number, incarnation, document));
        }
        let creator = match &entry.creator {
            Some(creator) if creator != registration.id() => {
                registration.alive(creator).await.map_err(OpenError::Meta)?
            }
            Some(_) | None => None,
        };
        match creator {
            None if take(setup, &document, entry.number, registration.id()).await? => {
                // The same again is harmless: whoever takes over finds what is there.
                let incarnation = settle_identity(cluster, &entry, fixed, &document.1).await?;
                let created = |entry: &mut ClusterDocument| {
                    (entry.state, entry.creator) = (ClusterState::Claimed, None);
                };
                let is_ours = |entry: &ClusterDocument| entry.creator.as_deref() == Some(registration.id());
                match change(setup, entry.number, is_ours, created).await? {
                    Some(document) => return Ok((entry.number, incarnation, document)),
                    // It took so long that another proxy has taken over: that one's is the store.
                    None => continue,
                }
            }
            None => {}
            Some(other) if Instant::now() >= deadline => {
                let cluster = cluster.name.clone();
                return Err(OpenError::BeingCreated {
                    cluster,
                    host: other.host,
                    pid: other.pid,
                    address: other.address,
                });
            }
            Some(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AGAIN.1);
    }
}

async fn stored(setup: &Setup) -> Result<(i64, TopologyDocument), OpenError> {
    match setup.meta.load(TOPOLOGY).await.map_err(OpenError::Meta)? {
        Some(document) => decoded(&document),
        None => Err(missing(TOPOLOGY)),
    }
}

/// Says in the topology that this proxy creates a store; `false` if the topology has changed meanwhile.
async fn take(
    setup: &Setup,
    (version, topology): &(i64, TopologyDocument),
    number: u16,
    id: &str,
) -> Result<bool, OpenError> {
    let mut topology = topology.clone();
    topology.clusters.iter_mut().filter(|c| c.number == number).for_each(|c| c.creator = Some(id.to_owned()));
    let body = encode(TOPOLOGY, &topology).map_err(OpenError::Meta)?;
    setup.meta.compare_and_set(TOPOLOGY, *version, &body).await.map_err(OpenError::Meta)
}

/// Changes a cluster's entry if it is still as expected.
async fn change(
    setup: &Setup,
    number: u16,
    is_expected: impl Fn(&ClusterDocument) -> bool,
    change: impl Fn(&mut ClusterDocument),
) -> Result<Option<(i64, TopologyDocument)>, OpenError> {
    for _ in 0..CREATE_ATTEMPTS {
        let (version, mut topology) = stored(setup).await?;
        match topology.clusters.iter_mut().find(|c| c.number == number) {
            Some(entry) if is_expected(entry) => change(entry),
            Some(_) | None => return Ok(None),
        }
        let body = encode(TOPOLOGY, &topology).map_err(OpenError::Meta)?;
        if setup.meta.compare_and_set(TOPOLOGY, version, &body).await.map_err(OpenError::Meta)? {
            return Ok(Some((version + 1, topology)));
        }
    }
    Err(missing(TOPOLOGY))
}
