//! Which proxies use which version of the catalog.
//!
//! A renamed table keeps its physical tables, so that nothing stops a proxy with an older catalog from writing to it under
//! the old name, while another table may have that name already. Each proxy says in a document of its own what it has
//! read; whoever renames waits until all have said that they know the new names, or may not use the old ones any more
//! (`meta.max_stale`).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cellgate_store::StoreError;
use serde::{Deserialize, Serialize};

use super::Catalog;

/// Prefix of the documents.
pub(super) const FOLLOWER: &str = "follower/";
/// How often a rename looks who has followed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What one proxy uses of the catalog: no statement that begins later uses an older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Follower {
    version: i64,
}

/// What this proxy has said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// The version of the catalog.
    used: i64,
    /// The version of the document that says so.
    document: i64,
}

impl Catalog {
    /// Says which version this proxy uses, if it has not yet.
    pub(super) async fn say_what_is_used(&self) -> Result<(), StoreError> {
        let mut said = self.said.lock().await;
        let version = self.version();
        if said.document != 0 && said.used == version {
            return Ok(());
        }
        let failed = |error| StoreError::Failed { detail: format!("what was read cannot be written: {error}") };
        let body = serde_json::to_vec(&Follower { version }).map_err(failed)?;
        let (meta, name) = (self.deployment.meta(), &self.follower);
        if !meta.compare_and_set(name, said.document, &body).await? {
            // Somebody took this proxy for gone, or an acknowledgement was lost.
            said.document = meta.load(name).await?.map_or(0, |stored| stored.version);
            if !meta.compare_and_set(name, said.document, &body).await? {
                return Err(StoreError::Failed { detail: format!("'{name}' keeps changing") });
            }
        }
        *said = Said { used: version, document: said.document + 1 };
        Ok(())
    }

    /// Before anything newer is used: who has not read the catalog for so long may have been taken for gone, and says first that
    /// it is not.
    pub(super) async fn reappear(&self) -> Result<(), StoreError> {
        if self.fresh_at().elapsed() <= self.max_stale() {
            return Ok(());
        }
        // Whether the document is still there is not known.
        self.said.lock().await.document = 0;
        self.say_what_is_used().await
    }

    /// This proxy reads nothing any more; best effort.
    pub(super) async fn leave(&self) {
        let said = self.said.lock().await;
        let left = self.deployment.meta().remove(&self.follower, said.document).await;
        if !matches!(left, Ok(true)) {
            tracing::debug!("the next RENAME waits for this proxy");
        }
    }

    /// Answers when no proxy uses a catalog that is older than this one: when all have said so or, where one says nothing, when
    /// what it knows is too old to be used. Who has said nothing by then is not waited for again before it reappears; nor is
    /// who is no proxy any more.
    pub(super) async fn all_follow(&self, version: i64) {
        let settled = Instant::now() + self.max_stale();
        loop {
            // Not known is not alone.
            let alone = self.deployment.is_alone().await.unwrap_or(false);
            let behind = self.who_is_behind(version).await;
            if matches!(&behind, Ok(behind) if behind.is_empty()) {
                return;
            }
            if alone || Instant::now() >= settled {
                for (name, document) in behind.unwrap_or_default() {
                    let _removed = self.deployment.meta().remove(&name, document).await;
                }
                return;
            }
            tokio::time::sleep_until((Instant::now() + LOOK_AGAIN.min(self.poll)).min(settled).into()).await;
        }
    }

    /// The others that have not said that they use this version, with the versions of what they said.
    async fn who_is_behind(&self, version: i64) -> Result<BTreeSet<(String, i64)>, StoreError> {
        let mut behind = BTreeSet::new();
        for stored in self.deployment.meta().list(FOLLOWER).await? {
            let read = serde_json::from_slice::<Follower>(&stored.body).map_or(0, |follower| follower.version);
            if stored.name != self.follower && read < version {
                behind.insert((stored.name, stored.version));
            }
        }
        Ok(behind)
    }
}
