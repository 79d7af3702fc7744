//! The stored shard map, as this proxy knows it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use cellgate_metrics::MetaDocument;
use cellgate_router::{ClusterEntry, Topology, Weight};
use cellgate_schemaless::{ClusterNo, Epoch};

use super::documents::{TOPOLOGY, TopologyDocument, decode};
use super::error::OpenError;
use super::reading::Reading;
use crate::error::StoreError;
use crate::executor::TopologySource;
use crate::meta::MetaStore;

/// Follows the topology document.
#[derive(Debug)]
pub struct StoredTopology {
    meta: Arc<dyn MetaStore>,
    current: ArcSwap<Topology>,
    reading: Reading,
}

impl StoredTopology {
    pub(super) fn new(meta: Arc<dyn MetaStore>, topology: Topology) -> Self {
        Self { meta, current: ArcSwap::from_pointee(topology), reading: Reading::new(MetaDocument::Topology) }
    }

    /// Reads the document if it is newer than what is known.
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
        let Some(document) = self.meta.load(TOPOLOGY).await? else {
            return Err(StoreError::Corrupt { detail: "the meta store has no topology".into() });
        };
        if document.version > self.current.load().version() {
            let stored: TopologyDocument = decode(TOPOLOGY, &document.body)?;
            let topology = build(document.version, &stored)
                .map_err(|error| StoreError::Corrupt { detail: format!("the stored topology: {error}") })?;
            tracing::info!(version = topology.version(), "new topology");
            let read = Arc::new(topology);
            // Another task may have read, and stored, a newer one meanwhile: the version never goes back.
            self.current.rcu(|known| Arc::clone(if known.version() < read.version() { &read } else { known }));
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
    async fn a_newer_topology_is_taken_and_an_older_one_is_not() {
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
        for (version, known) in [(2, 2), (4, 4), (3, 4)] {
            stored.store(version, Ordering::SeqCst);
            topology.poll().await.unwrap();
            assert_eq!(topology.current().version(), known);
            topology.refresh(known).await.unwrap();
            assert_eq!(topology.current().version(), known);
        }
    }
}
