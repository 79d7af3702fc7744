//! The shard map as an immutable value.

use cellgate_schemaless::{ClusterNo, Epoch, ShardId, limits};

use crate::error::TopologyError;
use crate::placement::{self, Weight};

/// A cluster of the deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterEntry {
    /// Its number.
    pub number: ClusterNo,
    /// Its name in the configuration.
    pub name: String,
    /// Its weight.
    pub weight: Weight,
    /// The epoch its log heads are expected at: writes are planned under it.
    pub epoch: Epoch,
}

/// Which cluster every virtual shard lives on. The hot path is one hash and one array read.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    version: i64,
    clusters: Vec<ClusterEntry>,
    /// Indexed by shard; every entry is the number of one of `clusters`.
    map: Box<[ClusterNo]>,
}

impl Topology {
    /// Checks that every shard lives on one of the clusters.
    ///
    /// `version` is that of the stored map.
    ///
    /// # Errors
    /// Every variant of [`TopologyError`] but the weight, which was checked before.
    pub fn new(version: i64, clusters: Vec<ClusterEntry>, map: Vec<ClusterNo>) -> Result<Self, TopologyError> {
        if map.is_empty() || map.len() > limits::VIRTUAL_SHARDS_MAX as usize {
            return Err(TopologyError::ShardCount { shards: map.len() });
        }
        for (index, entry) in clusters.iter().enumerate() {
            if clusters[..index].iter().any(|other| other.number == entry.number) {
                return Err(TopologyError::DuplicateCluster(entry.number));
            }
        }
        for (shard, cluster) in (0..=u16::MAX).zip(&map) {
            if !clusters.iter().any(|c| c.number == *cluster) {
                return Err(TopologyError::UnknownCluster { shard: ShardId(shard), cluster: *cluster });
            }
        }
        Ok(Self { version, clusters, map: map.into_boxed_slice() })
    }

    /// The version of the stored map.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// How many virtual shards there are.
    pub fn virtual_shards(&self) -> u32 {
        // Bounded by `new`.
        u32::try_from(self.map.len()).unwrap_or(u32::MAX)
    }

    /// All clusters, with and without shards.
    pub fn clusters(&self) -> &[ClusterEntry] {
        &self.clusters
    }

    /// The cluster of this number.
    pub fn cluster(&self, number: ClusterNo) -> Option<&ClusterEntry> {
        self.clusters.iter().find(|c| c.number == number)
    }

    /// The virtual shard of a row key.
    pub fn shard_of(&self, row_key: &[u8]) -> ShardId {
        placement::shard_of(row_key, self.virtual_shards())
    }

    /// The cluster a shard lives on; `None` for a shard beyond the last.
    pub fn cluster_of(&self, shard: ShardId) -> Option<ClusterNo> {
        self.map.get(usize::from(shard.0)).copied()
    }

    /// The shard and cluster of a row key.
    pub fn locate(&self, row_key: &[u8]) -> (ShardId, ClusterNo) {
        let shard = self.shard_of(row_key);
        (shard, self.map[usize::from(shard.0)])
    }

    /// The shards of a cluster, ascending.
    pub fn shards_of(&self, cluster: ClusterNo) -> impl Iterator<Item = ShardId> + '_ {
        let numbered = (0..=u16::MAX).zip(self.map.iter());
        numbered.filter(move |(_, c)| **c == cluster).map(|(shard, _)| ShardId(shard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16) -> ClusterNo {
        ClusterNo::new(number).unwrap()
    }

    fn entry(of: u16) -> ClusterEntry {
        ClusterEntry { number: number(of), name: of.to_string(), weight: Weight::new(1.0).unwrap(), epoch: Epoch(1) }
    }

    fn topology(clusters: &[u16], map: Vec<u16>) -> Result<Topology, TopologyError> {
        let clusters = clusters.iter().copied().map(entry).collect();
        Topology::new(1, clusters, map.into_iter().map(number).collect())
    }

    #[test]
    fn a_map_has_as_many_shards_as_can_be_numbered_and_each_on_a_cluster_that_is_there() {
        let most = limits::VIRTUAL_SHARDS_MAX as usize;
        let largest = topology(&[1], vec![1; most]).unwrap();
        assert_eq!(largest.virtual_shards(), limits::VIRTUAL_SHARDS_MAX);
        assert_eq!(largest.shards_of(number(1)).count(), most);
        for shards in [0, most + 1] {
            assert_eq!(topology(&[1], vec![1; shards]), Err(TopologyError::ShardCount { shards }));
        }
        let unknown = TopologyError::UnknownCluster { shard: ShardId(1), cluster: number(2) };
        assert_eq!(topology(&[1], vec![1, 2]), Err(unknown));
        assert_eq!(topology(&[1, 2, 1], vec![1]), Err(TopologyError::DuplicateCluster(number(1))));
    }
}
