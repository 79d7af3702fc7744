//! What can be wrong with a topology.

use cellgate_schemaless::{ClusterNo, ErrorKind, ShardId};
use thiserror::Error;

/// A topology that cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TopologyError {
    /// Not in `1..=65535`.
    #[error("{shards} virtual shards are not in 1..={max}", max = cellgate_schemaless::limits::VIRTUAL_SHARDS_MAX)]
    ShardCount {
        /// The number.
        shards: usize,
    },
    /// A shard is mapped to a cluster that is not in the list.
    #[error("shard {shard} is mapped to cluster {cluster}, which does not exist")]
    UnknownCluster {
        /// The shard.
        shard: ShardId,
        /// The cluster it is mapped to.
        cluster: ClusterNo,
    },
    /// Two clusters of one number.
    #[error("two clusters have the number {0}")]
    DuplicateCluster(ClusterNo),
    /// A weight that is not a positive, finite number.
    #[error("weight {weight} is not a positive number")]
    Weight {
        /// The weight.
        weight: f64,
    },
    /// No cluster to place a shard on.
    #[error("there is no cluster to place shards on")]
    NoClusters,
}

impl TopologyError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::ShardCount { .. }
            | Self::UnknownCluster { .. }
            | Self::DuplicateCluster(_)
            | Self::Weight { .. }
            | Self::NoClusters => ErrorKind::Corrupt,
        }
    }
}
