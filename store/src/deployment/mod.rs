//! A deployment: what the meta store says it is, checked against what every cluster says it is.
//!
//! Opening one answers the questions that lose data when they are not asked: is this the meta store of these
//! clusters, is this store the one it was, has it been created before, does another proxy own its files, does anything
//! here speak a newer format. Nothing is ever silently created anew or mapped again (C2, C13 of docs/ARCHITECTURE.md).

mod compare;
mod creating;
mod documents;
mod edition;
mod erasing;
mod error;
mod identity;
mod locating;
mod open;
mod properties;
mod reading;
mod registry;
mod renewals;
mod returning;
mod running;
mod setup;
mod tables;
mod topology;

pub use compare::compare;
pub use documents::{
    ClusterDocument, ClusterState, DeploymentDocument, FOLLOWER, ProxyDocument, StoreDocument, TopologyDocument,
};
pub use edition::{Edition, Known};
pub use error::OpenError;
pub use reading::Reading;
pub use registry::{Departure, LEASE, ProxyInfo};
pub use setup::{ClusterSetup, FirstDocument, Setup};
pub use tables::{Comparison, KnownTables, MissingTables, ReadTables, SurplusTables, newest_table};
pub use topology::StoredTopology;

use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_metrics::Metrics;
use cellgate_schemaless::TableId;
use tokio::sync::watch;

use self::erasing::ErasureLog;
use self::registry::Registration;
use crate::error::StoreError;
use crate::executor::Executor;
use crate::meta::MetaStore;

/// An open deployment.
#[derive(Debug)]
pub struct Deployment {
    id: String,
    is_new: bool,
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
    /// Its id: 32 hex digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this start has created it: there was nothing in the meta store.
    pub fn is_new(&self) -> bool {
        self.is_new
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

    /// The physical tables with these ids are removed from every cluster. When this returns, no proxy answers cells of
    /// theirs from its cache, whichever catalog it has.
    ///
    /// # Errors
    /// What the meta store says: then others may still answer such cells.
    pub async fn are_removed(&self, tables: &[TableId]) -> Result<(), StoreError> {
        if tables.is_empty() { Ok(()) } else { self.erasures.erased_in(tables).await }
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
}
