//! The documents of the meta store, as JSON. Fields are only ever added.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// Name of the [`DeploymentDocument`].
pub const DEPLOYMENT: &str = "deployment";
/// Name of the [`TopologyDocument`].
pub const TOPOLOGY: &str = "topology";
/// Prefix of the [`ProxyDocument`]s.
pub const PROXY: &str = "proxy/";
/// Prefix of the documents in which proxies say which catalog they use; each ends as the name of its [`ProxyDocument`] does, and
/// goes with that.
pub const FOLLOWER: &str = "follower/";

/// What is fixed when a deployment is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentDocument {
    /// Its id: 32 hex digits, random.
    pub deployment: String,
    /// Number of virtual shards.
    pub virtual_shards: u32,
    /// Name of the placement hash.
    pub hash: String,
    /// Its seed.
    pub seed: i64,
    /// Version of the format of the meta store.
    pub format: i64,
}

/// The clusters and the shard map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopologyDocument {
    /// All clusters there ever were; numbers are never reused.
    pub clusters: Vec<ClusterDocument>,
    /// For every virtual shard the number of its cluster.
    pub map: Vec<u16>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterDocument {
    /// Its number, 1 to 1023.
    pub number: u16,
    /// Its name in the configuration.
    pub name: String,
    /// Its weight when it was added.
    pub weight: f64,
    /// The epoch its log heads are at.
    pub epoch: i64,
    /// Whether its store has been created.
    pub state: ClusterState,
    /// The id of the proxy that is creating it, as in the name of its [`ProxyDocument`]; another one takes over when that
    /// is gone. Versions that do not know it create stores without asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
}

/// Whether a cluster's store has been created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterState {
    /// Not yet: an empty store is expected and is claimed.
    New,
    /// Yes: a store without identity is refused, its cells would be gone.
    Claimed,
}

/// A running proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyDocument {
    /// Where it runs.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// Its MySQL address.
    pub address: String,
    /// Its version.
    pub version: String,
    /// When it started, microseconds UTC by the meta store's clock.
    pub started_at: i64,
    /// Until when it is taken to be alive, likewise.
    pub lease_until: i64,
    /// Whether it owns SQLite files, so that it must be the only one.
    pub exclusive: bool,
    /// The version of the topology it has seen.
    pub topology_seen: i64,
    /// By cluster number: where the stores are that it uses, of those that say so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stores: BTreeMap<u16, StoreDocument>,
}

/// Where a proxy has found the store of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreDocument {
    /// The address by which it reaches it.
    pub address: String,
    /// Where that is, in the store's own words, to be compared.
    pub place: String,
    /// When the store was asked that last and has answered, microseconds UTC by the meta store's clock.
    pub confirmed_at: i64,
    /// Whether the proxy has made sure that no other one says something else; before, it does not use the store.
    pub agreed: bool,
}

impl fmt::Display for StoreDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.place, self.address)
    }
}

pub(super) fn decode<T: DeserializeOwned>(name: &str, body: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(body)
        .map_err(|error| StoreError::Corrupt { detail: format!("document {name} of the meta store: {error}") })
}

pub(super) fn encode<T: Serialize>(name: &str, document: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(document)
        .map_err(|error| StoreError::Failed { detail: format!("document {name} cannot be written: {error}") })
}
