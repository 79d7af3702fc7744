//! A deployment: what the meta store says it is, checked against what every cluster says it is.
//!
//! Opening one answers the questions that lose data when they are not asked: is this the meta store of these
//! clusters, is this store the one it was, has it been created before, does another proxy own its files, does anything
//! here speak a newer format. Nothing is ever silently created anew or mapped again (C2, C13 of docs/ARCHITECTURE.md).

mod compare;
mod creating;
mod documents;
mod erasing;
mod error;
mod identity;
mod locating;
mod open;
mod properties;
mod reading;
mod registry;
mod renewals;
mod tables;
mod topology;

pub use compare::compare;
pub use documents::{
    ClusterDocument, ClusterState, DeploymentDocument, FOLLOWER, ProxyDocument, StoreDocument, TopologyDocument,
};
pub use error::OpenError;
pub use open::{ClusterSetup, Deployment, FirstDocument, Setup};
pub use reading::Reading;
pub use registry::{Departure, LEASE, ProxyInfo};
pub use tables::{KnownTables, MissingTables, ReadTables, newest_table};
pub use topology::StoredTopology;
