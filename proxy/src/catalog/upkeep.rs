//! Following the catalog, and removing physical tables that are no tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::{ClusterNo, TableId, TableRef};
use cellgate_store::background::{every, told};
use cellgate_store::executor::RunError;
use cellgate_store::{Reason, StoreError};
use futures_util::future::join_all;
use tokio::sync::watch;

use super::change::Changed;
use super::document::Unpublished;
use super::{Catalog, CatalogError, Snapshot};

/// How long a table may be in the making before it counts as left behind by a crash. Far above the time that creating
/// a table on every cluster may take.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(15 * 60);
/// How often left-behind physical tables are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(60);
/// How soon the removal of a table is tried again while its DROP or TRUNCATE waits for it.
const REMOVE_AGAIN: Duration = Duration::from_millis(250);

impl Catalog {
    /// Follows the document and removes what a crash left behind, until `shutdown`.
    ///
    /// Neither waits for the other: a cluster that hangs must not make the catalog old.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let follow = every(self.poll, || async {
            // What cannot be read is reported where it is read.
            let _ = self.follow().await;
        });
        let clean = every(CLEAN_EVERY, || async {
            if let Err(error) = self.clean().await {
                tracing::debug!(%error, "left-behind tables could not be looked for");
            }
            if let Err(error) = self.complete().await {
                tracing::debug!(%error, "the tables of a new cluster could not be made");
            }
        });
        // Both may be cut off anywhere: what is half removed stays listed.
        tokio::select! {
            () = told(&mut shutdown) => {}
            () = follow => {}
            () = clean => {}
        }
        self.leave().await;
    }

    /// Reads the document again, and says so.
    pub(super) async fn follow(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        self.refresh().await?;
        if self.say_what_is_used().await? {
            self.read_began(began);
        } else {
            // A RENAME may have passed by before it was said.
            self.refresh().await?;
        }
        Ok(())
    }

    /// When the last successful read of the catalog began that this proxy has spoken of: its own or a newer catalog may be used
    /// for `meta.max_stale` from then on.
    pub fn fresh_at(&self) -> Instant {
        *self.fresh.borrow()
    }

    pub(super) fn read_began(&self, began: Instant) {
        self.fresh.send_if_modified(|known| {
            let newer = *known < began;
            *known = began.max(*known);
            newer
        });
    }

    /// Removes what was dropped while a cluster was away, what a crash left in the making, and what proxies that are gone said
    /// of the catalog that they used.
    pub(super) async fn clean(&self) -> Result<(), CatalogError> {
        let now = self.deployment.meta().now().await?;
        let patience = i64::try_from(ABANDONED_AFTER.as_micros()).unwrap_or(i64::MAX / 4);
        self.remove(|entry| entry.dropped || entry.since.saturating_add(patience) < now, None).await?;
        Ok(self.forget_the_silent().await?)
    }

    /// Makes the tables that exist in clusters that own no shards yet: such a cluster may have been added after a table, or
    /// the table may have been created through a proxy that does not know the cluster. Before it is given shards it has
    /// all tables then.
    ///
    /// # Errors
    /// The first; the other clusters have been tried.
    pub(super) async fn complete(&self) -> Result<(), CatalogError> {
        let executor = self.deployment.executor();
        let topology = executor.topology();
        let mut complete = self.complete.lock().await;
        if !complete.doubtful.is_empty() {
            self.settle(&mut complete).await?;
        }
        let empty = executor.clusters().filter(|c| c.is_up() && topology.shards_of(c.number).next().is_none());
        let mut outcome = Ok(());
        for cluster in empty {
            outcome = outcome.and(self.complete_in(cluster.number, &mut complete).await);
        }
        outcome
    }

    async fn complete_in(&self, cluster: ClusterNo, complete: &mut Complete) -> Result<(), CatalogError> {
        for table in self.snapshot().all_tables() {
            let key = (cluster, table.id);
            if complete.there.contains(&key) {
                continue;
            }
            // Also if it is not known whether it is made.
            complete.doubtful.insert(key, table.table_ref());
            self.deployment.executor().create_table_in(cluster, &table.table_ref()).await?;
            if self.settle(complete).await?.all_tables().any(|known| known.id == table.id) {
                complete.there.insert(key);
            }
        }
        Ok(())
    }

    /// Drops what was made in clusters without shards and is no table any more: nobody else knows that it was made
    /// there. What cannot be dropped stays doubtful.
    ///
    /// # Errors
    /// What the meta store says; all of it stays doubtful then.
    async fn settle(&self, complete: &mut Complete) -> Result<Arc<Snapshot>, CatalogError> {
        let newest = self.refresh().await?;
        for ((cluster, id), table) in std::mem::take(&mut complete.doubtful) {
            if newest.all_tables().any(|known| known.id == id) {
                continue;
            }
            if let Err(error) = self.deployment.executor().drop_table_in(cluster, &table).await {
                tracing::debug!(table = table.physical(), %error, "a dropped table of a new cluster is left for later");
                complete.doubtful.insert((cluster, id), table);
            }
        }
        Ok(newest)
    }

    /// Removes physical tables that were in use, and answers when nobody can write to them any more, nor read of them
    /// what is in a cache: when they are gone in every cluster and from the caches or, where a cluster does not answer,
    /// when every proxy's catalog of before is too old to be used (the longest `meta.max_stale` of all). Only then may
    /// the statement be acknowledged: a write that begins after it must not go where it will be removed. A proxy that
    /// serves the deployment alone has the new catalog already; who has lost its lease is not in the registry and may
    /// read the catalog all the same, so that its own word is asked for too.
    pub(super) async fn remove_used(&self, ids: &[u32]) {
        if ids.is_empty() {
            return;
        }
        let began = Instant::now();
        let settled = began + self.ask_longest_stale().await;
        while !self.remove_until(ids, Some(settled)).await {
            // Not known is not alone.
            let is_alone = self.deployment.is_alone().await.unwrap_or(false);
            if is_alone && (self.deployment.is_exclusive() || self.nobody_is_behind().await)
                || Instant::now() >= settled
            {
                return;
            }
            let again = Instant::now() + self.poll.min(REMOVE_AGAIN);
            tokio::time::sleep_until(again.min(settled).into()).await;
        }
    }

    /// Removes the physical tables with these ids, and answers whether they are gone; what does not succeed now is done
    /// by [`Catalog::clean`].
    pub(super) async fn remove_now(&self, ids: &[u32]) -> bool {
        self.remove_until(ids, None).await
    }

    async fn remove_until(&self, ids: &[u32], until: Option<Instant>) -> bool {
        match self.remove(|entry| ids.contains(&entry.id), until).await {
            Ok(gone) => gone,
            Err(error) => {
                tracing::warn!(%error, "dropped tables are left for later");
                false
            }
        }
    }

    /// Removes physical tables that are listed as no tables, and strikes them from the list; what cannot be reached
    /// stays on it, as does what other proxies may still have in their caches. Answers whether none is left.
    ///
    /// One in the making is first marked as dropped: from then on it cannot be published any more. One that has been
    /// published meanwhile is not on the list, and so not touched; nor is a table that is on the list all the same, as
    /// in a catalog that was restored from the middle of a TRUNCATE and then corrected by hand.
    ///
    /// A cluster that does not answer is asked about no further table. Once something has failed, none is begun behind
    /// `until`.
    async fn remove(
        &self,
        is_meant: impl Fn(&Unpublished) -> bool,
        until: Option<Instant>,
    ) -> Result<bool, CatalogError> {
        let (mut doomed, mut kept): (Vec<(TableRef, WasTable)>, Vec<TableRef>) = Default::default();
        let marked = self.change(|document| {
            doomed.clear();
            kept.clear();
            let tables = &document.tables;
            for entry in document.unpublished.iter_mut().filter(|entry| is_meant(entry)) {
                if tables.iter().any(|table| table.id == entry.id) {
                    kept.push(entry.table_ref());
                    continue;
                }
                doomed.push((entry.table_ref(), WasTable(entry.dropped)));
                entry.dropped = true;
            }
            Ok(Changed::Yes)
        });
        marked.await?;
        for table in kept {
            let table = table.physical();
            tracing::error!(
                table,
                "a table is on the catalog's list of what is none, and is not removed: take it off `unpublished`"
            );
        }
        let (mut gone, mut used) = (Vec::new(), Vec::new());
        let (mut silent, mut failed) = (BTreeSet::new(), false);
        for (table, WasTable(was_table)) in &doomed {
            if failed && until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            match self.drop_in_clusters(table, &mut silent).await {
                Ok(Dropped::Everywhere) if *was_table => used.push(table.id),
                Ok(Dropped::Everywhere) => gone.push(table.id),
                Ok(Dropped::WhereAsked) => {}
                Err(error) => {
                    failed = true;
                    tracing::warn!(table = table.physical(), %error, "a dropped table is left for later");
                }
            }
        }
        // As for an erasure: first in the stores, then in the caches. Of one that was never published there is nothing
        // there.
        match self.deployment.are_removed(&used).await {
            Ok(()) => gone.extend(used),
            Err(error) => tracing::warn!(%error, "the caches could not be told of dropped tables: left for later"),
        }
        let struck = self.change(|document| {
            document.unpublished.retain(|entry| !gone.contains(&TableId(entry.id)));
            Ok(Changed::Yes)
        });
        struck.await.map(|_| gone.len() == doomed.len())
    }

    /// Drops a physical table in every cluster but the `silent` ones; those that do not answer are among them from then
    /// on.
    ///
    /// # Errors
    /// The first; the other clusters have been tried.
    async fn drop_in_clusters(&self, table: &TableRef, silent: &mut BTreeSet<ClusterNo>) -> Result<Dropped, RunError> {
        let executor = self.deployment.executor();
        let asked = executor.clusters().map(|cluster| cluster.number).filter(|number| !silent.contains(number));
        let each = asked.map(async |number| (number, executor.drop_table_in(number, table).await));
        let answers = join_all(each).await;
        let mut outcome = Ok(if silent.is_empty() { Dropped::Everywhere } else { Dropped::WhereAsked });
        for (number, answer) in answers {
            if let Err(error) = answer {
                if is_of_cluster(&error) {
                    silent.insert(number);
                }
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }
}

/// Where a physical table is dropped.
enum Dropped {
    Everywhere,
    /// Some clusters were not asked.
    WhereAsked,
}

/// Whether a cluster failed to drop a table for a cause that is not the table's: it would fail to drop another one, and
/// take as long.
fn is_of_cluster(error: &RunError) -> bool {
    let RunError::Cluster { error, .. } = error else { return false };
    matches!(
        error,
        // A session that falls silent in the middle of a DROP leaves open what became of it.
        StoreError::Unavailable { .. }
            | StoreError::MaybeWritten { .. }
            | StoreError::Timeout { reason: Reason::Connect | Reason::Queue, .. }
    )
}

/// What is known of tables in clusters that own no shards yet, by cluster and the table's id.
#[derive(Debug, Default)]
pub(super) struct Complete {
    /// Those that are there.
    there: BTreeSet<(ClusterNo, u32)>,
    /// Those that were, or may have been, made since the catalog was read.
    doubtful: BTreeMap<(ClusterNo, u32), TableRef>,
}

/// Whether a physical table was one that the catalog has named, so that cells of it may be in caches.
struct WasTable(bool);
