//! The stored shard map, as this proxy knows it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use cellgate_metrics::MetaDocument;
use cellgate_router::{ClusterEntry, Topology, Weight};
use cellgate_schemaless::{ClusterNo, Epoch};

use super::documents::{TOPOLOGY, TopologyDocument, decode};
use super::edition::{Edition, Known};
use super::error::OpenError;
use super::reading::Reading;
use crate::error::StoreError;
use crate::executor::TopologySource;
use crate::meta::MetaStore;
use crate::sync::lock;

/// Follows the topology document.
#[derive(Debug)]
pub struct StoredTopology {
    meta: Arc<dyn MetaStore>,
    current: ArcSwap<Topology>,
    /// Which state of the document has been judged. Held while what is current is replaced.
    known: Mutex<Known>,
    reading: Reading,
}

impl StoredTopology {
    pub(super) fn new(meta: Arc<dyn MetaStore>, topology: Topology) -> Self {
        let known = Mutex::new(Known::nothing_of(MetaDocument::Topology));
        Self { meta, current: ArcSwap::from_pointee(topology), known, reading: Reading::new(MetaDocument::Topology) }
    }

    /// Reads the document, and takes it over if it is another one than what is known: a newer one, or one of a meta store that
    /// went back.
    ///
    /// # Errors
    /// What the meta store says; [`StoreError::Corrupt`] for a document that is no topology.
    pub async fn poll(&self) -> Result<(), StoreError> {
        let outcome = self.read().await;
        self.reading.ended(&outcome);
        outcome
    }

    /// How reading the document goes.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    async fn read(&self) -> Result<(), StoreError> {
        let began = Instant::now();
        let Some(document) = self.meta.load(TOPOLOGY).await? else {
            return Err(StoreError::Corrupt { detail: "the meta store has no topology".into() });
        };
        let edition = Edition::of(document.version, &document.body);
        if !lock(&self.known).would_learn(edition, began) {
            return Ok(());
        }
        let stored: TopologyDocument = decode(TOPOLOGY, &document.body)?;
        let read = build(document.version, &stored)
            .map_err(|error| StoreError::Corrupt { detail: format!("the stored topology: {error}") })?;
        let before = self.current.load();
        if read.version() <= before.version() && !maps_alike(&before, &read) {
            return Err(StoreError::Corrupt { detail: "the meta store went back to another shard map".into() });
        }
        let mut known = lock(&self.known);
        // Another task may have read, and stored, a newer one meanwhile.
        if known.learns(edition, began) {
            if before.version() < read.version() {
                tracing::info!(version = read.version(), "new topology");
            }
            self.current.store(Arc::new(read));
        }
        Ok(())
    }
}

#[async_trait]
impl TopologySource for StoredTopology {
    fn current(&self) -> Arc<Topology> {
        self.current.load_full()
    }

    async fn refresh(&self, seen: i64) -> Result<(), StoreError> {
        if self.current.load().version() > seen { Ok(()) } else { self.poll().await }
    }
}

/// Whether both say the same of where every shard is.
fn maps_alike(one: &Topology, other: &Topology) -> bool {
    let mut clusters = one.clusters().iter().map(|cluster| cluster.number);
    one.virtual_shards() == other.virtual_shards() && clusters.all(|n| one.shards_of(n).eq(other.shards_of(n)))
}

/// The topology a document describes.
pub(super) fn build(version: i64, document: &TopologyDocument) -> Result<Topology, OpenError> {
    let number =
        |n: u16| ClusterNo::new(n).map_err(|error| OpenError::Meta(StoreError::Corrupt { detail: error.to_string() }));
    let clusters = document
        .clusters
        .iter()
        .map(|c| {
            Ok(ClusterEntry {
                number: number(c.number)?,
                name: c.name.clone(),
                weight: Weight::new(c.weight)?,
                epoch: Epoch(c.epoch),
            })
        })
        .collect::<Result<Vec<_>, OpenError>>()?;
    let map = document.map.iter().map(|n| number(*n)).collect::<Result<Vec<_>, _>>()?;
    Ok(Topology::new(version, clusters, map)?)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::super::documents::{ClusterDocument, ClusterState, encode};
    use super::*;
    use crate::meta::Document;
    use crate::meta::fake::FakeMeta;

    fn document() -> TopologyDocument {
        let cluster = ClusterDocument {
            number: 1,
            name: "a".into(),
            weight: 1.0,
            epoch: 1,
            state: ClusterState::Claimed,
            creator: None,
        };
        TopologyDocument { clusters: vec![cluster], map: vec![1; 4] }
    }

    #[tokio::test]
    async fn a_newer_topology_is_taken_and_so_is_that_of_a_meta_store_that_went_back() {
        let stored = Arc::new(AtomicI64::new(2));
        let meta = {
            let stored = Arc::clone(&stored);
            FakeMeta::new(move || {
                let (name, version) = (TOPOLOGY.to_owned(), stored.load(Ordering::SeqCst));
                let body = encode(TOPOLOGY, &document()).unwrap();
                Box::pin(async move { Some(Document { name, version, body }) })
            })
        };
        let topology = StoredTopology::new(Arc::new(meta), build(1, &document()).unwrap());
        // The last as after a backup of the meta store was restored.
        for version in [2, 4, 3] {
            stored.store(version, Ordering::SeqCst);
            topology.poll().await.unwrap();
            assert_eq!(topology.current().version(), version);
            topology.refresh(version).await.unwrap();
            assert_eq!(topology.current().version(), version);
        }
    }
}
