//! A request becomes a plan: for every cluster it touches, the part it is to do.

use cellgate_schemaless::{
    Chain, ClusterNo, Erasure, LatestKey, LogScan, NewCell, Request, RowKey, RowScan, RowSet, ShardId, TableRef, Triple,
};

use crate::topology::Topology;

/// What one cluster is to do, and where its answers belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<T> {
    /// The cluster.
    pub cluster: ClusterNo,
    /// Its items.
    pub items: Vec<T>,
    /// For each item, its place in the request.
    pub positions: Vec<usize>,
}

/// A cell to be written, with its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCell {
    /// The shard of its row key.
    pub shard: ShardId,
    /// The cell.
    pub cell: NewCell,
}

/// A request, split by cluster. Parts are ordered by cluster number and never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Exact cells.
    Get {
        /// The table.
        table: TableRef,
        /// One part per cluster.
        parts: Vec<Part<Triple>>,
        /// How many keys there are in all.
        keys: usize,
    },
    /// Latest cells.
    Latest {
        /// The table.
        table: TableRef,
        /// One part per cluster.
        parts: Vec<Part<LatestKey>>,
        /// How many keys there are in all.
        keys: usize,
    },
    /// A row scan.
    Rows {
        /// The table.
        table: TableRef,
        /// One scan per cluster; their answers are merged by [`crate::row_order`].
        parts: Vec<(ClusterNo, RowScan)>,
    },
    /// A log scan.
    Log {
        /// The table.
        table: TableRef,
        /// One scan per cluster; their answers are merged by [`crate::log_order`].
        parts: Vec<(ClusterNo, LogScan)>,
    },
    /// A write.
    Put {
        /// The table.
        table: TableRef,
        /// One part per cluster; each stands or falls as a whole.
        parts: Vec<Part<PlannedCell>>,
    },
    /// An erasure, always in one cluster.
    Erase {
        /// The table.
        table: TableRef,
        /// The cluster.
        cluster: ClusterNo,
        /// What to erase.
        what: Erasure,
    },
}

/// Splits a request by where its keys live.
pub fn plan(request: Request, topology: &Topology) -> Plan {
    match request {
        Request::Get { table, keys } => {
            let count = keys.len();
            let parts = split(keys, |key| topology.locate(key.row.as_bytes()).1);
            Plan::Get { table, parts, keys: count }
        }
        Request::Latest { table, keys } => {
            let count = keys.len();
            let parts = split(keys, |key| topology.locate(key.row.as_bytes()).1);
            Plan::Latest { table, parts, keys: count }
        }
        Request::Rows { table, scan } => Plan::Rows { table, parts: split_rows(scan, topology) },
        Request::Log { table, scan } => {
            let parts = split(scan.shards.clone(), |shard| {
                // The dialect checks partitions; a shard beyond the last has no cells, whoever is asked.
                topology.cluster_of(*shard).unwrap_or(topology.clusters()[0].number)
            });
            let parts =
                parts.into_iter().map(|part| (part.cluster, LogScan { shards: part.items, ..scan.clone() })).collect();
            Plan::Log { table, parts }
        }
        Request::Put { table, cells } => {
            let planned: Vec<_> = cells
                .into_iter()
                .map(|cell| PlannedCell { shard: topology.shard_of(cell.row.as_bytes()), cell })
                .collect();
            Plan::Put { table, parts: split(planned, |cell| topology.locate(cell.cell.row.as_bytes()).1) }
        }
        Request::Erase { table, what } => {
            Plan::Erase { table, cluster: topology.locate(what.row().as_bytes()).1, what }
        }
    }
}

/// Groups items by cluster, keeping their order and remembering their places.
fn split<T>(items: Vec<T>, cluster_of: impl Fn(&T) -> ClusterNo) -> Vec<Part<T>> {
    let mut parts: Vec<Part<T>> = Vec::new();
    for (position, item) in items.into_iter().enumerate() {
        let cluster = cluster_of(&item);
        let index = match parts.binary_search_by_key(&cluster, |p| p.cluster) {
            Ok(index) => index,
            Err(index) => {
                parts.insert(index, Part { cluster, items: Vec::new(), positions: Vec::new() });
                index
            }
        };
        parts[index].items.push(item);
        parts[index].positions.push(position);
    }
    parts
}

