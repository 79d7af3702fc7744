//! Where cells live: keys to shards, shards to clusters, requests to plans, and answers merged again.
//!
//! Pure: the router never waits and never touches a store. [`Topology`] is an immutable value; whoever learns of a
//! change builds a new one.

mod error;
mod merge;
mod placement;
mod plan;
mod topology;

pub use error::TopologyError;
pub use merge::{Merge, gather, log_order, row_order};
pub use placement::{HASH_NAME, HASH_SEED, PlacementNode, Weight, propose, shard_of};
pub use plan::{Part, Plan, PlannedCell, plan};
pub use topology::{ClusterEntry, Topology};
