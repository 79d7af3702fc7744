//! What is configured: the meta store, the clusters, and what a new deployment is to have.
//!
//! Nothing here is checked against what is stored: opening the deployment does that.

use std::sync::Arc;
use std::time::Duration;

use cellgate_router::Weight;
use cellgate_schemaless::ClusterNo;

use super::registry::{Departure, ProxyInfo};
use super::tables::ReadTables;
use crate::backend::Backend;
use crate::coalesce::Coalescing;
use crate::meta::MetaStore;

/// A configured cluster.
#[derive(Clone, Debug)]
pub struct ClusterSetup {
    /// Its name.
    pub name: String,
    /// Its number, if the configuration says so; the next free one otherwise.
    pub number: Option<ClusterNo>,
    /// Its weight.
    pub weight: Weight,
    /// Its engine's name.
    pub engine: &'static str,
    /// Its cells.
    pub backend: Arc<dyn Backend>,
    /// What stands in front of them, if statements are to be shared.
    pub queues: Option<Arc<Coalescing>>,
    /// Whether its files belong to this process alone (SQLite).
    pub exclusive: bool,
}

/// A configured deployment.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Number of virtual shards, if the configuration says so; what is stored otherwise.
    pub virtual_shards: Option<u32>,
    /// The meta store.
    pub meta: Arc<dyn MetaStore>,
    /// Whether the meta store's file belongs to this process alone (SQLite).
    pub meta_exclusive: bool,
    /// The clusters.
    pub clusters: Vec<ClusterSetup>,
    /// Who this proxy is.
    pub proxy: ProxyInfo,
    /// How often the meta store is asked for changes.
    pub poll: Duration,
    /// Bytes of memory for cells that were read before; 0 for none.
    pub cache_bytes: usize,
    /// Documents that a deployment has from the beginning.
    pub first_documents: Vec<FirstDocument>,
    /// The way out for who stops waiting for the start.
    pub departure: Departure,
}

/// A document of the meta store that is made before the first cluster is, and never again: without it a start is refused.
#[derive(Clone, Debug)]
pub struct FirstDocument {
    /// Its name.
    pub name: &'static str,
    /// What it says in a new deployment.
    pub body: Vec<u8>,
    /// Reads what it says of physical tables, if it is the one that does.
    pub tables: Option<ReadTables>,
}