fn split_rows(scan: RowScan, topology: &Topology) -> Vec<(ClusterNo, RowScan)> {
    let RowScan { set, refs, direction, after, up_to, limit } = scan;
    let part = |cluster, set| (cluster, RowScan { set, refs, direction, after: after.clone(), up_to, limit });
    match set {
        RowSet::Rows(rows, columns) => split(rows, |row: &RowKey| topology.locate(row.as_bytes()).1)
            .into_iter()
            .map(|p| part(p.cluster, RowSet::Rows(p.items, columns.clone())))
            .collect(),
        RowSet::Chains(chains) => split(chains, |chain: &Chain| topology.locate(chain.row.as_bytes()).1)
            .into_iter()
            .map(|p| part(p.cluster, RowSet::Chains(p.items)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::{Body, ColumnFilter, ColumnKey, Direction, Epoch, RefKey, RefRange, TableId, Version};
    use proptest::prelude::*;

    use super::*;
    use crate::placement::{PlacementNode, Weight, propose};
    use crate::topology::ClusterEntry;

    fn topology(clusters: u16) -> Topology {
        let weight = Weight::new(1.0).unwrap();
        let nodes: Vec<_> =
            (1..=clusters).map(|n| PlacementNode { cluster: ClusterNo::new(n).unwrap(), weight }).collect();
        let entries = nodes
            .iter()
            .map(|n| ClusterEntry { number: n.cluster, name: format!("c{}", n.cluster), weight, epoch: Epoch(1) })
            .collect();
        Topology::new(1, entries, propose(64, &nodes).unwrap()).unwrap()
    }

    fn table() -> TableRef {
        TableRef::new("trips", TableId(1), 1)
    }

    fn row(key: &str) -> RowKey {
        RowKey::new(key.as_bytes().to_vec()).unwrap()
    }

    fn column() -> ColumnKey {
        ColumnKey::new("BASE").unwrap()
    }

    proptest! {
        #[test]
        fn every_key_is_planned_once_on_its_cluster(rows in proptest::collection::vec("[a-z]{1,8}", 0..50), clusters in 1u16..6) {
            let topology = topology(clusters);
            let keys: Vec<_> = rows.iter().map(|r| Triple { row: row(r), column: column(), ref_key: RefKey(1) }).collect();
            let Plan::Get { parts, keys: count, .. } = plan(Request::Get { table: table(), keys: keys.clone() }, &topology) else {
                unreachable!()
            };
            prop_assert_eq!(count, keys.len());
            let mut seen = vec![false; keys.len()];
            for part in parts {
                prop_assert!(!part.items.is_empty());
                for (item, position) in part.items.iter().zip(part.positions) {
                    prop_assert_eq!(item, &keys[position]);
                    prop_assert_eq!(topology.locate(item.row.as_bytes()).1, part.cluster);
                    prop_assert!(!std::mem::replace(&mut seen[position], true));
                }
            }
            prop_assert!(seen.into_iter().all(|s| s));
        }
    }

    #[test]
    fn a_put_carries_the_shard_of_its_row() {
        let topology = topology(3);
        let cell =
            NewCell { row: row("r1"), column: column(), version: Version::Next, body: Body::json("{}").unwrap() };
        let Plan::Put { parts, .. } = plan(Request::Put { table: table(), cells: vec![cell] }, &topology) else {
            unreachable!()
        };
        assert_eq!(parts[0].items[0].shard, topology.shard_of(b"r1"));
    }

    #[test]
    fn a_log_scan_over_all_shards_asks_every_cluster_for_its_own() {
        let topology = topology(4);
        let scan = LogScan {
            shards: (0..64).map(ShardId).collect(),
            added_after: None,
            created_from: None,
            columns: ColumnFilter::All,
            after: None,
            up_to: None,
            limit: Some(5),
        };
        let Plan::Log { parts, .. } = plan(Request::Log { table: table(), scan }, &topology) else { unreachable!() };
        assert_eq!(parts.len(), 4);
        for (cluster, scan) in &parts {
            assert_eq!(scan.shards, topology.shards_of(*cluster).collect::<Vec<_>>());
            assert_eq!(scan.limit, Some(5));
        }
    }

    #[test]
    fn a_row_scan_keeps_its_bounds_in_every_part() {
        let topology = topology(4);
        let rows: Vec<_> = ('a'..='z').map(|c| row(&c.to_string())).collect();
        let scan = RowScan {
            set: RowSet::Rows(rows, ColumnFilter::In(vec![column()])),
            refs: RefRange { min: Some(RefKey(2)), max: None },
            direction: Direction::Descending,
            after: None,
            up_to: None,
            limit: Some(3),
        };
        let Plan::Rows { parts, .. } = plan(Request::Rows { table: table(), scan }, &topology) else { unreachable!() };
        let total: usize = parts
            .iter()
            .map(|(_, scan)| match &scan.set {
                RowSet::Rows(rows, _) => rows.len(),
                RowSet::Chains(_) => 0,
            })
            .sum();
        assert_eq!(total, 26);
        assert!(parts.iter().all(|(_, s)| s.refs.min == Some(RefKey(2)) && s.limit == Some(3)));
    }
}
