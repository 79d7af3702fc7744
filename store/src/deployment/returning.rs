//! Clusters that were down at the start, or refused the login, and come back: each is used once it is known to be the one
//! expected.
//!
//! Asks what the start asks of the others (C2 of docs/ARCHITECTURE.md). Refuses a store that is another, lost, elsewhere than a
//! living proxy's, or newer than the catalog, and asks again: whoever mends it need not start the proxy anew.

use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use cellgate_schemaless::ErrorKind;
use tokio::time::MissedTickBehavior;

use super::Deployment;
use super::documents::{DEPLOYMENT, DeploymentDocument, decode};
use super::error::OpenError;
use super::identity::{check_identity, check_shards, failed, identity};
use super::locating::Store;
use super::properties::missing;
use super::tables::{Compared, compare_tables};
use crate::error::StoreError;
use crate::executor::Cluster;
use crate::sql::FIRST_EPOCH;

/// How often every cluster is asked for a sign of life, and one that could not be reached at the start for its
/// identity.
pub(super) const VERIFY_EVERY: Duration = Duration::from_secs(2);

/// How often the log is told that a cluster that is back is still not used, for the same reason.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);

impl Deployment {
    /// Checks the identity of a cluster that could not be reached at the start, until it is known.
    pub(super) async fn verify_returned(&self, cluster: &Cluster) {
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
                Err(error) => self.not_returned(cluster, &error, &mut refusals),
            }
        }
    }

    /// Says why a cluster is still not used: of one that does not answer nobody needs to be told again, for it was down at the
    /// start; any other is there, and is counted as one that refuses what is asked of it.
    fn not_returned(&self, cluster: &Cluster, error: &OpenError, refusals: &mut Refusals) {
        let name = &cluster.name;
        match error {
            OpenError::Cluster { error: StoreError::Unavailable { .. } | StoreError::Timeout { .. }, .. } => {
                return tracing::debug!(cluster = name, %error, "the cluster is not back");
            }
            OpenError::Meta(_) => {}
            error => self.metrics.cluster(cluster.number).failed(error.kind()),
        }
        if !refusals.is_news(error, Instant::now()) {
            return;
        }
        match error {
            OpenError::Cluster { error: error @ StoreError::Denied { .. }, .. } => {
                tracing::error!(cluster = name, %error, "the cluster is not used: it refuses the login");
            }
            OpenError::Meta(error) => {
                tracing::warn!(cluster = name, %error, "the cluster is not used: the meta store keeps it from being checked");
            }
            error => tracing::error!(cluster = name, %error, "the cluster is not the one expected"),
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
        self.registration.agree(&[Store::of(cluster)]).await?;
        compared.tell();
        cluster.backend.expect_identity(&found);
        Ok(found.incarnation)
    }
}

/// Why a cluster that is back is not used, as the log was told last.
#[derive(Debug, Default)]
struct Refusals(Option<(Reason, Instant)>);

/// Errors of one reason are the same news.
type Reason = (Discriminant<OpenError>, Option<Discriminant<StoreError>>, ErrorKind);

impl Refusals {
    /// Whether the log is to be told: of another reason at once, of the same one once a minute.
    fn is_news(&mut self, error: &OpenError, now: Instant) -> bool {
        let of_store = if let OpenError::Cluster { error, .. } = error { Some(discriminant(error)) } else { None };
        let reason = (discriminant(error), of_store, error.kind());
        let is_known =
            |(known, said): (_, Instant)| known == reason && now.saturating_duration_since(said) < REFUSED_AGAIN;
        let is_news = !self.0.is_some_and(is_known);
        if is_news {
            self.0 = Some((reason, now));
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_cluster_is_not_used_is_said_at_once_and_then_once_a_minute() {
        let (began, mut refusals) = (Instant::now(), Refusals::default());
        let meta = || OpenError::Meta(StoreError::Failed { detail: "read-only".to_owned() });
        let lost = || OpenError::StoreLost { cluster: "a".to_owned() };
        let mut is_news = |error, second| refusals.is_news(&error, began + Duration::from_secs(second));
        assert_eq!([is_news(meta(), 0), is_news(meta(), 2), is_news(meta(), 59)], [true, false, false]);
        assert_eq!([is_news(lost(), 60), is_news(lost(), 62)], [true, false], "another reason");
        assert_eq!([is_news(meta(), 64), is_news(meta(), 123), is_news(meta(), 124)], [true, false, true]);
        let detail = || "for the test".to_owned();
        let refused = || failed("a", StoreError::Refused { detail: detail() });
        let corrupt = || failed("a", StoreError::Corrupt { detail: detail() });
        let denied = || failed("a", StoreError::Denied { detail: detail() });
        assert_eq!([is_news(refused(), 130), is_news(corrupt(), 132), is_news(corrupt(), 134)], [true, true, false]);
        assert_eq!([is_news(denied(), 140), is_news(denied(), 142), is_news(refused(), 144)], [true, false, true]);
    }
}
