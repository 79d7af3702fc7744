//! Row key to virtual shard, and which cluster a virtual shard is proposed to live on.
//!
//! Both are fixed when a deployment is created. The shard map that [`propose`] fills is stored and is the truth from
//! then on; this formula is asked again only about what is to move when clusters come or go.

use std::hash::{Hash, Hasher};

use cellgate_schemaless::{ClusterNo, ShardId};
use rendezvous_hash::{Capacity, IdNode, Node, NodeHasher, RendezvousNodes, WeightedNode};
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use crate::error::TopologyError;

/// Name of the placement hash, stored in every cluster and in the meta store.
pub const HASH_NAME: &str = "xxh3-64";
/// Seed of the placement hash, stored likewise. The bytes spell `cellgate`.
pub const HASH_SEED: u64 = u64::from_be_bytes(*b"cellgate");

/// The virtual shard of a row key: `xxh3_64(key, seed) mod virtual_shards`.
///
/// `virtual_shards` is not zero (checked where a [`crate::Topology`] is built). Pinned by golden vectors.
pub fn shard_of(row_key: &[u8], virtual_shards: u32) -> ShardId {
    let shard = xxh3_64_with_seed(row_key, HASH_SEED) % u64::from(virtual_shards.max(1));
    // virtual_shards is at most 65,535, so that the remainder always fits.
    ShardId(u16::try_from(shard).unwrap_or(u16::MAX))
}

/// How much a cluster takes, relative to the others: a positive, finite number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight(f64);

