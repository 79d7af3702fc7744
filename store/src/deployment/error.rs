//! Why a deployment is not opened: for the operator, with what to do.

use cellgate_schemaless::ErrorKind;
use thiserror::Error;

use crate::error::StoreError;

/// Why a deployment is not opened.
#[derive(Clone, Debug, Error)]
pub enum OpenError {
    /// The meta store failed.
    #[error("meta store: {0}")]
    Meta(#[source] StoreError),
    /// A cluster failed.
    #[error("cluster {cluster}: {error}")]
    Cluster {
        /// Its name.
        cluster: String,
        /// What it said.
        error: StoreError,
    },
    /// The meta store is empty, but a cluster belongs to a deployment.
    #[error(
        "the meta store is empty, but cluster {cluster} belongs to deployment {deployment}: point [topology] meta at \
         that deployment's meta store, or restore it; a new one would not know where its cells are"
    )]
    MetaLost {
        /// The cluster's name.
        cluster: String,
        /// What it belongs to.
        deployment: String,
    },
    /// A document that a deployment has from its beginning is missing.
    #[error(
        "the meta store has no document \"{document}\", but cluster {cluster} was created before: somebody deleted it, or a \
         backup without it was restored; restore that row of cg_meta (it is never made anew: a new one would give out ids \
         that are in use)"
    )]
    DocumentLost {
        /// Its name.
        document: &'static str,
        /// A cluster of the deployment.
        cluster: String,
    },
    /// A fixed property differs from the configuration or from this program.
    #[error("{what} is {stored} in {place}, but {configured} here: it is fixed when a deployment is created")]
    Mismatch {
        /// Of what.
        what: &'static str,
        /// As stored.
        stored: String,
        /// As configured.
        configured: String,
        /// Where it is stored.
        place: String,
    },
    /// Written by a newer program.
    #[error("{place} has format {stored}, this program knows up to {known}: use a newer Cellgate")]
    NewerFormat {
        /// Where.
        place: String,
        /// Its format.
        stored: i64,
        /// The newest one known.
        known: i64,
    },
    /// A cluster that owns shards is not configured.
    #[error(
        "cluster {cluster} owns {shards} virtual shards, but there is no [[cluster]] named \"{cluster}\": its cells \
         would be missing; add it back (shards are never mapped elsewhere silently)"
    )]
    ClusterMissing {
        /// Its name.
        cluster: String,
        /// How many shards it owns.
        shards: usize,
    },
    /// A store that had been created has no identity.
    #[error(
        "cluster {cluster} was created before, but its store is empty: restore it or point at the right database; it \
         is never created anew"
    )]
    StoreLost {
        /// Its name.
        cluster: String,
    },
    /// A store does not own shards that the map gives it.
    #[error(
        "cluster {cluster} does not own virtual shard {shard}, which the stored map gives it ({count} in all): the store and the meta store do not belong together, or one of them was restored from an older backup"
    )]
    ShardsDiffer {
        /// Its name.
        cluster: String,
        /// The first of them.
        shard: u16,
        /// How many there are.
        count: usize,
    },
    /// A store is at a later epoch than the meta store knows.
    #[error(
        "cluster {cluster} is at epoch {store}, but the meta store knows epoch {meta}: the meta store is older than the \
         cluster, as after restoring an old backup of it; every write would be refused as out of date. Restore the newest \
         backup of the meta store, one that was made after the last change of the shard map"
    )]
    MetaOlder {
        /// Its name.
        cluster: String,
        /// The store's epoch.
        store: i64,
        /// The meta store's.
        meta: i64,
    },
    /// A store is at an earlier epoch than the meta store knows.
    #[error(
        "cluster {cluster} is at epoch {store}, but the meta store knows epoch {meta}: the cluster is older than the meta \
         store, as after restoring an old backup of it. Restore one that was made after the last change of the shard map"
    )]
    StoreOlder {
        /// Its name.
        cluster: String,
        /// The store's epoch.
        store: i64,
        /// The meta store's.
        meta: i64,
    },
    /// A cluster has a table with an id that the catalog has not given out.
    #[error(
        "cluster {cluster} has the table {table}, but the catalog has given out table ids up to {last} only: the meta store is \
         older than the cluster, as after restoring an old backup of it, and would give {id} out again. Restore the newest \
         backup of the meta store; if this is it, set last_table_id in its document \"catalog\" to {id} (RUNBOOK.md, \
         'The meta store is lost'). If the table is a copy that somebody made beside Cellgate, rename it, so that its name does not \
         end in _ and a number, or drop it"
    )]
    CatalogOlder {
        /// Its name.
        cluster: String,
        /// The physical table with the highest id of all clusters.
        table: String,
        /// That id.
        id: u32,
        /// The highest one of the catalog.
        last: u32,
    },
    /// A number that the configuration gives a new cluster was another's.
    #[error(
        "[[cluster]] {cluster} has number {number}, which is or was that of cluster {owner}: numbers are never used again; \
         leave it out, and the next free one is taken"
    )]
    NumberTaken {
        /// Its name.
        cluster: String,
        /// The number.
        number: u16,
        /// Whose it is.
        owner: String,
    },
    /// Two clusters have one name.
    #[error(
        "two clusters are named \"{cluster}\": only one of their stores would be used, and the cells of the other one be \
         missing; give each [[cluster]] a name of its own"
    )]
    NameTwice {
        /// The name.
        cluster: String,
    },
    /// Another proxy is there where only one can be.
    #[error(
        "another proxy (pid {pid} on {host}, {address}) serves this deployment, and SQLite files belong to one process: \
         stop it, or move every cluster and the meta store to MySQL or PostgreSQL to run several proxies"
    )]
    NotAlone {
        /// Its host.
        host: String,
        /// Its process id.
        pid: u32,
        /// Its MySQL address.
        address: String,
    },
    /// Another proxy takes another store for a cluster.
    #[error(
        "cluster {cluster} is {here}, but for another proxy ({proxy}) it is {there}: these are two stores, and what is written \
         to one would be missing in the other. Give this cluster the same `primary` everywhere, an address that means one \
         server on every machine; where a cluster was moved, stop the proxies that use the old store, change theirs, and drop \
         the old store"
    )]
    TwoStores {
        /// The cluster's name.
        cluster: String,
        /// Where it is for this proxy.
        here: String,
        /// Where it is for the other one.
        there: String,
        /// The other one.
        proxy: String,
    },
    /// Another proxy is creating the store of a cluster, and does not come to an end.
    #[error(
        "another proxy (pid {pid} on {host}, {address}) has been creating the store of cluster {cluster} for a minute: look \
         what it waits for, or stop it and start this one again"
    )]
    BeingCreated {
        /// The cluster's name.
        cluster: String,
        /// The proxy's host.
        host: String,
        /// Its process id.
        pid: u32,
        /// Its MySQL address.
        address: String,
    },
    /// All cluster numbers are used up.
    #[error("this deployment has had {max} clusters, and numbers are never reused", max = cellgate_schemaless::limits::CLUSTER_NO_MAX)]
    ClustersExhausted,
    /// The stored topology is not one.
    #[error("the stored topology is corrupt: {0}")]
    Topology(#[from] cellgate_router::TopologyError),
}

impl OpenError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Meta(error) | Self::Cluster { error, .. } => error.kind(),
            Self::MetaLost { .. }
            | Self::DocumentLost { .. }
            | Self::Mismatch { .. }
            | Self::NewerFormat { .. }
            | Self::ClusterMissing { .. }
            | Self::StoreLost { .. }
            | Self::ShardsDiffer { .. }
            | Self::MetaOlder { .. }
            | Self::StoreOlder { .. }
            | Self::CatalogOlder { .. }
            | Self::NumberTaken { .. }
            | Self::NameTwice { .. }
            | Self::NotAlone { .. }
            | Self::BeingCreated { .. }
            | Self::TwoStores { .. } => ErrorKind::Access,
            Self::ClustersExhausted => ErrorKind::Limit,
            Self::Topology(_) => ErrorKind::Corrupt,
        }
    }
}
