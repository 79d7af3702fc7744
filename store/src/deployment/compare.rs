//! Comparing a configuration with what its stores say, without changing them.

use super::documents::ClusterState;
use super::error::OpenError;
use super::identity::{check_identity, failed, identity};
use super::locating::Store;
use super::properties::{
    Planned, check_fixed, cluster_no, entry_of, planned_topology, refuse_claimed_clusters, refuse_doubled_names,
    refuse_lost_documents, stored_properties,
};
use super::registry::{Files, Registration};
use super::setup::Setup;
use super::tables::{Compared, Comparison, Differences, compare_tables};

/// Whether a start would take these stores for those of the deployment: the same meta store, every cluster under its
/// name, none missing, none elsewhere than where a living proxy has it, no living proxy where there can be only one, none with
/// newer tables than the catalog. Reads only;
/// that shards and epochs fit is looked at by the start. Where a proxy's word is out of date, its next one is waited for.
/// Answers which clusters lack tables of the catalog, or have others, which keeps no start from serving; `None` if none of
/// the stores is of a deployment.
///
/// # Errors
/// The first [`OpenError`] that the start would meet, too, and that of a cluster whose tables cannot be listed.
pub async fn compare(setup: &Setup) -> Result<Option<Comparison>, OpenError> {
    refuse_doubled_names(&setup.clusters)?;
    let Some(fixed) = stored_properties(setup).await? else {
        return refuse_claimed_clusters(&setup.clusters).await.map(|()| None);
    };
    check_fixed(&fixed, setup.virtual_shards)?;
    let Planned { document, version, .. } = planned_topology(setup, &fixed).await?;
    refuse_lost_documents(setup, &document).await?;
    let (mut stores, mut claimed, mut own_files) = (Vec::new(), Vec::new(), false);
    for cluster in &setup.clusters {
        let entry = entry_of(&document, &cluster.name)?;
        match cluster.backend.identity().await.map_err(|error| failed(&cluster.name, error))? {
            Some(found) => {
                check_identity(&cluster.name, &found, &identity(&fixed, cluster_no(entry.number)?))?;
                own_files |= cluster.exclusive && entry.state == ClusterState::Claimed;
                stores.push(Store { number: entry.number, name: &cluster.name, backend: cluster.backend.as_ref() });
                let has_shards = document.map.contains(&entry.number);
                claimed.push(Compared { name: &cluster.name, backend: cluster.backend.as_ref(), has_shards });
            }
            None if entry.state == ClusterState::Claimed => {
                return Err(OpenError::StoreLost { cluster: cluster.name.clone() });
            }
            None => {}
        }
    }
    let files = Files::of(setup, own_files);
    let unentered = Registration::planned(setup, "", files, version).await.map_err(OpenError::Meta)?;
    unentered.compare(&stores).await?;
    let compared = compare_tables(setup.meta.as_ref(), &setup.first_documents, &claimed).await?;
    let Differences { missing, surplus, unlisted } = compared;
    match unlisted.into_iter().next() {
        Some((cluster, error)) => Err(failed(&cluster, error)),
        None => Ok(Some(Comparison { missing, surplus })),
    }
}