impl Weight {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`TopologyError::Weight`] for zero, negative, infinite or NaN.
    pub fn new(weight: f64) -> Result<Self, TopologyError> {
        if weight.is_finite() && weight > 0.0 { Ok(Self(weight)) } else { Err(TopologyError::Weight { weight }) }
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A cluster as placement sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacementNode {
    /// Its number: what is hashed, so that renaming a cluster moves nothing.
    pub cluster: ClusterNo,
    /// Its weight.
    pub weight: Weight,
}

/// Proposes a cluster for every virtual shard by weighted rendezvous hashing.
///
/// Adding a cluster moves only shards that the new cluster takes, about its share of the weight.
/// Source: Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996; weights after Schindelhauer
/// and Schomaker, "Weighted Distributed Hash Tables", 2005 (crate `rendezvous_hash`).
///
/// # Errors
/// [`TopologyError::NoClusters`], [`TopologyError::Weight`].
pub fn propose(virtual_shards: u32, nodes: &[PlacementNode]) -> Result<Vec<ClusterNo>, TopologyError> {
    let mut candidates = RendezvousNodes::new(StableNodeHasher);
    for node in nodes {
        let capacity = Capacity::new(node.weight.get()).ok_or(TopologyError::Weight { weight: node.weight.get() })?;
        candidates.insert(WeightedNode::new(IdNode::new(node.cluster.get()), capacity));
    }
    (0..virtual_shards)
        .map(|shard| {
            let best = candidates.calc_candidates(&shard).next().ok_or(TopologyError::NoClusters)?;
            ClusterNo::new(*best.node_id()).map_err(|_| TopologyError::NoClusters)
        })
        .collect()
}

/// The node hasher of the deployment: the same on every platform and in every version, unlike std's default hasher.
#[derive(Debug)]
struct StableNodeHasher;

impl NodeHasher<u16> for StableNodeHasher {
    fn hash<T: Hash>(&self, node: &u16, item: &T) -> u64 {
        let mut hasher = StableHasher(Xxh3::with_seed(HASH_SEED));
        item.hash(&mut hasher);
        node.hash(&mut hasher);
        hasher.finish()
    }
}

/// xxh3 over little-endian integers, whatever the machine.
struct StableHasher(Xxh3);

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        self.0.digest()
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn write_u16(&mut self, number: u16) {
        self.0.update(&number.to_le_bytes());
    }
    fn write_u32(&mut self, number: u32) {
        self.0.update(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn nodes(weights: &[f64]) -> Vec<PlacementNode> {
        weights
            .iter()
            .zip(1..)
            .map(|(w, n)| PlacementNode { cluster: ClusterNo::new(n).unwrap(), weight: Weight::new(*w).unwrap() })
            .collect()
    }

    fn share(map: &[ClusterNo]) -> BTreeMap<u16, usize> {
        map.iter().fold(BTreeMap::new(), |mut counts, c| {
            *counts.entry(c.get()).or_default() += 1;
            counts
        })
    }

    /// If this fails, every deployed cell is in the wrong place: never change the expectations. They were computed with
    /// another implementation of XXH3.
    #[test]
    fn golden_vectors_pin_the_shard_of_a_key() {
        let golden: [(&[u8], u16); 8] = [
            (b"a", 3215),
            (b"A", 3221),
            (b"a ", 295),
            (b"1", 1947),
            (b"\0", 555),
            ("ü🚕".as_bytes(), 1824),
            (b"7d444840-9dc0-11d1-b245-5ffdce74fad2", 3126),
            (&[0xff; 1020], 1001),
        ];
        for (key, shard) in golden {
            assert_eq!(shard_of(key, 4096), ShardId(shard), "{}", key.escape_ascii());
        }
    }

    /// As above, for the map.
    #[test]
    fn golden_vectors_pin_the_proposed_map() {
        let map = propose(4096, &nodes(&[1.0, 1.0, 1.0, 1.0])).unwrap();
        let first: Vec<u16> = map.iter().take(16).map(|c| c.get()).collect();
        assert_eq!(first, [2, 2, 1, 2, 2, 3, 2, 3, 1, 2, 1, 1, 3, 1, 3, 3]);
        let weighted = propose(4096, &nodes(&[1.0, 2.0, 0.5])).unwrap();
        let first: Vec<u16> = weighted.iter().take(16).map(|c| c.get()).collect();
        assert_eq!(first, [2, 2, 1, 2, 2, 1, 2, 1, 1, 2, 1, 1, 3, 2, 3, 3]);
    }

    #[test]
    fn shards_are_balanced_by_weight() {
        let counts = share(&propose(4096, &nodes(&[1.0; 8])).unwrap());
        for (cluster, count) in &counts {
            assert!((410..=614).contains(count), "cluster {cluster} has {count} of 4096, expected 512 +- 20 %");
        }
        let counts = share(&propose(4096, &nodes(&[1.0, 3.0])).unwrap());
        assert!((2900..=3250).contains(&counts[&2]), "weight 3 of 4 has {} of 4096", counts[&2]);
    }

    #[test]
    fn a_ninth_cluster_takes_about_a_ninth_and_nothing_else_moves() {
        let before = propose(4096, &nodes(&[1.0; 8])).unwrap();
        let after = propose(4096, &nodes(&[1.0; 9])).unwrap();
        let moved: Vec<_> = before.iter().zip(&after).filter(|(b, a)| b != a).collect();
        assert!(moved.iter().all(|(_, to)| to.get() == 9), "every shard that moves goes to the new cluster");
        assert!((364..=546).contains(&moved.len()), "{} of 4096 moved, expected 455 +- 20 %", moved.len());
    }

    #[test]
    fn no_clusters_and_bad_weights_are_refused() {
        assert_eq!(propose(16, &[]), Err(TopologyError::NoClusters));
        for weight in [0.0, -1.0, f64::INFINITY] {
            assert_eq!(Weight::new(weight), Err(TopologyError::Weight { weight }));
        }
        assert!(Weight::new(f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn keys_spread_over_any_number_of_shards(key in proptest::collection::vec(any::<u8>(), 1..64), shards in 1u32..=65_535) {
            prop_assert!(u32::from(shard_of(&key, shards).0) < shards);
        }

        #[test]
        fn removing_a_cluster_moves_only_its_shards(count in 2u16..10, gone in 0usize..10) {
            let all = nodes(&vec![1.0; usize::from(count)]);
            let gone = all[gone % all.len()].cluster;
            let fewer: Vec<_> = all.iter().copied().filter(|n| n.cluster != gone).collect();
            let (before, after) = (propose(512, &all).unwrap(), propose(512, &fewer).unwrap());
            for (b, a) in before.iter().zip(&after) {
                prop_assert!(*b == gone || a == b);
            }
        }
    }
}
