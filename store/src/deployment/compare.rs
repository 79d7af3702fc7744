//! Comparing a configuration with what its stores say, without changing them.

use super::documents::ClusterState;
use super::error::OpenError;
use super::identity::{check_identity, failed, identity};
use super::open::Setup;
use super::properties::{
    Planned, check_fixed, cluster_no, entry_of, planned_topology, refuse_claimed_clusters, refuse_doubled_names,
    refuse_lost_documents, stored_properties,
};

/// Whether a start would take these stores for those of the deployment: the same meta store, every cluster under its
/// name, none missing. Reads only; that shards and epochs fit is looked at by the start.
///
/// # Errors
/// The first [`OpenError`] that the start would meet, too.
pub async fn compare(setup: &Setup) -> Result<(), OpenError> {
    refuse_doubled_names(&setup.clusters)?;
    let Some(fixed) = stored_properties(setup).await? else {
        return refuse_claimed_clusters(&setup.clusters).await;
    };
    check_fixed(&fixed, setup.virtual_shards)?;
    let Planned { document, .. } = planned_topology(setup, &fixed).await?;
    refuse_lost_documents(setup, &document).await?;
    for cluster in &setup.clusters {
        let entry = entry_of(&document, &cluster.name)?;
        match cluster.backend.identity().await.map_err(|error| failed(&cluster.name, error))? {
            Some(found) => check_identity(&cluster.name, &found, &identity(&fixed, cluster_no(entry.number)?))?,
            None if entry.state == ClusterState::Claimed => {
                return Err(OpenError::StoreLost { cluster: cluster.name.clone() });
            }
            None => {}
        }
    }
    Ok(())
}
